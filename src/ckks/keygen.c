/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys. Digits are residues [BEHZ16]: digit j is the polynomial mod D_j, the product of its primes, and its
 * row carries P s' in the limbs of those primes and nothing elsewhere, for P (Q/D_j) ((Q/D_j)^-1 mod D_j) is P mod D_j
 * and 0 mod every other prime. So a row means the same at every level. */
#include "ckks/keygen.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/extend.h"
#include "ring/zq.h"

#include <stdlib.h>
#include <string.h>

/* Fills a row, which is made, under the secret on its primes. */
static eis_status fill_row(eis_ckks_row *row, const eis_rns *rns, const eis_poly *secret)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_zero_encrypt_under(&row->b, &row->a, row->seed, rns, secret));
    row->generator = EIS_CKKS_GENERATOR;
out:
    return st;
}

/* r = the secret on the primes of a level and the special ones: a copy, since they are no run of the chain. */
static eis_status secret_at(eis_poly *r, const eis_ckks_secret_key *secret, size_t limbs)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    const size_t special = params->special_count, bytes = params->degree * sizeof *r->words;

    EIS_TRY(eis_poly_init_secret(&params->rns, r, limbs + special, special, EIS_DOMAIN_NTT));
    memcpy(r->words, secret->s.words, limbs * bytes);
    memcpy(eis_poly_limb(r, limbs), eis_poly_limb(&secret->s, params->limbs_max), special * bytes);
out:
    return st;
}

eis_status eis_ckks_public_key_generate(eis_ckks_public_key *key, const eis_ckks_secret_key *secret)
{
    eis_status st = EIS_OK;
    eis_poly s = {0};

    eis_ckks_public_key_clear(key);
    EIS_TRY(eis_ckks_row_init(&key->row, secret->params));
    EIS_TRY(secret_at(&s, secret, secret->params->limbs_max));
    EIS_TRY(fill_row(&key->row, &secret->params->rns, &s));
    key->params = secret->params;
out:
    if (st != EIS_OK) eis_ckks_public_key_clear(key);
    eis_poly_clear(&s);
    return st;
}

/* Row d += P from in the limbs of digit d. */
static void carry(eis_ckks_row *row, size_t d, const eis_ckks_params *params, size_t limbs, const eis_poly *from)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_rns_group specials = {params->limbs_max, params->special_count};
    const size_t first = d * params->special_count;

    for (size_t i = first; i < first + params->special_count && i < limbs; i++) {
        const eis_modulus *m = eis_rns_modulus(&params->rns, i);

        k->mul_factor_add(eis_poly_limb(&row->b, i), eis_poly_limb(from, i), params->degree,
                          eis_zq_factor_make(eis_rns_group_product(&params->rns, specials, i), m), m);
        /* The row goes to the server; what it carries is hidden by the uniform -(a s + e) that it was added to. */
        EIS_PUBLIC(eis_poly_limb(&row->b, i), params->degree * sizeof(uint64_t));
    }
}

/* Makes the key from another secret, `from`, given like the secret key's own polynomial. */
static eis_status generate_switch_key(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret, const eis_poly *from,
                                      size_t limbs)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    eis_poly s = {0};

    EIS_TRY(eis_ckks_switch_key_init_cut(key, params, limbs));
    EIS_TRY(secret_at(&s, secret, limbs));
    for (size_t d = 0; d < key->digits; d++) {
        EIS_TRY(fill_row(&key->row[d], &params->rns, &s));
        carry(&key->row[d], d, params, limbs, from);
    }
out:
    if (st != EIS_OK) eis_ckks_switch_key_clear(key);
    eis_poly_clear(&s);
    return st;
}

eis_status eis_ckks_relin_key_generate(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret)
{
    return eis_ckks_relin_key_generate_cut(key, secret, secret->params->limbs_max);
}

eis_status eis_ckks_relin_key_generate_cut(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret, size_t limbs)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &secret->params->rns;
    eis_poly square = {0};

    EIS_TRY(eis_poly_init_secret(rns, &square, secret->s.limbs, secret->s.special, EIS_DOMAIN_NTT));
    eis_poly_mul(rns, &square, &secret->s, &secret->s);
    EIS_TRY(generate_switch_key(key, secret, &square, limbs));
out:
    if (st != EIS_OK) eis_ckks_switch_key_clear(key);
    eis_poly_clear(&square);
    return st;
}

static int compare_elements(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static eis_status check_elements(const uint32_t *element, size_t count, size_t degree)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(element[i] % 2 == 1 && element[i] > 1 && element[i] < 2 * degree &&
                        (i == 0 || element[i] > element[i - 1]),
                    EIS_ERR_RANGE, "Galois elements are odd, in (1, 2N), and each occurs once");
out:
    return st;
}

/* limbs NULL: whole keys. element rises. */
static eis_status generate_galois_keys(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                       const uint32_t *element, const size_t *limbs, size_t count)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    eis_poly turned = {0};

    EIS_TRY(check_elements(element, count, params->degree));
    EIS_TRY(eis_ckks_galois_keys_init(keys, params, element, count));
    EIS_TRY(eis_poly_init_secret(&params->rns, &turned, secret->s.limbs, secret->s.special, EIS_DOMAIN_NTT));
    for (size_t i = 0; i < count; i++) {
        EIS_TRY(eis_poly_galois(&params->rns, &turned, &secret->s, element[i]));
        EIS_TRY(generate_switch_key(&keys->key[i].key, secret, &turned, limbs != NULL ? limbs[i] : params->limbs_max));
    }
out:
    if (st != EIS_OK) eis_ckks_galois_keys_clear(keys);
    eis_poly_clear(&turned);
    return st;
}

eis_status eis_ckks_galois_keys_generate(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                         const uint32_t *element, size_t count)
{
    eis_status st = EIS_OK;
    uint32_t *sorted = NULL;

    EIS_NEW(sorted, count);
    memcpy(sorted, element, count * sizeof *element);
    qsort(sorted, count, sizeof *sorted, compare_elements);
    EIS_TRY(generate_galois_keys(keys, secret, sorted, NULL, count));
out:
    if (st != EIS_OK) eis_ckks_galois_keys_clear(keys);
    eis_mem_free(sorted);
    return st;
}

eis_status eis_ckks_galois_keys_generate_cut(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                             const uint32_t *element, const size_t *limbs, size_t count)
{
    return generate_galois_keys(keys, secret, element, limbs, count);
}

eis_status eis_ckks_key_set_generate(eis_ckks_key_set *set, const eis_ckks_secret_key *secret,
                                     const eis_ckks_key_need *need, size_t count)
{
    eis_status st = EIS_OK;
    uint32_t *element = NULL;
    size_t *limbs = NULL, turns = 0;

    eis_ckks_key_set_clear(set);
    EIS_TRY(eis_ckks_key_needs_check(secret->params, need, count));
    set->params = secret->params;
    EIS_NEW(element, count);
    EIS_NEW(limbs, count);
    for (size_t i = 0; i < count; i++) {
        if (need[i].id == EIS_CKKS_KEY_RELIN) {
            EIS_TRY(eis_ckks_relin_key_generate_cut(&set->relin, secret, need[i].limbs));
        } else if (need[i].id == EIS_CKKS_KEY_PUBLIC) {
            EIS_TRY(eis_ckks_public_key_generate(&set->public_key, secret));
        } else {
            element[turns] = need[i].id;
            limbs[turns++] = need[i].limbs;
        }
    }
    EIS_TRY(eis_ckks_galois_keys_generate_cut(&set->galois, secret, element, limbs, turns));
out:
    if (st != EIS_OK) eis_ckks_key_set_clear(set);
    eis_mem_free(element);
    eis_mem_free(limbs);
    return st;
}
