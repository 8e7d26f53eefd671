/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over TLS over TCP.
 *
 * The socket never blocks. A receiver reads in a loop without sleeping for some microseconds, because a wake-up costs
 * more than the transfer of a share, and sleeps in poll after that. A mutex guards each call into OpenSSL, so that one
 * thread may send while another receives; it is never held while waiting. A frame of up to one TLS record is put
 * together in a staging buffer and leaves in one record and one send; of a longer one whole records are taken from the
 * caller's memory as they lie. */
#include "net/stream.h"

#include "base/mem.h"
#include "net/socket.h"
#include "net/stream_accept.h"
#include "net/tls_context.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_BYTES            SSL3_RT_MAX_PLAIN_LENGTH /* 16384: what one TLS record carries at most */
#define READ_TIMEOUT_MS_DEFAULT 10000u
#define BYTES_PER_S_DEFAULT     ((uint32_t)256 << 10)
#define SPIN_US_DEFAULT         100u
#define LINGER_MS               200u
#define LINGER_BYTES_MAX        ((size_t)4 << 20)
#define DETAIL_BYTES_MAX        256

/* Why one direction has ended, for every later call. */
typedef struct ended {
    eis_status st;
    char detail[DETAIL_BYTES_MAX];
} ended;

struct eis_stream {
    eis_tls_socket socket;
    SSL *ssl;
    pthread_mutex_t ssl_lock, send_lock;
    eis_stream_options options;
    const eis_cancel *draining; /* the listener's; NULL for clients */
    eis_frame_parser parser;
    bool delivered;             /* the frame that is ready was handed out */
    bool want_write;            /* reading needs to write first (a key update) */
    uint64_t frame_deadline_ns; /* of the frame that has begun */
    ended receiving, sending;   /* under ssl_lock */
    atomic_bool cancelled;
    atomic_uint_fast64_t frames_in, frames_out, bytes_in, bytes_out;
    char peer[EIS_ADDRESS_TEXT_BYTES_MAX];
    uint8_t stage[RECORD_BYTES];
};

static void set_defaults(eis_stream_options *o)
{
    if (o->protocol == 0) o->protocol = EIS_FRAME_PROTOCOL_SPLIT;
    if (o->payload_bytes_max == 0) o->payload_bytes_max = EIS_FRAME_HELLO_BYTES_MAX;
    if (o->read_timeout_ms == 0) o->read_timeout_ms = READ_TIMEOUT_MS_DEFAULT;
    if (o->write_timeout_ms == 0) o->write_timeout_ms = READ_TIMEOUT_MS_DEFAULT;
    if (o->bytes_per_s_min == 0) o->bytes_per_s_min = BYTES_PER_S_DEFAULT;
    if (o->spin_us == 0) o->spin_us = SPIN_US_DEFAULT;
    if (o->spin_us == EIS_STREAM_NO_SPIN) o->spin_us = 0;
}

/* Takes the socket, also on error. */
static eis_status stream_new(eis_stream **stream, int fd, const eis_stream_options *options)
{
    eis_stream *s = eis_mem_new(1, sizeof *s);
    eis_address peer;

    *stream = NULL;
    if (s == NULL) {
        close(fd);
        return EIS_ERR_MEMORY;
    }
    s->socket.fd = fd;
    if (options != NULL) s->options = *options;
    set_defaults(&s->options);
    eis_wire_frame_parser_init(&s->parser, s->options.protocol, s->options.payload_bytes_max);
    pthread_mutex_init(&s->ssl_lock, NULL);
    pthread_mutex_init(&s->send_lock, NULL);
    eis_net_socket_name(&peer, fd, true);
    eis_net_address_format(s->peer, &peer);
    *stream = s;
    return EIS_OK;
}

/* ---- endings ---- */

static bool is_cancelled(const eis_stream *s)
{
    return atomic_load_explicit(&s->cancelled, memory_order_relaxed) || eis_net_cancel_raised(s->options.cancel);
}

static void keep_ending(ended *e, eis_status st)
{
    if (e->st != EIS_OK) return;
    e->st = st;
    snprintf(e->detail, sizeof e->detail, "%s", eis_error_detail());
}

static eis_status tell_ending(eis_stream *s, const ended *e)
{
    ended copy;

    pthread_mutex_lock(&s->ssl_lock);
    copy = *e;
    pthread_mutex_unlock(&s->ssl_lock);
    return copy.st == EIS_OK ? EIS_OK : eis_fail(copy.st, "%s", copy.detail);
}

/* Ends both directions with the status whose text was just recorded. A cancelled stream says only that: what the socket
 * says after that is a consequence. */
static eis_status end_both(eis_stream *s, eis_status st)
{
    if (is_cancelled(s)) st = eis_fail(EIS_ERR_INTERRUPTED, "the exchange with %s was interrupted", s->peer);
    pthread_mutex_lock(&s->ssl_lock);
    keep_ending(&s->receiving, st);
    keep_ending(&s->sending, st);
    pthread_mutex_unlock(&s->ssl_lock);
    return st;
}

/* Ends the receiving direction only: we may still tell the peer what was wrong with its frame. */
static eis_status end_receiving(eis_stream *s, eis_status st)
{
    st = eis_fail_prefix(st, "%s", s->peer);
    pthread_mutex_lock(&s->ssl_lock);
    keep_ending(&s->receiving, st);
    pthread_mutex_unlock(&s->ssl_lock);
    return st;
}

void eis_net_stream_cancel(eis_stream *stream)
{
    atomic_store(&stream->cancelled, true);
    shutdown(stream->socket.fd, SHUT_RDWR); /* wakes poll; the descriptor itself lives until free */
}

/* ---- handshake ---- */

static eis_status fail_wait(eis_stream *s, eis_status st, const char *when)
{
    switch (st) {
    case EIS_ERR_TIMEOUT:
        return eis_fail(st, "%s did not answer in time %s", s->peer, when);
    case EIS_ERR_INTERRUPTED:
        return eis_fail(st, "interrupted %s with %s", when, s->peer);
    default:
        return eis_fail(st, "waiting for %s failed %s", s->peer, when);
    }
}

static eis_status handshake(eis_stream *s, uint64_t deadline_ns)
{
    for (;;) {
        int done, error;
        eis_status st;

        ERR_clear_error();
        done = SSL_do_handshake(s->ssl);
        if (done == 1) return EIS_OK;
        error = SSL_get_error(s->ssl, done);
        if (is_cancelled(s)) return fail_wait(s, EIS_ERR_INTERRUPTED, "in the TLS handshake");
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return eis_net_tls_fail(&s->socket, s->ssl, s->peer, true);
        st = eis_net_socket_wait(s->socket.fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ns,
                                 s->options.cancel);
        if (st != EIS_OK) return fail_wait(s, st, "in the TLS handshake");
    }
}

eis_status eis_net_stream_connect(eis_stream **stream, const eis_address *address, const eis_tls *tls,
                                  uint32_t timeout_ms, const eis_stream_options *options)
{
    uint64_t deadline_ns = eis_net_deadline_ns(timeout_ms);
    eis_status st = EIS_OK;
    eis_stream *s = NULL;
    int fd = -1;

    EIS_ASSERT(tls->is_client);
    *stream = NULL;
    EIS_TRY(eis_net_socket_connect(&fd, address, deadline_ns, options == NULL ? NULL : options->cancel));
    EIS_TRY(stream_new(&s, fd, options));
    eis_net_address_format(s->peer, address); /* what the user wrote tells more than the numeric address */
    EIS_TRY(eis_net_tls_ssl_new(&s->ssl, tls, &s->socket, address->host));
    SSL_set_connect_state(s->ssl);
    EIS_TRY(handshake(s, deadline_ns));
    EIS_TRY(eis_net_tls_check_agreed(tls, s->ssl, s->peer));
    *stream = s;
    s = NULL;
out:
    if (s != NULL) (void)end_both(s, st);
    eis_net_stream_free(s);
    return st;
}

eis_status eis_net_stream_accept_new(eis_stream **stream, int fd, const eis_tls *tls, const eis_stream_options *options,
                                     const eis_cancel *draining)
{
    eis_status st = EIS_OK;
    eis_stream *s = NULL;

    EIS_ASSERT(!tls->is_client);
    *stream = NULL;
    EIS_TRY(stream_new(&s, fd, options));
    s->draining = draining;
    EIS_TRY(eis_net_tls_ssl_new(&s->ssl, tls, &s->socket, NULL));
    SSL_set_accept_state(s->ssl);
    *stream = s;
    s = NULL;
out:
    eis_net_stream_free(s);
    return st;
}

eis_status eis_net_stream_accept_handshake(eis_stream *s, uint32_t timeout_ms)
{
    eis_status st = EIS_OK;

    EIS_TRY(handshake(s, eis_net_deadline_ns(timeout_ms)));
    EIS_TRY(eis_net_tls_check_agreed(SSL_CTX_get_app_data(SSL_get_SSL_CTX(s->ssl)), s->ssl, s->peer));
out:
    return st == EIS_OK ? st : end_both(s, st);
}

/* ---- end of life ---- */

/* After a framing fault the peer may still be sending. Closing at once would reset the connection and take our last
 * frame with it, so its bytes are thrown away for a moment. */
static void linger(eis_stream *s)
{
    uint64_t deadline_ns = eis_net_deadline_ns(LINGER_MS);
    size_t thrown = 0;

    shutdown(s->socket.fd, SHUT_WR);
    while (thrown < LINGER_BYTES_MAX &&
           eis_net_socket_wait(s->socket.fd, POLLIN, deadline_ns, s->options.cancel) == EIS_OK) {
        ssize_t got = recv(s->socket.fd, s->stage, sizeof s->stage, MSG_DONTWAIT);

        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
        if (got > 0) thrown += (size_t)got;
    }
}

void eis_net_stream_free(eis_stream *s)
{
    if (s == NULL) return;
    if (s->ssl != NULL && s->sending.st == EIS_OK && SSL_is_init_finished(s->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
        if (s->receiving.st != EIS_OK) linger(s);
    }
    SSL_free(s->ssl);
    close(s->socket.fd);
    eis_wire_frame_parser_clear(&s->parser);
    pthread_mutex_destroy(&s->ssl_lock);
    pthread_mutex_destroy(&s->send_lock);
    eis_mem_free_wiped(s, 1, sizeof *s);
}

/* ---- sending ---- */

static uint64_t frame_time_ns(const eis_stream *s, uint32_t base_ms, uint64_t bytes)
{
    uint64_t seconds = bytes / s->options.bytes_per_s_min; /* may be large; a year is enough */

    return base_ms * EIS_NS_PER_MS + (seconds < 31536000u ? seconds : 31536000u) * 1000 * EIS_NS_PER_MS;
}

/* One attempt to write. Returns the bytes taken, 0 to try again when *events is ready, -1 after ending the stream. */
static int write_some(eis_stream *s, short *events, const uint8_t *data, size_t bytes)
{
    int taken, error = SSL_ERROR_NONE;
    eis_status st = EIS_OK;

    pthread_mutex_lock(&s->ssl_lock);
    ERR_clear_error();
    taken = SSL_write(s->ssl, data, bytes > INT_MAX ? INT_MAX : (int)bytes);
    if (taken <= 0) {
        error = SSL_get_error(s->ssl, taken);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            *events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
            taken = 0;
        } else {
            uint8_t byte;

            /* A peer that hung up may have said why: its alert lies unread. */
            if (s->socket.error != 0 && SSL_peek(s->ssl, &byte, 1) > 0) ERR_clear_error();
            st = eis_net_tls_fail(&s->socket, s->ssl, s->peer, false);
            taken = -1;
        }
    }
    pthread_mutex_unlock(&s->ssl_lock);
    if (taken < 0) (void)end_both(s, st);
    return taken;
}

static eis_status write_all(eis_stream *s, const uint8_t *data, size_t bytes, uint64_t deadline_ns)
{
    while (bytes > 0) {
        short events = 0;
        int taken;
        eis_status st;

        if (is_cancelled(s)) return end_both(s, EIS_ERR_INTERRUPTED);
        taken = write_some(s, &events, data, bytes < RECORD_BYTES ? bytes : RECORD_BYTES);
        if (taken < 0) return tell_ending(s, &s->sending);
        if (taken == 0) {
            st = eis_net_socket_wait(s->socket.fd, events, deadline_ns, s->options.cancel);
            if (st == EIS_ERR_TIMEOUT)
                (void)eis_fail(st, "%s did not take a frame in time", s->peer);
            else if (st != EIS_OK)
                (void)fail_wait(s, st, "while sending");
            if (st != EIS_OK) return end_both(s, st);
        }
        data += taken;
        bytes -= (size_t)taken;
    }
    return EIS_OK;
}

/* Sends header and parts as one run of bytes: short pieces through the staging buffer, whole records straight from
 * where they lie once the buffer is empty. */
static eis_status write_frame(eis_stream *s, const eis_span *parts, size_t part_count, uint64_t deadline_ns)
{
    eis_status st = EIS_OK;
    size_t staged = EIS_FRAME_HEADER_BYTES;

    for (size_t i = 0; i < part_count; i++) {
        const uint8_t *data = parts[i].data;
        size_t left = parts[i].bytes;

        while (left > 0) {
            size_t step = RECORD_BYTES - staged;

            if (staged == 0 && left >= RECORD_BYTES) {
                step = left - left % RECORD_BYTES;
                EIS_TRY(write_all(s, data, step, deadline_ns));
            } else {
                step = step < left ? step : left;
                memcpy(s->stage + staged, data, step);
                staged += step;
            }
            if (staged == RECORD_BYTES) {
                EIS_TRY(write_all(s, s->stage, staged, deadline_ns));
                staged = 0;
            }
            data += step;
            left -= step;
        }
    }
    EIS_TRY(write_all(s, s->stage, staged, deadline_ns));
out:
    return st;
}

eis_status eis_net_stream_send(eis_stream *s, const eis_frame_header *header, const eis_span *parts, size_t part_count)
{
    eis_frame_header complete = *header;
    eis_status st = EIS_OK;
    size_t total = 0;

    EIS_ASSERT(part_count <= EIS_STREAM_PARTS_MAX);
    for (size_t i = 0; i < part_count; i++) EIS_ASSERT(eis_size_add(&total, total, parts[i].bytes));
    complete.payload_bytes = total;
    complete.protocol = s->options.protocol;
    pthread_mutex_lock(&s->send_lock);
    EIS_TRY(tell_ending(s, &s->sending));
    eis_wire_frame_write(s->stage, &complete);
    EIS_TRY(write_frame(s, parts, part_count, eis_clock_ns() + frame_time_ns(s, s->options.write_timeout_ms, total)));
    atomic_fetch_add_explicit(&s->frames_out, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bytes_out, total + EIS_FRAME_HEADER_BYTES, memory_order_relaxed);
out:
    pthread_mutex_unlock(&s->send_lock);
    return st;
}

/* ---- receiving ---- */

void eis_net_stream_limit(eis_stream *s, uint64_t payload_bytes_max)
{
    eis_wire_frame_parser_limit(&s->parser, payload_bytes_max);
}

/* One attempt to read. Returns the bytes got, 0 for none yet, -1 after ending the stream. */
static int read_some(eis_stream *s, uint8_t *at, size_t bytes)
{
    int got, error;
    eis_status st = EIS_OK;

    pthread_mutex_lock(&s->ssl_lock);
    ERR_clear_error();
    got = SSL_read(s->ssl, at, bytes > INT_MAX ? INT_MAX : (int)bytes);
    s->want_write = false;
    if (got <= 0) {
        error = SSL_get_error(s->ssl, got);
        s->want_write = error == SSL_ERROR_WANT_WRITE;
        got = 0;
        if (error == SSL_ERROR_ZERO_RETURN) {
            st = eis_fail(EIS_ERR_CLOSED, "%s closed the connection", s->peer);
            got = -1;
        } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            st = eis_net_tls_fail(&s->socket, s->ssl, s->peer, false);
            got = -1;
        }
    }
    pthread_mutex_unlock(&s->ssl_lock);
    if (got >= 0) return got;
    if (st == EIS_ERR_CLOSED && !eis_wire_frame_parser_at_boundary(&s->parser))
        st = eis_fail(st, "%s closed the connection in the middle of a frame", s->peer);
    (void)end_both(s, st);
    return -1;
}

static bool frame_has_begun(const eis_stream *s)
{
    return !s->parser.ready && !eis_wire_frame_parser_at_boundary(&s->parser);
}

/* The clock of a frame starts with its first byte and is set to the length once that is known, which most often is in
 * the same read. */
static void watch_frame(eis_stream *s, bool had_begun)
{
    const eis_frame_parser *p = &s->parser;
    bool length_known = p->raw_have == EIS_FRAME_HEADER_BYTES && p->payload_have == 0;

    if (had_begun && !length_known) return;
    s->frame_deadline_ns =
        eis_clock_ns() + frame_time_ns(s, s->options.read_timeout_ms, length_known ? p->header.payload_bytes : 0);
}

/* Reads what there is, up to the end of one frame. Sets *progress where bytes came. */
static eis_status advance(eis_stream *s, bool *progress)
{
    eis_status st = EIS_OK;

    EIS_TRY(tell_ending(s, &s->receiving));
    if (s->parser.ready && s->delivered) {
        eis_wire_frame_parser_next(&s->parser);
        s->delivered = false;
    }
    while (!s->parser.ready) {
        bool had_begun = frame_has_begun(s);
        size_t bytes;
        uint8_t *at;
        int got;

        if (is_cancelled(s)) return end_both(s, EIS_ERR_INTERRUPTED);
        st = eis_wire_frame_parser_space(&s->parser, &at, &bytes);
        if (st != EIS_OK) return end_receiving(s, st);
        got = read_some(s, at, bytes);
        if (got < 0) return tell_ending(s, &s->receiving);
        if (got == 0) break;
        st = eis_wire_frame_parser_filled(&s->parser, (size_t)got);
        if (st != EIS_OK) return end_receiving(s, st);
        watch_frame(s, had_begun);
        atomic_fetch_add_explicit(&s->bytes_in, (uint64_t)got, memory_order_relaxed);
        *progress = true;
    }
out:
    return st;
}

/* Why a stream that has no frame yet must not wait on. */
static eis_status check_patience(eis_stream *s, uint64_t now_ns)
{
    if (frame_has_begun(s)) {
        if (now_ns < s->frame_deadline_ns) return EIS_OK;
        return end_both(s, eis_fail(EIS_ERR_TIMEOUT, "%s sent a frame too slowly", s->peer));
    }
    if (eis_net_cancel_raised(s->draining)) return eis_fail(EIS_ERR_INTERRUPTED, "the server is going down");
    return EIS_OK;
}

/* Waits until a stream may have bytes, a flag is raised or the nearest deadline passes; until spin_until_ns without
 * sleeping. It spins on poll and not on reads, because a read takes the socket's lock, which the arriving bytes need;
 * and it yields, because on a busy machine the thread that it waits for may stand behind it on the same processor. */
static void wait_on(eis_stream *const *streams, size_t count, uint64_t spin_until_ns, uint64_t deadline_ns)
{
    struct pollfd fds[3 * EIS_STREAM_ANY_MAX];
    const eis_cancel *cancel = NULL, *draining = NULL;
    nfds_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const eis_stream *s = streams[i];

        if (s == NULL) continue;
        fds[n++] = (struct pollfd){.fd = s->socket.fd, .events = (short)(POLLIN | (s->want_write ? POLLOUT : 0))};
        if (s->options.cancel != cancel) { /* most share one flag */
            cancel = s->options.cancel;
            fds[n++] = (struct pollfd){.fd = eis_net_cancel_fd(cancel), .events = POLLIN};
        }
        if (s->draining != draining && !frame_has_begun(s)) {
            draining = s->draining;
            fds[n++] = (struct pollfd){.fd = eis_net_cancel_fd(draining), .events = POLLIN};
        }
        if (frame_has_begun(s) && s->frame_deadline_ns < deadline_ns) deadline_ns = s->frame_deadline_ns;
    }
    if (deadline_ns < spin_until_ns) spin_until_ns = deadline_ns;
    do {
        if (poll(fds, n, 0) != 0) return; /* a failure too leads to another look at the streams */
        sched_yield();
    } while (eis_clock_ns() < spin_until_ns);
    (void)poll(fds, n, eis_net_poll_ms(deadline_ns));
}

/* Also holds the contract that there is somebody to wait for. */
static uint64_t longest_spin_ns(eis_stream *const *streams, size_t count)
{
    uint64_t us = 0;
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (streams[i] == NULL) continue;
        any = true;
        if (streams[i]->options.spin_us > us) us = streams[i]->options.spin_us;
    }
    EIS_ASSERT(any);
    return us * 1000;
}

static eis_status deliver(eis_stream_frame *frame, eis_stream *s)
{
    s->delivered = true;
    atomic_fetch_add_explicit(&s->frames_in, 1, memory_order_relaxed);
    frame->header = s->parser.header;
    frame->payload = (eis_span){.data = s->parser.payload, .bytes = (size_t)s->parser.header.payload_bytes};
    return EIS_OK;
}

/* first_byte_only: the deadline no longer counts once a frame has begun (its own clock does). */
static eis_status receive(size_t *which, eis_stream_frame *frame, eis_stream *const *streams, size_t count,
                          uint64_t deadline_ns, bool first_byte_only)
{
    uint64_t spin_ns = longest_spin_ns(streams, count), spin_until_ns = eis_clock_ns() + spin_ns;

    for (;;) {
        uint64_t now_ns;
        bool progress = false, begun = false;
        eis_status st;

        for (size_t i = 0; i < count; i++) {
            if (streams[i] == NULL) continue;
            *which = i;
            st = advance(streams[i], &progress);
            if (st != EIS_OK) return st;
            if (streams[i]->parser.ready) return deliver(frame, streams[i]);
            begun = begun || frame_has_begun(streams[i]);
        }
        now_ns = eis_clock_ns();
        for (size_t i = 0; i < count; i++) {
            if (streams[i] == NULL) continue;
            *which = i;
            st = check_patience(streams[i], now_ns);
            if (st != EIS_OK) return st;
        }
        *which = count;
        if (now_ns >= deadline_ns && !(first_byte_only && begun)) return EIS_ERR_TIMEOUT;
        if (progress) spin_until_ns = now_ns + spin_ns;
        wait_on(streams, count, spin_until_ns, first_byte_only && begun ? EIS_NEVER_NS : deadline_ns);
    }
}

eis_status eis_net_stream_recv(eis_stream_frame *frame, eis_stream *s, uint32_t wait_ms)
{
    size_t which;
    eis_status st = receive(&which, frame, &s, 1, eis_net_deadline_ns(wait_ms), true);

    if (st == EIS_ERR_TIMEOUT && which == 1) return eis_fail(st, "%s sent nothing for %u ms", s->peer, wait_ms);
    return st;
}

eis_status eis_net_stream_recv_any(size_t *which, eis_stream_frame *frame, eis_stream *const *streams, size_t count,
                                   uint32_t wait_ms)
{
    eis_status st;

    EIS_ASSERT(count <= EIS_STREAM_ANY_MAX);
    st = receive(which, frame, streams, count, eis_net_deadline_ns(wait_ms), false);
    if (st == EIS_ERR_TIMEOUT && *which == count) return eis_fail(st, "no server answered within %u ms", wait_ms);
    return st;
}

/* ---- what is known about the peer ---- */

eis_status eis_net_stream_peer_pin(eis_tls_pin *pin, const eis_stream *s)
{
    X509 *cert = SSL_get0_peer_certificate(s->ssl);

    if (cert == NULL) return eis_fail(EIS_ERR_NOT_FOUND, "%s showed no certificate", s->peer);
    return eis_net_tls_pin_of_cert(pin, cert);
}

const char *eis_net_stream_peer_name(const eis_stream *s) { return s->peer; }

const char *eis_net_stream_cipher(const eis_stream *s) { return SSL_get_cipher_name(s->ssl); }

void eis_net_stream_counts(eis_stream_counts *counts, const eis_stream *s)
{
    counts->frames_in = atomic_load_explicit(&s->frames_in, memory_order_relaxed);
    counts->frames_out = atomic_load_explicit(&s->frames_out, memory_order_relaxed);
    counts->bytes_in = atomic_load_explicit(&s->bytes_in, memory_order_relaxed);
    counts->bytes_out = atomic_load_explicit(&s->bytes_out, memory_order_relaxed);
}
