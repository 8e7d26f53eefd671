/* SPDX-License-Identifier: Apache-2.0 */
/* The plain engine is the oracle of every private engine: if it were wrong, "equal to the plaintext answer" would mean
 * nothing. */
#include "unit/model/made_lm.h"

#include "base/mem.h"
#include "model/plain.h"

static const uint32_t sentence[10] = {3, 17, 28, 0, 17, 5, 9, 9, 1, 22};

/* Opens what made_hf wrote, with a backend of `threads` threads. */
typedef struct setup {
    char directory[256];
    eis_model *model;
    eis_pool *pool;
    eis_plain_backend *plain;
    eis_linear_backend backend;
    eis_lm_session *session;
} setup;

static void set_up(setup *s, const made_lm *m, const char *dtype, unsigned threads)
{
    fixture_directory(s->directory);
    made_hf(m, s->directory, dtype, true);
    assert_int_equal(eis_model_open(&s->model, s->directory, NULL), EIS_OK);
    assert_int_equal(eis_pool_new(&s->pool, threads), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&s->plain, s->model, s->pool), EIS_OK);
    s->backend = eis_plain_backend_seam(s->plain);
    assert_int_equal(eis_lm_session_new(&s->session, s->model, 12), EIS_OK);
    eis_lm_session_use_pool(s->session, s->pool);
}

static void tear_down(setup *s)
{
    eis_lm_session_free(s->session);
    eis_plain_backend_free(s->plain);
    eis_pool_free(s->pool);
    eis_model_free(s->model);
    fixture_remove(s->directory, made_hf_names());
}

static void assert_close(const double *is, const double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(is[i] - expected[i]) < 1e-11 * (1 + fabs(expected[i]))))
            fail_msg("logit %zu: %.17g, expected %.17g", i, is[i], expected[i]);
}

/* Whole prompt at once, token by token, and in uneven pieces: each must equal the second computation. */
static void compare_with_second_computation(const made_lm *m, const char *dtype)
{
    static const size_t cuts[][10] = {{10}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 1, 4, 2}};
    double logits[64], expected[64];
    setup s;

    set_up(&s, m, dtype, 2);
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        size_t at = 0;
        eis_lm_session_reset(s.session);
        for (size_t i = 0; at < 10; i++) {
            assert_int_equal(eis_lm_feed(s.session, logits, &s.backend, sentence + at, cuts[c][i]), EIS_OK);
            at += cuts[c][i];
            assert_int_equal(eis_lm_session_position(s.session), at);
            made_forward(m, expected, sentence, at);
            assert_close(logits, expected, m->vocabulary);
        }
    }
    tear_down(&s);
}

static void llama_equals_a_second_computation(void **state)
{
    static const char *const types[] = {"F32", "F16", "BF16"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        made_lm *m = made_lm_new(false, i == 1, i == 2, false);
        compare_with_second_computation(m, types[i]);
        free(m);
    }
}

static void gpt2_equals_a_second_computation(void **state)
{
    static const char *const types[] = {"F32", "F16", "BF16"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        made_lm *m = made_lm_new(true, i != 1, true, false);
        compare_with_second_computation(m, types[i]);
        free(m);
    }
}

/* Counts calls and remembers the order of the nodes. */
typedef struct watcher {
    eis_linear_backend inner;
    uint32_t order[64];
    size_t batches[64], calls;
    eis_status fail_with;
    size_t fail_at;
    double poison;
    bool poisoned, input_was_finite;
} watcher;

static eis_status watch(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    watcher *w = ctx;
    eis_status st;

    assert_true(w->calls < 64);
    w->order[w->calls] = index;
    w->batches[w->calls++] = batch;
    if (w->fail_with != EIS_OK && w->calls == w->fail_at) return w->fail_with;
    for (size_t i = 0; i < 12 * batch; i++) w->input_was_finite &= isfinite(x[i]) != 0;
    st = w->inner.apply(w->inner.ctx, index, y, x, batch);
    if (w->poisoned && w->calls == w->fail_at) y[1] = w->poison;
    return st;
}

static void nodes_are_asked_in_order_and_the_head_for_one_token(void **state)
{
    made_lm *m = made_lm_new(false, true, false, false);
    double logits[64];
    setup s;

    (void)state;
    set_up(&s, m, "F32", 1);
    watcher w = {.inner = s.backend};
    const eis_linear_backend seam = {&w, watch};
    assert_int_equal(eis_lm_feed(s.session, logits, &seam, sentence, 5), EIS_OK);
    assert_int_equal(w.calls, 4 * MADE_LAYERS + 1);
    for (uint32_t i = 0; i < w.calls; i++) {
        assert_int_equal(w.order[i], i);
        assert_int_equal(w.batches[i], i < 4 * MADE_LAYERS ? 5 : 1);
    }
    w.calls = 0;
    assert_int_equal(eis_lm_feed(s.session, NULL, &seam, sentence, 2), EIS_OK);
    assert_int_equal(w.calls, 4 * MADE_LAYERS);
    tear_down(&s);
    free(m);
}

static void what_does_not_fit_is_refused_before_anything_is_asked(void **state)
{
    made_lm *m = made_lm_new(true, true, true, false);
    const uint32_t bad[3] = {1, 2, 29};
    uint32_t long_prompt[13] = {0};
    double logits[64] = {5};
    eis_lm_session *other = NULL;
    setup s;

    (void)state;
    set_up(&s, m, "F32", 1);
    watcher w = {.inner = s.backend};
    const eis_linear_backend seam = {&w, watch};
    assert_int_equal(eis_lm_feed(s.session, logits, &seam, long_prompt, 13), EIS_ERR_CONTEXT_LENGTH);
    fixture_assert_said("13 tokens do not fit");
    assert_int_equal(eis_lm_feed(s.session, logits, &seam, bad, 3), EIS_ERR_RANGE);
    fixture_assert_said("token 3");
    fixture_assert_said("29");
    assert_true(w.calls == 0 && logits[0] == 5 && eis_lm_session_position(s.session) == 0);
    assert_int_equal(eis_lm_feed(s.session, logits, &seam, long_prompt, 12), EIS_OK);
    assert_int_equal(eis_lm_feed(s.session, logits, &seam, long_prompt, 1), EIS_ERR_CONTEXT_LENGTH);
    assert_int_equal(eis_lm_session_new(&other, s.model, 25), EIS_ERR_CONTEXT_LENGTH);
    assert_null(other);
    tear_down(&s);
    free(m);
}

/* A server that watches whether the client stumbles over an infinite word must see the usual schedule. */
static void what_is_not_finite_changes_no_schedule(void **state)
{
    static const double poisons[] = {INFINITY, -INFINITY, NAN};
    made_lm *m = made_lm_new(false, true, false, false);
    double logits[64];
    setup s;

    (void)state;
    set_up(&s, m, "F32", 1);
    for (size_t i = 0; i < 3; i++)
        for (size_t at = 1; at <= 4 * MADE_LAYERS + 1; at++) {
            watcher w = {
                .inner = s.backend, .poisoned = true, .poison = poisons[i], .fail_at = at, .input_was_finite = true};
            const eis_linear_backend seam = {&w, watch};
            eis_lm_session_reset(s.session);
            assert_int_equal(eis_lm_feed(s.session, logits, &seam, sentence, 3), EIS_ERR_RANGE);
            fixture_assert_said("not finite");
            assert_int_equal(w.calls, 4 * MADE_LAYERS + 1);
            assert_true(w.input_was_finite);
            for (size_t k = 0; k < m->vocabulary; k++) assert_true(logits[k] == 0);
            assert_int_equal(eis_lm_session_position(s.session), 3);
        }
    /* The fact does not stick to the next token. */
    eis_lm_session_reset(s.session);
    assert_int_equal(eis_lm_feed(s.session, logits, &s.backend, sentence, 3), EIS_OK);
    tear_down(&s);
    free(m);
}

/* A call that failed may be tried again: the tokens do not count, the answer is that of an unbroken run. */
static void a_failed_call_can_be_repeated(void **state)
{
    made_lm *m = made_lm_new(false, true, false, false);
    double logits[64], expected[64];
    setup s;

    (void)state;
    set_up(&s, m, "F32", 1);
    for (size_t at = 1; at <= 4 * MADE_LAYERS + 1; at++) {
        watcher w = {.inner = s.backend, .fail_with = EIS_ERR_IO, .fail_at = at, .input_was_finite = true};
        const eis_linear_backend seam = {&w, watch};
        eis_lm_session_reset(s.session);
        assert_int_equal(eis_lm_feed(s.session, logits, &s.backend, sentence, 4), EIS_OK);
        assert_int_equal(eis_lm_feed(s.session, logits, &seam, sentence + 4, 2), EIS_ERR_IO);
        assert_int_equal(eis_lm_session_position(s.session), 4);
        for (size_t k = 0; k < m->vocabulary; k++) assert_true(logits[k] == 0);
        assert_int_equal(eis_lm_feed(s.session, logits, &s.backend, sentence + 4, 2), EIS_OK);
        made_forward(m, expected, sentence, 6);
        assert_close(logits, expected, m->vocabulary);
    }
    tear_down(&s);
    free(m);
}

/* --- the plain backend alone ------------------------------------------------------------------------------------- */

static void a_convolution_equals_its_windows(void **state)
{
    static const struct {
        uint32_t c, h, w, kh, kw, sy, sx, py, px;
    } cases[] = {{1, 28, 28, 7, 7, 3, 3, 0, 0}, {2, 9, 7, 3, 5, 1, 1, 2, 3}, {3, 5, 4, 2, 2, 2, 3, 1, 0},
                 {1, 1, 1, 3, 3, 1, 1, 1, 1},   {1, 4, 4, 3, 3, 2, 2, 4, 4}, {2, 6, 6, 6, 6, 1, 1, 0, 0}};
    enum { OUT = 3, BATCH = 2 };
    uint64_t seed = 5;

    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        eis_model *model;
        eis_plain_backend *plain;
        static double weights[OUT * 256], x[BATCH * 1024], y[BATCH * OUT * 1024], window[256];
        assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
        eis_linear *l = eis_model_add_linear(model);
        assert_non_null(l);
        *l = (eis_linear){.name = "conv",
                          .kind = EIS_LINEAR_CONV2D,
                          .out = OUT,
                          .in = cases[n].c * cases[n].kh * cases[n].kw,
                          .channels = cases[n].c,
                          .height = cases[n].h,
                          .width = cases[n].w,
                          .kernel_height = cases[n].kh,
                          .kernel_width = cases[n].kw,
                          .stride_y = cases[n].sy,
                          .stride_x = cases[n].sx,
                          .pad_y = cases[n].py,
                          .pad_x = cases[n].px,
                          .piece_count = 1};
        l->out_height = (l->height + 2 * l->pad_y - l->kernel_height) / l->stride_y + 1;
        l->out_width = (l->width + 2 * l->pad_x - l->kernel_width) / l->stride_x + 1;
        l->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F64, OUT, l->in);
        fixture_fill(weights, (size_t)OUT * l->in, 1, &seed);
        fixture_fill(x, BATCH * eis_linear_input_count(l), 1, &seed);
        assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
        const eis_linear_backend seam = eis_plain_backend_seam(plain);
        for (size_t i = 0; i < BATCH * eis_linear_output_count(l); i++) y[i] = 1e9; /* all of it must be written */
        assert_int_equal(seam.apply(seam.ctx, 0, y, x, BATCH), EIS_OK);
        for (uint32_t b = 0; b < BATCH; b++)
            for (uint32_t oy = 0; oy < l->out_height; oy++)
                for (uint32_t ox = 0; ox < l->out_width; ox++) {
                    eis_linear_window(window, l, x + b * eis_linear_input_count(l), oy, ox);
                    for (uint32_t o = 0; o < OUT; o++) {
                        double sum = 0;
                        for (uint32_t i = 0; i < l->in; i++) sum += weights[o * l->in + i] * window[i];
                        assert_true(fabs(sum - y[((b * OUT + o) * l->out_height + oy) * l->out_width + ox]) < 1e-12);
                    }
                }
        eis_plain_backend_free(plain);
        eis_model_free(model);
    }
}

/* Fused pieces, a transposed one and rows that cross from piece to piece, in sizes around the tile. */
static void fused_and_transposed_rows_are_one_matrix(void **state)
{
    static const uint32_t widths[] = {1, 127, 128, 129, 300};
    uint64_t seed = 6;

    (void)state;
    for (size_t n = 0; n < sizeof widths / sizeof *widths; n++) {
        enum { A = 21, B = 5, C = 40, OUT = A + B + C, BATCH = 3 };
        const uint32_t in = widths[n];
        static double a[A * 300], b[300 * B], c[C * 300], w[OUT * 300], rows[OUT * 300], x[BATCH * 300], y[BATCH * OUT],
            one[BATCH * OUT];
        static float rows_f32[OUT * 300];
        eis_model *model;
        eis_plain_backend *plain, *serial;
        eis_pool *pool;
        assert_int_equal(eis_pool_new(&pool, 3), EIS_OK);
        assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
        eis_linear *l = eis_model_add_linear(model);
        assert_non_null(l);
        fixture_fill(a, (size_t)A * in, 1, &seed);
        fixture_fill(b, (size_t)B * in, 1, &seed);
        fixture_fill(c, (size_t)C * in, 1, &seed);
        fixture_fill(x, (size_t)BATCH * in, 1, &seed);
        *l = (eis_linear){.name = "fused", .kind = EIS_LINEAR_DENSE, .out = OUT, .in = in, .piece_count = 3};
        l->pieces[0] = eis_tensor_view_rows(a, EIS_DTYPE_F64, A, in);
        l->pieces[1] = eis_tensor_view_transposed(eis_tensor_view_rows(b, EIS_DTYPE_F64, in, B));
        l->pieces[2] = eis_tensor_view_rows(c, EIS_DTYPE_F64, C, in);
        memcpy(w, a, sizeof *a * A * in);
        for (uint32_t r = 0; r < B; r++)
            for (uint32_t i = 0; i < in; i++) w[(A + r) * in + i] = b[i * B + r];
        memcpy(w + (A + B) * in, c, sizeof *c * C * in);
        for (size_t first = 0; first < OUT; first += 7) {
            const size_t count = OUT - first < 30 ? OUT - first : 30;
            assert_int_equal(eis_model_linear_rows(model, 0, first, count, rows), EIS_OK);
            assert_memory_equal(rows, w + first * in, sizeof *rows * count * in);
            assert_int_equal(eis_model_linear_rows_f32(model, 0, first, count, rows_f32), EIS_OK);
            for (size_t i = 0; i < count * in; i++) assert_true((double)rows_f32[i] == rows[i]);
        }
        assert_int_equal(eis_plain_backend_new(&plain, model, pool), EIS_OK);
        assert_int_equal(eis_plain_backend_new(&serial, model, NULL), EIS_OK);
        eis_linear_backend seam = eis_plain_backend_seam(plain);
        assert_int_equal(seam.apply(seam.ctx, 0, y, x, BATCH), EIS_OK);
        seam = eis_plain_backend_seam(serial);
        assert_int_equal(seam.apply(seam.ctx, 0, one, x, BATCH), EIS_OK);
        assert_memory_equal(y, one, sizeof y);
        for (uint32_t v = 0; v < BATCH; v++)
            for (uint32_t r = 0; r < OUT; r++) {
                double sum = 0;
                for (uint32_t i = 0; i < in; i++) sum += w[r * in + i] * x[v * in + i];
                assert_true(fabs(sum - y[v * OUT + r]) < 1e-12 * in);
            }
        eis_plain_backend_free(plain);
        eis_plain_backend_free(serial);
        eis_model_free(model);
        eis_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama_equals_a_second_computation),
        cmocka_unit_test(gpt2_equals_a_second_computation),
        cmocka_unit_test(nodes_are_asked_in_order_and_the_head_for_one_token),
        cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_asked),
        cmocka_unit_test(what_is_not_finite_changes_no_schedule),
        cmocka_unit_test(a_failed_call_can_be_repeated),
        cmocka_unit_test(a_convolution_equals_its_windows),
        cmocka_unit_test(fused_and_transposed_rows_are_one_matrix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
