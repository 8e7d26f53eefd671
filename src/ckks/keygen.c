/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys. Digits are residues [BEHZ16]: the digit of prime j is the polynomial mod q_j, and its row carries
 * P s' in limb j and nothing elsewhere, for P (Q/q_j) ((Q/q_j)^-1 mod q_j) is P mod q_j and 0 mod every other prime. */
#include "ckks/keygen.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

#include <stdlib.h>
#include <string.h>

static eis_status generate_row(eis_ckks_row *row, const eis_ckks_secret_key *secret)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_row_init(row, secret->params));
    EIS_TRY(eis_ckks_zero_encrypt(&row->b, &row->a, row->seed, secret));
    row->generator = EIS_CKKS_GENERATOR;
out:
    return st;
}

eis_status eis_ckks_public_key_generate(eis_ckks_public_key *key, const eis_ckks_secret_key *secret)
{
    eis_status st = EIS_OK;

    eis_ckks_public_key_clear(key);
    EIS_TRY(generate_row(&key->row, secret));
    key->params = secret->params;
out:
    if (st != EIS_OK) eis_ckks_public_key_clear(key);
    return st;
}

/* Makes the key from another secret, `from`, given like the secret key's own polynomial. */
static eis_status generate_switch_key(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret, const eis_poly *from)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    EIS_TRY(eis_ckks_switch_key_init(key, params));
    for (size_t j = 0; j < key->digits; j++) {
        const eis_modulus *m = eis_rns_modulus(&params->rns, j);
        uint64_t special = eis_rns_modulus(&params->rns, params->prime_count - 1)->q;

        EIS_TRY(generate_row(&key->row[j], secret));
        k->mul_factor_add(eis_poly_limb(&key->row[j].b, j), eis_poly_limb(from, j), params->degree,
                          eis_zq_factor_make(special, m), m);
        /* The row goes to the server; what it carries is hidden by the uniform -(a s + e) that it was added to. */
        EIS_PUBLIC(eis_poly_limb(&key->row[j].b, j), params->degree * sizeof(uint64_t));
    }
out:
    if (st != EIS_OK) eis_ckks_switch_key_clear(key);
    return st;
}

eis_status eis_ckks_relin_key_generate(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    eis_poly square = {0};

    EIS_TRY(eis_poly_init_secret(&params->rns, &square, params->prime_count, params->has_special, EIS_DOMAIN_NTT));
    eis_poly_mul(&params->rns, &square, &secret->s, &secret->s);
    EIS_TRY(generate_switch_key(key, secret, &square));
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

static eis_status sort_elements(uint32_t *sorted, const uint32_t *element, size_t count, size_t degree)
{
    eis_status st = EIS_OK;

    memcpy(sorted, element, count * sizeof *element);
    qsort(sorted, count, sizeof *sorted, compare_elements);
    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(sorted[i] % 2 == 1 && sorted[i] > 1 && sorted[i] < 2 * degree &&
                        (i == 0 || sorted[i] > sorted[i - 1]),
                    EIS_ERR_RANGE, "Galois elements are odd, in (1, 2N), and each occurs once");
out:
    return st;
}

eis_status eis_ckks_galois_keys_generate(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                         const uint32_t *element, size_t count)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = secret->params;
    eis_poly turned = {0};
    uint32_t *sorted = NULL;

    EIS_NEW(sorted, count);
    EIS_TRY(sort_elements(sorted, element, count, params->degree));
    EIS_TRY(eis_ckks_galois_keys_init(keys, params, sorted, count));
    EIS_TRY(eis_poly_init_secret(&params->rns, &turned, params->prime_count, params->has_special, EIS_DOMAIN_NTT));
    for (size_t i = 0; i < count; i++) {
        EIS_TRY(eis_poly_galois(&params->rns, &turned, &secret->s, sorted[i]));
        EIS_TRY(generate_switch_key(&keys->key[i].key, secret, &turned));
    }
out:
    if (st != EIS_OK) eis_ckks_galois_keys_clear(keys);
    eis_poly_clear(&turned);
    eis_mem_free(sorted);
    return st;
}
