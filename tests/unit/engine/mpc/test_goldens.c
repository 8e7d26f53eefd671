/* SPDX-License-Identifier: Apache-2.0 */
/* Published texts, generated among parties that see nothing of model and prompt, all of them in this process: the
 * beginning of the greedy story of stories260K, and both greedy sequences of tiny-random-gpt2, token for token. The
 * prompt goes in as secret tokens. The whole story is told by the _long test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/tokenizer.h"
#include "support/mpc_lm.h"
#include "unit/model/fixture.h"
#include "wire/json.h"

enum { IDS_MAX = 512 };

static uint32_t read_ids(uint32_t ids[IDS_MAX], eis_json_value object, const char *name)
{
    eis_json_value array, value;
    uint32_t n = 0;

    assert_true(eis_json_find(&array, object, name));
    eis_json_iter it = eis_json_iterate(array);
    for (uint64_t id; eis_json_next_element(&it, &value); n++) {
        assert_true(n < IDS_MAX && eis_json_u64(&id, value));
        ids[n] = (uint32_t)id;
    }
    return n;
}

static eis_json_doc *read_json(const char *name)
{
    char path[512];
    size_t count;
    eis_json_doc *doc;
    uint8_t *text;

    fixture_shared(path, name);
    text = fixture_read(path, &count);
    assert_int_equal(eis_json_parse(&doc, path, text, count, 1 << 20), EIS_OK);
    free(text);
    return doc;
}

/* Feeds `prompt` tokens as secrets, so many in a step, then what came out, and compares every token behind the prompt.
 * bucket: the prompt is filled up to a multiple of it. */
static void follow_in_steps(const eis_model *model, const uint32_t *ids, uint32_t prompt, uint32_t at_once,
                            uint32_t bucket, uint32_t total, uint32_t parties)
{
    static mpc_lm m;
    eis_mpc_tuning tuning;
    uint32_t filling = bucket > 0 ? (bucket - prompt % bucket) % bucket : 0, next;

    eis_mpc_tuning_default(&tuning);
    mpc_lm_open(&m, model, &tuning, parties);
    m.lm.pad_bucket = bucket;
    for (uint32_t i = 0; i + 1 < total;) {
        uint32_t left = i < prompt ? filling + prompt - i : 0, secret = left < at_once ? left : at_once;
        uint32_t none = filling < secret ? filling : secret;
        if (mpc_lm_walk(&m, &next, ids + i, secret, none) != EIS_OK) fail_msg("token %u: %s", i, eis_error_detail());
        filling -= none;
        i += secret > 0 ? secret - none : 1;
        if (i >= prompt) assert_int_equal(next, ids[i]);
    }
    mpc_lm_close(&m);
}

/* The first `total` ids are the first `bytes` bytes of the published text. */
static void are_the_text(const uint32_t *ids, uint32_t total, size_t bytes)
{
    char path[512];
    eis_tokenizer *t;
    eis_text text = {0};
    size_t count;
    uint8_t *golden;

    fixture_shared(path, "lm/stories260K/tok512.bin");
    assert_int_equal(eis_tokenizer_open(&t, path, 512), EIS_OK);
    for (uint32_t i = 0; i < total; i++)
        assert_int_equal(eis_tokenizer_decode(t, &text, i == 0 ? EIS_TOKEN_NONE : ids[i - 1], ids[i]), EIS_OK);
    fixture_shared(path, "lm/stories260K/golden_greedy_200steps.txt");
    golden = fixture_read(path, &count);
    assert_int_equal(text.bytes, bytes);
    assert_true(count >= bytes);
    assert_memory_equal(text.data, golden, bytes);
    free(golden);
    eis_text_clear(&text);
    eis_tokenizer_free(t);
}

/* `generated` tokens behind a prompt of which each step takes so many. */
static void story_in_steps(uint32_t parties, uint32_t prompt, uint32_t at_once, uint32_t bucket, uint32_t generated,
                           size_t bytes)
{
    char path[512];
    uint32_t ids[IDS_MAX];
    eis_json_doc *doc = read_json("lm/stories260K/tokens_greedy_256.json");
    eis_model *model;

    assert_true(read_ids(ids, eis_json_root(doc), "greedy_tokens_from_bos") >= prompt + generated);
    are_the_text(ids, prompt + generated, bytes);
    fixture_shared(path, "lm/stories260K/stories260K.bin");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    follow_in_steps(model, ids, prompt, at_once, bucket, prompt + generated, parties);
    eis_model_free(model);
    eis_json_free(doc);
}

/* Behind the one token that begins every text. */
static void story(uint32_t parties, uint32_t generated, size_t bytes)
{
    story_in_steps(parties, 1, 1, 0, generated, bytes);
}

#ifndef LONG

/* The prompt is the beginning of the story itself. */
static void the_story_goes_on(void **state)
{
    (void)state;
    story_in_steps(2, 16, 16, 0, 9, 78);
}

static void its_prompt_takes_several_steps(void **state)
{
    (void)state;
    story_in_steps(3, 13, 5, 0, 4, 57);
}

static void its_prompt_is_filled_up(void **state)
{
    (void)state;
    story_in_steps(2, 13, 16, 8, 12, 78);
    story_in_steps(2, 3, 5, 8, 4, 23); /* a step of filling alone */
}

static void the_story_begins(void **state)
{
    (void)state;
    story(2, 24, 78);
}

static void both_sequences_of_gpt2(void **state)
{
    char path[512];
    eis_json_doc *doc = read_json("lm/tiny-random-gpt2/golden.json");
    eis_json_value greedy, one;
    eis_model *model;
    uint32_t sequences = 0;
    (void)state;

    fixture_shared(path, "lm/tiny-random-gpt2");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    assert_true(eis_json_find(&greedy, eis_json_root(doc), "greedy"));
    eis_json_iter it = eis_json_iterate(greedy);
    for (; eis_json_next_element(&it, &one); sequences++) {
        uint32_t prompt[IDS_MAX], expected[IDS_MAX], prompt_count = read_ids(prompt, one, "prompt");
        uint32_t total = read_ids(expected, one, "expected");
        assert_memory_equal(prompt, expected, prompt_count * sizeof *prompt);
        follow_in_steps(model, expected, prompt_count, prompt_count, 0, total, 2);
    }
    assert_int_equal(sequences, 2);
    eis_model_free(model);
    eis_json_free(doc);
}

#else

static void two_parties_tell_the_story(void **state)
{
    (void)state;
    story(2, 180, 421);
}

static void three_parties_tell_the_story(void **state)
{
    (void)state;
    story(3, 180, 421);
}

static void four_parties_begin_the_story(void **state)
{
    (void)state;
    story(4, 40, 118);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef LONG
        cmocka_unit_test(the_story_begins),
        cmocka_unit_test(the_story_goes_on),
        cmocka_unit_test(its_prompt_takes_several_steps),
        cmocka_unit_test(its_prompt_is_filled_up),
        cmocka_unit_test(both_sequences_of_gpt2),
#else
        cmocka_unit_test(two_parties_tell_the_story),
        cmocka_unit_test(three_parties_tell_the_story),
        cmocka_unit_test(four_parties_begin_the_story),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
