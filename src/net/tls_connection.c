/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS connection: a socket BIO without signals, the name to check, and failures as texts. */
#include "net/tls_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

static int socket_result(BIO *bio, eis_tls_socket *s, ssize_t moved, int retry)
{
    BIO_clear_retry_flags(bio);
    if (moved >= 0) return (int)moved;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    else
        s->error = errno;
    return -1;
}

static int socket_write(BIO *bio, const char *data, int bytes)
{
    eis_tls_socket *s = BIO_get_data(bio);

    return socket_result(bio, s, send(s->fd, data, (size_t)bytes, MSG_NOSIGNAL | MSG_DONTWAIT), BIO_FLAGS_WRITE);
}

static int socket_read(BIO *bio, char *data, int bytes)
{
    eis_tls_socket *s = BIO_get_data(bio);
    ssize_t got = recv(s->fd, data, (size_t)bytes, MSG_DONTWAIT);

    if (got == 0) s->eof = true;
    return socket_result(bio, s, got, BIO_FLAGS_READ);
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    const eis_tls_socket *s = BIO_get_data(bio);

    (void)number, (void)pointer;
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && s->eof;
}

static BIO_METHOD *socket_method;
static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;

static void make_socket_method(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "eis socket");

    if (made == NULL) return;
    BIO_meth_set_write(made, socket_write);
    BIO_meth_set_read(made, socket_read);
    BIO_meth_set_ctrl(made, socket_control);
    socket_method = made;
}

static BIO *socket_bio(eis_tls_socket *socket)
{
    BIO *bio;

    pthread_once(&socket_method_once, make_socket_method);
    if (socket_method == NULL || (bio = BIO_new(socket_method)) == NULL) return NULL;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}

static bool is_numeric(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The certificate must carry the name that the user wrote: an address as an address, a name among its DNS names. */
static bool expect_name(SSL *ssl, const char *host, bool check)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_numeric(host)) return !check || X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    if (SSL_set_tlsext_host_name(ssl, host) != 1) return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return !check || X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

eis_status eis_net_tls_ssl_new(SSL **ssl, const eis_tls *tls, eis_tls_socket *socket, const char *host)
{
    eis_status st = EIS_OK;
    SSL *made;
    BIO *bio;

    ERR_clear_error();
    made = SSL_new(tls->ctx);
    bio = socket_bio(socket);
    EIS_REQUIRE(made != NULL && bio != NULL, EIS_ERR_MEMORY, "cannot make a TLS connection");
    SSL_set_bio(made, bio, bio);
    bio = NULL;
    EIS_REQUIRE(host == NULL || expect_name(made, host, tls->checks_name), EIS_ERR_USAGE,
                "%s is no name that a certificate can carry", host);
    *ssl = made;
    made = NULL;
out:
    BIO_free(bio);
    SSL_free(made);
    ERR_clear_error();
    return st;
}

eis_status eis_net_tls_check_agreed(const eis_tls *tls, SSL *ssl, const char *peer)
{
    const unsigned char *name = NULL;
    unsigned length = 0;
    eis_status st = EIS_OK;

    SSL_get0_alpn_selected(ssl, &name, &length);
    EIS_REQUIRE(SSL_version(ssl) == TLS1_3_VERSION, EIS_ERR_TLS, "%s does not speak TLS 1.3", peer);
    EIS_REQUIRE(length == tls->alpn[0] && memcmp(name, tls->alpn + 1, length) == 0, EIS_ERR_TLS, "%s does not speak %s",
                peer, (const char *)tls->alpn + 1);
    if (!tls->is_client && !tls->checks_chain) goto out;
    EIS_REQUIRE(SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK, EIS_ERR_TLS,
                "%s showed no certificate", peer);
out:
    return st;
}

eis_status eis_net_tls_fail_verify(long result, const char *peer)
{
    switch (result) {
    case X509_V_ERR_APPLICATION_VERIFICATION:
        return eis_fail(EIS_ERR_TLS, "the key of %s is not the pinned one (wrong pin, or another server answers)",
                        peer);
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return eis_fail(EIS_ERR_TLS, "the certificate of %s, or one above it, has expired; issue a new one", peer);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return eis_fail(EIS_ERR_TLS, "the certificate of %s is not valid yet; look at both clocks", peer);
    case X509_V_ERR_CERT_REVOKED:
        return eis_fail(EIS_ERR_TLS, "the certificate of %s has been revoked by its CA", peer);
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return eis_fail(EIS_ERR_TLS,
                        "there is no valid list of revoked certificates for the CA of %s: renew it (eis ca revoke)",
                        peer);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return eis_fail(EIS_ERR_TLS, "the certificate of %s is for another name; use a name that it carries, or a pin",
                        peer);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return eis_fail(EIS_ERR_TLS,
                        "the certificate of %s comes from another CA than those that are trusted here; name its "
                        "CA, or use a pin",
                        peer);
    default:
        return eis_fail(EIS_ERR_TLS, "the certificate of %s was refused: %s", peer,
                        X509_verify_cert_error_string(result));
    }
}

/* What the peer, or OpenSSL about the peer, complains of. */
static eis_status fail_by_reason(int reason, const char *peer)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_RECORD:
        return eis_fail(EIS_ERR_TLS, "%s does not speak TLS (wrong port, or a plain HTTP peer)", peer);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return eis_fail(EIS_ERR_TLS, "%s does not speak TLS 1.3", peer);
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return eis_fail(EIS_ERR_TLS, "%s serves another protocol (wrong port?)", peer);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return eis_fail(EIS_ERR_TLS, "%s showed no certificate", peer);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return eis_fail(EIS_ERR_TLS, "%s wants a client certificate; give --cert and --key", peer);
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return eis_fail(EIS_ERR_TLS, "%s refused our certificate: %s", peer,
                        ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason)));
    default:
        return eis_fail(EIS_ERR_TLS, "TLS with %s failed: %s", peer,
                        ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason)));
    }
}

/* Empties the queue and returns the last reason of the TLS library in it (others stand below it), or 0. */
static int ssl_reason(void)
{
    unsigned long error;
    int reason = 0;

    while ((error = ERR_get_error()) != 0)
        if (ERR_GET_LIB(error) == ERR_LIB_SSL) reason = ERR_GET_REASON(error);
    return reason;
}

eis_status eis_net_tls_fail(const eis_tls_socket *socket, SSL *ssl, const char *peer, bool in_handshake)
{
    int reason = ssl_reason();
    long verified = SSL_get_verify_result(ssl);
    bool hung_up = socket->eof || socket->error == ECONNRESET || socket->error == EPIPE;

    if (in_handshake && verified != X509_V_OK) return eis_net_tls_fail_verify(verified, peer);
    if (reason != 0 && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING) return fail_by_reason(reason, peer);
    if (in_handshake && hung_up)
        return eis_fail(EIS_ERR_UNAVAILABLE,
                        "%s hung up before TLS was up (at its limit of connections, or no TLS server)", peer);
    if (hung_up) return eis_fail(EIS_ERR_CLOSED, "%s closed the connection", peer);
    if (socket->error != 0)
        return eis_fail(EIS_ERR_IO, "the connection to %s failed: %s", peer, strerror(socket->error));
    return eis_fail(EIS_ERR_TLS, "TLS with %s failed", peer);
}
