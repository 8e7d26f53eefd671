/* SPDX-License-Identifier: Apache-2.0 */
/* The tunables of the mpc engine under the names that people write: `--set cheby.deg=9`, or the same in a YAML file.
 * One table says for each what it takes, what it is unless told otherwise, and what it does. */
#ifndef EIS_SERVICE_MPC_SETTINGS_H
#define EIS_SERVICE_MPC_SETTINGS_H

#include "engine/mpc/functions.h"
#include "engine/mpc/material.h"
#include "engine/mpc/sample.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EIS_MPC_SETTING_TEXT_BYTES 1024

/* range.policy. */
typedef enum eis_mpc_range_policy {
    EIS_MPC_RANGE_AUTO = 0,
    EIS_MPC_RANGE_STATIC = 1,
    EIS_MPC_RANGE_CALIBRATED = 2
} eis_mpc_range_policy;

typedef struct eis_mpc_settings {
    eis_mpc_tuning tuning;
    eis_mpc_sampling sampling;                /* topk, temperature: of requests to draw that do not say */
    uint32_t exp_method, compare_engine;      /* exp.method, compare.engine: 0, the only ones */
    uint32_t range_policy;                    /* eis_mpc_range_policy */
    double range_margin, range_residual;      /* range.margin, range.residual */
    uint32_t context_max;                     /* scheduler.max_context */
    uint32_t pad_bucket, prefill_mib;         /* scheduler.pad_bucket, scheduler.prefill_mib */
    uint32_t sacrifice_level;                 /* sacrifice.level: 0 is auto, then one more than the level */
    uint32_t prompt_unchecked;                /* prompt.check: 1 is off */
    uint32_t pending_max;                     /* check.max_pending */
    uint32_t plaintext_prompts;               /* prompt.plaintext_via_coordinator: 1 is on */
    uint32_t round_ms, dial_ms, owner_ms;     /* net.* */
    uint32_t party_sessions, dealer_sessions; /* at most so many at once */
    uint32_t party_threads, dealer_threads;
    uint32_t master_mask;                         /* dealer.master_mask */
    uint32_t pool_min, pool_target, pool_wait_ms; /* triple_pool.* */
    double pool_max_bytes;
    char listen[EIS_MPC_SETTING_TEXT_BYTES]; /* of servers; empty: their default */
    char tls_cert[EIS_MPC_SETTING_TEXT_BYTES], tls_key[EIS_MPC_SETTING_TEXT_BYTES];
    char tls_client_ca[EIS_MPC_SETTING_TEXT_BYTES];
    char store_path[EIS_MPC_SETTING_TEXT_BYTES]; /* empty: in memory */
} eis_mpc_settings;

/* Sets everything to its default. */
void eis_mpc_settings_default(eis_mpc_settings *settings);

/* sacrifice.level and prompt.check. own: we run the Triple Service of the session ourselves. */
static inline eis_mpc_tests eis_mpc_settings_tests(const eis_mpc_settings *settings, bool own)
{
    const uint32_t word = settings->sacrifice_level;

    return (eis_mpc_tests){.level = word > 0 ? word - 1 : !own, .inputs = settings->prompt_unchecked == 0};
}

/* Takes "KEY=VALUE". Errors: EIS_ERR_USAGE  no such key, or a value that it does not take, with what it takes. */
EIS_MUST_USE eis_status eis_mpc_settings_set(eis_mpc_settings *settings, const char *assignment);

/* Takes a YAML file: sections are the first words of keys. `settings` holds what came before.
 *
 * Errors:  EIS_ERR_PARSE  not YAML, or a key that there is not: with line and column;  EIS_ERR_USAGE  a value that its
 *          key does not take;  EIS_ERR_FILE. */
EIS_MUST_USE eis_status eis_mpc_settings_load(eis_mpc_settings *settings, const char *path);

/* The same of the bytes of a file, which texts call by its name. Errors: as above, but EIS_ERR_FILE. */
EIS_MUST_USE eis_status eis_mpc_settings_parse(eis_mpc_settings *settings, const void *data, size_t bytes,
                                               const char *name);

/* Writes every key as a line KEY=VALUE, and reads such lines: what a child process inherits. Texts about listening and
 * certificates are left out. Errors: sticky in w; those of set. */
void eis_mpc_settings_write(eis_writer *w, const eis_mpc_settings *settings);
EIS_MUST_USE eis_status eis_mpc_settings_read(eis_mpc_settings *settings, const char *text, size_t bytes);

/* A key, for documents and for the reader of YAML. */
typedef struct eis_mpc_setting {
    const char *section, *name; /* name NULL: the section is the whole key */
    const char *effect;
    char takes[64]; /* for people */
} eis_mpc_setting;

size_t eis_mpc_setting_count(void);
eis_mpc_setting eis_mpc_setting_get(size_t i);

/* Formats the value of a key. Shape: text[EIS_MPC_SETTING_TEXT_BYTES]. */
void eis_mpc_setting_format(char *text, const eis_mpc_settings *settings, size_t i);

/* Sets key i. Errors: EIS_ERR_USAGE. */
EIS_MUST_USE eis_status eis_mpc_setting_assign(eis_mpc_settings *settings, size_t i, const char *value);

#endif
