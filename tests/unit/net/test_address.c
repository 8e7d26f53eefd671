/* SPDX-License-Identifier: Apache-2.0 */
/* If "is this loopback" is answered wrongly, shares travel over the network in the clear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/tls.h"
#include "net/token.h"

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *host, *written;
        int port;
    } good[] = {
        {"127.0.0.1:8470", "127.0.0.1", "127.0.0.1:8470", 8470},
        {"localhost:0", "localhost", "localhost:0", 0},
        {"[::1]:8470", "::1", "[::1]:8470", 8470},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", "[fe80::1%eth0]:1", 1},
        {"a-b.example:65535", "a-b.example", "a-b.example:65535", 65535},
    };
    static const char *const bad[] = {"",      ":1",    "a",     "a:",        "a:65536", "a:-1",
                                      "a:1x",  "a b:1", "[::1]", "[::1]8470", "[::1",    "::1:8470",
                                      "a/b:1", "a:1:2", "[]:1",  "a\n:1",     "a:000001"};
    char text[EIS_ADDRESS_TEXT_BYTES_MAX], longer[400];
    eis_address a = {.host = "untouched", .port = 7};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(eis_net_address_parse(&a, bad[i], -1), EIS_ERR_USAGE);
        assert_string_equal(a.host, "untouched");
    }
    memset(longer, 'a', sizeof longer);
    memcpy(longer + sizeof longer - 3, ":1", 3);
    assert_int_equal(eis_net_address_parse(&a, longer, -1), EIS_ERR_USAGE);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(eis_net_address_parse(&a, good[i].text, -1), EIS_OK);
        assert_string_equal(a.host, good[i].host);
        assert_int_equal(a.port, good[i].port);
        eis_net_address_format(text, &a);
        assert_string_equal(text, good[i].written);
    }
    assert_int_equal(eis_net_address_parse(&a, "[::1]", 9), EIS_OK);
    assert_int_equal(a.port, 9);
}

static void lists_hold_each_server_once(void **state)
{
    eis_address *list = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(eis_net_address_list_parse(&list, &count, "a:1,[::1]:2,b:1", -1), EIS_OK);
    assert_int_equal(count, 3);
    assert_string_equal(list[1].host, "::1");
    assert_int_equal(list[2].port, 1);
    eis_mem_free(list);
    list = NULL;
    assert_int_equal(eis_net_address_list_parse(&list, &count, "a:1,A:1", -1), EIS_ERR_USAGE);
    assert_int_equal(eis_net_address_list_parse(&list, &count, "a:1,", -1), EIS_ERR_USAGE);
    assert_int_equal(eis_net_address_list_parse(&list, &count, "", -1), EIS_ERR_USAGE);
    assert_null(list);
}

static void loopback_is_known(void **state)
{
    static const char *const inside[] = {"localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"};
    static const char *const outside[] = {"0.0.0.0",           "::",       "128.0.0.1",
                                          "localhost.example", "10.0.0.1", "::ffff:10.0.0.1",
                                          "127.0.0.1.example", "",         "2130706433"};

    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) assert_true(eis_net_is_loopback(inside[i]));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) assert_false(eis_net_is_loopback(outside[i]));
}

static void pins_are_read_in_both_forms(void **state)
{
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    static const char *const bad[] = {"", "00", "sha256//", "sha256//AAECAw==", "zz"};
    char text[2 * EIS_TLS_PIN_BYTES + 1], colons[3 * EIS_TLS_PIN_BYTES];
    eis_tls_pin pin;

    (void)state;
    assert_int_equal(eis_net_tls_pin_parse(&pin, hex), EIS_OK);
    eis_net_tls_pin_format(text, &pin);
    assert_string_equal(text, hex);
    for (size_t i = 0; i < EIS_TLS_PIN_BYTES; i++)
        memcpy(colons + 3 * i, (char[3]){hex[2 * i], hex[2 * i + 1], ':'}, 3);
    colons[sizeof colons - 1] = '\0';
    assert_int_equal(eis_net_tls_pin_parse(&pin, colons), EIS_OK);
    assert_int_equal(pin.bytes[31], 31);
    assert_int_equal(eis_net_tls_pin_parse(&pin, "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), EIS_OK);
    assert_int_equal(pin.bytes[30], 30);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(eis_net_tls_pin_parse(&pin, bad[i]), EIS_ERR_USAGE);
    colons[3] = ':';
    assert_int_equal(eis_net_tls_pin_parse(&pin, colons), EIS_ERR_USAGE);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void tokens_come_from_files_of_ones_own(void **state)
{
    char path[] = "/tmp/eis-token-XXXXXX";
    int fd = mkstemp(path);
    eis_token token = {0};

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "0123456789abcdef\n", 0644);
    assert_int_equal(eis_net_token_read_file(&token, path), EIS_ERR_USAGE);
    write_file(path, "short\n", 0600);
    assert_int_equal(eis_net_token_read_file(&token, path), EIS_ERR_USAGE);
    write_file(path, "0123456789 abcdef\n", 0600);
    assert_int_equal(eis_net_token_read_file(&token, path), EIS_ERR_USAGE);
    assert_int_equal(token.bytes, 0);
    assert_false(eis_net_token_equal(&token, "", 0)); /* no token lets nobody in */
    write_file(path, "0123456789abcdef\n", 0600);
    assert_int_equal(eis_net_token_read_file(&token, path), EIS_OK);
    assert_int_equal(token.bytes, 16);
    unlink(path);
    assert_int_equal(eis_net_token_read_file(&token, path), EIS_ERR_FILE);
    assert_true(eis_net_token_authorizes(&token, "Bearer 0123456789abcdef"));
    assert_true(eis_net_token_authorizes(&token, "bearer  0123456789abcdef"));
    assert_false(eis_net_token_authorizes(&token, "Bearer 0123456789abcdeF"));
    assert_false(eis_net_token_authorizes(&token, "Bearer 0123456789abcdef0"));
    assert_false(eis_net_token_authorizes(&token, "Bearer "));
    assert_false(eis_net_token_authorizes(&token, "Basic 0123456789abcdef"));
    assert_false(eis_net_token_authorizes(&token, NULL));
    eis_net_token_clear(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(lists_hold_each_server_once),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(pins_are_read_in_both_forms),
        cmocka_unit_test(tokens_come_from_files_of_ones_own),
    };
    return cmocka_run_group_tests_name("net/address", tests, NULL, NULL);
}
