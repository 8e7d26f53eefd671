/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a pack: the file gets its full length at once and is filled through a mapping, so that weights go from the
 * model straight into their place. */
#include "engine/split/pack.h"

#include "base/mem.h"
#include "engine/split/pack_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct eis_pack_writer {
    uint8_t *file;
    size_t bytes;
    eis_split_profile profile;
    eis_pack_layer_spec *specs;
    uint64_t *scales_at, *panels_at; /* [count] offsets */
    uint32_t count;
    int fd;
};

static eis_status check_shape(const eis_linear *linear)
{
    const uint32_t small[] = {linear->channels,      linear->height,       linear->width,
                              linear->kernel_height, linear->kernel_width, linear->stride_y,
                              linear->stride_x,      linear->pad_y,        linear->pad_x};

    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        if (small[i] > UINT16_MAX)
            return eis_fail(EIS_ERR_MODEL, "layer %s: a pack holds convolutions up to 65535 in each dimension",
                            linear->name);
    return EIS_OK;
}

/* Gives every section its place; sections follow each other in table order. */
static eis_status lay_out(eis_pack_writer *writer)
{
    size_t at = EIS_PACK_PAGE + eis_round_up((size_t)writer->count * EIS_PACK_LAYER_BYTES, EIS_PACK_PAGE);

    for (uint32_t i = 0; i < writer->count; i++) {
        const eis_packed *weights = &writer->specs[i].weights;
        writer->scales_at[i] = at;
        at += eis_round_up(weights->rows_padded * 8, EIS_PACK_PAGE);
        writer->panels_at[i] = at;
        if (!eis_size_add(&at, at, weights->bytes) || at > SIZE_MAX / 4)
            return eis_fail(EIS_ERR_MODEL, "the model is too large for a pack");
        at = eis_round_up(at, EIS_PACK_PAGE);
    }
    writer->bytes = at;
    return EIS_OK;
}

eis_status eis_pack_writer_open(eis_pack_writer **out_writer, int fd, eis_split_profile profile,
                                eis_pack_layer_spec *specs, uint32_t count)
{
    eis_status st = EIS_OK;
    eis_pack_writer *writer = NULL;
    void *mapping;

    *out_writer = NULL;
    EIS_REQUIRE(count > 0 && count <= EIS_PACK_LAYERS_MAX, EIS_ERR_MODEL, "a pack holds 1 to %d layers",
                EIS_PACK_LAYERS_MAX);
    for (uint32_t i = 0; i < count; i++) EIS_TRY(check_shape(specs[i].linear));
    EIS_NEW(writer, 1);
    writer->fd = fd;
    writer->profile = profile;
    writer->specs = specs;
    writer->count = count;
    EIS_NEW(writer->scales_at, count);
    EIS_NEW(writer->panels_at, count);
    EIS_TRY(lay_out(writer));
    EIS_REQUIRE(ftruncate(fd, (off_t)writer->bytes) == 0, EIS_ERR_FILE, "cannot make room for a pack of %zu bytes: %s",
                writer->bytes, strerror(errno));
    /* Room for good: a full disk must fail here and not as SIGBUS in the middle of a panel. */
    EIS_REQUIRE(posix_fallocate(fd, 0, (off_t)writer->bytes) == 0, EIS_ERR_FILE, "no room for a pack of %zu bytes",
                writer->bytes);
    mapping = mmap(NULL, writer->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EIS_REQUIRE(mapping != MAP_FAILED, EIS_ERR_FILE, "cannot map a pack: %s", strerror(errno));
    writer->file = mapping;
    for (uint32_t i = 0; i < count; i++) {
        specs[i].panels = writer->file + writer->panels_at[i];
        specs[i].weights.panels = specs[i].panels;
    }
    *out_writer = writer;
    writer = NULL;
out:
    eis_pack_writer_abort(writer);
    return st;
}

void eis_pack_writer_abort(eis_pack_writer *writer)
{
    if (writer == NULL) return;
    if (writer->file != NULL) munmap(writer->file, writer->bytes);
    eis_mem_free(writer->scales_at);
    eis_mem_free(writer->panels_at);
    eis_mem_free(writer);
}

static eis_status digest_of(uint8_t *digest, const uint8_t *first, size_t first_bytes, const uint8_t *second,
                            size_t second_bytes)
{
    eis_status st = EIS_OK;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    EIS_REQUIRE(hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(hash, first, first_bytes) == 1 &&
                    EVP_DigestUpdate(hash, second, second_bytes) == 1 && EVP_DigestFinal_ex(hash, digest, NULL) == 1,
                EIS_ERR_INTERNAL, "SHA-256 failed");
out:
    EVP_MD_CTX_free(hash);
    return st;
}

static void write_scales(const eis_pack_writer *writer, uint32_t index)
{
    const eis_pack_layer_spec *spec = &writer->specs[index];
    uint8_t *at = writer->file + writer->scales_at[index];

    for (size_t row = 0; row < spec->weights.rows_padded; row++)
        eis_store_le_f64(at + 8 * row, row < spec->weights.rows ? spec->row_scales[row] : 1.0);
}

static void write_convolution(uint8_t *row, const eis_linear *linear)
{
    const uint32_t fields[] = {linear->channels,      linear->height,       linear->width,
                               linear->kernel_height, linear->kernel_width, linear->stride_y,
                               linear->stride_x,      linear->pad_y,        linear->pad_x};

    if (linear->kind != EIS_LINEAR_CONV2D) return;
    for (size_t i = 0; i < 9; i++) eis_store_le16(row + EIS_PACK_LAYER_CONV + 2 * i, (uint16_t)fields[i]);
}

static eis_status write_layer(const eis_pack_writer *writer, uint32_t index)
{
    const eis_pack_layer_spec *spec = &writer->specs[index];
    const eis_packed *weights = &spec->weights;
    uint8_t *row = writer->file + EIS_PACK_PAGE + (size_t)index * EIS_PACK_LAYER_BYTES;
    size_t scales_bytes = weights->rows_padded * 8;

    write_scales(writer, index);
    memcpy(row + EIS_PACK_LAYER_NAME, spec->linear->name, strlen(spec->linear->name) + 1);
    eis_store_le32(row + EIS_PACK_LAYER_KIND, (uint32_t)spec->linear->kind);
    eis_store_le32(row + EIS_PACK_LAYER_M, (uint32_t)weights->rows);
    eis_store_le32(row + EIS_PACK_LAYER_N, (uint32_t)weights->cols);
    eis_store_le32(row + EIS_PACK_LAYER_PADDED_M, (uint32_t)weights->rows_padded);
    eis_store_le32(row + EIS_PACK_LAYER_PADDED_N, (uint32_t)weights->cols_padded);
    eis_store_le32(row + EIS_PACK_LAYER_WEIGHT_BYTES, (uint32_t)eis_geometry_weight_bytes(weights->geometry));
    eis_store_le_f64(row + EIS_PACK_LAYER_NORM, spec->row_norm);
    eis_store_le32(row + EIS_PACK_LAYER_CORRECTION, weights->geometry != EIS_GEOMETRY_W8);
    write_convolution(row, spec->linear);
    eis_store_le64(row + EIS_PACK_LAYER_SCALES_AT, writer->scales_at[index]);
    eis_store_le64(row + EIS_PACK_LAYER_SCALES_BYTES, scales_bytes);
    eis_store_le64(row + EIS_PACK_LAYER_PANELS_AT, writer->panels_at[index]);
    eis_store_le64(row + EIS_PACK_LAYER_PANELS_BYTES, weights->bytes);
    return digest_of(row + EIS_PACK_LAYER_DIGEST, writer->file + writer->scales_at[index], scales_bytes, spec->panels,
                     weights->bytes);
}

static void write_header(const eis_pack_writer *writer)
{
    uint8_t *header = writer->file;

    memcpy(header + EIS_PACK_AT_MAGIC, EIS_PACK_MAGIC, 8);
    eis_store_le32(header + EIS_PACK_AT_VERSION, EIS_PACK_VERSION);
    eis_store_le32(header + EIS_PACK_AT_PROFILE, (uint32_t)writer->profile);
    eis_store_le32(header + EIS_PACK_AT_LAYERS, writer->count);
    eis_store_le32(header + EIS_PACK_AT_GEOMETRY, (uint32_t)eis_split_profile_get(writer->profile)->geometry);
    eis_store_le32(header + EIS_PACK_AT_ALGORITHM, EIS_PACK_DIGEST_SHA256);
    eis_store_le64(header + EIS_PACK_AT_TOTAL, writer->bytes);
}

eis_status eis_pack_writer_finish(eis_pack_writer *writer, uint8_t *digest)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < writer->count; i++) EIS_TRY(write_layer(writer, i));
    write_header(writer);
    /* The digest field is still zero here, which is how the digest is defined. */
    EIS_TRY(
        digest_of(digest, writer->file, EIS_PACK_PAGE, writer->file + EIS_PACK_PAGE, writer->bytes - EIS_PACK_PAGE));
    memcpy(writer->file + EIS_PACK_AT_DIGEST, digest, EIS_PACK_DIGEST_BYTES);
    EIS_REQUIRE(msync(writer->file, writer->bytes, MS_SYNC) == 0, EIS_ERR_FILE, "cannot write the pack: %s",
                strerror(errno));
out:
    eis_pack_writer_abort(writer);
    return st;
}
