/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a pack: header and layer table are copied out of the file first, and only the copies are checked and used,
 * so a file that changes under us can at most give wrong weights, which a digest or a Freivalds check shows. */
#define _GNU_SOURCE
#include "engine/split/pack.h"

#include "base/mem.h"
#include "engine/split/pack_layout.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A stretch of the file that a section claims. */
typedef struct extent {
    uint64_t first, end;
} extent;

static bool all_zero(const uint8_t *bytes, size_t from, size_t to)
{
    uint8_t any = 0;

    for (size_t i = from; i < to; i++) any |= bytes[i];
    return any == 0;
}

static eis_status read_all(int fd, uint8_t *out, size_t bytes, uint64_t offset)
{
    while (bytes > 0) {
        ssize_t got = pread(fd, out, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return eis_fail(EIS_ERR_FILE, "cannot be read");
        out += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return EIS_OK;
}

/* Hashes the file with the digest field taken as zero. */
static eis_status digest_of_file(uint8_t *digest, const uint8_t *header, eis_span file)
{
    eis_status st = EIS_OK;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t first[EIS_PACK_PAGE];

    memcpy(first, header, sizeof first);
    memset(first + EIS_PACK_AT_DIGEST, 0, EIS_PACK_DIGEST_BYTES);
    EIS_REQUIRE(hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(hash, first, sizeof first) == 1 &&
                    EVP_DigestUpdate(hash, file.data + EIS_PACK_PAGE, file.bytes - EIS_PACK_PAGE) == 1 &&
                    EVP_DigestFinal_ex(hash, digest, NULL) == 1,
                EIS_ERR_INTERNAL, "SHA-256 failed");
out:
    EVP_MD_CTX_free(hash);
    return st;
}

static eis_status check_header(eis_pack *pack, const uint8_t *header, uint64_t file_bytes)
{
    eis_status st = EIS_OK;
    const eis_split_profile_info *profile;
    uint32_t layers = eis_load_le32(header + EIS_PACK_AT_LAYERS);

    EIS_REQUIRE(memcmp(header + EIS_PACK_AT_MAGIC, EIS_PACK_MAGIC, 8) == 0, EIS_ERR_MODEL, "is not an EIS pack");
    EIS_REQUIRE(eis_load_le32(header + EIS_PACK_AT_VERSION) == EIS_PACK_VERSION, EIS_ERR_VERSION,
                "has version %u; this program reads version %d", eis_load_le32(header + EIS_PACK_AT_VERSION),
                EIS_PACK_VERSION);
    profile = eis_split_profile_get(eis_load_le32(header + EIS_PACK_AT_PROFILE));
    EIS_REQUIRE(profile != NULL, EIS_ERR_MODEL, "names an unknown profile");
    EIS_REQUIRE(eis_load_le32(header + EIS_PACK_AT_GEOMETRY) == (uint32_t)profile->geometry &&
                    eis_load_le32(header + EIS_PACK_AT_ALGORITHM) == EIS_PACK_DIGEST_SHA256,
                EIS_ERR_MODEL, "has an unknown geometry or digest algorithm");
    EIS_REQUIRE(eis_load_le64(header + EIS_PACK_AT_TOTAL) == file_bytes, EIS_ERR_MODEL,
                "is truncated or too long: the header says %llu bytes, the file has %llu",
                (unsigned long long)eis_load_le64(header + EIS_PACK_AT_TOTAL), (unsigned long long)file_bytes);
    EIS_REQUIRE(layers > 0 && layers <= EIS_PACK_LAYERS_MAX, EIS_ERR_MODEL, "has %u layers", layers);
    EIS_REQUIRE(all_zero(header, EIS_PACK_AT_ALGORITHM + 4, EIS_PACK_AT_TOTAL) &&
                    all_zero(header, EIS_PACK_HEADER_USED, EIS_PACK_PAGE),
                EIS_ERR_MODEL, "has bytes in its header that should be zero");
    pack->profile = profile->id;
    pack->layer_count = layers;
    memcpy(pack->digest, header + EIS_PACK_AT_DIGEST, EIS_PACK_DIGEST_BYTES);
out:
    return st;
}

static bool has_control_characters(const uint8_t *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < 0x20 || text[i] == 0x7f) return true;
    return false;
}

static eis_status read_name(eis_linear *linear, const uint8_t *row)
{
    size_t length = strnlen((const char *)row, EIS_LINEAR_NAME_BYTES);

    /* Names go into errors, logs and JSON. */
    if (length == 0 || length == EIS_LINEAR_NAME_BYTES || !all_zero(row, length, EIS_LINEAR_NAME_BYTES) ||
        !eis_json_utf8_valid(row, length) || has_control_characters(row, length))
        return eis_fail(EIS_ERR_MODEL, "has a layer without a proper name");
    memcpy(linear->name, row, length + 1);
    return EIS_OK;
}

/* Reads the geometry of a convolution and recomputes what follows from it. */
static eis_status read_convolution(eis_linear *linear, const uint8_t *row)
{
    uint32_t *const fields[] = {&linear->channels,      &linear->height,       &linear->width,
                                &linear->kernel_height, &linear->kernel_width, &linear->stride_y,
                                &linear->stride_x,      &linear->pad_y,        &linear->pad_x};
    uint64_t padded_height, padded_width;

    for (size_t i = 0; i < 9; i++) *fields[i] = eis_load_le16(row + EIS_PACK_LAYER_CONV + 2 * i);
    padded_height = (uint64_t)linear->height + 2 * linear->pad_y;
    padded_width = (uint64_t)linear->width + 2 * linear->pad_x;
    if (linear->channels == 0 || linear->height == 0 || linear->width == 0 || linear->kernel_height == 0 ||
        linear->kernel_width == 0 || linear->stride_y == 0 || linear->stride_x == 0 ||
        linear->kernel_height > padded_height || linear->kernel_width > padded_width ||
        linear->pad_y >= linear->kernel_height || linear->pad_x >= linear->kernel_width ||
        (uint64_t)linear->channels * linear->kernel_height * linear->kernel_width != linear->in)
        return eis_fail(EIS_ERR_MODEL, "layer %s has an impossible convolution", linear->name);
    linear->out_height = (uint32_t)((padded_height - linear->kernel_height) / linear->stride_y + 1);
    linear->out_width = (uint32_t)((padded_width - linear->kernel_width) / linear->stride_x + 1);
    return EIS_OK;
}

/* Takes a section of the file, checked to lie behind the table, aligned, of the right length. */
static eis_status read_section(eis_span *section, extent *claimed, const eis_pack *pack, const uint8_t *row, size_t at,
                               uint64_t bytes_wanted, uint64_t table_end, const char *name)
{
    uint64_t offset = eis_load_le64(row + at), bytes = eis_load_le64(row + at + 8);

    if (bytes != bytes_wanted || offset % EIS_PACK_PAGE != 0 || offset < table_end || offset > pack->file.bytes ||
        bytes > pack->file.bytes - offset)
        return eis_fail(EIS_ERR_MODEL, "layer %s has a section of the wrong length or outside the file", name);
    section->data = pack->file.data + offset;
    section->bytes = (size_t)bytes;
    claimed->first = offset;
    claimed->end = offset + bytes;
    return EIS_OK;
}

static eis_status read_layer(eis_pack_layer *layer, extent *claimed, const eis_pack *pack, const uint8_t *row,
                             uint64_t table_end)
{
    eis_status st = EIS_OK;
    const eis_split_profile_info *profile = eis_split_profile_get(pack->profile);
    eis_linear *linear = &layer->linear;
    eis_packed *weights = &layer->weights;
    eis_span panels;

    EIS_TRY(read_name(linear, row + EIS_PACK_LAYER_NAME));
    linear->kind = (eis_linear_kind)eis_load_le32(row + EIS_PACK_LAYER_KIND);
    linear->out = eis_load_le32(row + EIS_PACK_LAYER_M);
    linear->in = eis_load_le32(row + EIS_PACK_LAYER_N);
    EIS_REQUIRE(linear->kind == EIS_LINEAR_DENSE || linear->kind == EIS_LINEAR_CONV2D, EIS_ERR_MODEL,
                "layer %s is of an unknown kind", linear->name);
    EIS_REQUIRE(linear->out > 0 && linear->in > 0, EIS_ERR_MODEL, "layer %s is empty", linear->name);
    EIS_TRY(eis_packed_init(weights, profile->geometry, linear->out, linear->in, NULL));
    EIS_REQUIRE(eis_load_le32(row + EIS_PACK_LAYER_PADDED_M) == weights->rows_padded &&
                    eis_load_le32(row + EIS_PACK_LAYER_PADDED_N) == weights->cols_padded &&
                    eis_load_le32(row + EIS_PACK_LAYER_WEIGHT_BYTES) == eis_geometry_weight_bytes(profile->geometry) &&
                    eis_load_le32(row + EIS_PACK_LAYER_CORRECTION) == (uint32_t)(profile->geometry != EIS_GEOMETRY_W8),
                EIS_ERR_MODEL, "layer %s has a padding or weight size that does not fit the profile", linear->name);
    if (linear->kind == EIS_LINEAR_CONV2D)
        EIS_TRY(read_convolution(linear, row));
    else
        EIS_REQUIRE(all_zero(row, EIS_PACK_LAYER_CONV, EIS_PACK_LAYER_CONV_END), EIS_ERR_MODEL,
                    "layer %s is dense and has a convolution's geometry", linear->name);
    EIS_REQUIRE(all_zero(row, EIS_PACK_LAYER_CORRECTION + 4, EIS_PACK_LAYER_CONV) &&
                    all_zero(row, EIS_PACK_LAYER_CONV_END, EIS_PACK_LAYER_SCALES_AT) &&
                    all_zero(row, EIS_PACK_LAYER_USED, EIS_PACK_LAYER_BYTES),
                EIS_ERR_MODEL, "layer %s has bytes that should be zero", linear->name);
    layer->row_norm = eis_load_le_f64(row + EIS_PACK_LAYER_NORM);
    EIS_REQUIRE(isfinite(layer->row_norm) && layer->row_norm >= 0, EIS_ERR_MODEL, "layer %s has a bad row norm",
                linear->name);
    EIS_TRY(read_section(&layer->row_scales, &claimed[0], pack, row, EIS_PACK_LAYER_SCALES_AT,
                         (uint64_t)weights->rows_padded * 8, table_end, linear->name));
    EIS_TRY(read_section(&panels, &claimed[1], pack, row, EIS_PACK_LAYER_PANELS_AT, weights->bytes, table_end,
                         linear->name));
    weights->panels = panels.data;
    memcpy(layer->digest, row + EIS_PACK_LAYER_DIGEST, EIS_PACK_DIGEST_BYTES);
out:
    return st;
}

static int by_offset(const void *left, const void *right)
{
    const extent *a = left, *b = right;

    return (a->first > b->first) - (a->first < b->first);
}

static eis_status refuse_overlaps(extent *claimed, size_t count)
{
    qsort(claimed, count, sizeof *claimed, by_offset);
    for (size_t i = 1; i < count; i++)
        if (claimed[i].first < claimed[i - 1].end) return eis_fail(EIS_ERR_MODEL, "has sections that overlap");
    return EIS_OK;
}

static eis_status read_layers(eis_pack *pack, int fd)
{
    eis_status st = EIS_OK;
    uint8_t *table = NULL;
    extent *claimed = NULL;
    size_t table_bytes = (size_t)pack->layer_count * EIS_PACK_LAYER_BYTES;
    uint64_t table_end = EIS_PACK_PAGE + eis_round_up(table_bytes, EIS_PACK_PAGE);

    EIS_REQUIRE(table_end <= pack->file.bytes, EIS_ERR_MODEL, "is truncated in its layer table");
    EIS_NEW(table, table_bytes);
    EIS_NEW(claimed, 2 * (size_t)pack->layer_count);
    EIS_NEW(pack->layers, pack->layer_count);
    EIS_TRY(read_all(fd, table, table_bytes, EIS_PACK_PAGE));
    for (uint32_t i = 0; i < pack->layer_count; i++)
        EIS_TRY(
            read_layer(&pack->layers[i], &claimed[2 * i], pack, table + (size_t)i * EIS_PACK_LAYER_BYTES, table_end));
    EIS_TRY(refuse_overlaps(claimed, 2 * (size_t)pack->layer_count));
out:
    eis_mem_free(table);
    eis_mem_free(claimed);
    return st;
}

static eis_status map_file(eis_pack *pack, int fd)
{
    eis_status st = EIS_OK;
    struct stat info;
    void *mapping;

    EIS_REQUIRE(fstat(fd, &info) == 0 && S_ISREG(info.st_mode), EIS_ERR_FILE, "is not a regular file");
    EIS_REQUIRE((info.st_mode & (S_IWGRP | S_IWOTH)) == 0, EIS_ERR_FILE,
                "may be written by group or others; run chmod go-w on it");
    EIS_REQUIRE(info.st_size >= EIS_PACK_PAGE, EIS_ERR_MODEL, "is shorter than a pack's header");
    mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    EIS_REQUIRE(mapping != MAP_FAILED, EIS_ERR_FILE, "cannot be mapped: %s", strerror(errno));
    pack->file.data = mapping;
    pack->file.bytes = (size_t)info.st_size;
out:
    return st;
}

static eis_status open_checked(eis_pack *pack, int fd, bool verify)
{
    eis_status st = EIS_OK;
    uint8_t header[EIS_PACK_PAGE], digest[EIS_PACK_DIGEST_BYTES];

    EIS_TRY(map_file(pack, fd));
    EIS_TRY(read_all(fd, header, sizeof header, 0));
    EIS_TRY(check_header(pack, header, pack->file.bytes));
    EIS_TRY(read_layers(pack, fd));
    if (verify) {
        EIS_TRY(digest_of_file(digest, header, pack->file));
        EIS_REQUIRE(memcmp(digest, pack->digest, sizeof digest) == 0, EIS_ERR_DIGEST,
                    "does not match its own digest: it is damaged or was changed");
    }
out:
    return st;
}

eis_status eis_pack_open_fd(eis_pack **out_pack, int fd, const char *name, bool verify)
{
    eis_status st = EIS_OK;
    eis_pack *pack = NULL;

    *out_pack = NULL;
    EIS_NEW(pack, 1);
    st = open_checked(pack, fd, verify);
    if (st != EIS_OK) {
        (void)eis_fail_prefix(st, "%s", name);
        goto out;
    }
    *out_pack = pack;
    pack = NULL;
out:
    eis_pack_free(pack);
    return st;
}

eis_status eis_pack_open(eis_pack **pack, const char *path, bool verify)
{
    eis_status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */

    *pack = NULL;
    if (fd < 0) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    st = eis_pack_open_fd(pack, fd, path, verify);
    close(fd);
    return st;
}

void eis_pack_free(eis_pack *pack)
{
    if (pack == NULL) return;
    if (pack->file.data != NULL) munmap((void *)(uintptr_t)pack->file.data, pack->file.bytes);
    eis_mem_free(pack->layers);
    eis_mem_free(pack);
}

bool eis_pack_recognise(const char *path)
{
    uint8_t magic[8];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool yes = fd >= 0 && pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, EIS_PACK_MAGIC, 8) == 0;

    if (fd >= 0) close(fd);
    return yes;
}
