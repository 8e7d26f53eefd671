/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a contract one that a client can follow without asserting, overflowing or allocating what it should not.
 */
#include "engine/he/contract.h"

#include <math.h>
#include <string.h>

#define NEED(cond, ...)                                                           \
    do {                                                                          \
        if (!(cond)) return eis_fail(EIS_ERR_PROTOCOL, "contract: " __VA_ARGS__); \
    } while (0)

static bool is_power_of_two(uint64_t v) { return v > 0 && (v & (v - 1)) == 0; }

static bool chain_takes(const eis_ckks_literal *literal, uint32_t limbs)
{
    size_t data = literal->prime_count > 1 ? literal->prime_count - 1 : 1;

    return limbs >= 1 && limbs <= data;
}

/* A scale that no level of this many limbs can hold is refused here; the exact test is eis_ckks_scale_fits, in the
 * constructors. Primes have at most 60 bits. */
static bool scale_fits(double scale, uint32_t limbs)
{
    return isnormal(scale) && scale > 0 && scale < ldexp(1, EIS_CKKS_SCALE_LOG2_MAX) && log2(scale) < 61.0 * limbs;
}

/* ---- Packing ---------------------------------------------------------------------------------------------------- */

static eis_status check_rows(const eis_he_packing *p, size_t slots)
{
    NEED(is_power_of_two(p->padded) && p->padded <= slots, "packing.padded is no power of two within the slots");
    NEED(p->copies >= 1 && p->copies <= slots / p->padded, "packing.copies do not fit the slots");
    NEED((uint64_t)p->ciphertexts * p->padded >= p->size && (uint64_t)(p->ciphertexts - 1) * p->padded < p->size,
         "packing.ciphertexts do not match size and padded");
    return EIS_OK;
}

static eis_status check_blocks(const eis_he_packing *p, size_t slots)
{
    NEED(is_power_of_two(p->padded) && is_power_of_two(p->copies), "packing.padded or copies is no power of two");
    NEED(p->padded <= slots && p->padded >= p->size && p->copies == slots / p->padded,
         "packing.padded and copies do not fill the slots, or size is larger");
    NEED(p->shift < p->padded && p->ciphertexts == 1, "packing.shift or ciphertexts is out of range");
    return EIS_OK;
}

/* How often a window fits along one side; 0 where it does not. All in range already. */
static uint64_t positions(uint32_t size, uint32_t pad, uint32_t kernel, uint32_t stride)
{
    uint64_t padded = (uint64_t)size + 2 * (uint64_t)pad;

    return kernel > padded ? 0 : (padded - kernel) / stride + 1;
}

/* All in range already. */
static uint64_t windows_of(const eis_he_packing *p)
{
    return positions(p->height, p->pad_y, p->kernel_height, p->stride_y) *
           positions(p->width, p->pad_x, p->kernel_width, p->stride_x);
}

static eis_status check_windows(const eis_he_packing *p, size_t slots)
{
    uint64_t taps, windows;

    NEED(p->channels >= 1 && p->height >= 1 && p->width >= 1 && p->kernel_height >= 1 && p->kernel_width >= 1 &&
             p->stride_y >= 1 && p->stride_x >= 1,
         "packing: an image, kernel or stride of 0");
    NEED(p->channels <= slots && p->height <= EIS_HE_VALUES_MAX && p->width <= EIS_HE_VALUES_MAX &&
             p->kernel_height <= slots && p->kernel_width <= slots && p->pad_y < p->kernel_height &&
             p->pad_x < p->kernel_width,
         "packing: image, kernel or padding is out of range");
    NEED((uint64_t)p->height * p->width <= EIS_HE_VALUES_MAX && (uint64_t)p->channels * p->height * p->width == p->size,
         "packing.size is not that of the image");
    taps = (uint64_t)p->kernel_height * p->kernel_width;
    NEED(taps <= slots && taps * p->channels <= slots, "packing: more taps than slots");
    taps *= p->channels;
    windows = windows_of(p);
    NEED(windows >= 1, "packing: the kernel is larger than the image");
    NEED(p->padded >= 1 && p->padded <= slots / taps, "packing.padded windows do not fit the slots");
    NEED((uint64_t)p->ciphertexts * p->padded >= windows && (uint64_t)(p->ciphertexts - 1) * p->padded < windows,
         "packing.ciphertexts do not match the windows");
    return EIS_OK;
}

static eis_status check_packing(const eis_he_contract *c, const eis_he_packing *p)
{
    size_t slots = c->literal.degree / 2;

    NEED(p->size >= 1 && p->size <= EIS_HE_VALUES_MAX, "packing.size is out of range");
    NEED(p->ciphertexts >= 1 && p->ciphertexts <= EIS_HE_VALUES_MAX, "packing.ciphertexts is out of range");
    NEED(chain_takes(&c->literal, p->limbs), "packing.limbs is no level of the chain");
    NEED(scale_fits(p->scale, p->limbs), "packing.scale does not fit the level");
    NEED(p->kind == EIS_HE_FEATURES || c->batch_max == 1, "batch_max is above 1 with a packing of one input");
    switch (p->kind) {
    case EIS_HE_FEATURES:
        NEED(p->ciphertexts == p->size, "packing.ciphertexts is not size");
        return EIS_OK;
    case EIS_HE_ROWS:
        return check_rows(p, slots);
    case EIS_HE_BLOCKS:
        return check_blocks(p, slots);
    case EIS_HE_WINDOWS:
        return check_windows(p, slots);
    }
    return eis_fail(EIS_ERR_PROTOCOL, "contract: unknown kind of packing");
}

/* ---- Answers and local steps ------------------------------------------------------------------------------------- */

static eis_status check_output(const eis_he_contract *c, const eis_he_stage *s)
{
    const eis_he_output *o = &s->output;
    uint32_t slots = (uint32_t)(c->literal.degree / 2);

    NEED(o->count >= 1 && o->count <= EIS_HE_VALUES_MAX, "output.count is out of range");
    NEED(o->per_ciphertext >= 1 && o->per_ciphertext <= slots, "output.per_ciphertext is out of range");
    NEED((uint64_t)o->ciphertexts * o->per_ciphertext >= o->count &&
             ((uint64_t)o->ciphertexts - 1) * o->per_ciphertext < o->count && o->ciphertexts >= 1,
         "output.ciphertexts do not match count");
    NEED(o->start < slots && o->stride > -(int64_t)slots && o->stride < (int64_t)slots, "output.start or stride");
    NEED(o->per_ciphertext == 1 || o->stride != 0, "output.stride is 0");
    NEED((uint64_t)(o->per_ciphertext - 1) * (uint64_t)(o->stride < 0 ? -(int64_t)o->stride : o->stride) < slots,
         "output: values go around the slots");
    NEED(o->polys == 2 || o->polys == 3, "output.polynomials is neither 2 nor 3");
    NEED(chain_takes(&c->literal, o->limbs) && o->limbs <= s->input.limbs, "output.limbs is no level of the chain");
    NEED(scale_fits(o->scale, o->limbs), "output.scale does not fit the level");
    NEED(isfinite(o->error) && o->error >= 0, "output.error is not a bound");
    NEED(s->input.kind != EIS_HE_FEATURES || o->per_ciphertext == 1, "output: samples stand one per slot");
    return EIS_OK;
}

static eis_status check_local(const eis_he_local *l, uint32_t words)
{
    NEED(l->op == EIS_STEP_RELU || l->op == EIS_STEP_SQUARE || l->op == EIS_STEP_SIGMOID ||
             l->op == EIS_STEP_POLYNOMIAL || l->op == EIS_STEP_MAX_POOL || l->op == EIS_STEP_FLATTEN,
         "local: an operation that clients do not compute");
    NEED(l->channels >= 1 && l->height >= 1 && l->width >= 1 && l->channels <= EIS_HE_VALUES_MAX &&
             l->height <= EIS_HE_VALUES_MAX && l->width <= EIS_HE_VALUES_MAX &&
             (uint64_t)l->height * l->width <= EIS_HE_VALUES_MAX &&
             (uint64_t)l->channels * l->height * l->width == words,
         "local.shape is not what comes in");
    NEED(l->coeff_count <= EIS_HE_COEFF_MAX && (l->op != EIS_STEP_POLYNOMIAL || l->coeff_count >= 1),
         "local.coefficients are too many or none");
    for (uint32_t i = 0; i < l->coeff_count; i++) NEED(isfinite(l->coeff[i]), "local.coefficients are not finite");
    if (l->op != EIS_STEP_MAX_POOL) return EIS_OK;
    NEED(l->kernel_height >= 1 && l->kernel_width >= 1 && l->stride_y >= 1 && l->stride_x >= 1 &&
             l->kernel_height <= EIS_HE_VALUES_MAX && l->kernel_width <= EIS_HE_VALUES_MAX &&
             l->pad_y < l->kernel_height && l->pad_x < l->kernel_width,
         "local: kernel, stride or padding is out of range");
    NEED(positions(l->height, l->pad_y, l->kernel_height, l->stride_y) >= 1 &&
             positions(l->width, l->pad_x, l->kernel_width, l->stride_x) >= 1,
         "local: the kernel is larger than the image");
    return EIS_OK;
}

uint32_t eis_he_local_count(const eis_he_local *l)
{
    if (l->op != EIS_STEP_MAX_POOL) return l->channels * l->height * l->width;
    return (uint32_t)(l->channels * positions(l->height, l->pad_y, l->kernel_height, l->stride_y) *
                      positions(l->width, l->pad_x, l->kernel_width, l->stride_x));
}

/* What the local steps of a stage make of its answer must be the next stage's input. */
static eis_status check_locals(const eis_he_contract *c, uint32_t stage)
{
    const eis_he_stage *s = &c->stage[stage];
    uint64_t words = s->output.count;

    NEED(s->local_count <= EIS_HE_LOCAL_MAX, "too many local steps");
    NEED(s->local_count == 0 || c->interactive, "local steps without interactive");
    for (uint32_t i = 0; i < s->local_count; i++) {
        eis_status st = check_local(&s->local[i], (uint32_t)words);
        if (st != EIS_OK) return st;
        words = eis_he_local_count(&s->local[i]);
        NEED(words <= EIS_HE_VALUES_MAX, "local steps make too many numbers");
    }
    if (stage + 1 < c->stage_count)
        NEED(words == c->stage[stage + 1].input.size, "the local steps do not make what the next stage takes");
    return EIS_OK;
}

static bool answers_windows(const eis_he_contract *c, uint32_t stage)
{
    return c->interactive && c->stage[stage].input.kind == EIS_HE_WINDOWS;
}

/* An image that comes back has all channels of a window in one ciphertext. */
static eis_status check_image(const eis_he_contract *c, uint32_t stage)
{
    const eis_he_packing *p = &c->stage[stage].input;
    const eis_he_output *o = &c->stage[stage].output;
    uint64_t windows, channels, in_one;

    if (!answers_windows(c, stage)) return EIS_OK;
    windows = windows_of(p);
    in_one = windows < p->padded ? windows : p->padded;
    NEED(o->count % windows == 0, "output.count is no number of channels times the windows");
    channels = o->count / windows;
    NEED(channels * p->padded <= c->literal.degree / 2 && o->per_ciphertext == channels * in_one &&
             o->ciphertexts == p->ciphertexts && o->start == 0 && o->stride == 1,
         "output does not match the windows");
    return EIS_OK;
}

/* ---- The whole ----------------------------------------------------------------------------------------------------
 */

static eis_status check_chain(const eis_he_contract *c)
{
    const eis_ckks_literal *l = &c->literal;

    NEED(memchr(c->chain, '\0', sizeof c->chain) != NULL, "chain is not a name");
    NEED(is_power_of_two(l->degree) && l->degree >= EIS_CKKS_DEGREE_MIN && l->degree <= EIS_CKKS_DEGREE_MAX,
         "poly_modulus_degree is out of range");
    NEED(l->prime_count >= 1 && l->prime_count <= EIS_RNS_PRIMES_MAX, "coeff_modulus has no or too many primes");
    NEED(c->depth < l->prime_count, "depth is not below the number of primes");
    NEED(c->batch_max >= 1 && c->batch_max <= l->degree / 2, "batch_max is out of range");
    NEED(c->stage_count >= 1 && c->stage_count <= EIS_HE_STAGES_MAX, "no or too many stages");
    NEED(c->interactive || c->stage_count == 1, "stages without interactive");
    NEED(isfinite(c->input_max) && c->input_max >= 0, "input_max is not a bound");
    return EIS_OK;
}

static eis_status check_elements(const eis_he_contract *c)
{
    uint32_t last = 1;

    NEED(c->element_count <= EIS_HE_ELEMENTS_MAX, "too many galois_elements");
    for (uint32_t i = 0; i < c->element_count; i++) {
        NEED((c->element[i] & 1) == 1 && c->element[i] > last && c->element[i] < 2 * c->literal.degree,
             "galois_elements are not odd, rising, above 1 and below 2N");
        last = c->element[i];
    }
    NEED((c->element_count == 0 && !c->needs_relin) || c->literal.prime_count > 1,
         "evaluation keys on a chain without special prime");
    return EIS_OK;
}

static eis_status check_levels(const eis_he_contract *c)
{
    uint32_t most = (uint32_t)c->literal.prime_count - 1;

    if (!c->has_levels) return EIS_OK;
    NEED(!c->needs_relin || (c->relin_limbs >= 1 && c->relin_limbs <= most), "levels has no level of relin");
    for (uint32_t i = 0; i < c->element_count; i++)
        NEED(c->element_limbs[i] >= 1 && c->element_limbs[i] <= most, "levels has a level that there is not");
    return EIS_OK;
}

eis_status eis_he_contract_check(const eis_he_contract *contract)
{
    eis_status st = EIS_OK;

    EIS_TRY(check_chain(contract));
    EIS_TRY(check_elements(contract));
    EIS_TRY(check_levels(contract));
    for (uint32_t i = 0; i < contract->stage_count; i++) {
        const eis_he_stage *s = &contract->stage[i];
        EIS_TRY(check_packing(contract, &s->input));
        EIS_TRY(check_output(contract, s));
        EIS_REQUIRE(isfinite(s->input_max) && s->input_max >= 0, EIS_ERR_PROTOCOL,
                    "contract: stage input_max is not a bound");
        EIS_TRY(check_image(contract, i));
        EIS_TRY(check_locals(contract, i));
    }
out:
    return st;
}

size_t eis_he_contract_needs(eis_ckks_key_need need[EIS_HE_NEEDS_MAX], const eis_he_contract *c,
                             const eis_ckks_params *params, bool cut)
{
    const uint32_t whole = (uint32_t)params->limbs_max;
    size_t count = 0;

    cut = cut && c->has_levels;
    if (c->needs_relin) need[count++] = (eis_ckks_key_need){EIS_CKKS_KEY_RELIN, cut ? c->relin_limbs : whole};
    if (c->needs_public) need[count++] = (eis_ckks_key_need){EIS_CKKS_KEY_PUBLIC, whole};
    for (uint32_t i = 0; i < c->element_count; i++)
        need[count++] = (eis_ckks_key_need){c->element[i], cut ? c->element_limbs[i] : whole};
    return count;
}

/* ---- Slots --------------------------------------------------------------------------------------------------------
 */

/* The pixel under tap `tap` of window `w`, or -1 in the padding. */
static int64_t window_index(const eis_he_packing *p, uint64_t w, uint64_t tap)
{
    uint64_t across = positions(p->width, p->pad_x, p->kernel_width, p->stride_x);
    uint64_t area = (uint64_t)p->kernel_height * p->kernel_width;
    int64_t y = (int64_t)(w / across * p->stride_y + tap % area / p->kernel_width) - p->pad_y;
    int64_t x = (int64_t)(w % across * p->stride_x + tap % p->kernel_width) - p->pad_x;

    if (w / across >= positions(p->height, p->pad_y, p->kernel_height, p->stride_y)) return -1;
    if (y < 0 || x < 0 || y >= (int64_t)p->height || x >= (int64_t)p->width) return -1;
    return (int64_t)(tap / area * p->height * p->width) + y * (int64_t)p->width + x;
}

int64_t eis_he_packing_index(const eis_he_packing *p, size_t slots, uint32_t ciphertext, size_t slot)
{
    uint64_t i, taps;

    EIS_ASSERT(ciphertext < p->ciphertexts && slot < slots);
    switch (p->kind) {
    case EIS_HE_FEATURES:
        return ciphertext;
    case EIS_HE_ROWS:
        i = (uint64_t)ciphertext * p->padded + slot % p->padded;
        return slot / p->padded < p->copies && i < p->size ? (int64_t)i : -1;
    case EIS_HE_BLOCKS:
        i = (slot / p->copies + slot % p->copies * (uint64_t)p->shift) % p->padded;
        return i < p->size ? (int64_t)i : -1;
    case EIS_HE_WINDOWS:
        taps = (uint64_t)p->channels * p->kernel_height * p->kernel_width;
        if (slot / p->padded >= taps) return -1;
        return window_index(p, (uint64_t)ciphertext * p->padded + slot % p->padded, slot / p->padded);
    }
    return -1;
}

void eis_he_output_place(uint32_t *ciphertext, size_t *slot, const eis_he_contract *contract, uint32_t stage,
                         uint32_t i)
{
    const eis_he_packing *p = &contract->stage[stage].input;
    const eis_he_output *o = &contract->stage[stage].output;
    int64_t slots = (int64_t)(contract->literal.degree / 2), at;

    if (answers_windows(contract, stage)) {
        uint32_t windows = (uint32_t)windows_of(p), window = i % windows;
        *ciphertext = window / p->padded;
        *slot = (size_t)(i / windows) * p->padded + window % p->padded;
        return;
    }
    *ciphertext = i / o->per_ciphertext;
    at = ((int64_t)o->start + (int64_t)(i % o->per_ciphertext) * o->stride) % slots;
    *slot = (size_t)(at < 0 ? at + slots : at);
}
