/* SPDX-License-Identifier: Apache-2.0 */
/* If a leaf could act as a CA, a client's certificate as a server's, or a key file be read by others, whoever stands
 * in front of all servers would read the input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "trust/ca.h"
#include "trust/cert.h"
#include "trust/key_file.h"

static const char *const hosts[] = {"localhost", "127.0.0.1", "::1", "*.example.org"};
static char dir[64];

static const eis_trust_leaf_literal server_leaf = {.hosts = hosts, .host_count = 4, .server = true};

static const char *in_dir(const char *name)
{
    static char path[4][160];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static X509 *cert_of(const eis_trust_pair *pair)
{
    X509 *cert = NULL;

    assert_int_equal(eis_trust_cert_from_pem(&cert, pair->cert, pair->cert_bytes), EIS_OK);
    return cert;
}

/* Whether a leaf is good for a purpose and host under a CA, as TLS would judge it. */
static int verifies(const eis_trust_pair *ca, const eis_trust_pair *leaf, int purpose, const char *host)
{
    X509 *ca_cert = cert_of(ca), *cert = cert_of(leaf);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int good;

    assert_int_equal(X509_STORE_add_cert(store, ca_cert), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
    X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(ctx), purpose);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    good = X509_verify_cert(ctx) == 1;
    if (good && host != NULL)
        good = X509_check_host(cert, host, 0, 0, NULL) == 1 || X509_check_ip_asc(cert, host, 0) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(cert);
    X509_free(ca_cert);
    return good;
}

static void leaves_are_good_for_what_they_say(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        eis_trust_ca_literal ca_literal = {.key_kind = (eis_trust_key_kind)kind};
        eis_trust_leaf_literal client_leaf = {.client = true, .key_kind = (eis_trust_key_kind)kind}, both = server_leaf;
        eis_trust_pair ca = {0}, other = {0}, server = {0}, client = {0}, peer = {0};

        both.client = true;
        assert_int_equal(eis_trust_ca_make(&ca, &ca_literal), EIS_OK);
        assert_int_equal(eis_trust_ca_make(&other, &ca_literal), EIS_OK);
        assert_int_equal(eis_trust_leaf_make(&server, &ca, &server_leaf), EIS_OK);
        assert_int_equal(eis_trust_leaf_make(&client, &ca, &client_leaf), EIS_OK);
        assert_int_equal(eis_trust_leaf_make(&peer, &ca, &both), EIS_OK);
        for (int i = 0; i < 3; i++) assert_true(verifies(&ca, &server, X509_PURPOSE_SSL_SERVER, hosts[i]));
        assert_true(verifies(&ca, &server, X509_PURPOSE_SSL_SERVER, "a.example.org"));
        assert_false(verifies(&ca, &server, X509_PURPOSE_SSL_SERVER, "example.org"));
        assert_false(verifies(&ca, &server, X509_PURPOSE_SSL_SERVER, "127.0.0.2"));
        assert_false(verifies(&ca, &server, X509_PURPOSE_SSL_CLIENT, NULL));
        assert_false(verifies(&other, &server, X509_PURPOSE_SSL_SERVER, NULL));
        assert_true(verifies(&ca, &client, X509_PURPOSE_SSL_CLIENT, NULL));
        assert_false(verifies(&ca, &client, X509_PURPOSE_SSL_SERVER, NULL));
        assert_true(verifies(&ca, &peer, X509_PURPOSE_SSL_SERVER, "localhost"));
        assert_true(verifies(&ca, &peer, X509_PURPOSE_SSL_CLIENT, NULL));
        eis_trust_pair_clear(&ca);
        eis_trust_pair_clear(&other);
        eis_trust_pair_clear(&server);
        eis_trust_pair_clear(&client);
        eis_trust_pair_clear(&peer);
    }
}

static void certificates_carry_what_they_must(void **state)
{
    eis_trust_ca_literal ca_literal = {.days = 10};
    eis_trust_pair ca = {0}, leaf = {0};
    X509 *ca_cert, *cert;

    (void)state;
    assert_int_equal(eis_trust_ca_make(&ca, &ca_literal), EIS_OK);
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &server_leaf), EIS_OK);
    ca_cert = cert_of(&ca);
    cert = cert_of(&leaf);
    assert_int_equal(X509_check_ca(ca_cert), 1);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_get_key_usage(ca_cert), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extension_flags(cert) & EXFLAG_INVALID, 0);
    assert_true(
        X509_EXTENSION_get_critical(X509_get_ext(ca_cert, X509_get_ext_by_NID(ca_cert, NID_basic_constraints, -1))));
    assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(ca_cert)), 0); /* cut to the CA's */
    assert_true(ASN1_STRING_length(X509_get0_serialNumber(cert)) >= 12);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert), X509_get0_serialNumber(ca_cert)), 0);
    X509_free(cert);
    X509_free(ca_cert);
    eis_trust_pair_clear(&ca);
    eis_trust_pair_clear(&leaf);
}

static void wrong_requests_are_refused(void **state)
{
    static const char *const bad_host[] = {"",   "a b", "-a",           "a-", "a..b",  ".a",
                                           "a.", "a/b", "localhost:80", "*",  "a.*.b", "a,DNS:b"};
    eis_trust_ca_literal literal = {0};
    eis_trust_pair ca = {0}, other = {0}, leaf = {0}, mixed;
    eis_trust_leaf_literal l = server_leaf;

    (void)state;
    assert_int_equal(eis_trust_ca_make(&ca, &literal), EIS_OK);
    assert_int_equal(eis_trust_ca_make(&other, &literal), EIS_OK);
    for (size_t i = 0; i < sizeof bad_host / sizeof bad_host[0]; i++) {
        l.hosts = &bad_host[i], l.host_count = 1;
        assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &l), EIS_ERR_USAGE);
        assert_null(leaf.cert);
    }
    l = server_leaf, l.host_count = 0;
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &l), EIS_ERR_USAGE);
    l = server_leaf, l.server = false;
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &l), EIS_ERR_USAGE);
    l = server_leaf, l.days = EIS_TRUST_DAYS_MAX + 1;
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &l), EIS_ERR_USAGE);
    l = server_leaf, l.name = "a\nb";
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &l), EIS_ERR_USAGE);
    literal.key_kind = (eis_trust_key_kind)7;
    assert_int_equal(eis_trust_ca_make(&leaf, &literal), EIS_ERR_USAGE);
    mixed = ca, mixed.key = other.key, mixed.key_bytes = other.key_bytes;
    assert_int_equal(eis_trust_leaf_make(&leaf, &mixed, &server_leaf), EIS_ERR_PARSE);
    mixed = ca, mixed.cert_bytes = 100;
    assert_int_equal(eis_trust_leaf_make(&leaf, &mixed, &server_leaf), EIS_ERR_PARSE);
    assert_int_equal(eis_trust_leaf_make(&leaf, &ca, &server_leaf), EIS_OK);
    assert_int_equal(eis_trust_leaf_make(&other, &leaf, &server_leaf), EIS_ERR_PARSE); /* a leaf issues nothing */
    eis_trust_pair_clear(&ca);
    eis_trust_pair_clear(&other);
    eis_trust_pair_clear(&leaf);
}

static unsigned mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void files_are_private_and_never_overwritten(void **state)
{
    eis_trust_ca_literal literal = {.name = "test CA"};
    char *before = NULL, *after = NULL;
    size_t before_bytes, after_bytes;

    (void)state;
    assert_int_equal(eis_trust_ca_init_files(in_dir("ca"), &literal), EIS_OK);
    assert_int_equal(mode_of(in_dir("ca")), 0700);
    assert_int_equal(mode_of(in_dir("ca/ca.key")), 0600);
    assert_int_equal(eis_trust_key_file_read(&before, &before_bytes, in_dir("ca/ca.key")), EIS_OK);
    assert_int_equal(eis_trust_ca_init_files(in_dir("ca"), &literal), EIS_ERR_FILE);
    assert_int_equal(unlink(in_dir("ca/ca.crt")), 0);
    assert_int_equal(eis_trust_ca_init_files(in_dir("ca"), &literal), EIS_ERR_FILE); /* the key alone is enough */
    assert_int_equal(eis_trust_key_file_read(&after, &after_bytes, in_dir("ca/ca.key")), EIS_OK);
    assert_string_equal(before, after);
    assert_int_equal(access(in_dir("ca/ca.crt"), F_OK), -1);
    free(before);
    free(after);
    assert_int_equal(eis_trust_ca_init_files(in_dir("ca2"), &literal), EIS_OK);
    assert_int_equal(eis_trust_leaf_issue_files(in_dir("ca2"), in_dir("s1"), &server_leaf), EIS_OK);
    assert_int_equal(mode_of(in_dir("s1.key")), 0600);
    assert_int_equal(eis_trust_leaf_issue_files(in_dir("ca2"), in_dir("s1"), &server_leaf), EIS_ERR_FILE);
    assert_int_equal(eis_trust_leaf_issue_files(in_dir("none"), in_dir("s2"), &server_leaf), EIS_ERR_FILE);
    assert_int_equal(chmod(in_dir("ca2/ca.key"), 0640), 0);
    assert_int_equal(eis_trust_leaf_issue_files(in_dir("ca2"), in_dir("s2"), &server_leaf), EIS_ERR_FILE);
    assert_non_null(strstr(eis_error_detail(), "chmod 600"));
    assert_int_equal(access(in_dir("s2.crt"), F_OK), -1);
    assert_int_equal(access(in_dir("s2.key"), F_OK), -1);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void key_files_are_checked(void **state)
{
    (void)state;
    write_text(in_dir("k"), "x", 0600);
    assert_int_equal(eis_trust_key_file_check(in_dir("k")), EIS_OK);
    for (unsigned bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(in_dir("k"), 0600 | bit), 0);
        assert_int_equal(eis_trust_key_file_check(in_dir("k")), EIS_ERR_FILE);
    }
    assert_int_equal(eis_trust_key_file_check(in_dir("absent")), EIS_ERR_FILE);
    assert_int_equal(eis_trust_key_file_check(dir), EIS_ERR_FILE);
    assert_int_equal(eis_trust_key_file_check("/dev/null"), EIS_ERR_FILE);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_int_equal(eis_trust_key_file_check(in_dir("fifo")), EIS_ERR_FILE);
}

static void a_pin_names_the_key_not_the_certificate(void **state)
{
    eis_trust_ca_literal literal = {0};
    eis_trust_pair ca = {0}, a = {0}, b = {0};
    uint8_t pin[32], expected[32], *der = NULL;
    char hex[EIS_TRUST_PIN_HEX_BYTES], other[EIS_TRUST_PIN_HEX_BYTES];
    EVP_PKEY *key = NULL;
    int length;

    (void)state;
    assert_int_equal(eis_trust_ca_make(&ca, &literal), EIS_OK);
    assert_int_equal(eis_trust_leaf_make(&a, &ca, &server_leaf), EIS_OK);
    assert_int_equal(eis_trust_leaf_make(&b, &ca, &server_leaf), EIS_OK);
    assert_int_equal(eis_trust_pin_of_pem(pin, a.cert, a.cert_bytes), EIS_OK);
    assert_int_equal(eis_trust_key_from_pem(&key, a.key, a.key_bytes), EIS_OK);
    length = i2d_PUBKEY(key, &der);
    assert_int_equal(EVP_Digest(der, (size_t)length, expected, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(pin, expected, 32);
    assert_int_equal(eis_trust_pin_hex_of_pem(hex, a.cert, a.cert_bytes), EIS_OK);
    assert_int_equal(eis_trust_pin_hex_of_pem(other, b.cert, b.cert_bytes), EIS_OK);
    assert_int_equal(strlen(hex), 64);
    assert_string_not_equal(hex, other);
    assert_int_equal(eis_trust_pin_of_pem(pin, a.key, a.key_bytes), EIS_ERR_PARSE);
    assert_int_equal(eis_trust_pin_of_pem(pin, "", 0), EIS_ERR_PARSE);
    assert_memory_equal(pin, expected, 32);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    eis_trust_pair_clear(&ca);
    eis_trust_pair_clear(&a);
    eis_trust_pair_clear(&b);
}

static void short_memory_leaves_no_file(void **state)
{
    eis_trust_ca_literal literal = {0};
    eis_status st = EIS_ERR_MEMORY;

    (void)state;
    for (unsigned long n = 1; st != EIS_OK; n++) {
        (void)eis_mem_fail_at(n);
        st = eis_trust_ca_init_files(in_dir("ca3"), &literal);
        (void)eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_int_equal(access(in_dir("ca3/ca.key"), F_OK), -1);
    }
    st = EIS_ERR_MEMORY;
    for (unsigned long n = 1; st != EIS_OK; n++) {
        (void)eis_mem_fail_at(n);
        st = eis_trust_leaf_issue_files(in_dir("ca3"), in_dir("s3"), &server_leaf);
        (void)eis_mem_fail_at(0);
        if (st != EIS_OK) assert_int_equal(access(in_dir("s3.key"), F_OK), -1);
    }
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eis-test-trust-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    static const char *const files[] = {"ca/ca.key", "ca",         "ca2/ca.key", "ca2/ca.crt", "ca2",
                                        "s1.crt",    "ca3/ca.key", "ca3/ca.crt", "ca3",        "s3.crt",
                                        "s3.key",    "s1.key",     "k",          "t",          "fifo"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) (void)remove(in_dir(files[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_good_for_what_they_say),
        cmocka_unit_test(certificates_carry_what_they_must),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(files_are_private_and_never_overwritten),
        cmocka_unit_test(key_files_are_checked),
        cmocka_unit_test(a_pin_names_the_key_not_the_certificate),
        cmocka_unit_test(short_memory_leaves_no_file),
    };
    return cmocka_run_group_tests_name("trust/ca", tests, make_dir, remove_dir);
}
