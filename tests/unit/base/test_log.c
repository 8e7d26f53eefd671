/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a peer that puts an escape sequence into a name commands the terminal of whoever reads the log, or
 * writes log lines of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs one event with stderr in a file. */
static void logged(char out[512], bool json, const char *text)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    size_t got;

    assert_non_null(file);
    (void)fflush(stderr);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    eis_log_configure(EIS_LOG_WARN, json);
    eis_log(EIS_LOG_INFO, "event", "not shown");
    eis_log(EIS_LOG_WARN, "event", "%s", text);
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    got = fread(out, 1, 511, file);
    out[got] = '\0';
    fclose(file);
}

static void control_characters_do_not_pass(void **state)
{
    char line[512];

    (void)state;
    logged(line, false, "model a\x1b[2J\nerror: b\x7f\r");
    assert_string_equal(line, "eis: warn: model a?[2J?error: b??\n");
    logged(line, false,
           "Gr\xc3\xbc\xc3\x9f"
           "e");
    assert_string_equal(line, "eis: warn: Gr\xc3\xbc\xc3\x9f"
                              "e\n");
    logged(line, true, "a\"\\\n");
    assert_non_null(strstr(line, "\"text\":\"a\\\"\\\\?\"}\n"));
}

/* A reader of JSON lines chokes on anything else; only the journal wants its priority in front. */
static void json_lines_are_json(void **state)
{
    char line[512];

    (void)state;
    unsetenv("JOURNAL_STREAM");
    logged(line, true, "a");
    assert_int_equal(line[0], '{');
    setenv("JOURNAL_STREAM", "1:2", 1);
    logged(line, true, "a");
    assert_int_equal(line[0], '{');
    unsetenv("JOURNAL_STREAM");
}

static void the_journal_gets_priorities(void **state)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    char name[64], line[512];
    struct stat about;
    size_t got;

    (void)state;
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &about), 0);
    snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    eis_log_configure(EIS_LOG_WARN, true);
    eis_log(EIS_LOG_WARN, "event", "a");
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    unsetenv("JOURNAL_STREAM");
    rewind(file);
    got = fread(line, 1, sizeof line - 1, file);
    line[got] = '\0';
    assert_int_equal(strncmp(line, "<4>{", 4), 0);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_do_not_pass),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(the_journal_gets_priorities),
    };

    return cmocka_run_group_tests_name("base log", tests, NULL, NULL);
}
