/* SPDX-License-Identifier: Apache-2.0 */
/* The same over the shipped field. */
#include "../../../small/test_mpc_leakage.c"
