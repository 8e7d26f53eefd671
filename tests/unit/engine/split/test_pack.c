/* SPDX-License-Identifier: Apache-2.0 */
/* A pack comes from a disk that others may write: a wrong byte must be seen, and nothing outside the file be read. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/split/pack.h"
#include "engine/split/pack_layout.h"
#include "engine/split/prepare.h"
#include "unit/engine/split/made_layers.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct made {
    eis_model *model;
    eis_split_layers layers;
    int fd;
    uint8_t *bytes; /* a private copy of the file */
    size_t count;
} made;

static void make(made *m, eis_split_profile profile)
{
    struct stat info;

    assert_int_equal(eis_model_new(&m->model, EIS_MODEL_CLASSIFIER), EIS_OK);
    made_dense(m->model, 50, 70, 1);
    made_conv(m->model, 4, 2, 8, 3, 1, 1, 2);
    assert_int_equal(
        eis_split_prepare_in_memory(&m->layers, &m->fd, m->model, &(eis_split_prepare_options){.profile = profile}),
        EIS_OK);
    assert_int_equal(fstat(m->fd, &info), 0);
    m->count = (size_t)info.st_size;
    m->bytes = eis_mem_new(m->count, 1);
    assert_int_equal(pread(m->fd, m->bytes, m->count, 0), m->count);
}

static void unmake(made *m)
{
    eis_mem_free(m->bytes);
    close(m->fd);
    eis_split_layers_clear(&m->layers);
    eis_model_free(m->model);
}

/* Opens bytes as if they were a file. */
static eis_status open_bytes(const uint8_t *bytes, size_t count, bool verify)
{
    int fd = memfd_create("made", MFD_CLOEXEC);
    eis_pack *pack;
    eis_status st;

    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(write(fd, bytes, count), count);
    st = eis_pack_open_fd(&pack, fd, "made", verify);
    assert_true((st == EIS_OK) == (pack != NULL));
    eis_pack_free(pack);
    close(fd);
    return st;
}

/* Restores integers and scales and compares with the reals: |w - integer * scale| <= scale / 2. */
static void a_pack_holds_the_rounded_weights(void **state)
{
    const eis_split_profile profiles[] = {EIS_SPLIT_P24, EIS_SPLIT_P8, EIS_SPLIT_F61_20, EIS_SPLIT_F61_8};

    (void)state;
    for (size_t p = 0; p < 4; p++) {
        made m;
        eis_pack *pack;
        make(&m, profiles[p]);
        assert_int_equal(eis_pack_open_fd(&pack, m.fd, "made", true), EIS_OK);
        assert_int_equal(pack->layer_count, 2);
        assert_string_equal(pack->layers[1].linear.name, "layer1");
        assert_int_equal(pack->layers[1].linear.out_height, 8);
        for (uint32_t l = 0; l < 2; l++) {
            const eis_pack_layer *layer = &pack->layers[l];
            double norm_max = 0, *row = eis_mem_new(layer->weights.cols, sizeof *row);
            int32_t *integers = eis_mem_new(layer->weights.cols, sizeof *integers);
            for (size_t r = 0; r < layer->weights.rows; r++) {
                double norm = 0, scale = eis_load_le_f64(layer->row_scales.data + 8 * r);
                assert_int_equal(eis_model_linear_rows(m.model, l, r, 1, row), EIS_OK);
                eis_packed_read_rows(integers, &layer->weights, r, 1);
                for (size_t c = 0; c < layer->weights.cols; c++) {
                    assert_true(fabs(row[c] - integers[c] * scale) <= scale * 0.5000001);
                    norm += (double)integers[c] * integers[c];
                }
                norm_max = fmax(norm_max, sqrt(norm));
                assert_true(scale == m.layers.layers[l].row_scales[r]);
            }
            assert_true(layer->row_norm >= norm_max * (1 - 1e-12) && layer->row_norm <= norm_max * (1 + 1e-9));
            eis_mem_free(row);
            eis_mem_free(integers);
        }
        eis_pack_free(pack);
        unmake(&m);
    }
}

static void two_runs_give_one_digest(void **state)
{
    made a, b;

    (void)state;
    make(&a, EIS_SPLIT_P24);
    make(&b, EIS_SPLIT_P24);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.bytes, b.bytes, a.count);
    assert_memory_equal(a.layers.info.pack_digest, b.bytes + EIS_PACK_AT_DIGEST, EIS_PACK_DIGEST_BYTES);
    unmake(&a);
    unmake(&b);
}

/* Every byte of the file, changed: the digest sees all of them; header and table alone never crash the reader. */
static void any_changed_byte_is_seen(void **state)
{
    made m;

    (void)state;
    make(&m, EIS_SPLIT_P8);
    assert_int_equal(open_bytes(m.bytes, m.count, true), EIS_OK);
    for (size_t at = 0; at < m.count; at += at < EIS_PACK_PAGE + 2 * EIS_PACK_LAYER_BYTES ? 1 : 977) {
        m.bytes[at] ^= 0x41;
        assert_int_not_equal(open_bytes(m.bytes, m.count, true), EIS_OK);
        (void)open_bytes(m.bytes, m.count, false);
        m.bytes[at] ^= 0x41;
    }
    unmake(&m);
}

/* A name with an escape sequence would reach the operator's terminal by way of an error. */
static void names_that_are_no_text_are_refused(void **state)
{
    static const char *const bad[] = {"layer\x1b[2J", "layer\n", "layer\x7f", "\xc0\xaf", ""};
    made m;

    (void)state;
    make(&m, EIS_SPLIT_P8);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t *name = m.bytes + EIS_PACK_PAGE + EIS_PACK_LAYER_NAME;

        memset(name, 0, EIS_LINEAR_NAME_BYTES);
        memcpy(name, bad[i], strlen(bad[i]));
        assert_int_equal(open_bytes(m.bytes, m.count, false), EIS_ERR_MODEL);
    }
    unmake(&m);
}

static void a_cut_or_longer_file_is_refused(void **state)
{
    made m;

    (void)state;
    make(&m, EIS_SPLIT_P24);
    for (size_t count = 0; count < m.count; count += 509)
        assert_int_not_equal(open_bytes(m.bytes, count, false), EIS_OK);
    assert_int_not_equal(open_bytes(m.bytes, m.count - 1, false), EIS_OK);
    unmake(&m);
}

static void sections_that_overlap_or_leave_the_file_are_refused(void **state)
{
    const uint64_t offsets[] = {0, 4096, UINT64_MAX - 4095, 8192 + 1, (uint64_t)1 << 40};
    made m;

    (void)state;
    make(&m, EIS_SPLIT_P24);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        for (size_t field = EIS_PACK_LAYER_SCALES_AT; field <= EIS_PACK_LAYER_PANELS_AT; field += 16) {
            uint8_t *at = m.bytes + EIS_PACK_PAGE + EIS_PACK_LAYER_BYTES + field;
            uint64_t kept = eis_load_le64(at);
            eis_store_le64(at, offsets[i]);
            assert_int_equal(open_bytes(m.bytes, m.count, false), EIS_ERR_MODEL);
            eis_store_le64(at, kept);
        }
    /* The second layer's scales laid over the first layer's. */
    memcpy(m.bytes + EIS_PACK_PAGE + EIS_PACK_LAYER_BYTES + EIS_PACK_LAYER_SCALES_AT,
           m.bytes + EIS_PACK_PAGE + EIS_PACK_LAYER_SCALES_AT, 8);
    assert_int_equal(open_bytes(m.bytes, m.count, false), EIS_ERR_MODEL);
    unmake(&m);
}

static void a_file_that_others_may_write_is_refused(void **state)
{
    char path[] = "/tmp/eis-pack-XXXXXX";
    int fd = mkstemp(path);
    made m;
    eis_pack *pack;

    (void)state;
    make(&m, EIS_SPLIT_P24);
    assert_int_equal(write(fd, m.bytes, m.count), m.count);
    assert_int_equal(eis_pack_open(&pack, path, true), EIS_OK);
    eis_pack_free(pack);
    assert_true(eis_pack_recognise(path));
    assert_int_equal(fchmod(fd, 0620), 0);
    assert_int_equal(eis_pack_open(&pack, path, false), EIS_ERR_FILE);
    assert_int_equal(fchmod(fd, 0602), 0);
    assert_int_equal(eis_pack_open(&pack, path, false), EIS_ERR_FILE);
    close(fd);
    unlink(path);
    assert_int_equal(eis_pack_open(&pack, path, false), EIS_ERR_FILE);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes into it: whoever waits, waits for ever */
    assert_false(eis_pack_recognise(path));
    assert_int_equal(eis_pack_open(&pack, path, false), EIS_ERR_FILE);
    unlink(path);
    unmake(&m);
}

static void weights_that_are_not_finite_are_refused_by_place(void **state)
{
    eis_model *model;
    eis_split_layers layers;
    int fd;

    (void)state;
    assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
    made_dense(model, 5, 7, 1);
    ((float *)(uintptr_t)model->linears[0].pieces[0].data)[3 * 7 + 2] = NAN;
    assert_int_equal(
        eis_split_prepare_in_memory(&layers, &fd, model, &(eis_split_prepare_options){.profile = EIS_SPLIT_P24}),
        EIS_ERR_MODEL);
    assert_non_null(strstr(eis_error_detail(), "layer0, row 3"));
    assert_int_equal(fd, -1);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_holds_the_rounded_weights),
        cmocka_unit_test(two_runs_give_one_digest),
        cmocka_unit_test(any_changed_byte_is_seen),
        cmocka_unit_test(names_that_are_no_text_are_refused),
        cmocka_unit_test(a_cut_or_longer_file_is_refused),
        cmocka_unit_test(sections_that_overlap_or_leave_the_file_are_refused),
        cmocka_unit_test(a_file_that_others_may_write_is_refused),
        cmocka_unit_test(weights_that_are_not_finite_are_refused_by_place),
    };
    return cmocka_run_group_tests_name("engine/split pack", tests, NULL, NULL);
}
