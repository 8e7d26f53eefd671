/* SPDX-License-Identifier: Apache-2.0 */
/* Inside net/: what a TLS context holds, and how a connection gets its checks and tells what went wrong. */
#ifndef EIS_NET_TLS_CONTEXT_H
#define EIS_NET_TLS_CONTEXT_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define EIS_TLS_ALPN_BYTES_MAX 32

struct eis_tls {
    SSL_CTX *ctx;
    bool is_client;
    bool checks_chain; /* by CA; a client without it has pins */
    bool checks_name;
    eis_tls_pin *pins; /* [pin_count] */
    size_t pin_count;
    uint8_t alpn[EIS_TLS_ALPN_BYTES_MAX + 1]; /* a length byte and the name */
};

/* A socket under a BIO of ours: never blocks, never raises SIGPIPE. */
typedef struct eis_tls_socket {
    int fd;
    bool eof;
    int error; /* errno of the last hard failure, otherwise 0 */
} eis_tls_socket;

/* Makes a connection object on a socket, which must stay where it is. host: what the server's certificate must carry
 * where the context checks names; NULL for servers. Errors: EIS_ERR_MEMORY, EIS_ERR_USAGE, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_net_tls_ssl_new(SSL **ssl, const eis_tls *tls, eis_tls_socket *socket, const char *host);

/* Checks after the handshake what the library does not: version and protocol. Errors: EIS_ERR_TLS. */
EIS_MUST_USE eis_status eis_net_tls_check_agreed(const eis_tls *tls, SSL *ssl, const char *peer);

/* Turns the failure of an SSL call into a status and a text that says what to do. Empties OpenSSL's queue. */
eis_status eis_net_tls_fail(const eis_tls_socket *socket, SSL *ssl, const char *peer, bool in_handshake);

/* Describes a verification result (X509_V_...) for people; returns EIS_ERR_TLS. */
eis_status eis_net_tls_fail_verify(long result, const char *peer);

/* The certificate check of a client context: for SSL_CTX_set_cert_verify_callback, with the context as argument. */
int eis_net_tls_verify(X509_STORE_CTX *chain, void *tls);

/* Computes the pin of a certificate. Errors: EIS_ERR_TLS. */
EIS_MUST_USE eis_status eis_net_tls_pin_of_cert(eis_tls_pin *pin, X509 *cert);

/* Adds the certificates of a PEM text to a store, and lists of revoked ones, which are looked up from then on.
 * Errors: EIS_ERR_TLS  it holds no certificate, or damaged ones. */
EIS_MUST_USE eis_status eis_net_tls_add_cas(X509_STORE *store, eis_span pem);

#endif
