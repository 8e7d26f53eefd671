/* SPDX-License-Identifier: Apache-2.0 */
/* The published story up to where rounding could turn it: 421 bytes with two and with three parties, 118 with four. */
#define LONG
#include "test_goldens.c"
