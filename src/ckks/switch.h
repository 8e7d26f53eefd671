/* SPDX-License-Identifier: Apache-2.0 */
/* Key switching: from a polynomial t that stands beside some secret s' to a pair that stands beside (1, s).
 *
 * t is cut into digits, one per prime of its level, or per so many primes as there are special ones; each digit is
 * taken to all primes and to the special ones, whose product is P, multiplied by its row of the key, and summed. The
 * sum is P times too large and is rounded by P in the end: the mod-down. Between, it can be permuted, multiplied by
 * plaintexts and summed up (an `eis_ckks_lifted`), so that many rotations share one mod-down.
 *
 * Source: digits [BEHZ16]; hoisting [HS18, section 4]; the late mod-down [BMTH21, section 4]. */
#ifndef EIS_CKKS_SWITCH_H
#define EIS_CKKS_SWITCH_H

#include "ckks/ct.h"
#include "ckks/keys.h"

/* How a digit of prime q stands for its residues. CENTRED takes [-(q-1)/2, (q-1)/2] and is the engine's form. REFERENCE
 * takes [0, q) and gives SEAL's words bit for bit; its digits have mean q/2, which puts a key-dependent offset into
 * slot 0, up to 50 times the noise of the others. Digits of several primes are taken likewise, [0, D) or centred. */
typedef enum eis_ckks_digit_form { EIS_CKKS_DIGITS_CENTRED = 0, EIS_CKKS_DIGITS_REFERENCE = 1 } eis_ckks_digit_form;

/* The digits of a polynomial on all primes of a key switch, computed once for many rotations. */
typedef struct eis_ckks_digits {
    const eis_ckks_params *params;
    size_t limbs;    /* the primes are these and the special ones */
    uint64_t *words; /* [limbs + special_count][digits][N and a gap]: for each prime all digits, in the value domain */
} eis_ckks_digits;

/* A pair (c0, c1) times P, on the primes of a level and the special ones. */
typedef struct eis_ckks_lifted {
    const eis_ckks_params *params;
    size_t limbs;    /* data limbs */
    eis_poly c0, c1; /* [limbs + special_count], special = special_count, value domain */
    double scale;
} eis_ckks_lifted;

/* Cuts a polynomial into digits.
 *
 * Range:   t in the value domain, without special limb; the chain has a special prime (asserted).
 * Cost:    limbs inverse and about limbs * digits forward transforms; (limbs + special_count) digits N words.
 * Errors:  EIS_ERR_MEMORY  *digits is zeroed. */
EIS_MUST_USE eis_status eis_ckks_digits_init(eis_ckks_digits *digits, const eis_ckks_params *params, const eis_poly *t,
                                             eis_ckks_digit_form form);

/* Frees. Safe on zeroed digits. */
void eis_ckks_digits_clear(eis_ckks_digits *digits);

/* Makes a lifted pair of zeros. What it held is freed; the same shape keeps its memory, and its words.
 * Errors:  EIS_ERR_SCALE as eis_ckks_ct_init, EIS_ERR_MEMORY; *r is zeroed. */
EIS_MUST_USE eis_status eis_ckks_lifted_init(eis_ckks_lifted *r, const eis_ckks_params *params, size_t limbs,
                                             double scale);

/* Frees. Safe on a zeroed pair. */
void eis_ckks_lifted_clear(eis_ckks_lifted *r);

/* Multiplies digits by a key: r = sum over j of digit j times row j, the digits permuted first where `order` is given.
 *
 * Shape:   r made for the digits' level (asserted); its words are overwritten. order[N] or NULL.
 * Range:   key of the same parameters, not cut below the digits' level (asserted). */
void eis_ckks_digits_multiply(eis_ckks_lifted *r, const eis_ckks_digits *digits, const eis_ckks_switch_key *key,
                              const uint32_t *order);

/* Switches one polynomial at once, prime by prime, so that only one prime's digits are in memory: r gets the words of
 * eis_ckks_digits_init and eis_ckks_digits_multiply.
 *
 * Shape:   r made for t's level (asserted).
 * Range:   key as above.
 * Errors:  EIS_ERR_MEMORY  r is untouched. */
EIS_MUST_USE eis_status eis_ckks_switch(eis_ckks_lifted *r, const eis_poly *t, const eis_ckks_switch_key *key,
                                        eis_ckks_digit_form form);

/* Adds P times a polynomial to one half of a lifted pair, the polynomial permuted first where `order` is given.
 *
 * Shape:   half is c0 or c1 of a lifted pair; a has its data limbs, value domain. order[N] or NULL.
 * Errors:  EIS_ERR_MEMORY (only with an order)  half is untouched. */
EIS_MUST_USE eis_status eis_ckks_lift_add(const eis_ckks_params *params, eis_poly *half, const eis_poly *a,
                                          const uint32_t *order);

/* Rounds by P: the mod-down. *lifted is used up: its polynomials have the words of the pair afterwards and no special
 * limb, until eis_ckks_lifted_init makes it anew.
 * Errors:  EIS_ERR_MEMORY  *lifted is untouched. */
EIS_MUST_USE eis_status eis_ckks_lifted_down(eis_ckks_lifted *lifted);

/* The same into two polynomials of at least the level's limbs. */
EIS_MUST_USE eis_status eis_ckks_lifted_down_to(eis_poly *r0, eis_poly *r1, eis_ckks_lifted *lifted);

/* A switch from beginning to end. */
typedef struct eis_ckks_switching {
    const eis_ckks_switch_key *key;
    const eis_poly *t;             /* what is switched, or NULL: `digits` are */
    eis_ckks_digit_form form;      /* of t's digits */
    const eis_ckks_digits *digits; /* or NULL */
    const uint32_t *order;         /* [N] or NULL: permutes a0 and t, or the digits, which are centred then: what is
                                    * centred and permuted is what is permuted and centred */
    const eis_poly *a0, *a1; /* what is added in the end, or NULL for zero; a1 is not permuted: NULL with an order */
    bool rescale;            /* divides by the level's last prime too, and rounds again: the words of both steps, with
                              * half of their transforms */
} eis_ckks_switching;

/* r0, r1 = (a0, a1) + the switched pair, rounded by P. All of it passes through the caches prime by prime.
 *
 * Shape:   a0, a1 at the level of t or the digits; r0, r1 of as many limbs, or one less where it is rescaled;
 *          all in the value domain. r0 may be a0, r1 may be a1 or t.
 * Range:   the key is not cut below that level (asserted); there is a level to rescale to (asserted).
 * Errors:  EIS_ERR_MEMORY  r0 and r1 are untouched. */
EIS_MUST_USE eis_status eis_ckks_switch_lowered(eis_poly *r0, eis_poly *r1, const eis_ckks_switching *job);

#endif
