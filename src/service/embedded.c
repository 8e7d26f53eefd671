/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: papers, processes, their end. */
#define _GNU_SOURCE
#include "service/embedded.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/embedded_papers.h"
#include "trust/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TIMEOUT_MS 30000u
#define STOP_TIMEOUT_NS  2000000000u
#define LIFE_DAYS        30 /* of the throw-away certificates */

struct eis_embedded {
    eis_address *addresses; /* [count] */
    eis_tls_pin *pins;      /* [count] */
    pid_t *processes;       /* [count]; 0: not running */
    int *sockets;           /* [count]; -1: none */
    size_t count;
    unsigned threads;
    bool mutual; /* servers call each other, and the last one waits for its papers */
    eis_trust_pair ca, client, waiting;
};

static eis_span span_of(const char *text, size_t bytes) { return (eis_span){(const uint8_t *)text, bytes}; }

/* ---- a child before exec: nothing but system calls, since other threads of the parent may hold any lock ---- */

/* Moves a descriptor to where the child expects it, without the flag that closes it. */
static int place(int from, int to)
{
    if (from == to) return fcntl(to, F_SETFD, 0);
    return dup2(from, to) < 0 ? -1 : 0;
}

static void close_from(unsigned first)
{
    if (syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
    for (int fd = (int)first; fd < 65536; fd++) close(fd); /* a kernel before 5.9 */
}

/* What a child is to become. */
typedef struct errand {
    const char *program;
    char engine[16];
    int order_fd;
} errand;

_Noreturn static void become_server(errand *e, pid_t parent, int socket_fd)
{
    static char name[] = "eis", serve[] = "serve", embedded[] = "--embedded";
    char *const arguments[] = {name, serve, e->engine, embedded, NULL};
    sigset_t none;
    int nothing, high_order, high_socket;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
    /* Away from the numbers that they are to have, so that neither overwrites the other. */
    high_order = fcntl(e->order_fd, F_DUPFD, EIS_EMBEDDED_SOCKET_FD + 1);
    high_socket = fcntl(socket_fd, F_DUPFD, EIS_EMBEDDED_SOCKET_FD + 1);
    nothing = open("/dev/null", O_RDWR);
    if (high_order < 0 || high_socket < 0 || nothing < 0) _exit(127);
    /* Standard output is the parent's result; standard error may carry our warnings. */
    if (place(nothing, STDIN_FILENO) != 0 || place(nothing, STDOUT_FILENO) != 0) _exit(127);
    if (place(high_order, EIS_EMBEDDED_ORDER_FD) != 0 || place(high_socket, EIS_EMBEDDED_SOCKET_FD) != 0) _exit(127);
    close_from(EIS_EMBEDDED_SOCKET_FD + 1);
    execv(e->program, arguments);
    _exit(127);
}

/* ---- starting ---- */

static eis_status fork_child(eis_embedded *embedded, size_t i, errand *e)
{
    eis_status st = EIS_OK;
    pid_t parent = getpid(), child;
    int pair[2] = {-1, -1};

    EIS_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, EIS_ERR_LIMIT,
                "no descriptor for a server process: %s", strerror(errno));
    child = fork();
    if (child == 0) become_server(e, parent, pair[1]);
    EIS_REQUIRE(child > 0, EIS_ERR_LIMIT, "cannot start a server process: %s", strerror(errno));
    embedded->processes[i] = child;
    embedded->sockets[i] = pair[0];
    pair[0] = -1;
out:
    if (pair[0] >= 0) close(pair[0]);
    if (pair[1] >= 0) close(pair[1]);
    return st;
}

/* Makes one server's certificate and remembers its pin. */
static eis_status make_leaf(eis_trust_pair *leaf, eis_embedded *embedded, size_t i)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const eis_trust_leaf_literal literal = {.name = "embedded server",
                                            .hosts = hosts,
                                            .host_count = 1,
                                            .server = true,
                                            .client = embedded->mutual,
                                            .days = LIFE_DAYS};
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_leaf_make(leaf, &embedded->ca, &literal));
    EIS_TRY(eis_net_tls_pin_of_pem(&embedded->pins[i], span_of(leaf->cert, leaf->cert_bytes)));
out:
    return st;
}

/* Hands a server its papers. The key is then the child's alone. */
static eis_status hand_over(eis_embedded *embedded, size_t i, eis_trust_pair *leaf)
{
    const eis_embedded_papers papers = {.threads = embedded->threads,
                                        .cert_pem = span_of(leaf->cert, leaf->cert_bytes),
                                        .key_pem = span_of(leaf->key, leaf->key_bytes),
                                        .client_ca_pem = span_of(embedded->ca.cert, embedded->ca.cert_bytes)};
    eis_status st = eis_embedded_papers_send(embedded->sockets[i], &papers);

    eis_trust_pair_clear(leaf);
    if (st == EIS_ERR_IO) st = eis_fail(EIS_ERR_UNAVAILABLE, "a server process ended early");
    return st;
}

static eis_status give_papers(eis_embedded *embedded, size_t i)
{
    eis_trust_pair leaf = {0};
    eis_status st = make_leaf(&leaf, embedded, i);

    return st == EIS_OK ? hand_over(embedded, i, &leaf) : st;
}

static eis_status make_authority(eis_embedded *embedded)
{
    const eis_trust_ca_literal ca = {.name = "embedded CA", .days = LIFE_DAYS};
    const eis_trust_leaf_literal client = {.name = "embedded client", .client = true, .days = LIFE_DAYS};
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_ca_make(&embedded->ca, &ca));
    EIS_TRY(eis_trust_leaf_make(&embedded->client, &embedded->ca, &client));
out:
    return st;
}

static eis_status hear_port(eis_embedded *embedded, size_t i)
{
    eis_address *address = &embedded->addresses[i];
    eis_status st = eis_embedded_hear(&address->port, embedded->sockets[i], START_TIMEOUT_MS);

    memcpy(address->host, "127.0.0.1", sizeof "127.0.0.1");
    if (st == EIS_ERR_CLOSED || st == EIS_ERR_TIMEOUT || st == EIS_ERR_IO)
        st =
            eis_fail(EIS_ERR_UNAVAILABLE, "server process %zu of %zu ended before it listened", i + 1, embedded->count);
    return st;
}

/* Starts child i with roles[i], or all of them with the only one. */
static eis_status start(eis_embedded **out_embedded, const char *program, const eis_embedded_role *roles, bool mutual,
                        size_t count, unsigned threads_each)
{
    errand e = {.program = program != NULL ? program : "/proc/self/exe"};
    eis_status st = EIS_OK;
    eis_embedded *embedded = NULL;
    size_t now = mutual ? count - 1 : count;

    *out_embedded = NULL;
    EIS_NEW(embedded, 1);
    embedded->mutual = mutual;
    embedded->threads = threads_each;
    embedded->count = count;
    EIS_NEW(embedded->addresses, count);
    EIS_NEW(embedded->pins, count);
    EIS_NEW(embedded->processes, count);
    EIS_NEW(embedded->sockets, count);
    for (size_t i = 0; i < count; i++) embedded->sockets[i] = -1;
    EIS_TRY(make_authority(embedded));
    for (size_t i = 0; i < count; i++) {
        const eis_embedded_role *role = &roles[mutual ? i : 0];
        EIS_ASSERT(strlen(role->engine) < sizeof e.engine);
        memcpy(e.engine, role->engine, strlen(role->engine) + 1);
        e.order_fd = role->order_fd;
        EIS_TRY(fork_child(embedded, i, &e));
    }
    for (size_t i = 0; i < now; i++) EIS_TRY(give_papers(embedded, i));
    if (now < count) EIS_TRY(make_leaf(&embedded->waiting, embedded, now));
    for (size_t i = 0; i < now; i++) EIS_TRY(hear_port(embedded, i));
    *out_embedded = embedded;
    embedded = NULL;
out:
    eis_embedded_stop(embedded);
    return st;
}

eis_status eis_embedded_start(eis_embedded **embedded, const char *program, const char *engine, int order_fd,
                              size_t count, unsigned threads_each)
{
    return start(embedded, program, &(eis_embedded_role){engine, order_fd}, false, count, threads_each);
}

eis_status eis_embedded_start_each(eis_embedded **embedded, const char *program, const eis_embedded_role *roles,
                                   size_t count, unsigned threads_each)
{
    return start(embedded, program, roles, true, count, threads_each);
}

eis_status eis_embedded_finish(eis_embedded *embedded)
{
    eis_status st = EIS_OK;
    size_t last = embedded->count - 1;

    EIS_ASSERT(embedded->mutual && embedded->waiting.cert != NULL);
    EIS_TRY(hand_over(embedded, last, &embedded->waiting));
    EIS_TRY(hear_port(embedded, last));
out:
    return st;
}

bool eis_embedded_ended(size_t *index, const eis_embedded *embedded)
{
    for (size_t i = 0; i < embedded->count; i++) {
        siginfo_t info = {0};
        *index = i;
        if (embedded->processes[i] > 0 &&
            waitid(P_PID, (id_t)embedded->processes[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
            return true;
    }
    return false;
}

void eis_embedded_access_get(eis_embedded_access *access, const eis_embedded *embedded)
{
    *access = (eis_embedded_access){.addresses = embedded->addresses,
                                    .pins = embedded->pins,
                                    .processes = embedded->processes,
                                    .count = embedded->count,
                                    .ca_pem = span_of(embedded->ca.cert, embedded->ca.cert_bytes),
                                    .cert_pem = span_of(embedded->client.cert, embedded->client.cert_bytes),
                                    .key_pem = span_of(embedded->client.key, embedded->client.key_bytes)};
}

/* ---- the end ---- */

static void reap(pid_t child, uint64_t deadline_ns)
{
    static const struct timespec step = {.tv_nsec = 2000000};

    while (waitpid(child, NULL, WNOHANG) == 0) {
        if (eis_clock_ns() >= deadline_ns) {
            kill(child, SIGKILL);
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
            return;
        }
        nanosleep(&step, NULL);
    }
}

void eis_embedded_stop(eis_embedded *embedded)
{
    uint64_t deadline_ns = eis_clock_ns() + STOP_TIMEOUT_NS;

    if (embedded == NULL) return;
    for (size_t i = 0; embedded->sockets != NULL && i < embedded->count; i++) {
        if (embedded->processes[i] > 0) kill(embedded->processes[i], SIGTERM);
        if (embedded->sockets[i] >= 0) close(embedded->sockets[i]);
    }
    for (size_t i = 0; embedded->sockets != NULL && i < embedded->count; i++)
        if (embedded->processes[i] > 0) reap(embedded->processes[i], deadline_ns);
    eis_trust_pair_clear(&embedded->ca);
    eis_trust_pair_clear(&embedded->client);
    eis_trust_pair_clear(&embedded->waiting);
    eis_mem_free(embedded->addresses);
    eis_mem_free(embedded->pins);
    eis_mem_free(embedded->processes);
    eis_mem_free(embedded->sockets);
    eis_mem_free(embedded);
}
