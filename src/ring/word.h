/* SPDX-License-Identifier: Apache-2.0 */
/* Words that came from outside: are they words of the ring at all? */
#ifndef EIS_RING_WORD_H
#define EIS_RING_WORD_H

#include "kernel/kernel.h"

#include <stdbool.h>

/* Tells whether all words are canonical: below 2^(bits - truncated_bits), or below p.
 *
 * Shape:   words[n]. truncated_bits < bits; 0 for EIS_RING_F61 (asserted).
 * Secret:  words; only the answer for all of them together is looked at. */
bool eis_ring_words_canonical(const uint64_t *words, size_t n, eis_ring ring, unsigned truncated_bits);

#endif
