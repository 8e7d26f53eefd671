/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings: what each key takes is what it says and what the engine takes, wherever it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/mpc_settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static eis_mpc_settings usual(void)
{
    eis_mpc_settings s;

    eis_mpc_settings_default(&s);
    return s;
}

static void taken(const char *assignment)
{
    eis_mpc_settings s = usual();

    if (eis_mpc_settings_set(&s, assignment) != EIS_OK) fail_msg("%s: %s", assignment, eis_error_detail());
}

static void refused(const char *assignment, const char *says)
{
    eis_mpc_settings s = usual(), before = usual();

    assert_int_equal(eis_mpc_settings_set(&s, assignment), EIS_ERR_USAGE);
    if (strstr(eis_error_detail(), says) == NULL) fail_msg("%s: %s", assignment, eis_error_detail());
    assert_memory_equal(&s, &before, sizeof s);
}

static void numbers(void **state)
{
    (void)state;
    taken("cheby.deg=5");
    taken("cheby.deg=15");
    taken("cheby.range=8.5");
    refused("cheby.deg=4", "cheby.deg takes a whole number from 5 to 15, not \"4\"");
    refused("cheby.deg=16", "cheby.deg takes");
    refused("cheby.deg=9.5", "cheby.deg takes");
    refused("cheby.deg=", "cheby.deg takes");
    refused("cheby.deg=nan", "cheby.deg takes");
    refused("cheby.deg=-inf", "cheby.deg takes");
    refused("cheby.deg=9x", "cheby.deg takes");
    refused("cheby.range=1e999", "cheby.range takes a number from 8 to 16");
}

/* 0 chooses, and what lies between is refused where it is set, not when a graph is built. */
static void numbers_or_zero(void **state)
{
    char text[64];
    (void)state;

    for (int i = 0; i <= 16; i++) {
        snprintf(text, sizeof text, "act.deg=%d", i);
        if (i == 0 || (i >= 5 && i <= 15))
            taken(text);
        else
            refused(text, "act.deg takes 0 or a whole number from 5 to 15");
    }
    for (int i = 0; i <= 8; i++) {
        snprintf(text, sizeof text, "compare.digit_bits=%d", i);
        if (i == 0 || (i >= 4 && i <= 7))
            taken(text);
        else
            refused(text, "compare.digit_bits takes 0 or a whole number from 4 to 7");
    }
    taken("act.range=-0");
    taken("act.range=2");
    refused("act.range=1.5", "act.range takes 0 or a number from 2 to 16");
}

static void words(void **state)
{
    eis_mpc_settings s = usual();
    (void)state;

    assert_int_equal(s.tuning.softmax_static, 0);
    assert_int_equal(eis_mpc_settings_set(&s, "softmax.max=static"), EIS_OK);
    assert_int_equal(s.tuning.softmax_static, 1);
    assert_int_equal(eis_mpc_settings_set(&s, "softmax.max=tournament"), EIS_OK);
    assert_int_equal(s.tuning.softmax_static, 0);
    assert_int_equal(eis_mpc_settings_set(&s, "range.policy=calibrated"), EIS_OK);
    assert_int_equal(s.range_policy, EIS_MPC_RANGE_CALIBRATED);
    refused("softmax.max=stat", "softmax.max takes tournament or static, not \"stat\"");
    refused("softmax.max=", "softmax.max takes");
    refused("softmax.max=tournament|static", "softmax.max takes");
    refused("range.policy=1", "range.policy takes auto, static or calibrated");
    taken("compare.engine=digits");
    taken("exp.method=cheby");
    refused("compare.engine=dcf", "keys for two parties are a later stage");
    refused("exp.method=lut", "tables for two parties are a later stage");
    refused("exp.method=dcf", "exp.method takes cheby, not \"dcf\"");
}

static void keys(void **state)
{
    (void)state;
    refused("cheby", "is not KEY=VALUE");
    refused("cheby=1", "there is no setting \"cheby\"");
    refused("=1", "there is no setting \"\"");
    refused("cheby.degree=9", "there is no setting \"cheby.degree\"");
    taken("listen=127.0.0.1:1");
}

/* Every text that a key says it takes goes through the list, a line for a child, and a file, and comes back. */
static void round_trips(void **state)
{
    eis_mpc_settings s = usual(), again = usual(), from_file = usual();
    char path[] = "/tmp/eis-settings-XXXXXX", value[EIS_MPC_SETTING_TEXT_BYTES];
    const char *section = "";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    eis_writer w;
    (void)state;

    assert_non_null(file);
    s.tuning.act_range = 2.5;
    s.tuning.softmax_static = 1;
    s.range_policy = EIS_MPC_RANGE_STATIC;
    s.range_residual = 0.1 + 0.2;
    s.dial_ms = 3600000;
    for (size_t i = 0; i < eis_mpc_setting_count(); i++) {
        eis_mpc_setting key = eis_mpc_setting_get(i);
        eis_mpc_setting_format(value, &s, i);
        if (key.name != NULL && strcmp(section, key.section) != 0) fprintf(file, "%s:\n", key.section);
        section = key.section;
        fprintf(file, "%s%s: \"%s\"\n", key.name != NULL ? "  " : "", key.name != NULL ? key.name : key.section, value);
    }
    fclose(file);
    if (eis_mpc_settings_load(&from_file, path) != EIS_OK) fail_msg("%s", eis_error_detail());
    unlink(path);
    assert_memory_equal(&s, &from_file, sizeof s);

    eis_wire_writer_init(&w, 1 << 16);
    eis_mpc_settings_write(&w, &s);
    assert_int_equal(eis_mpc_settings_read(&again, (const char *)w.data, w.bytes), EIS_OK);
    eis_wire_writer_clear(&w);
    assert_memory_equal(&s, &again, sizeof s);
}

/* The engine has ranges of its own, which session documents are held to: they are those of the settings. */
static void the_engine_agrees(void **state)
{
    static const char *const names[] = {
        "fixed_point.scale_bits", "cheby.deg",    "cheby.range",        "act.deg",    "act.range",
        "spline.per_octave",      "newton.steps", "compare.digit_bits", "softmax.max"};
    size_t seen = 0;
    (void)state;

    for (size_t i = 0; i < eis_mpc_setting_count(); i++) {
        eis_mpc_setting key = eis_mpc_setting_get(i);
        char name[64], value[32];
        bool shapes = false;
        snprintf(name, sizeof name, "%s.%s", key.section, key.name != NULL ? key.name : "");
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) shapes |= strcmp(name, names[n]) == 0;
        if (!shapes || strcmp(name, "softmax.max") == 0) continue;
        seen++;
        for (int v = -1; v <= 64; v++) {
            eis_mpc_settings s = usual();
            eis_status st;
            snprintf(value, sizeof value, "%g", v / 2.0);
            st = eis_mpc_setting_assign(&s, i, value);
            eis_error_clear();
            if (st == EIS_OK) assert_int_equal(eis_mpc_tuning_check(&s.tuning), EIS_OK);
            if (st == EIS_OK || v < 0 || (v % 2 != 0 && strstr(key.takes, "whole") != NULL)) continue;
            /* What the settings refuse, the engine refuses too. */
            if (strcmp(name, "fixed_point.scale_bits") == 0) s.tuning.frac = (unsigned)v / 2;
            if (strcmp(name, "cheby.deg") == 0) s.tuning.exp_degree = (unsigned)v / 2;
            if (strcmp(name, "cheby.range") == 0) s.tuning.exp_range = v / 2.0;
            if (strcmp(name, "act.deg") == 0) s.tuning.act_degree = (unsigned)v / 2;
            if (strcmp(name, "act.range") == 0) s.tuning.act_range = v / 2.0;
            if (strcmp(name, "spline.per_octave") == 0) s.tuning.per_octave = (unsigned)v / 2;
            if (strcmp(name, "newton.steps") == 0) s.tuning.newton_steps = (unsigned)v / 2;
            if (strcmp(name, "compare.digit_bits") == 0) s.tuning.digit_bits_max = (unsigned)v / 2;
            if (eis_mpc_tuning_check(&s.tuning) == EIS_OK) fail_msg("the engine takes %s=%s", name, value);
            eis_error_clear();
        }
    }
    assert_int_equal(seen, sizeof names / sizeof names[0] - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(numbers_or_zero), cmocka_unit_test(words),
        cmocka_unit_test(keys),    cmocka_unit_test(round_trips),     cmocka_unit_test(the_engine_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
