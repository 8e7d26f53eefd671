/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts. Everything that decides whom we trust is in this file: what is loaded, what the certificate check does,
 * and that there is no way around it. tls_connection.c has what a single connection needs. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_context.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SECURITY_LEVEL    2
#define READ_BUFFER_BYTES ((size_t)48 << 10) /* one recv fetches 32 KiB of payload with its three records */

/* Never asks a terminal for the password of an encrypted key: such a key is refused. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

static BIO *pem_reader(eis_span pem) { return pem.bytes > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.bytes); }

/* Tells the end of a PEM text from damage, and empties the queue. */
static bool stopped_at_end(void)
{
    unsigned long error = ERR_peek_last_error();
    bool end = error == 0 || (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);

    ERR_clear_error();
    return end;
}

/* Adds the lists of revoked certificates that stand among the CAs. Where there is one, every certificate is looked up,
 * and one whose CA has no list, or one that is out of date, is refused. */
static eis_status add_lists(X509_STORE *store, eis_span pem)
{
    eis_status st = EIS_OK;
    BIO *in = pem_reader(pem);
    X509_CRL *list;
    size_t count = 0;

    EIS_REQUIRE(in != NULL, EIS_ERR_MEMORY, "cannot read the CA certificates");
    while ((list = PEM_read_bio_X509_CRL(in, NULL, no_password, NULL)) != NULL) {
        int added = X509_STORE_add_crl(store, list);

        X509_CRL_free(list);
        EIS_REQUIRE(added == 1, EIS_ERR_TLS, "a list of revoked certificates cannot be used");
        count++;
    }
    EIS_REQUIRE(stopped_at_end(), EIS_ERR_TLS, "a list of revoked certificates in the CA file is damaged");
    EIS_REQUIRE(count == 0 || X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1, EIS_ERR_INTERNAL,
                "cannot check lists of revoked certificates");
out:
    BIO_free(in);
    return st;
}

eis_status eis_net_tls_add_cas(X509_STORE *store, eis_span pem)
{
    eis_status st = EIS_OK;
    X509 *cert = NULL;
    size_t count = 0;
    BIO *in;

    ERR_clear_error();
    in = pem_reader(pem);
    EIS_REQUIRE(in != NULL, EIS_ERR_MEMORY, "cannot read the CA certificates");
    while ((cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
        int added = X509_STORE_add_cert(store, cert);

        X509_free(cert);
        EIS_REQUIRE(added == 1, EIS_ERR_TLS, "a CA certificate cannot be used");
        count++;
    }
    EIS_REQUIRE(stopped_at_end() && count > 0, EIS_ERR_TLS,
                "the CA file holds no certificate in PEM form, or a damaged one");
    EIS_TRY(add_lists(store, pem));
out:
    BIO_free(in);
    ERR_clear_error();
    return st;
}

/* The names that a server tells clients whose certificates it accepts. */
static eis_status announce_cas(SSL_CTX *ctx, eis_span pem)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    BIO *in = pem_reader(pem);
    X509 *cert;
    bool complete = names != NULL && in != NULL;

    while (complete && (cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(cert));

        complete = name != NULL && sk_X509_NAME_push(names, name) > 0;
        if (!complete) X509_NAME_free(name);
        X509_free(cert);
    }
    ERR_clear_error();
    BIO_free(in);
    if (!complete) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return eis_fail(EIS_ERR_MEMORY, "cannot list the client CAs");
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return EIS_OK;
}

static eis_status use_chain(SSL_CTX *ctx, eis_span pem)
{
    eis_status st = EIS_OK;
    BIO *in = pem_reader(pem);
    X509 *cert = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, no_password, NULL);

    EIS_REQUIRE(cert != NULL, EIS_ERR_TLS, "the certificate file holds no certificate in PEM form");
    EIS_REQUIRE(SSL_CTX_use_certificate(ctx, cert) == 1, EIS_ERR_TLS,
                "the certificate's key or signature is too weak, or of a kind that TLS 1.3 does not use");
    X509_free(cert);
    while ((cert = PEM_read_bio_X509(in, NULL, no_password, NULL)) != NULL) {
        EIS_REQUIRE(SSL_CTX_add0_chain_cert(ctx, cert) == 1, EIS_ERR_TLS, "a chain certificate cannot be used");
        cert = NULL;
    }
    EIS_REQUIRE(stopped_at_end(), EIS_ERR_TLS, "the certificate file is damaged behind its first certificate");
out:
    X509_free(cert);
    BIO_free(in);
    return st;
}

static eis_status use_key(SSL_CTX *ctx, eis_span pem)
{
    eis_status st = EIS_OK;
    BIO *in = pem_reader(pem);
    EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);

    EIS_REQUIRE(key != NULL, EIS_ERR_TLS, "the key file holds no unencrypted private key in PEM form");
    EIS_REQUIRE(SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1, EIS_ERR_TLS,
                "the private key does not belong to the certificate");
out:
    EVP_PKEY_free(key);
    BIO_free(in);
    return st;
}

static eis_status use_identity(SSL_CTX *ctx, eis_span cert_pem, eis_span key_pem)
{
    eis_status st = EIS_OK;

    ERR_clear_error();
    EIS_REQUIRE(cert_pem.bytes > 0 && key_pem.bytes > 0, EIS_ERR_TLS, "a certificate and its key belong together");
    EIS_TRY(use_chain(ctx, cert_pem));
    EIS_TRY(use_key(ctx, key_pem));
out:
    ERR_clear_error();
    return st;
}

eis_status eis_net_tls_check_pair(eis_span cert_pem, eis_span key_pem)
{
    eis_status st = EIS_OK;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    EIS_REQUIRE(ctx != NULL, EIS_ERR_MEMORY, "cannot make a TLS context");
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    EIS_TRY(use_identity(ctx, cert_pem, key_pem));
out:
    SSL_CTX_free(ctx);
    return st;
}

eis_status eis_net_tls_pin_of_cert(eis_tls_pin *pin, X509 *cert)
{
    unsigned char *spki = NULL;
    int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    bool hashed = bytes > 0 && EVP_Digest(spki, (size_t)bytes, pin->bytes, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(spki);
    return hashed ? EIS_OK : eis_fail(EIS_ERR_TLS, "the certificate's public key cannot be read");
}

static bool is_pinned(const eis_tls *tls, X509 *cert)
{
    eis_tls_pin pin;

    if (cert == NULL || eis_net_tls_pin_of_cert(&pin, cert) != EIS_OK) return false;
    for (size_t i = 0; i < tls->pin_count; i++)
        if (memcmp(pin.bytes, tls->pins[i].bytes, sizeof pin.bytes) == 0) return true;
    return false;
}

/* The dates count for pinned keys too: whoever renews a certificate keeps its key, so the pin stays. */
static int date_fault(X509 *cert)
{
    if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0) return X509_V_ERR_CERT_NOT_YET_VALID;
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0) return X509_V_ERR_CERT_HAS_EXPIRED;
    return X509_V_OK;
}

int eis_net_tls_verify(X509_STORE_CTX *chain, void *tls)
{
    const eis_tls *t = tls;
    X509 *leaf = X509_STORE_CTX_get0_cert(chain);
    int fault = X509_V_OK;

    if (t->pin_count > 0 && !is_pinned(t, leaf))
        fault = X509_V_ERR_APPLICATION_VERIFICATION;
    else if (t->pin_count > 0)
        fault = date_fault(leaf);
    if (fault != X509_V_OK) {
        X509_STORE_CTX_set_error(chain, fault);
        return 0;
    }
    if (!t->checks_chain) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 1;
    }
    return X509_verify_cert(chain) == 1;
}

static eis_status set_alpn(eis_tls *tls, const char *name)
{
    size_t length = strlen(name);

    EIS_ASSERT(length > 0 && length <= EIS_TLS_ALPN_BYTES_MAX);
    tls->alpn[0] = (uint8_t)length;
    memcpy(tls->alpn + 1, name, length);
    return EIS_OK;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
                       unsigned offered_length, void *context)
{
    const eis_tls *tls = context;

    (void)ssl;
    for (unsigned at = 0; at < offered_length && offered_length - at > offered[at]; at += 1u + offered[at])
        if (offered[at] == tls->alpn[0] && memcmp(offered + at + 1, tls->alpn + 1, tls->alpn[0]) == 0) {
            *out = tls->alpn + 1;
            *out_length = tls->alpn[0];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* What both sides have: TLS 1.3 and nothing that resumes, compresses or sends early. */
static eis_status context_new(eis_tls **tls, const SSL_METHOD *method, const char *alpn)
{
    eis_status st = EIS_OK;
    eis_tls *made = NULL;

    EIS_NEW(made, 1);
    EIS_TRY(set_alpn(made, alpn));
    ERR_clear_error();
    made->ctx = SSL_CTX_new(method);
    EIS_REQUIRE(made->ctx != NULL, EIS_ERR_MEMORY, "cannot make a TLS context");
    EIS_REQUIRE(SSL_CTX_set_min_proto_version(made->ctx, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_max_proto_version(made->ctx, TLS1_3_VERSION) == 1,
                EIS_ERR_TLS, "this OpenSSL does not offer TLS 1.3");
    SSL_CTX_set_security_level(made->ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(made->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(made->ctx, SSL_OP_ALLOW_NO_DHE_KEX | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(made->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(made->ctx, 0);
    SSL_CTX_set_max_early_data(made->ctx, 0);
    SSL_CTX_set_mode(made->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(made->ctx, 1);
    SSL_CTX_set_default_read_buffer_len(made->ctx, READ_BUFFER_BYTES);
    *tls = made;
    made = NULL;
out:
    eis_net_tls_free(made);
    return st;
}

static eis_status keep_pins(eis_tls *tls, const eis_tls_pin *pins, size_t count)
{
    if (count == 0) return EIS_OK;
    tls->pins = eis_mem_new(count, sizeof *pins);
    if (tls->pins == NULL) return EIS_ERR_MEMORY;
    memcpy(tls->pins, pins, count * sizeof *pins);
    tls->pin_count = count;
    return EIS_OK;
}

static eis_status trust_servers(eis_tls *tls, const eis_tls_client_config *config)
{
    eis_status st = EIS_OK;

    EIS_TRY(keep_pins(tls, config->pins, config->pin_count));
    tls->checks_name = tls->pin_count == 0;
    tls->checks_chain = config->ca_pem.bytes > 0 || tls->pin_count == 0;
    if (config->ca_pem.bytes > 0)
        EIS_TRY(eis_net_tls_add_cas(SSL_CTX_get_cert_store(tls->ctx), config->ca_pem));
    else if (tls->checks_chain)
        EIS_REQUIRE(SSL_CTX_set_default_verify_paths(tls->ctx) == 1, EIS_ERR_TLS, "the system's CAs cannot be loaded");
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls->ctx, eis_net_tls_verify, tls);
out:
    return st;
}

eis_status eis_net_tls_client_new(eis_tls **tls, const eis_tls_client_config *config)
{
    eis_status st = EIS_OK;
    eis_tls *made = NULL;

    *tls = NULL;
    EIS_TRY(context_new(&made, TLS_client_method(), config->alpn));
    EIS_ASSERT(made != NULL);
    made->is_client = true;
    EIS_TRY(trust_servers(made, config));
    if (config->cert_pem.bytes > 0 || config->key_pem.bytes > 0)
        EIS_TRY(use_identity(made->ctx, config->cert_pem, config->key_pem));
    EIS_REQUIRE(SSL_CTX_set_alpn_protos(made->ctx, made->alpn, made->alpn[0] + 1u) == 0, EIS_ERR_MEMORY,
                "cannot set the protocol name");
    *tls = made;
    made = NULL;
out:
    eis_net_tls_free(made);
    return st;
}

eis_status eis_net_tls_server_new(eis_tls **tls, const eis_tls_server_config *config)
{
    eis_status st = EIS_OK;
    eis_tls *made = NULL;

    *tls = NULL;
    EIS_TRY(context_new(&made, TLS_server_method(), config->alpn));
    EIS_ASSERT(made != NULL);
    EIS_TRY(use_identity(made->ctx, config->cert_pem, config->key_pem));
    if (config->client_ca_pem.bytes > 0) {
        EIS_TRY(eis_net_tls_add_cas(SSL_CTX_get_cert_store(made->ctx), config->client_ca_pem));
        EIS_TRY(announce_cas(made->ctx, config->client_ca_pem));
        made->checks_chain = true;
        SSL_CTX_set_verify(made->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    EIS_REQUIRE(SSL_CTX_set_session_id_context(made->ctx, made->alpn + 1, made->alpn[0]) == 1, EIS_ERR_INTERNAL,
                "cannot set the session context");
    SSL_CTX_set_alpn_select_cb(made->ctx, select_alpn, made);
    SSL_CTX_set_app_data(made->ctx, made); /* the handshake of an accepted stream finds its context here */
    *tls = made;
    made = NULL;
out:
    eis_net_tls_free(made);
    return st;
}

bool eis_net_tls_has_lists(const eis_tls *tls)
{
    X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);

    return (X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(store)) & X509_V_FLAG_CRL_CHECK) != 0;
}

eis_status eis_net_tls_check_listed(const eis_tls *tls, eis_span cert_pem, const char *peer)
{
    X509_STORE_CTX *chain = X509_STORE_CTX_new();
    BIO *in = pem_reader(cert_pem);
    X509 *cert = in != NULL ? PEM_read_bio_X509(in, NULL, no_password, NULL) : NULL;
    eis_status st = EIS_OK;

    EIS_REQUIRE(chain != NULL && cert != NULL, EIS_ERR_TLS, "%s showed no certificate", peer);
    EIS_REQUIRE(X509_STORE_CTX_init(chain, SSL_CTX_get_cert_store(tls->ctx), cert, NULL) == 1, EIS_ERR_MEMORY,
                "cannot look a certificate up");
    if (X509_verify_cert(chain) != 1) st = eis_net_tls_fail_verify(X509_STORE_CTX_get_error(chain), peer);
out:
    X509_STORE_CTX_free(chain);
    X509_free(cert);
    BIO_free(in);
    ERR_clear_error();
    return st;
}

void eis_net_tls_free(eis_tls *tls)
{
    if (tls == NULL) return;
    SSL_CTX_free(tls->ctx);
    eis_mem_free(tls->pins);
    eis_mem_free(tls);
}

eis_status eis_net_tls_pin_of_pem(eis_tls_pin *pin, eis_span cert_pem)
{
    eis_status st = EIS_OK;
    eis_tls_pin found;
    X509 *cert = NULL;
    BIO *in;

    ERR_clear_error();
    in = pem_reader(cert_pem);
    if (in != NULL) cert = PEM_read_bio_X509(in, NULL, no_password, NULL);
    EIS_REQUIRE(cert != NULL, EIS_ERR_TLS, "there is no certificate in PEM form");
    EIS_TRY(eis_net_tls_pin_of_cert(&found, cert));
    *pin = found;
out:
    X509_free(cert);
    BIO_free(in);
    ERR_clear_error();
    return st;
}
