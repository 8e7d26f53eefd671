/* SPDX-License-Identifier: Apache-2.0 */
/* The papers of a server process hold its key. They must arrive whole or not at all, and a process that says nothing
 * must not hold up whoever started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "service/embedded_papers.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static eis_span span(const char *text) { return (eis_span){(const uint8_t *)text, strlen(text)}; }

static void open_pair(int pair[2]) { assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); }

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void there_and_back(void **state)
{
    const eis_embedded_papers papers = {
        .threads = 3, .cert_pem = span("cert"), .key_pem = span("the key"), .client_ca_pem = span("")};
    eis_embedded_papers got = {0};
    uint8_t *memory = NULL;
    uint16_t port = 0;
    size_t bytes = 0;
    int pair[2];

    (void)state;
    open_pair(pair);
    assert_int_equal(eis_embedded_papers_send(pair[0], &papers), EIS_OK);
    assert_int_equal(eis_embedded_papers_receive(&got, &memory, &bytes, pair[1]), EIS_OK);
    assert_int_equal(got.threads, 3);
    assert_int_equal(got.key_pem.bytes, 7);
    assert_memory_equal(got.key_pem.data, "the key", 7);
    assert_int_equal(got.client_ca_pem.bytes, 0);
    eis_mem_free_wiped(memory, bytes, 1);
    eis_embedded_tell(pair[1], EIS_OK, 4711);
    assert_int_equal(eis_embedded_hear(&port, pair[0], 1000), EIS_OK);
    assert_int_equal(port, 4711);
    eis_embedded_tell(pair[1], eis_fail(EIS_ERR_MEMORY, "nothing left"), 0);
    assert_int_equal(eis_embedded_hear(&port, pair[0], 1000), EIS_ERR_MEMORY);
    assert_non_null(strstr(eis_error_detail(), "nothing left"));
    close_pair(pair);
}

static void cut_and_silent(void **state)
{
    static const uint8_t cut[] = {20, 0, 0, 0, 1, 2, 3}, huge[] = {0xff, 0xff, 0xff, 0x7f},
                         wrong[] = {5, 0, 0, 0, 1, 0, 9, 0, 'x'};
    const struct {
        const uint8_t *data;
        size_t bytes;
        eis_status papers, word;
    } cases[] = {
        {NULL, 0, EIS_ERR_CLOSED, EIS_ERR_CLOSED},
        {cut, sizeof cut, EIS_ERR_CLOSED, EIS_ERR_CLOSED},
        {huge, sizeof huge, EIS_ERR_TOO_LARGE, EIS_ERR_PROTOCOL},
        {wrong, sizeof wrong, EIS_ERR_PARSE, EIS_ERR_PARSE},
    };

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int hear = 0; hear < 2; hear++) {
            eis_embedded_papers papers;
            uint8_t *memory = NULL;
            size_t bytes = 0;
            uint16_t port;
            int pair[2];
            open_pair(pair);
            if (cases[c].bytes > 0) assert_int_equal(send(pair[0], cases[c].data, cases[c].bytes, 0), cases[c].bytes);
            shutdown(pair[0], SHUT_WR);
            if (hear)
                assert_int_equal(eis_embedded_hear(&port, pair[1], 5000), cases[c].word);
            else
                assert_int_equal(eis_embedded_papers_receive(&papers, &memory, &bytes, pair[1]), cases[c].papers);
            if (!hear) assert_null(papers.key_pem.data);
            assert_null(memory);
            close_pair(pair);
        }
    int pair[2];
    uint16_t port;
    open_pair(pair);
    assert_int_equal(eis_embedded_hear(&port, pair[0], 50), EIS_ERR_TIMEOUT);
    close_pair(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(cut_and_silent)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
