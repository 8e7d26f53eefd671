/* SPDX-License-Identifier: Apache-2.0 */
/* A client part decides what a client sends and how it reads the answers: a damaged one must be refused before the
 * first share leaves, and a sound one must mean exactly what the model means. */
#include "unit/model/made_lm.h"

#include "base/mem.h"
#include "model/classifier.h"
#include "model/part.h"
#include "model/plain.h"

#include <openssl/sha.h>
#include <sys/stat.h>

/* --- parts of made models ---------------------------------------------------------------------------------------- */

/* Annotations with numbers that tell nodes apart. */
typedef struct notes {
    eis_part_info info;
    eis_part_layer layers[16];
    eis_part_blob blobs[2];
    double scales[16][128]; /* [node][row] */
} notes;

static void make_notes(notes *n, const eis_model *model)
{
    memset(n, 0, sizeof *n);
    assert_true(model->linear_count <= 16);
    for (uint32_t i = 0; i < model->linear_count; i++) {
        assert_true(model->linears[i].out <= 128);
        for (uint32_t r = 0; r < model->linears[i].out; r++) n->scales[i][r] = 1.0 / (1 + i + r);
        n->layers[i] = (eis_part_layer){n->scales[i], 1000.5 + i, 0.25 * i, i % 9};
    }
    snprintf(n->blobs[0].name, sizeof n->blobs[0].name, "tokenizer.json");
    n->blobs[0].bytes = (eis_span){(const uint8_t *)"{\"a\":1}", 7};
    snprintf(n->blobs[1].name, sizeof n->blobs[1].name, "empty");
    n->blobs[1].bytes = (eis_span){(const uint8_t *)"", 0};
    n->info = (eis_part_info){.profile = 7, .layers = n->layers, .blobs = n->blobs, .blob_count = 2};
    for (int i = 0; i < 32; i++) n->info.pack_digest[i] = (uint8_t)(i * 5);
}

static void assert_notes(const notes *n, const eis_model *part)
{
    const eis_part_info *info = part->part;

    assert_non_null(info);
    assert_int_equal(info->profile, 7);
    assert_memory_equal(info->pack_digest, n->info.pack_digest, 32);
    for (uint32_t i = 0; i < part->linear_count; i++) {
        assert_memory_equal(info->layers[i].row_scales, n->scales[i], part->linears[i].out * sizeof(double));
        assert_true(info->layers[i].row_norm == n->layers[i].row_norm &&
                    info->layers[i].declared_norm == n->layers[i].declared_norm);
        assert_int_equal(info->layers[i].planes, n->layers[i].planes);
    }
    assert_int_equal(info->blob_count, 2);
    const eis_part_blob *blob = eis_part_find_blob(info, "tokenizer.json");
    assert_non_null(blob);
    assert_int_equal(blob->bytes.bytes, 7);
    assert_memory_equal(blob->bytes.data, "{\"a\":1}", 7);
    assert_int_equal(eis_part_find_blob(info, "empty")->bytes.bytes, 0);
    assert_null(eis_part_find_blob(info, "absent"));
}

static const char *const part_names[] = {"config.json", "model.safetensors", "client.eispart", NULL};

/* Writes a made model and its part into a directory, opens both. */
static void write_lm_part(notes *n, eis_model **model, eis_model **part, char directory[256], const made_lm *m,
                          const char *dtype)
{
    char path[512];

    fixture_directory(directory);
    made_hf(m, directory, dtype, true);
    assert_int_equal(eis_model_open(model, directory, NULL), EIS_OK);
    make_notes(n, *model);
    fixture_path(path, directory, "client.eispart");
    assert_int_equal(eis_part_write(path, *model, &n->info), EIS_OK);
    if (eis_model_open(part, path, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
}

/* The part's executor with the model's weights must give the same bits as the model alone. */
static void assert_same_answers(const eis_model *model, const eis_model *part)
{
    static const uint32_t ids[4] = {3, 28, 0, 11};
    double whole[64], split[64];
    eis_plain_backend *plain;
    eis_lm_session *session;

    assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
    const eis_linear_backend backend = eis_plain_backend_seam(plain);
    assert_int_equal(eis_lm_session_new(&session, model, 0), EIS_OK);
    assert_int_equal(eis_lm_feed(session, whole, &backend, ids, 4), EIS_OK);
    eis_lm_session_free(session);
    assert_int_equal(eis_lm_session_new(&session, part, 0), EIS_OK);
    assert_int_equal(eis_lm_feed(session, split, &backend, ids, 4), EIS_OK);
    eis_lm_session_free(session);
    assert_memory_equal(whole, split, part->lm.vocabulary * sizeof *whole);
    eis_plain_backend_free(plain);
}

static void a_part_computes_what_its_model_computes(void **state)
{
    static const char *const types[] = {"F32", "F16", "BF16", "F64"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        made_lm *m = made_lm_new(i % 2 == 1, i < 2, i == 2, false);
        eis_model *model, *part;
        eis_plain_backend *plain = NULL;
        double row[64];
        char directory[256];
        notes *n = calloc(1, sizeof *n);
        assert_non_null(n);
        write_lm_part(n, &model, &part, directory, m, types[i]);
        assert_notes(n, part);
        assert_same_answers(model, part);
        assert_int_equal(part->lm.bos_id, model->lm.bos_id);
        assert_int_equal(part->lm.stop_count, model->lm.stop_count);
        assert_int_equal(part->linear_count, model->linear_count);
        for (uint32_t l = 0; l < part->linear_count; l++)
            assert_string_equal(part->linears[l].name, model->linears[l].name);
        assert_int_equal(eis_model_linear_rows(part, 0, 0, 1, row), EIS_ERR_MODEL);
        fixture_assert_said("holds no weights");
        assert_int_equal(eis_plain_backend_new(&plain, part, NULL), EIS_ERR_MODEL);
        assert_null(plain);
        eis_model_free(part);
        eis_model_free(model);
        fixture_remove(directory, part_names);
        free(n);
        free(m);
    }
}

/* --- a classifier ------------------------------------------------------------------------------------------------ */

static const double mean[2] = {0.1, 0.2}, deviation[1] = {0.3}, affine[6] = {1, 2, 3, 4, 5, 6},
                    cubic[3] = {0, 0.5, 0.25}, bias[3] = {7, 8, 9}, magnitudes[2] = {3.5, 4};
static const char *const labels[] = {"cat", "dög"};

typedef struct shape {
    uint32_t channels, height, width;
} shape;

static eis_step step_of(eis_step_op op, shape in, shape out)
{
    return (eis_step){.op = op,
                      .in_channels = in.channels,
                      .in_height = in.height,
                      .in_width = in.width,
                      .out_channels = out.channels,
                      .out_height = out.height,
                      .out_width = out.width};
}

/* [2][6][5] -> conv 3x2, stride 2,1, padding 1,0 -> [3][3][4] -> affine -> polynomial -> max pool 2 -> [3][1][2] ->
 * flatten
 * -> dense -> 2 */
static eis_model *make_classifier(void)
{
    eis_model *model;
    eis_linear *linear;

    assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
    linear = eis_model_add_linear(model);
    assert_non_null(linear);
    *linear = (eis_linear){.name = "conv",
                           .kind = EIS_LINEAR_CONV2D,
                           .out = 3,
                           .in = 12,
                           .channels = 2,
                           .height = 6,
                           .width = 5,
                           .kernel_height = 3,
                           .kernel_width = 2,
                           .stride_y = 2,
                           .stride_x = 1,
                           .pad_y = 1,
                           .out_height = 3,
                           .out_width = 4,
                           .bias = bias};
    linear = eis_model_add_linear(model);
    assert_non_null(linear);
    *linear = (eis_linear){.name = "fc", .kind = EIS_LINEAR_DENSE, .out = 2, .in = 6};
    const eis_step steps[] = {
        step_of(EIS_STEP_LINEAR, (shape){2, 6, 5}, (shape){3, 3, 4}),
        step_of(EIS_STEP_AFFINE, (shape){3, 3, 4}, (shape){3, 3, 4}),
        step_of(EIS_STEP_POLYNOMIAL, (shape){3, 3, 4}, (shape){3, 3, 4}),
        step_of(EIS_STEP_MAX_POOL, (shape){3, 3, 4}, (shape){3, 1, 2}),
        step_of(EIS_STEP_FLATTEN, (shape){3, 1, 2}, (shape){6, 1, 1}),
        step_of(EIS_STEP_LINEAR, (shape){6, 1, 1}, (shape){2, 1, 1}),
    };
    eis_step *own = eis_model_new_array(model, sizeof steps / sizeof *steps, sizeof *steps);
    assert_non_null(own);
    memcpy(own, steps, sizeof steps);
    own[1].values = affine;
    own[1].value_count = 6;
    own[2].values = cubic;
    own[2].value_count = 3;
    own[2].interval[0] = -5;
    own[2].interval[1] = 5;
    own[3].kernel_height = own[3].kernel_width = own[3].stride_y = own[3].stride_x = 2;
    own[5].linear = 1;
    model->classifier = (eis_classifier){.name = "made",
                                         .channels = 2,
                                         .height = 6,
                                         .width = 5,
                                         .divide = 255,
                                         .mean = mean,
                                         .deviation = deviation,
                                         .mean_count = 2,
                                         .deviation_count = 1,
                                         .steps = own,
                                         .step_count = sizeof steps / sizeof *steps,
                                         .class_count = 2,
                                         .labels = labels,
                                         .label_count = 2,
                                         .magnitude_kind = "calibrated",
                                         .magnitude_margin = 4,
                                         .magnitude_max = magnitudes,
                                         .magnitude_count = 2};
    return model;
}

static void a_classifier_survives_the_way_through_its_part(void **state)
{
    static const char *const names[] = {"client.eispart", NULL};
    eis_model *model = make_classifier(), *part;
    notes *n = calloc(1, sizeof *n);
    char directory[256], path[512];

    (void)state;
    assert_non_null(n);
    make_notes(n, model);
    fixture_directory(directory);
    fixture_path(path, directory, "client.eispart");
    if (eis_part_write(path, model, &n->info) != EIS_OK) fail_msg("%s", eis_error_detail());
    if (eis_model_open(&part, path, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    const eis_classifier *is = &part->classifier, *was = &model->classifier;
    assert_int_equal(part->kind, EIS_MODEL_CLASSIFIER);
    assert_notes(n, part);
    assert_string_equal(is->name, "made");
    assert_true(is->channels == 2 && is->height == 6 && is->width == 5 && is->divide == 255 && is->class_count == 2);
    assert_memory_equal(is->mean, mean, sizeof mean);
    assert_memory_equal(is->deviation, deviation, sizeof deviation);
    assert_string_equal(is->labels[1], labels[1]);
    assert_string_equal(is->magnitude_kind, "calibrated");
    assert_memory_equal(is->magnitude_max, magnitudes, sizeof magnitudes);
    assert_int_equal(is->step_count, was->step_count);
    for (uint32_t i = 0; i < is->step_count; i++) {
        const eis_step *a = &is->steps[i], *b = &was->steps[i];
        /* Numbers up to the pools' last, then the values, whose bytes in between are padding. */
        assert_memory_equal(a, b, offsetof(eis_step, pad_x) + sizeof a->pad_x);
        assert_int_equal(a->value_count, b->value_count);
        if (a->value_count > 0) assert_memory_equal(a->values, b->values, a->value_count * sizeof *a->values);
        assert_memory_equal(a->interval, b->interval, sizeof a->interval);
    }
    assert_memory_equal(part->linears[0].bias, bias, sizeof bias);
    assert_null(part->linears[1].bias);
    assert_int_equal(part->linears[0].pad_y, 1);
    eis_model_free(part);
    eis_model_free(model);
    fixture_remove(directory, names);
    free(n);
}

/* The three published nets: graph and images through the part give the very bits of the model itself. */
static void published_classifiers_answer_the_same_through_their_part(void **state)
{
    static const char *const nets[] = {"crypten_tfe_a", "onnx_mnist_cnn", "tenseal_convmnist_square"};
    static const char *const names[] = {"client.eispart", NULL};
    const char *root = getenv("EIS_TEST_ROOT");
    char directory[256], path[512], weights[512], file[64];
    uint64_t seed = 11;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        double x[2 * 784], whole[20], split[20];
        eis_model *model, *part;
        eis_plain_backend *plain;
        snprintf(file, sizeof file, "classifiers/%s.safetensors", nets[i]);
        fixture_shared(weights, file);
        notes *n = calloc(1, sizeof *n);
        assert_non_null(n);
        const eis_model_options options = {.weights_path = weights};
        snprintf(path, sizeof path, "%s/tests/models/%s", root != NULL ? root : ".", nets[i]);
        if (eis_model_open(&model, path, &options) != EIS_OK) fail_msg("%s", eis_error_detail());
        make_notes(n, model);
        fixture_directory(directory);
        fixture_path(path, directory, "client.eispart");
        assert_int_equal(eis_part_write(path, model, &n->info), EIS_OK);
        assert_int_equal(eis_model_open(&part, path, NULL), EIS_OK);
        assert_int_equal(eis_classifier_input_count(part), 784);
        for (size_t k = 0; k < 2 * 784; k++) x[k] = 127.5 * (1 + fixture_random(&seed));
        assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
        const eis_linear_backend backend = eis_plain_backend_seam(plain);
        assert_int_equal(eis_classifier_run(model, &backend, whole, NULL, x, 2), EIS_OK);
        assert_int_equal(eis_classifier_run(part, &backend, split, NULL, x, 2), EIS_OK);
        assert_memory_equal(whole, split, sizeof whole);
        eis_plain_backend_free(plain);
        eis_model_free(part);
        eis_model_free(model);
        fixture_remove(directory, names);
        free(n);
    }
}

static void steps_that_do_not_fit_are_never_written(void **state)
{
    static const char *const names[] = {NULL};
    char directory[256], path[512];

    (void)state;
    fixture_directory(directory);
    fixture_path(path, directory, "client.eispart");
    for (int way = 0; way < 14; way++) {
        eis_model *model = make_classifier();
        eis_classifier *c = &model->classifier;
        notes *n = calloc(1, sizeof *n);
        assert_non_null(n);
        make_notes(n, model);
        switch (way) {
        case 0:
            c->steps[0].linear = 1;
            break;
        case 1:
            c->steps[1].value_count = 5;
            break;
        case 2:
            c->steps[3].out_width = 3;
            break;
        case 3:
            c->steps[3].stride_x = 0;
            break;
        case 4:
            c->steps[3].pad_x = 2;
            break;
        case 5:
            c->steps[4].out_channels = 7;
            break;
        case 6:
            c->class_count = 3;
            break;
        case 7:
            c->step_count = 5;
            break;
        case 8:
            c->mean_count = 0;
            break;
        case 9:
            c->divide = 0;
            break;
        case 10:
            model->linears[0].out_height = 4;
            break;
        case 11:
            model->linears[0].stride_y = 0;
            break;
        case 12:
            model->linears[1].in = 7;
            break;
        case 13:
            snprintf(model->linears[1].name, sizeof model->linears[1].name, "conv");
            break;
        }
        if (eis_part_write(path, model, &n->info) == EIS_OK) fail_msg("way %d was accepted", way);
        assert_true(access(path, F_OK) != 0);
        eis_model_free(model);
        free(n);
    }
    fixture_remove(directory, names);
}

/* --- hostile parts ----------------------------------------------------------------------------------------------- */

/* Makes length and digest right again, as an enemy would. */
static void seal(uint8_t *file, size_t count)
{
    if (count < 96) return;
    eis_store_le64(file + 16, count);
    memset(file + 24, 0, 32);
    uint8_t digest[32];
    SHA256(file, count, digest);
    memcpy(file + 24, digest, 32);
}

static eis_status load(const uint8_t *file, size_t count)
{
    eis_model *model;
    eis_status st;
    uint8_t *exact = malloc(count > 0 ? count : 1); /* the sanitizer sees a read behind the end */

    assert_non_null(exact);
    if (count > 0) memcpy(exact, file, count);
    assert_int_equal(eis_model_new(&model, EIS_MODEL_LM), EIS_OK);
    st = eis_part_load(model, (eis_span){exact, count}, "bad.eispart");
    if (st != EIS_OK) fixture_assert_said("bad.eispart");
    eis_model_free(model);
    free(exact);
    return st;
}

/* Gives the bytes of a sound part. */
static uint8_t *make_part(bool classifier, size_t *count)
{
    made_lm *m = made_lm_new(true, true, false, false);
    notes *n = calloc(1, sizeof *n);
    eis_model *model, *part;
    char directory[256], path[512];

    assert_non_null(n);
    write_lm_part(n, &model, &part, directory, m, "BF16");
    fixture_path(path, directory, "client.eispart");
    if (classifier) {
        eis_model_free(model);
        model = make_classifier();
        make_notes(n, model);
        assert_int_equal(eis_part_write(path, model, &n->info), EIS_OK);
    }
    uint8_t *file = fixture_read(path, count);
    assert_int_equal(*count % 8, 0);
    eis_model_free(part);
    eis_model_free(model);
    fixture_remove(directory, part_names);
    free(n);
    free(m);
    return file;
}

static void a_part_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int classifier = 0; classifier < 2; classifier++) {
        size_t count;
        uint8_t *file = make_part(classifier != 0, &count), *copy = malloc(count);
        assert_non_null(copy);
        assert_int_equal(load(file, count), EIS_OK);
        for (size_t cut = 0; cut < count; cut += cut < 400 ? 1 : 37) {
            assert_int_not_equal(load(file, cut), EIS_OK);
            memcpy(copy, file, count);
            seal(copy, cut);
            assert_int_not_equal(load(copy, cut), EIS_OK);
        }
        free(copy);
        free(file);
    }
}

static void a_bent_byte_fails_the_digest_and_a_sealed_one_harms_nobody(void **state)
{
    (void)state;
    for (int classifier = 0; classifier < 2; classifier++) {
        size_t count;
        uint8_t *file = make_part(classifier != 0, &count);
        for (size_t at = 0; at < count; at += at < 1200 ? 1 : 13) {
            static const uint8_t bends[] = {0x01, 0x80, 0xff};
            for (size_t i = 0; i < sizeof bends; i++) {
                file[at] ^= bends[i];
                if (at >= 56) assert_int_equal(load(file, count), EIS_ERR_DIGEST);
                uint8_t digest[32];
                memcpy(digest, file + 24, 32);
                seal(file, count);
                (void)load(file, count); /* accepted or refused, but never a read outside */
                memcpy(file + 24, digest, 32);
                if (at >= 16 && at < 24)
                    eis_store_le64(file + 16, count);
                else
                    file[at] ^= bends[i];
            }
        }
        assert_int_equal(load(file, count), EIS_OK);
        free(file);
    }
}

static void the_frame_is_checked_first(void **state)
{
    size_t count;
    uint8_t *file = make_part(false, &count);

    (void)state;
    file[8] = 2;
    assert_int_equal(load(file, count), EIS_ERR_VERSION);
    file[8] = 1;
    file[12] = 3;
    assert_int_equal(load(file, count), EIS_ERR_MODEL);
    file[12] = EIS_MODEL_LM;
    file[16]++;
    assert_int_equal(load(file, count), EIS_ERR_MODEL);
    fixture_assert_said("its header says");
    file[16]--;
    file[24] ^= 1;
    assert_int_equal(load(file, count), EIS_ERR_DIGEST);
    fixture_assert_said("does not match its digest");
    file[24] ^= 1;
    file[0] = 'F';
    assert_false(eis_part_recognise((eis_span){file, count}));
    assert_int_equal(load(file, count), EIS_ERR_MODEL);
    free(file);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void a_failed_write_leaves_the_old_part(void **state)
{
    static const double bad[] = {NAN, INFINITY, -1};
    made_lm *m = made_lm_new(false, true, false, false);
    notes *n = calloc(1, sizeof *n);
    eis_model *model, *part;
    char directory[256], path[512], elsewhere[512];
    size_t before, after;

    (void)state;
    assert_non_null(n);
    write_lm_part(n, &model, &part, directory, m, "F32");
    fixture_path(path, directory, "client.eispart");
    uint8_t *old = fixture_read(path, &before);
    for (size_t i = 0; i < 3; i++) {
        n->scales[2][1] = bad[i];
        assert_int_equal(eis_part_write(path, model, &n->info), EIS_ERR_RANGE);
        fixture_assert_said("layers.0.gate_up");
        n->scales[2][1] = 1;
        n->layers[1].row_norm = bad[i];
        assert_int_equal(eis_part_write(path, model, &n->info), EIS_ERR_RANGE);
        n->layers[1].row_norm = 1;
    }
    for (unsigned long fail_at = 1;; fail_at++) { /* each allocation in turn */
        (void)eis_mem_fail_at(fail_at);
        const eis_status st = eis_part_write(path, model, &n->info);
        (void)eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        uint8_t *now = fixture_read(path, &after);
        assert_true(after == before && memcmp(now, old, before) == 0);
        free(now);
    }
    fixture_path(elsewhere, directory, "no-such-folder/client.eispart");
    assert_int_equal(eis_part_write(elsewhere, model, &n->info), EIS_ERR_FILE);
    fixture_assert_said("no-such-folder");
    /* A directory in the part's place: the rename fails, the temporary file goes (fixture_remove finds nothing else).
     */
    fixture_path(elsewhere, directory, "taken");
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(eis_part_write(elsewhere, model, &n->info), EIS_ERR_FILE);
    assert_int_equal(rmdir(elsewhere), 0);
    eis_model_free(part);
    eis_model_free(model);
    fixture_remove(directory, part_names);
    free(old);
    free(n);
    free(m);
}

static void opening_survives_every_failed_allocation(void **state)
{
    made_lm *m = made_lm_new(true, true, false, false);
    notes *n = calloc(1, sizeof *n);
    eis_model *model, *part;
    char directory[256], path[512];

    (void)state;
    assert_non_null(n);
    write_lm_part(n, &model, &part, directory, m, "F32");
    fixture_path(path, directory, "client.eispart");
    for (int way = 0; way < 2; way++)
        for (unsigned long fail_at = 1;; fail_at++) {
            eis_model *again;
            (void)eis_mem_fail_at(fail_at);
            const eis_status st = eis_model_open(&again, way == 0 ? path : directory, NULL);
            (void)eis_mem_fail_at(0);
            eis_model_free(again);
            if (st == EIS_OK) break;
            assert_null(again);
            assert_int_equal(st, EIS_ERR_MEMORY);
        }
    eis_model_free(part);
    eis_model_free(model);
    fixture_remove(directory, part_names);
    free(n);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_computes_what_its_model_computes),
        cmocka_unit_test(a_classifier_survives_the_way_through_its_part),
        cmocka_unit_test(published_classifiers_answer_the_same_through_their_part),
        cmocka_unit_test(steps_that_do_not_fit_are_never_written),
        cmocka_unit_test(a_part_cut_anywhere_is_refused),
        cmocka_unit_test(a_bent_byte_fails_the_digest_and_a_sealed_one_harms_nobody),
        cmocka_unit_test(the_frame_is_checked_first),
        cmocka_unit_test(a_failed_write_leaves_the_old_part),
        cmocka_unit_test(opening_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
