/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the operating system. There is no pool in user space: a fork or a snapshot would double it, and a
 * seed that is used twice shows the difference of two inputs. */
#ifndef EIS_RAND_ENTROPY_H
#define EIS_RAND_ENTROPY_H

#include "base/status.h"

#include <stddef.h>

/* One system call gives at most this much without being cut short by a signal. */
#define EIS_ENTROPY_BYTES_MAX 256

/* Draws random bytes with one system call.
 *
 * Shape:   out[bytes], 0 < bytes <= EIS_ENTROPY_BYTES_MAX (asserted).
 * Secret:  out.
 * Cost:    one getrandom(2), about 1 us for 32 bytes.
 * Errors:  EIS_ERR_ENTROPY  the kernel refused or gave less; out is wiped. */
EIS_MUST_USE eis_status eis_entropy_draw(void *out, size_t bytes);

/* Test hook: the n-th draw from now on fails (1 = the next); 0 switches it off. Returns how many draws were made
 * since the last call. Per thread. */
unsigned long eis_entropy_fail_at(unsigned long n);

#endif
