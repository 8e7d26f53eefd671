/* SPDX-License-Identifier: Apache-2.0 */
/* The same with 12,000 flips. */
#define FLIPS 12000
#include "test_faults.c"
