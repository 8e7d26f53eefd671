/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end: TLS 1.3 contexts for the binary stream.
 *
 * TLS 1.3 only; no early data, no compression, no tickets, hence no resumption: each connection has a key exchange of
 * its own, because both shares recorded on the wire are the input. A client checks the server by pin, or by CA and
 * name; no setting switches that off. A server with a client CA refuses clients without a certificate from it. */
#ifndef EIS_NET_TLS_H
#define EIS_NET_TLS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_TLS_PIN_BYTES  32
#define EIS_TLS_ALPN_SPLIT "eis-split/1"

/* SHA-256 of a certificate's SubjectPublicKeyInfo (DER): it names a key, whoever signed its certificate. */
typedef struct eis_tls_pin {
    uint8_t bytes[EIS_TLS_PIN_BYTES];
} eis_tls_pin;

typedef struct eis_tls eis_tls; /* immutable once made; many threads may use one */

typedef struct eis_tls_client_config {
    eis_span ca_pem; /* trusted CAs, and with them their lists of revoked certificates, which are then looked up;
                        empty: the system's, unless there are pins */
    eis_span cert_pem, key_pem; /* our own certificate (with its chain) and key; both empty: none */
    const eis_tls_pin *pins; /* [pin_count]: the server's key must be one of them. The name is then not checked, and */
    size_t pin_count;        /* the chain only where ca_pem is given; the dates of the certificate always count */
    const char *alpn;        /* such as EIS_TLS_ALPN_SPLIT; the peer must agree */
} eis_tls_client_config;

typedef struct eis_tls_server_config {
    eis_span cert_pem, key_pem; /* certificate with its chain, and key */
    eis_span client_ca_pem;     /* not empty: clients must show a certificate issued by one of these */
    const char *alpn;           /* the peer must ask for it */
} eis_tls_server_config;

/* Makes a client's context. Everything is copied.
 *
 * Errors: EIS_ERR_TLS  a PEM text is damaged, holds no certificate or key, or they do not belong together;
 *         EIS_ERR_MEMORY. *tls is then NULL. */
EIS_MUST_USE eis_status eis_net_tls_client_new(eis_tls **tls, const eis_tls_client_config *config);

/* Makes a server's context. Errors as above. */
EIS_MUST_USE eis_status eis_net_tls_server_new(eis_tls **tls, const eis_tls_server_config *config);

/* Checks that a key is that of a certificate, as making a context with them does. Errors as above. */
EIS_MUST_USE eis_status eis_net_tls_check_pair(eis_span cert_pem, eis_span key_pem);

/* Tells whether the CAs of a context came with lists of revoked certificates. */
bool eis_net_tls_has_lists(const eis_tls *tls);

/* Looks a certificate up, for connections that another library has made: it must come from one of the CAs directly.
 * Errors: EIS_ERR_TLS  with a text that names `peer`. */
EIS_MUST_USE eis_status eis_net_tls_check_listed(const eis_tls *tls, eis_span cert_pem, const char *peer);

/* Frees a context; streams made with it live on. NULL is allowed. */
void eis_net_tls_free(eis_tls *tls);

/* Computes the pin of the first certificate in a PEM text. Errors: EIS_ERR_TLS; *pin is then untouched. */
EIS_MUST_USE eis_status eis_net_tls_pin_of_pem(eis_tls_pin *pin, eis_span cert_pem);

/* Parses a pin: 64 hex digits (colons between bytes are allowed), or "sha256//" and 44 characters of base64 as curl
 * writes it. Errors: EIS_ERR_USAGE; *pin is then untouched. */
EIS_MUST_USE eis_status eis_net_tls_pin_parse(eis_tls_pin *pin, const char *text);

/* Writes a pin as 64 hex digits and a zero. */
void eis_net_tls_pin_format(char text[2 * EIS_TLS_PIN_BYTES + 1], const eis_tls_pin *pin);

#endif
