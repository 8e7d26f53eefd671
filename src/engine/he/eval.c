/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator's door: keys, then the form of the stage. */
#include "engine/he/eval.h"

#include "engine/he/program.h"

void eis_he_keys_clear(eis_he_keys *keys)
{
    eis_ckks_switch_key_clear(&keys->relin);
    eis_ckks_galois_keys_clear(&keys->galois);
    eis_ckks_public_key_clear(&keys->public_key);
    *keys = (eis_he_keys){0};
}

eis_status eis_he_keys_check(const eis_he_keys *keys, const eis_he_contract *contract)
{
    eis_status st = EIS_OK;
    const eis_ckks_galois_key *found;

    EIS_REQUIRE(!contract->needs_relin || keys->relin.params != NULL, EIS_ERR_KEYS_INSUFFICIENT,
                "the model needs a relinearisation key");
    EIS_REQUIRE(!contract->needs_public || keys->public_key.params != NULL, EIS_ERR_KEYS_INSUFFICIENT,
                "the model needs the public key");
    EIS_REQUIRE(!contract->needs_relin || !contract->has_levels || keys->relin.limbs >= contract->relin_limbs,
                EIS_ERR_KEYS_INSUFFICIENT, "the relinearisation key is cut below the level that it is needed at");
    for (uint32_t i = 0; i < contract->element_count; i++) {
        EIS_REQUIRE(keys->galois.params != NULL, EIS_ERR_KEYS_INSUFFICIENT, "the model needs rotation keys");
        EIS_TRY(eis_ckks_galois_key_find(&found, &keys->galois, contract->element[i]));
        EIS_REQUIRE(!contract->has_levels || found->key.limbs >= contract->element_limbs[i], EIS_ERR_KEYS_INSUFFICIENT,
                    "the key %u is cut below the level that it is needed at", contract->element[i]);
    }
out:
    return st;
}

/* Keys must be of the program's own parameters: the caller read them with those. */
static void check_params(const eis_he_program *program, const eis_he_keys *keys)
{
    const eis_he_contract *c = &program->plan->contract;

    EIS_ASSERT(!c->needs_relin || keys->relin.params == program->params);
    EIS_ASSERT(c->element_count == 0 || keys->galois.params == program->params);
}

eis_status eis_he_eval(eis_ckks_ct *out, const eis_he_program *program, uint32_t stage, const eis_he_source *source,
                       const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_plan *plan = program->plan;
    static const eis_he_keys no_keys;

    EIS_ASSERT(stage < plan->contract.stage_count);
    if (keys == NULL) keys = &no_keys;
    EIS_TRY(eis_he_keys_check(keys, &plan->contract));
    check_params(program, keys);
    EIS_TRY(plan->layout->stage[stage].method->eval(out, program, stage, source, keys, pool));
    for (uint32_t i = 0; i < plan->contract.stage[stage].output.ciphertexts; i++)
        EIS_VERIFY(!eis_ckks_ct_is_transparent(&out[i]));
out:
    if (st != EIS_OK)
        for (uint32_t i = 0; i < plan->contract.stage[stage].output.ciphertexts; i++) eis_ckks_ct_clear(&out[i]);
    return st;
}

size_t eis_he_eval_bytes(const eis_he_program *program, uint32_t stage)
{
    EIS_ASSERT(stage < program->plan->contract.stage_count);
    return program->plan->layout->stage[stage].method->eval_bytes(program, stage);
}
