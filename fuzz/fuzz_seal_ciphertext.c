/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a ciphertext, a plaintext or a secret key: refused, or read to something that is written and read back
 * as itself. The first byte chooses the reader, its rules and where the filler begins. */
#include "ckks/seal_ct.h"
#include "ckks/seal_plain.h"
#include "ckks/seal_secret.h"
#include "seal_filler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned bits[] = {38, 30, 38};

static void try_ciphertext(const eis_ckks_params *params, unsigned choice, const uint8_t *object, size_t bytes)
{
    const eis_ckks_ct_rules rules = {.polys = choice & 1 ? 3 : 2,
                                     .limbs = choice & 2 ? 2 : 0,
                                     .scale = choice & 4 ? 0x1p30 : 0,
                                     .full_only = choice & 8};
    eis_ckks_ct ct = {0}, back = {0};
    eis_seal_form form;
    eis_writer w;

    if (eis_ckks_ct_read(&ct, &form, params, &rules, object, bytes) != EIS_OK) return;
    EIS_ASSERT(!eis_ckks_ct_is_transparent(&ct) && eis_ckks_scale_fits(params, ct.scale, ct.limbs));
    eis_wire_writer_init(&w, (size_t)1 << 22);
    eis_ckks_ct_write(&w, &ct, (eis_seal_style){form, EIS_SEAL_NONE}, true);
    EIS_ASSERT(eis_ckks_ct_read(&back, NULL, params, &rules, w.data, w.bytes) == EIS_OK);
    EIS_ASSERT(back.polys == ct.polys && back.limbs == ct.limbs && back.scale == ct.scale);
    for (size_t c = 0; c < ct.polys; c++)
        EIS_ASSERT(memcmp(back.poly[c].words, ct.poly[c].words, ct.limbs * params->degree * 8) == 0);
    eis_wire_writer_clear(&w);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const eis_ckks_params *params = small_params(3, bits);
    eis_ckks_plain plain = {0};
    eis_ckks_secret_key secret = {0};
    uint8_t *object;
    size_t bytes;

    if (size == 0) return 0;
    object = fill_object(data + 1, size - 1, data[0] & 7, &bytes);
    if (data[0] < 128)
        try_ciphertext(params, data[0] >> 3, object, bytes);
    else if (data[0] & 8)
        (void)!eis_ckks_plain_read(&plain, params, object, bytes);
    else
        (void)!eis_ckks_secret_key_read(&secret, params, object, bytes);
    eis_ckks_plain_clear(&plain);
    eis_ckks_secret_key_clear(&secret);
    eis_mem_free(object);
    return 0;
}
