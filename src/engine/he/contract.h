/* SPDX-License-Identifier: Apache-2.0 */
/* What a server publishes about one model and a client must know to use it: parameters, how numbers lie in slots, which
 * evaluation keys are needed, and where the answers stand. All of it is public; weights are not in it.
 *
 * A contract has one stage, or, where a client computes layers in between (`interactive`), one stage per linear node.
 */
#ifndef EIS_ENGINE_HE_CONTRACT_H
#define EIS_ENGINE_HE_CONTRACT_H

#include "ckks/he_keys.h"
#include "ckks/params.h"
#include "model/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_HE_STAGES_MAX   64
#define EIS_HE_ELEMENTS_MAX 512 /* rotation keys of one model */
#define EIS_HE_NEEDS_MAX    (EIS_HE_ELEMENTS_MAX + 2)
#define EIS_HE_CHAIN_BYTES  16
#define EIS_HE_VALUES_MAX   ((uint32_t)1 << 20) /* numbers of one input or one answer */
#define EIS_HE_LOCAL_MAX    4                   /* local steps between two stages */
#define EIS_HE_COEFF_MAX    16                  /* coefficients of a local polynomial */

/* How the numbers x[0..size) of an input lie in the slots of its ciphertexts. */
typedef enum eis_he_packing_kind {
    EIS_HE_FEATURES = 1, /* ciphertext i holds number i; slot j is sample j of the batch */
    EIS_HE_ROWS = 2,     /* slot s of ciphertext k: x[k * padded + s mod padded], `copies` times; then zeros */
    EIS_HE_BLOCKS = 3,   /* g = copies; slot g t + c: x[(t + c * shift) mod padded], 0 <= t < padded; g padded = N/2 */
    EIS_HE_WINDOWS = 4   /* im2col: slot padded * tap + w of ciphertext k: tap `tap` of window k * padded + w */
} eis_he_packing_kind;

typedef struct eis_he_packing {
    eis_he_packing_kind kind;
    uint32_t size;        /* numbers of one input */
    uint32_t padded;      /* ROWS, BLOCKS: size, rounded up to a power of two; WINDOWS: windows in one ciphertext */
    uint32_t copies;      /* ROWS, BLOCKS; else 1 */
    uint32_t shift;       /* BLOCKS: how far a copy is turned against the one before it; else 0 */
    uint32_t ciphertexts; /* of one request */
    /* WINDOWS: the image [channels][height][width] and how a window moves; taps in the order channel, row, column. */
    uint32_t channels, height, width, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x;
    uint32_t limbs; /* of the fresh ciphertexts */
    double scale;
} eis_he_packing;

/* Where the numbers of an answer stand. Value i is in ciphertext i / per_ciphertext at slot
 * (start + (i mod per_ciphertext) * stride) mod N/2; with FEATURES per_ciphertext is 1 and slot j is sample j.
 * Where an interactive stage takes WINDOWS, the answer is an image too: value c * windows + w, channel c at window w,
 * is in ciphertext w / padded at slot c * padded + w mod padded; per_ciphertext is what one ciphertext has room for. */
typedef struct eis_he_output {
    uint32_t count, per_ciphertext, ciphertexts;
    uint32_t start;
    int32_t stride;
    uint32_t polys; /* 2, or 3 where an answer is not relinearised */
    uint32_t limbs;
    double scale;
    double error; /* planned bound of the absolute error of every value */
} eis_he_output;

/* A step that the client computes between two stages (`interactive`): EIS_STEP_RELU, SQUARE, SIGMOID, POLYNOMIAL,
 * MAX_POOL or FLATTEN, as model/classifier.h does it. */
typedef struct eis_he_local {
    eis_step_op op;
    uint32_t channels, height, width; /* of what comes in; a vector has channels alone */
    uint32_t kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x; /* MAX_POOL */
    uint32_t coeff_count;                                                   /* POLYNOMIAL */
    double coeff[EIS_HE_COEFF_MAX];
} eis_he_local;

typedef struct eis_he_stage {
    eis_he_packing input;
    eis_he_output output;
    double input_max;     /* of this stage's numbers: the error bound holds to there; a client clamps what it makes */
    uint32_t local_count; /* what is done to the answer before the next stage; 0 in the last one */
    eis_he_local local[EIS_HE_LOCAL_MAX];
} eis_he_stage;

typedef struct eis_he_contract {
    char chain[EIS_HE_CHAIN_BYTES]; /* "P0", "A1", ..., or "" for primes of the registry's own */
    eis_ckks_literal literal;       /* degree, sizes or primes, default scale, policy */
    unsigned depth;                 /* rescales from a fresh ciphertext to the answer */
    uint32_t batch_max;             /* samples of one request */
    bool interactive;
    uint32_t stage_count;
    eis_he_stage stage[EIS_HE_STAGES_MAX];
    bool needs_relin, needs_public;
    uint32_t element_count;
    uint32_t element[EIS_HE_ELEMENTS_MAX]; /* rotation keys: Galois elements, strictly rising */
    bool has_levels; /* the next two say at which level at most a key is used; else keys are whole */
    uint32_t relin_limbs, element_limbs[EIS_HE_ELEMENTS_MAX];
    bool calibrated;  /* the error bound rests on measured magnitudes, not on norms */
    double input_max; /* |x| that the bound holds for, after the model's own scaling */
} eis_he_contract;

/* Checks a contract that came from elsewhere: every count in range, products that fit, slots that exist, levels and
 * scales that the parameters have, elements odd, rising and below 2N. A client calls it before it allocates anything.
 *
 * Errors:  EIS_ERR_PROTOCOL, with a text that names the member. */
EIS_MUST_USE eis_status eis_he_contract_check(const eis_he_contract *contract);

/* Lists the keys that a contract asks for and returns their number. `cut`: each for the level that it is used at, where
 * the contract says so; else all whole.
 * Range:   a checked contract, and its parameters. */
size_t eis_he_contract_needs(eis_ckks_key_need need[EIS_HE_NEEDS_MAX], const eis_he_contract *contract,
                             const eis_ckks_params *params, bool cut);

/* Returns how many numbers a local step makes. Range: a checked one. */
uint32_t eis_he_local_count(const eis_he_local *local);

/* Returns which number of the input stands in a slot: its index below size, or -1 for a zero.
 * Range:   ciphertext < packing->ciphertexts, slot < slots. FEATURES: slot is the sample, the answer `ciphertext`. */
int64_t eis_he_packing_index(const eis_he_packing *packing, size_t slots, uint32_t ciphertext, size_t slot);

/* Tells in which ciphertext and at which slot value i of a stage's answer stands; with FEATURES the slot is that of
 * sample 0. Range: a checked contract, i < output.count. */
void eis_he_output_place(uint32_t *ciphertext, size_t *slot, const eis_he_contract *contract, uint32_t stage,
                         uint32_t i);

/* Finds the literal of a chain by its name: "P0", "L1", "I16", "A", "A1", "A3", "M", "B1", "S" (docs/he.md has the
 * table).
 *
 * Errors:  EIS_ERR_USAGE  no such chain; the text lists them. *literal is untouched. */
EIS_MUST_USE eis_status eis_he_chain_find(eis_ckks_literal *literal, const char *name);

/* Returns the name of chain i, NULL behind the last one. */
const char *eis_he_chain_name(size_t i);

#endif
