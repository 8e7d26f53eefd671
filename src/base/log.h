/* SPDX-License-Identifier: Apache-2.0 */
/* Logs: one line per event on stderr, for people or (servers) as JSON, behind journald's <prio> where the
 * journal reads it. Values of inputs, shares, keys and prompts never get here: callers log names, sizes, counts and
 * times. */
#ifndef EIS_BASE_LOG_H
#define EIS_BASE_LOG_H

#include <stdbool.h>

typedef enum eis_log_level { EIS_LOG_ERROR, EIS_LOG_WARN, EIS_LOG_INFO, EIS_LOG_DEBUG } eis_log_level;

/* Sets what is shown (default EIS_LOG_WARN) and whether lines are JSON (default false). */
void eis_log_configure(eis_log_level level, bool json);

/* Parses "error", "warn", "info" or "debug". Returns false for any other word; *level is then untouched. */
bool eis_log_level_parse(eis_log_level *level, const char *word);

/* Writes one event. `event` is a fixed word for machines ("listening"), the rest a text for people. */
void eis_log(eis_log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
