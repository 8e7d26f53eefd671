/* SPDX-License-Identifier: Apache-2.0 */
/* Client parts: the frame around the fields, the linear nodes, the files that travel along. What a part says is
 * checked as if an enemy had written it: the digest inside it shows damage, not origin. */
#include "model/part.h"

#include "base/mem.h"
#include "model/files.h"
#include "model/part_fields.h"

#include <math.h>
#include <openssl/evp.h>
#include <string.h>

#define PART_BYTES_MAX ((size_t)1 << 46)

/* magic 8 | version u32 | kind u32 | total u64 | digest 32 | pack digest 32 | profile u32 | nodes u32 */
enum { VERSION = 1, TOTAL_AT = 16, DIGEST_AT = 24, HEADER_BYTES = 96, PLANES_MAX = 8, NODES_MAX = 1 << 16 };

static const uint8_t magic[8] = {'E', 'I', 'S', 'P', 'A', 'R', 'T', '1'};

bool eis_part_recognise(eis_span file)
{
    return file.bytes >= sizeof magic && memcmp(file.data, magic, sizeof magic) == 0;
}

/* Hashes a file as if its digest field were zero. */
static eis_status hash(uint8_t digest[EIS_PART_DIGEST_BYTES], const uint8_t *data, size_t bytes)
{
    static const uint8_t zeros[EIS_PART_DIGEST_BYTES];
    const size_t behind = DIGEST_AT + EIS_PART_DIGEST_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, data, DIGEST_AT) == 1 && EVP_DigestUpdate(ctx, zeros, sizeof zeros) == 1 &&
                EVP_DigestUpdate(ctx, data + behind, bytes - behind) == 1 && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    return done ? EIS_OK : eis_fail(EIS_ERR_INTERNAL, "SHA-256 failed");
}

/* --- fields ------------------------------------------------------------------------------------------------------ */

void eis_part_vector_write(eis_writer *w, const double *vector, uint32_t count)
{
    uint8_t *place;

    if (vector == NULL) count = 0;
    eis_wire_writer_u32(w, count);
    place = eis_wire_writer_reserve(w, (size_t)count * 8);
    for (uint32_t i = 0; place != NULL && i < count; i++) eis_store_le_f64(place + 8 * (size_t)i, vector[i]);
}

const double *eis_part_vector_read(eis_reader *r, eis_model *model, uint32_t *count, uint32_t min, uint32_t max)
{
    const uint32_t n = eis_wire_reader_u32(r);
    double *vector;

    *count = 0;
    if (eis_wire_reader_status(r) == EIS_OK && (n < min || n > max))
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "a list has %u entries, expected %u...%u", n, min, max);
    const uint8_t *bytes = eis_wire_reader_bytes(r, (size_t)n * 8);
    if (bytes == NULL || n == 0) return NULL;
    vector = eis_model_new_array(model, n, sizeof *vector);
    if (vector == NULL) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        vector[i] = eis_load_le_f64(bytes + 8 * (size_t)i);
        if (!isfinite(vector[i])) eis_wire_reader_fail(r, EIS_ERR_MODEL, "entry %u of a list is not finite", i);
    }
    *count = n;
    return vector;
}

const double *eis_part_exact_read(eis_reader *r, eis_model *model, uint32_t count)
{
    uint32_t is;

    return eis_part_vector_read(r, model, &is, count, count);
}

void eis_part_text_write(eis_writer *w, const char *text) { eis_wire_writer_string16(w, text, strlen(text)); }

/* --- linear nodes ------------------------------------------------------------------------------------------------ */

static void shape_words(uint32_t words[14], const eis_linear *n)
{
    const uint32_t all[14] = {n->kind,  n->out,           n->in,           n->channels, n->height,
                              n->width, n->kernel_height, n->kernel_width, n->stride_y, n->stride_x,
                              n->pad_y, n->pad_x,         n->out_height,   n->out_width};

    memcpy(words, all, sizeof all);
}

static void node_write(eis_writer *w, const eis_linear *n, const eis_part_layer *layer)
{
    uint32_t words[14];

    shape_words(words, n);
    eis_part_text_write(w, n->name);
    for (int i = 0; i < 14; i++) eis_wire_writer_u32(w, words[i]);
    eis_part_vector_write(w, n->bias, n->out);
    eis_part_vector_write(w, layer->row_scales, n->out);
    eis_wire_writer_f64(w, layer->row_norm);
    eis_wire_writer_f64(w, layer->declared_norm);
    eis_wire_writer_u32(w, layer->planes);
}

static void shape_read(eis_reader *r, eis_linear *n)
{
    const uint32_t kind = eis_wire_reader_u32(r);
    uint32_t *const words[] = {&n->out,           &n->in,           &n->channels, &n->height,   &n->width,
                               &n->kernel_height, &n->kernel_width, &n->stride_y, &n->stride_x, &n->pad_y,
                               &n->pad_x,         &n->out_height,   &n->out_width};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) *words[i] = eis_wire_reader_u32(r);
    if ((kind != EIS_LINEAR_DENSE && kind != EIS_LINEAR_CONV2D) || n->out == 0 || n->in == 0)
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "the shape of a linear node is impossible");
    n->kind = (eis_linear_kind)kind;
}

static bool is_norm(double v) { return isfinite(v) && v >= 0; }

static bool layer_is_sound(const eis_part_layer *layer, uint32_t out)
{
    if (!is_norm(layer->row_norm) || !is_norm(layer->declared_norm) || layer->planes > PLANES_MAX) return false;
    for (uint32_t i = 0; i < out; i++)
        if (!is_norm(layer->row_scales[i])) return false;
    return true;
}

/* Reads one node. A language model's nodes exist already, made from its dimensions: the file must agree. */
static void node_read(eis_reader *r, eis_model *model, uint32_t index, eis_part_layer *layer)
{
    eis_linear read = {0}, *node;
    uint32_t bias_count = 0;

    eis_wire_reader_text16(r, read.name, sizeof read.name);
    shape_read(r, &read);
    read.bias = eis_part_vector_read(r, model, &bias_count, 0, read.out);
    if (bias_count != 0 && bias_count != read.out) eis_wire_reader_fail(r, EIS_ERR_MODEL, "a bias of another length");
    layer->row_scales = eis_part_exact_read(r, model, read.out);
    layer->row_norm = eis_wire_reader_f64(r);
    layer->declared_norm = eis_wire_reader_f64(r);
    layer->planes = eis_wire_reader_u32(r);
    if (eis_wire_reader_status(r) != EIS_OK) return;
    if (!layer_is_sound(layer, read.out)) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "%s: scales or norms are impossible", read.name);
        return;
    }
    if (model->kind == EIS_MODEL_CLASSIFIER) {
        node = eis_model_add_linear(model);
        if (node == NULL)
            eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        else
            *node = read;
        return;
    }
    uint32_t is[14], expected[14];
    node = &model->linears[index];
    shape_words(is, &read);
    shape_words(expected, node);
    if (memcmp(is, expected, sizeof is) != 0 || strcmp(read.name, node->name) != 0)
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "node %s does not fit the model's dimensions", node->name);
    node->bias = read.bias;
}

static void nodes_read(eis_reader *r, eis_model *model, eis_part_info *info, uint32_t count)
{
    eis_part_layer *layers;

    if (eis_wire_reader_status(r) != EIS_OK) return;
    if (count == 0 || count > NODES_MAX || (model->kind == EIS_MODEL_LM && count != model->linear_count)) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "the number of linear nodes is impossible");
        return;
    }
    layers = eis_model_new_array(model, count, sizeof *layers);
    if (layers == NULL) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < count && eis_wire_reader_status(r) == EIS_OK; i++) node_read(r, model, i, &layers[i]);
    info->layers = layers;
}

/* --- files that travel along ------------------------------------------------------------------------------------- */

static void blobs_write(eis_writer *w, const eis_part_info *info)
{
    EIS_ASSERT(info->blob_count <= EIS_PART_BLOBS_MAX);
    eis_wire_writer_u32(w, info->blob_count);
    for (uint32_t i = 0; i < info->blob_count; i++) {
        eis_part_text_write(w, info->blobs[i].name);
        eis_wire_writer_u64(w, info->blobs[i].bytes.bytes);
        eis_wire_writer_bytes(w, info->blobs[i].bytes.data, info->blobs[i].bytes.bytes);
    }
}

static void blobs_read(eis_reader *r, eis_model *model, eis_part_info *info)
{
    const uint32_t count = eis_wire_reader_u32(r);
    eis_part_blob *blobs;

    if (count > EIS_PART_BLOBS_MAX)
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "more than %d files travel along", EIS_PART_BLOBS_MAX);
    if (count == 0 || eis_wire_reader_status(r) != EIS_OK) return;
    blobs = eis_model_new_array(model, count, sizeof *blobs);
    if (blobs == NULL) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        eis_wire_reader_text16(r, blobs[i].name, sizeof blobs[i].name);
        const uint64_t bytes = eis_wire_reader_u64(r);
        blobs[i].bytes.data = eis_wire_reader_bytes(r, (size_t)bytes);
        blobs[i].bytes.bytes = (size_t)bytes;
    }
    info->blobs = blobs;
    info->blob_count = count;
}

const eis_part_blob *eis_part_find_blob(const eis_part_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->blob_count; i++)
        if (strcmp(info->blobs[i].name, name) == 0) return &info->blobs[i];
    return NULL;
}

/* --- the whole file ---------------------------------------------------------------------------------------------- */

static void part_write(eis_writer *w, const eis_model *model, const eis_part_info *info)
{
    static const uint8_t zeros[EIS_PART_DIGEST_BYTES];

    eis_wire_writer_bytes(w, magic, sizeof magic);
    eis_wire_writer_u32(w, VERSION);
    eis_wire_writer_u32(w, model->kind);
    eis_wire_writer_u64(w, 0); /* total length and digest are filled in at the end */
    eis_wire_writer_bytes(w, zeros, sizeof zeros);
    eis_wire_writer_bytes(w, info->pack_digest, sizeof info->pack_digest);
    eis_wire_writer_u32(w, info->profile);
    eis_wire_writer_u32(w, model->linear_count);
    if (model->kind == EIS_MODEL_LM)
        eis_part_lm_write(w, &model->lm);
    else
        eis_part_classifier_write(w, &model->classifier);
    for (uint32_t i = 0; i < model->linear_count; i++) node_write(w, &model->linears[i], &info->layers[i]);
    blobs_write(w, info);
    eis_wire_writer_zeros(w, eis_round_up(w->bytes, 8) - w->bytes);
}

static eis_status check_frame(eis_span file, const char *name, uint32_t *kind)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_PART_DIGEST_BYTES];
    uint64_t total;
    uint32_t version;

    EIS_REQUIRE(eis_part_recognise(file), EIS_ERR_MODEL, "%s: is no client part", name);
    EIS_REQUIRE(file.bytes >= HEADER_BYTES, EIS_ERR_MODEL, "%s: is cut off within its header", name);
    version = eis_load_le32(file.data + 8);
    EIS_REQUIRE(version == VERSION, EIS_ERR_VERSION, "%s: has version %u, this program reads %d", name, version,
                VERSION);
    *kind = eis_load_le32(file.data + 12);
    EIS_REQUIRE(*kind == EIS_MODEL_LM || *kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "%s: is of an unknown kind",
                name);
    total = eis_load_le64(file.data + TOTAL_AT);
    EIS_REQUIRE(total == file.bytes, EIS_ERR_MODEL, "%s: has %zu bytes, its header says %llu", name, file.bytes,
                (unsigned long long)total);
    EIS_TRY(hash(digest, file.data, file.bytes));
    EIS_REQUIRE(memcmp(digest, file.data + DIGEST_AT, sizeof digest) == 0, EIS_ERR_DIGEST,
                "%s: its content does not match its digest; write it again with eis partition", name);
out:
    return st;
}

/* What follows the last field: fewer than 8 bytes, all zero. */
static void fill_read(eis_reader *r)
{
    const size_t left = eis_wire_reader_remaining(r);
    const uint8_t *fill = eis_wire_reader_bytes(r, left < 8 ? left : 7);

    for (size_t i = 0; fill != NULL && i < left && i < 7; i++)
        if (fill[i] != 0) eis_wire_reader_fail(r, EIS_ERR_MODEL, "the bytes at the end are not zero");
}

static eis_status read_body(eis_model *model, eis_span file, const char *name)
{
    eis_status st = EIS_OK;
    eis_part_info *info = eis_model_new_array(model, 1, sizeof *info);
    eis_reader r;

    if (info == NULL) return EIS_ERR_MEMORY;
    eis_wire_reader_init(&r, name, file.data, file.bytes);
    eis_wire_reader_skip(&r, DIGEST_AT + EIS_PART_DIGEST_BYTES);
    eis_wire_reader_copy(&r, info->pack_digest, sizeof info->pack_digest);
    info->profile = eis_wire_reader_u32(&r);
    const uint32_t node_count = eis_wire_reader_u32(&r);
    if (model->kind == EIS_MODEL_LM)
        eis_part_lm_read(&r, model);
    else
        eis_part_classifier_read(&r, model);
    nodes_read(&r, model, info, node_count);
    blobs_read(&r, model, info);
    fill_read(&r);
    EIS_TRY(eis_wire_reader_end(&r));
    if (model->kind == EIS_MODEL_CLASSIFIER) EIS_TRY(eis_part_classifier_check(model, name));
    model->part = info;
out:
    return st;
}

eis_status eis_part_load(eis_model *model, eis_span file, const char *name)
{
    eis_status st = EIS_OK;
    uint32_t kind = 0;

    EIS_TRY(check_frame(file, name, &kind));
    model->kind = (eis_model_kind)kind;
    EIS_TRY(read_body(model, file, name));
out:
    return st;
}

/* A part that we would refuse to read must not be written. */
static eis_status read_back(const eis_writer *w, const char *name)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;

    EIS_TRY(eis_model_new(&model, EIS_MODEL_LM));
    EIS_TRY(eis_part_load(model, (eis_span){w->data, w->bytes}, name));
out:
    eis_model_free(model);
    return st;
}

eis_status eis_part_write(const char *path, const eis_model *model, const eis_part_info *info)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, PART_BYTES_MAX);
    for (uint32_t i = 0; i < model->linear_count; i++)
        EIS_REQUIRE(layer_is_sound(&info->layers[i], model->linears[i].out), EIS_ERR_RANGE,
                    "%s: scales and norms must be finite and not negative", model->linears[i].name);
    part_write(&w, model, info);
    EIS_TRY(eis_wire_writer_status(&w));
    eis_store_le64(w.data + TOTAL_AT, w.bytes);
    EIS_TRY(hash(w.data + DIGEST_AT, w.data, w.bytes));
    EIS_TRY(read_back(&w, path));
    EIS_TRY(eis_file_replace(path, w.data, w.bytes));
out:
    eis_wire_writer_clear(&w);
    return st;
}
