/* SPDX-License-Identifier: Apache-2.0 */
/* Both ways to encrypt. */
#include "ckks/encrypt.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/sampler.h"

#include <string.h>

eis_status eis_ckks_encrypt_symmetric(eis_ckks_ct *ct, const eis_ckks_secret_key *key, const eis_ckks_plain *plain)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &plain->params->rns;

    eis_poly s;

    EIS_ASSERT(key->params == plain->params && plain->poly.special == 0);
    EIS_TRY(eis_ckks_ct_init(ct, plain->params, 2, plain->poly.limbs, plain->scale));
    s = eis_ckks_secret_key_view(key, plain->poly.limbs, 0);
    EIS_TRY(eis_ckks_message_encrypt_under(&ct->poly[0], &ct->poly[1], ct->seed, rns, &s, &plain->poly));
    ct->generator = EIS_CKKS_GENERATOR;
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    return st;
}

/* What both halves of a public-key encryption need. */
typedef struct workspace {
    uint64_t *rest, *scratch; /* [n] */
    int8_t *error;            /* [n] */
    size_t degree;
} workspace;

static void workspace_clear(workspace *w)
{
    eis_mem_free_wiped(w->rest, w->degree, sizeof *w->rest);
    eis_mem_free_wiped(w->scratch, w->degree, sizeof *w->scratch);
    eis_mem_free_wiped(w->error, w->degree, sizeof *w->error);
    memset(w, 0, sizeof *w);
}

static eis_status workspace_init(workspace *w, size_t degree)
{
    *w = (workspace){eis_mem_new_secret(degree, sizeof *w->rest), eis_mem_new_secret(degree, sizeof *w->scratch),
                     eis_mem_new_secret(degree, sizeof *w->error), degree};
    if (w->rest != NULL && w->scratch != NULL && w->error != NULL) return EIS_OK;
    workspace_clear(w);
    return EIS_ERR_MEMORY;
}

/* w->rest = pk u + e modulo the last prime, as coefficients: what the rounding takes away. */
static void take_rest(const eis_rns *rns, workspace *w, const uint64_t *key, const eis_poly *u)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const size_t last = u->limbs - 1, n = w->degree;
    const eis_ntt_plan *plan = &rns->plan[last];

    k->mul(w->rest, key + last * n, eis_poly_limb(u, last), n, &plan->mod);
    k->ntt_inverse(w->rest, plan);
    eis_kernels_get()->sample.words_from_small(w->scratch, w->error, n, &plan->mod);
    k->add(w->rest, w->rest, w->scratch, n, &plan->mod);
}

/* r = (pk u + e) / q_last, for one of the key's polynomials. The error stays a polynomial of coefficients and goes with
 * the rest through one transform: pk u + e - rest is pk u - (rest - e).
 *
 * Shape:   u has one limb more than r, as a prefix of the chain. */
static eis_status encrypt_half(const eis_rns *rns, eis_poly *r, const eis_poly *key, const eis_poly *u, workspace *w,
                               eis_prg *prg)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const size_t last = u->limbs - 1, n = w->degree;
    const eis_byte_source stream = eis_prg_stream(prg);
    eis_status st = EIS_OK;

    EIS_ASSERT(r->limbs == last && key->limbs >= u->limbs);
    EIS_TRY(eis_sampler_error(w->error, n, &stream));
    take_rest(rns, w, key->words, u);
    for (size_t i = 0; i < last; i++) {
        const eis_ntt_plan *plan = &rns->plan[i];
        uint64_t *to = eis_poly_limb(r, i);

        k->reduce_centred(w->scratch, w->rest, n, rns->plan[last].mod.q, &plan->mod);
        eis_kernels_get()->sample.words_from_small(to, w->error, n, &plan->mod);
        k->sub(w->scratch, w->scratch, to, n, &plan->mod);
        k->ntt_forward(w->scratch, plan);
        k->mul(to, key->words + i * n, eis_poly_limb(u, i), n, &plan->mod);
        k->sub_mul_factor(to, to, w->scratch, n, eis_rns_inverse(rns, last, i), &plan->mod);
    }
out:
    return st;
}

eis_status eis_ckks_encrypt_public(eis_ckks_ct *ct, const eis_ckks_public_key *key, const eis_ckks_plain *plain)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = plain->params;
    const eis_rns *rns = &params->rns;
    size_t limbs = plain->poly.limbs;
    eis_poly u = {0};
    workspace w = {0};
    eis_prg prg = {0};

    EIS_ASSERT(key->params == params && plain->poly.special == 0 && plain->poly.domain == EIS_DOMAIN_NTT);
    EIS_REQUIRE(limbs < params->prime_count, EIS_ERR_UNSUPPORTED, "a chain of one prime has no public-key encryption");
    EIS_TRY(eis_ckks_ct_init(ct, params, 2, limbs, plain->scale));
    EIS_TRY(eis_poly_init_secret(rns, &u, limbs + 1, 0, EIS_DOMAIN_NTT));
    EIS_TRY(workspace_init(&w, rns->degree));
    EIS_TRY(eis_ckks_secret_stream(&prg));
    EIS_TRY(eis_ckks_ternary_draw(rns, &u, &prg));
    EIS_TRY(encrypt_half(rns, &ct->poly[0], &key->row.b, &u, &w, &prg));
    EIS_TRY(encrypt_half(rns, &ct->poly[1], &key->row.a, &u, &w, &prg));
    eis_poly_add(rns, &ct->poly[0], &ct->poly[0], &plain->poly);
    /* Both are the ciphertext, which the server gets to see. */
    EIS_PUBLIC(ct->poly[0].words, limbs * rns->degree * sizeof(uint64_t));
    EIS_PUBLIC(ct->poly[1].words, limbs * rns->degree * sizeof(uint64_t));
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    eis_poly_clear(&u);
    workspace_clear(&w);
    eis_prg_clear(&prg);
    return st;
}
