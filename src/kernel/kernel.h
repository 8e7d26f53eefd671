/* SPDX-License-Identifier: Apache-2.0 */
/* The hot loops: one table of functions, filled for the processor that we run on.
 *
 * generic/ fills all of it in plain C and is the oracle; an overlay of one instruction set replaces the entries that
 * it has. Every level gives identical words and identical doubles, reads the same packed weights, and is constant
 * time in x, y, shares and field elements (weights, sizes and rings are public). Nothing here allocates. */
#ifndef EIS_KERNEL_KERNEL_H
#define EIS_KERNEL_KERNEL_H

#include "base/status.h"
#include "kernel/ntt.h"
#include "kernel/sample.h"
#include "kernel/seed.h"
#include "kernel/slots.h"
#include "kernel/text.h"

#include <stddef.h>
#include <stdint.h>

/* ---- Rings ------------------------------------------------------------------------------------------------------ */

/* Where words live; the value is the number of bits of a word. EIS_RING_F61 is GF(2^61 - 1), the others are
 * Z / 2^bits. A canonical word is below 2^bits, or below p. */
typedef enum eis_ring {
    EIS_RING_Z32 = 32,
    EIS_RING_Z40 = 40,
    EIS_RING_Z48 = 48,
    EIS_RING_Z52 = 52,
    EIS_RING_Z56 = 56,
    EIS_RING_F61 = 61,
    EIS_RING_Z64 = 64
} eis_ring;

/* Returns the mask of a word's bits; for EIS_RING_F61 that is p itself. */
static inline uint64_t eis_ring_mask(eis_ring ring) { return UINT64_MAX >> (64 - (unsigned)ring); }

/* Returns how many byte planes a word has: 4 to 8. */
static inline unsigned eis_ring_planes(eis_ring ring) { return ((unsigned)ring + 7) / 8; }

/* ---- Packed weights --------------------------------------------------------------------------------------------- */

/* How the integer weights of a matrix lie in memory; the values are the geometry ids of pack files.
 *
 *   W8   panels of 48 rows; a panel is, per 4 columns, [3 row blocks][16 rows][4 columns] signed bytes.
 *        Weights in [-128, 127]. Rings Z32 Z40 Z48 Z56 Z64 F61, x as byte planes.
 *   W24  panels of 32 rows; a panel is, per column, 32 weights of 3 bytes, little-endian, holding w + 2^23.
 *        Weights in [-2^23, 2^23 - 1]. Rings Z32 Z40 Z48 Z52, x as words.
 *   W20  the same with w + 2^19. Weights in [-2^19, 2^19 - 1]. Ring F61, x as words.
 *
 * Rows are padded with zero weights to a multiple of the panel height, columns to a multiple of 64. */
typedef enum eis_geometry { EIS_GEOMETRY_W8 = 1, EIS_GEOMETRY_W24 = 2, EIS_GEOMETRY_W20 = 3 } eis_geometry;

#define EIS_PANEL_ROWS_W8    48
#define EIS_PANEL_ROWS_W24   32 /* and of W20 */
#define EIS_PACKED_COLS_STEP 64

/* Longest row and column: sums of signed 8-bit weights times 32-bit halves stay far below 2^63 (see generic/). */
#define EIS_PACKED_COLS_MAX ((size_t)1 << 22)
#define EIS_PACKED_ROWS_MAX ((size_t)1 << 26)

/* A packed matrix that somebody else owns, such as a section of a mapped file. Made by eis_packed_init. */
typedef struct eis_packed {
    eis_geometry geometry;
    size_t rows, cols;               /* m, n */
    size_t rows_padded, cols_padded; /* to the panel height, to 64 */
    size_t bytes;                    /* of all panels */
    const uint8_t *panels;           /* any alignment; 64 is fastest */
} eis_packed;

/* Sets the shape of a matrix; `panels` may be NULL and set later.
 *
 * Shape:   panels[packed->bytes].
 * Errors:  EIS_ERR_SHAPE  rows or cols is beyond its maximum, or the geometry is unknown. *packed is untouched. */
EIS_MUST_USE eis_status eis_packed_init(eis_packed *packed, eis_geometry geometry, size_t rows, size_t cols,
                                        const uint8_t *panels);

/* Returns the height of a panel: 48 or 32. */
size_t eis_geometry_panel_rows(eis_geometry geometry);

/* Returns the bytes of a weight: 1 or 3. */
size_t eis_geometry_weight_bytes(eis_geometry geometry);

/* Returns the number of panels. */
static inline size_t eis_packed_panels(const eis_packed *w)
{
    return w->rows_padded / eis_geometry_panel_rows(w->geometry);
}

/* Packs rows [row_first, row_first + row_count) of an integer matrix. Rows that are not given stay as they are, so a
 * big matrix can be packed in strips; eis_packed_fill_padding must run once too.
 *
 * Shape:   panels[shape->bytes]; w[row_count][shape->cols].
 * Range:   weights as the geometry says; the caller has clamped them (EIS_VERIFY).
 * Secret:  nothing: weights are public to whoever packs them. */
void eis_packed_write_rows(uint8_t *panels, const eis_packed *shape, const int32_t *w, size_t row_first,
                           size_t row_count);

/* Writes zero weights into padded rows and columns. Shape: panels[shape->bytes]. */
void eis_packed_fill_padding(uint8_t *panels, const eis_packed *shape);

/* Restores rows of the integer matrix. Shape: w[row_count][packed->cols]. */
void eis_packed_read_rows(int32_t *w, const eis_packed *packed, size_t row_first, size_t row_count);

/* ---- Matrix times vectors --------------------------------------------------------------------------------------- */

/* One product y = W x for a batch of vectors.
 *
 * x, with N = cols_padded:
 *   W8        byte planes, N * p bytes per vector, p = eis_ring_planes(ring): plane q (the bits from 8q) of column j is
 *             byte ((j div 4) * p + q) * 4 + (j mod 4). Vector v starts at v * N * p, always a multiple of 64.
 *   W24, W20  words of 64 bits, N per vector; vector v starts at word v * N. Words are canonical.
 * Columns n .. N - 1 of x are zero: the caller clears them (offset weights make them count otherwise).
 * y is [batch][rows], canonical words. */
typedef struct eis_matmul {
    uint64_t *y;
    const eis_packed *w;
    const void *x;
    size_t batch;
    eis_ring ring;
    void *scratch; /* scratch_bytes() bytes, aligned to 64: holds secrets, the caller wipes it */
} eis_matmul;

/* How one geometry multiplies. `prepare` runs once, then `run` for ranges of panels, in any order and on any threads;
 * run writes rows [first * panel rows, last * panel rows) of y, as far as they exist. */
typedef struct eis_matmul_kernel {
    size_t (*scratch_bytes)(const eis_matmul *job); /* reads w, batch and ring only */
    void (*prepare)(const eis_matmul *job);         /* x -> scratch */
    void (*run)(const eis_matmul *job, size_t panel_first, size_t panel_last);
} eis_matmul_kernel;

/* ---- The table -------------------------------------------------------------------------------------------------- */

typedef struct eis_kernels {
    const char *name; /* the level: "generic", "avx2", ... */

    /* y = W x; see eis_matmul. */
    eis_matmul_kernel matmul_w8, matmul_w24, matmul_w20;

    /* r = a + b and r = a - b, elementwise. Shape: r, a, b [n]; r may be a or b. Range: canonical words of `ring`;
     * outside F61 a and b may be any words, of which the bits of the ring count. */
    void (*words_add)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
    void (*words_sub)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);

    /* Returns the sum of canonical words in the ring. */
    uint64_t (*words_sum)(const uint64_t *a, size_t n, eis_ring ring);

    /* Rounds x * factor to the nearest integer, ties to even, and takes it into the ring.
     *
     * Shape:   words[n], x[n].
     * Range:   factor is a power of two; |x * factor| < 2^51. Beyond that, and for NaN, the words are canonical but
     *          otherwise arbitrary; nothing branches on them. */
    void (*words_from_reals)(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring);

    /* Centres words and scales them: out[i] = ((centred word) + offset) * row_scale[i] * factor, each step rounded to
     * nearest in double, from left to right.
     *
     * Shape:   out[n], words[n], row_scale[n] or NULL for ones.
     * Range:   canonical words; centred is [-2^(bits-1), 2^(bits-1)), for F61 [-(p-1)/2, (p-1)/2]. */
    void (*words_to_reals)(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                           double factor, eis_ring ring);

    /* Words to byte planes and back (the layout of eis_matmul.x).
     *
     * Shape:   words[n]; planes[4 * ceil(n / 4) * p] bytes, p in 4..8.
     * Range:   words below 2^(8p). Columns behind n in the last group of 4 are written as zero, and ignored on reading.
     */
    void (*planes_from_words)(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
    void (*words_from_planes)(uint64_t *words, const uint8_t *planes, size_t n, unsigned p);

    /* planes = words - planes mod 2^(8p), in place: what is left of words when a share is taken away. Shape and range
     * as for planes_from_words; columns behind n are ignored and written as zero. */
    void (*planes_sub_from_words)(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);

    /* 52-bit words to 13 bytes per pair and back: a | b << 52, little-endian; a last odd word takes 7 bytes.
     *
     * Shape:   words[n]; bytes[eis_packed52_bytes(n)].
     * Range:   words below 2^52. The 4 spare bits of an odd n are written as zero, and ignored on reading (the wire's
     *          reader checks them). */
    void (*bytes_from_words52)(uint8_t *bytes, const uint64_t *words, size_t n);
    void (*words52_from_bytes)(uint64_t *words, const uint8_t *bytes, size_t n);

    /* Returns sum a[i] * b[i] mod p. Range: canonical words. */
    uint64_t (*f61_dot)(const uint64_t *a, const uint64_t *b, size_t n);

    /* y[i] += c * x[i] mod p. Shape: y[n], x[n], not overlapping unless equal. Range: canonical words. */
    void (*f61_axpy)(uint64_t *y, uint64_t c, const uint64_t *x, size_t n);

    /* y = W x mod p for a batch of vectors: y[v][i] = sum over j of w[i][j] * x[v][j].
     *
     * Shape:   y[batch][rows], w[rows][inner], x[batch][inner]; y overlaps neither.
     * Range:   canonical words.
     * Secret:  all; sizes are public. */
    void (*f61_matmul)(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch);

    /* Transforms and arithmetic modulo one prime; see kernel/ntt.h. */
    eis_zq_kernels zq;

    /* Expansion of public seeds; see kernel/seed.h. */
    eis_seed_kernels seed;

    /* Random words and coefficients; see kernel/sample.h. */
    eis_sample_kernels sample;

    /* Slots and integer polynomials; see kernel/slots.h. */
    eis_slot_kernels slots;

    /* Hex and base64; see kernel/text.h. */
    eis_text_kernels text;
} eis_kernels;

/* Returns the bytes of n packed 52-bit words. */
static inline size_t eis_packed52_bytes(size_t n) { return n / 2 * 13 + (n & 1) * 7; }

/* Returns the kernel of a geometry. */
static inline const eis_matmul_kernel *eis_kernels_matmul(const eis_kernels *k, eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W8 ? &k->matmul_w8 : geometry == EIS_GEOMETRY_W24 ? &k->matmul_w24 : &k->matmul_w20;
}

/* ---- Levels ----------------------------------------------------------------------------------------------------- */

/* Returns the table in use. The first call takes the level named by the environment variable EIS_KERNELS, else the
 * highest that this machine has; a level that cannot be had is logged as an error there, and the highest is taken. */
const eis_kernels *eis_kernels_get(void);

/* Switches the level for the whole process; before other threads compute. NULL means: as the environment says.
 *
 * Errors:  EIS_ERR_USAGE  the level is unknown or this machine lacks it; the text names those that there are, and the
 *                         table in use stays. */
EIS_MUST_USE eis_status eis_kernels_use(const char *name);

/* Returns how many levels this build and machine have together, at least 1. */
size_t eis_kernels_level_count(void);

/* Returns a level's table, 0 (generic) up to the highest. */
const eis_kernels *eis_kernels_level(size_t index);

/* Returns the name of a level. */
const char *eis_kernels_level_name(size_t index);

/* What each level contributes; called by select.c where the object exists. */
void eis_kernels_generic(eis_kernels *k);
void eis_kernels_avx2(eis_kernels *k);
void eis_kernels_avxvnni(eis_kernels *k);
void eis_kernels_avx512(eis_kernels *k);
void eis_kernels_avx512ifma(eis_kernels *k);
void eis_kernels_avx512vnni(eis_kernels *k);

#endif
