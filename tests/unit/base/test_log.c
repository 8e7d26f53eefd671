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
#include <string.h>
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
    logged(line, false, "Gr\xc3\xbc\xc3\x9f" "e");
    assert_string_equal(line, "eis: warn: Gr\xc3\xbc\xc3\x9f" "e\n");
    logged(line, true, "a\"\\\n");
    assert_non_null(strstr(line, "\"text\":\"a\\\"\\\\?\"}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_do_not_pass),
    };

    return cmocka_run_group_tests_name("base log", tests, NULL, NULL);
}
