/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise arithmetic modulo primes of 51 to 60 bits with AVX2; the rest in plain C. */
#include "kernel/x86_64/zq_wide_avx2.h"
#include "kernel/x86_64/avx2.h"

#define ZQ_ENTRY(name) zq_##name##_wide_avx2
#define ZQ_REST(name)  zq_##name##_generic
#include "kernel/x86_64/zq_wide.h"
