/* SPDX-License-Identifier: Apache-2.0 */
/* The offsets inside a pack file, for its reader and its writer alone. Little-endian.
 *
 *   header   0  magic "EISPACK1"     8  version u32       12  profile u32      16  layers u32      20  geometry u32
 *           24  digest algorithm u32 28  zero u32         32  total length u64 40  digest[32]      72  zero to 4096
 *
 *   layer    0  name[96]            96  kind u32         100  m u32           104  n u32          108  padded m u32
 *          112  padded n u32       116  weight bytes u32 120  R f64           128  correction u32 132  zero u32
 *          136  channels, height, width, kernel height, kernel width, stride y, stride x, pad y, pad x: 9 x u16
 *          154  zero[6]            160  scales offset    168  scales bytes    176  panels offset  184  panels bytes
 *          192  digest[32]         224  zero[32] */
#ifndef EIS_ENGINE_SPLIT_PACK_LAYOUT_H
#define EIS_ENGINE_SPLIT_PACK_LAYOUT_H

#define EIS_PACK_MAGIC         "EISPACK1"
#define EIS_PACK_VERSION       1
#define EIS_PACK_PAGE          4096
#define EIS_PACK_LAYER_BYTES   256
#define EIS_PACK_DIGEST_SHA256 1

enum {
    EIS_PACK_AT_MAGIC = 0,
    EIS_PACK_AT_VERSION = 8,
    EIS_PACK_AT_PROFILE = 12,
    EIS_PACK_AT_LAYERS = 16,
    EIS_PACK_AT_GEOMETRY = 20,
    EIS_PACK_AT_ALGORITHM = 24,
    EIS_PACK_AT_TOTAL = 32,
    EIS_PACK_AT_DIGEST = 40,
    EIS_PACK_HEADER_USED = 72
};

enum {
    EIS_PACK_LAYER_NAME = 0,
    EIS_PACK_LAYER_KIND = 96,
    EIS_PACK_LAYER_M = 100,
    EIS_PACK_LAYER_N = 104,
    EIS_PACK_LAYER_PADDED_M = 108,
    EIS_PACK_LAYER_PADDED_N = 112,
    EIS_PACK_LAYER_WEIGHT_BYTES = 116,
    EIS_PACK_LAYER_NORM = 120,
    EIS_PACK_LAYER_CORRECTION = 128,
    EIS_PACK_LAYER_CONV = 136,
    EIS_PACK_LAYER_CONV_END = 154,
    EIS_PACK_LAYER_SCALES_AT = 160,
    EIS_PACK_LAYER_SCALES_BYTES = 168,
    EIS_PACK_LAYER_PANELS_AT = 176,
    EIS_PACK_LAYER_PANELS_BYTES = 184,
    EIS_PACK_LAYER_DIGEST = 192,
    EIS_PACK_LAYER_USED = 224
};

#endif
