/* SPDX-License-Identifier: Apache-2.0 */
/* The chains that have names; docs/he.md has the table with what each is for. */
#include "engine/he/contract.h"

#include <stdio.h>
#include <string.h>

typedef struct chain {
    const char *name;
    eis_ckks_literal literal;
} chain;

/* All within the bounds of 2024 for 128 bits. Cheapest first, which is the order in which a planner tries them. */
static const chain chains[] = {
    {"S", {.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}, .scale = 0x1p30}},
    {"A1", {.degree = 8192, .prime_count = 3, .bits = {50, 40, 50}, .scale = 0x1p40}},
    {"A", {.degree = 8192, .prime_count = 4, .bits = {50, 40, 40, 50}, .scale = 0x1p40}},
    {"P0", {.degree = 8192, .prime_count = 4, .bits = {60, 40, 40, 60}, .scale = 0x1p40}},
    {"A3", {.degree = 8192, .prime_count = 5, .bits = {44, 36, 36, 36, 44}, .scale = 0x1p36}},
    {"M", {.degree = 8192, .prime_count = 7, .bits = {38, 27, 27, 27, 27, 27, 41}, .scale = 0x1p27}},
    {"L1", {.degree = 16384, .prime_count = 4, .bits = {60, 30, 30, 60}, .scale = 0x1p30}},
    {"B1", {.degree = 16384, .prime_count = 8, .bits = {50, 40, 40, 40, 40, 40, 40, 50}, .scale = 0x1p40}},
    {"I16", {.degree = 16384, .prime_count = 8, .bits = {60, 40, 40, 40, 40, 40, 40, 60}, .scale = 0x1p40}},
};

#define CHAIN_COUNT (sizeof chains / sizeof chains[0])

const char *eis_he_chain_name(size_t i) { return i < CHAIN_COUNT ? chains[i].name : NULL; }

eis_status eis_he_chain_find(eis_ckks_literal *literal, const char *name)
{
    char known[128] = "";
    size_t length = 0;

    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        if (strcmp(chains[i].name, name) == 0) {
            *literal = chains[i].literal;
            return EIS_OK;
        }
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i > 0 ? ", " : "", chains[i].name);
    }
    return eis_fail(EIS_ERR_USAGE, "no chain \"%.40s\"; there are %s", name, known);
}
