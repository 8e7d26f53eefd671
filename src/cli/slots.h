/* SPDX-License-Identifier: Apache-2.0 */
/* Where the values of flags go: most flags of a command only set a member of its struct, and are one row of a table. A
 * row whose member has another type does not compile. */
#ifndef EIS_CLI_SLOTS_H
#define EIS_CLI_SLOTS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum eis_cli_slot_kind {
    EIS_CLI_SLOT_END, /* behind the last row of a table */
    EIS_CLI_SLOT_TEXT,
    EIS_CLI_SLOT_SWITCH,
    EIS_CLI_SLOT_NUMBER,
    EIS_CLI_SLOT_BYTES
} eis_cli_slot_kind;

typedef struct eis_cli_slot {
    int key;
    eis_cli_slot_kind kind;
    size_t at, width; /* of the member, in bytes */
    unsigned long min, max;
} eis_cli_slot;

/* clang-format off */
#define EIS_CLI_SLOT_AT(type, member, is) _Generic(((type *)0)->member, is: offsetof(type, member))
#define EIS_CLI_SLOT_WIDTH(type, member) \
    _Generic(((type *)0)->member, unsigned: sizeof(unsigned), unsigned long: sizeof(unsigned long))

/* The words themselves: a const char *. */
#define EIS_CLI_TEXT(key, type, member) \
    {key, EIS_CLI_SLOT_TEXT, EIS_CLI_SLOT_AT(type, member, const char *), 0, 0, 0}

/* That it was given: a bool. */
#define EIS_CLI_SWITCH(key, type, member) \
    {key, EIS_CLI_SLOT_SWITCH, EIS_CLI_SLOT_AT(type, member, bool), 0, 0, 0}

/* A whole number within [min, max]; a number of bytes, with K, M or G behind it: unsigned or unsigned long. */
#define EIS_CLI_NUMBER(key, type, member, min, max) \
    {key, EIS_CLI_SLOT_NUMBER, offsetof(type, member), EIS_CLI_SLOT_WIDTH(type, member), min, max}
#define EIS_CLI_BYTES(key, type, member, min, max) \
    {key, EIS_CLI_SLOT_BYTES, offsetof(type, member), EIS_CLI_SLOT_WIDTH(type, member), min, max}
/* clang-format on */

/* Takes a flag of the table into the struct that is the parser's input; a wrong number is a usage error that names the
 * flag as `options` do. Returns ARGP_ERR_UNKNOWN for what is not in the table. */
error_t eis_cli_take(const eis_cli_slot *slots, const struct argp_option *options, int key, char *arg,
                     struct argp_state *state);

#endif
