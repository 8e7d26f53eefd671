/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/slots.h"

#include "cli/cli.h"

#include <stdio.h>

static void take_number(void *member, const eis_cli_slot *slot, const struct argp_option *option, const char *arg,
                        const struct argp_state *state)
{
    char flag[64];
    unsigned long value;

    while (option->key != slot->key) option++;
    snprintf(flag, sizeof flag, "--%s", option->name);
    value = slot->kind == EIS_CLI_SLOT_BYTES ? eis_cli_size(state, flag, arg, slot->min, slot->max)
                                             : eis_cli_number(state, flag, arg, slot->min, slot->max);
    if (slot->width == sizeof(unsigned))
        *(unsigned *)member = (unsigned)value;
    else
        *(unsigned long *)member = value;
}

error_t eis_cli_take(const eis_cli_slot *slot, const struct argp_option *options, int key, char *arg,
                     struct argp_state *state)
{
    void *member;

    while (slot->kind != EIS_CLI_SLOT_END && slot->key != key) slot++;
    if (slot->kind == EIS_CLI_SLOT_END) return ARGP_ERR_UNKNOWN;
    member = (char *)state->input + slot->at;
    if (slot->kind == EIS_CLI_SLOT_TEXT)
        *(const char **)member = arg;
    else if (slot->kind == EIS_CLI_SLOT_SWITCH)
        *(bool *)member = true;
    else
        take_number(member, slot, options, arg, state);
    return 0;
}
