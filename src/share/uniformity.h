/* SPDX-License-Identifier: Apache-2.0 */
/* Does what a server saw look uniform? The test behind `eis audit`. It cannot prove a share safe; it finds shares that
 * were made wrongly, such as floats, a small value without its mask, or a bit that stays the same.
 *
 * Four families of statistics over a run of words, all with known distributions when every bit is a fair coin:
 *
 *   bytes  how often each value 0..255 comes among whole bytes of the words: chi-square with 255 degrees of freedom
 *          (left out below 1280 bytes, where the approximation is poor)
 *   bits   for each bit of the word, how often it is 1 among all words
 *   turns  for each two neighbouring bits, how often they differ: small numbers of either sign show here
 *   cells  for each bit of each word of a block of 64 words, how often it is 1 among all blocks: a fault that
 *          touches one bit in 64 words shows here and nowhere else
 *
 * Counts of ones are binomial; their two-sided tail is bounded by Chernoff's 2 exp(-n KL(k/n, 1/2)), so no false alarm
 * comes from an approximation. The answer is the smallest p-value times the number of statistics (Bonferroni), at most
 * 1: below a threshold a with probability at most about a if the words are uniform. A bit that is stuck in every
 * word is seen from 64 words on, one that is stuck in one word of 64 from 2176 words on (both below 1e-6). */
#ifndef EIS_SHARE_UNIFORMITY_H
#define EIS_SHARE_UNIFORMITY_H

#include <stddef.h>
#include <stdint.h>

/* What `eis audit` asks for: a smaller p-value fails. */
#define EIS_UNIFORMITY_P_MIN 1e-6

/* Returns the p-value of words of `bits` bits. Shape: words[count]; bits in 8..64; 1 for count = 0. Variable time. */
double eis_uniformity_words(const uint64_t *words, size_t count, unsigned bits);

/* Returns the p-value of bytes, taken as little-endian words of 64 bits; a rest of less than 8 bytes is left out. */
double eis_uniformity_bytes(const uint8_t *bytes, size_t count);

/* Returns the p-value of a chi-square statistic: the probability that it is at least x. degrees > 0, x >= 0. */
double eis_uniformity_chi2_p(double x, unsigned degrees);

/* Returns Pearson's correlation of two series, 0 where one of them is constant. Shape: a, b [n]. */
double eis_uniformity_correlation(const double *a, const double *b, size_t n);

#endif
