/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_mpc.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/mpc_notes.h"
#include "cli/mpc_report.h"
#include "cli/report.h"
#include "engine/mpc/plan.h"
#include "engine/mpc/stream.h"
#include "engine/split/plan.h"
#include "service/mpc_manifest.h"
#include "service/mpc_model.h"
#include "wire/frame.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <stdio.h>

#define CONTEXT_DEFAULT 128
#define PARTIES_DEFAULT 3
#define HEADER_BYTES    ((uint32_t)(EIS_FRAME_HEADER_BYTES + EIS_MPC_FRAME_BYTES))

/* What this machine did just now, by one thread. */
typedef struct speed {
    double multiply_ns, word_ns; /* a product of words; a word of material */
} speed;

typedef struct job {
    eis_mpc_session session; /* what would be agreed on */
    eis_mpc_manifest_notes notes;
    eis_mpc_sampling sampling;
    eis_mpc_plan plan;
    uint32_t parties, context;
    uint32_t prompt; /* tokens of a prompt, whose steps are planned; 0: the step of a token */
    speed speed;
} job;

static eis_mpc_plan_tests tests_of(const job *j)
{
    return (eis_mpc_plan_tests){j->session.tests, j->session.pending_max};
}

static bool is_text(const job *j) { return j->session.kind == EIS_MPC_MODEL_LM; }

static eis_status measure(speed *s)
{
    enum { PRODUCTS = 1 << 18, WORDS = 1 << 15 };
    eis_status st = EIS_OK;
    static const uint8_t key[EIS_MPC_SEED_BYTES];
    eis_mpc_stream stream = {0};
    uint64_t *words = NULL, x = 3, begin = eis_clock_ns();
    volatile uint64_t keep;

    for (uint64_t i = 0; i < PRODUCTS; i++) x = eis_fp_add(eis_fp_mul(x, x), i);
    keep = x;
    (void)keep;
    s->multiply_ns = (double)(eis_clock_ns() - begin) / PRODUCTS;
    EIS_NEW(words, WORDS);
    EIS_TRY(eis_mpc_stream_start_key(&stream, key));
    begin = eis_clock_ns();
    EIS_TRY(eis_mpc_stream_words(&stream, words, WORDS));
    s->word_ns = (double)(eis_clock_ns() - begin) / WORDS;
out:
    eis_mpc_stream_clear(&stream);
    eis_mem_free(words);
    return st;
}

/* Half a round trip for every round, since all send at once; bytes to all peers leave by one link. */
static double predict_ms(const job *j, const eis_mpc_plan_row *row, const eis_plan_link *link)
{
    double bytes = (double)(8 * row->opened + (uint64_t)row->rounds * HEADER_BYTES) * (j->parties - 1);
    double local =
        (double)row->multiply_adds * j->speed.multiply_ns + (double)(row->masks + row->corrections) * j->speed.word_ns;

    return row->rounds * link->round_trip_ms / 2 + local / 1e6 +
           (link->bytes_per_ms > 0 ? bytes / link->bytes_per_ms : 0);
}

static eis_mpc_plan_row check_row(const job *j)
{
    return (eis_mpc_plan_row){.name = "check and output",
                              .rounds = eis_mpc_plan_check_rounds(&j->plan),
                              .opened = eis_mpc_plan_check_bytes(&j->plan, 0) / 8};
}

static eis_mpc_plan_row whole_row(const job *j)
{
    eis_mpc_plan_row check = check_row(j), all = j->plan.total;

    if (j->prompt > 0) return all; /* its steps have theirs */
    all.rounds += check.rounds;
    all.opened += check.opened;
    return all;
}

static void add_row(eis_mpc_plan_row *sum, const eis_mpc_plan_row *row)
{
    sum->rounds += row->rounds;
    sum->opened += row->opened;
    sum->masks += row->masks;
    sum->corrections += row->corrections;
    sum->multiply_adds += row->multiply_adds;
}

/* A row for each step of the prompt, check and output included. */
static eis_status plan_prompt(job *j)
{
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &j->session.lm;
    uint32_t all = eis_mpc_model_filled(&j->session, j->prompt), count;
    const eis_mpc_plan_tests tests = tests_of(j);
    job step = {.session = j->session};

    EIS_REQUIRE(all <= j->session.context, EIS_ERR_CONTEXT_LENGTH,
                "the prompt has %u tokens, and a session %u positions", all, j->session.context);
    EIS_NEW(j->plan.rows, all);
    for (uint32_t at = 0; at < all; at += count) {
        eis_mpc_plan_row *row = &j->plan.rows[j->plan.row_count++];
        EIS_TRY(eis_mpc_lm_prefill(&count, lm, at, all - at));
        EIS_TRY(eis_mpc_plan_make(&step.plan, lm, at, count, at + count < all ? NULL : &j->sampling, &tests));
        *row = whole_row(&step);
        snprintf(row->name, sizeof row->name, "tokens %u to %u", at + 1, at + count);
        add_row(&j->plan.total, row);
        eis_mpc_plan_clear(&step.plan);
    }
    snprintf(j->plan.total.name, sizeof j->plan.total.name, "the prompt");
out:
    eis_mpc_plan_clear(&step.plan);
    return st;
}

/* ---- the table ---- */

static void print_row(const job *j, const eis_mpc_plan_row *row)
{
    char online[16], material[16];

    printf("%-24s %7u %10" PRIu64 " %10s %12" PRIu64 " %10s %12" PRIu64, row->name, row->rounds, row->opened,
           eis_cli_bytes(online, 8 * row->opened + (uint64_t)row->rounds * HEADER_BYTES), row->masks + row->corrections,
           eis_cli_bytes(material, 8 * row->corrections), row->multiply_adds);
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) printf(" %13.2f", predict_ms(j, row, &eis_plan_links[l]));
    putchar('\n');
}

static void print_table(const job *j)
{
    eis_mpc_plan_row check = check_row(j), all = whole_row(j);

    printf("%-24s %7s %10s %10s %12s %10s %12s", "section", "rounds", "opened", "to a peer", "material", "to last",
           "mul-adds");
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) printf(" %13s", eis_plan_links[l].name);
    putchar('\n');
    for (uint32_t i = 0; i < j->plan.row_count; i++) print_row(j, &j->plan.rows[i]);
    if (j->prompt == 0) print_row(j, &check);
    print_row(j, &all);
    if (j->prompt > 0)
        printf("\nA prompt of %u tokens and %u parties, step by step; its first token is ", j->prompt, j->parties);
    if (is_text(j) && j->prompt == 0)
        printf("\nOne token of %u parties that looks back on %u positions, ", j->parties, j->context);
    if (is_text(j) && eis_mpc_sampling_is_greedy(&j->sampling)) printf("the likeliest one.");
    if (is_text(j) && !eis_mpc_sampling_is_greedy(&j->sampling))
        printf("drawn among the %u likeliest at temperature %g.", j->sampling.top_k, j->sampling.temperature);
    if (!is_text(j)) printf("\nOne input of %u parties.", j->parties);
    printf(" Opened: words that each party sends to each peer;\n"
           "material: words that each party expands or gets; to last: bytes from the Triple Service to the last party, "
           "ahead of "
           "time.\n"
           "ms = rounds x half a round trip + bytes + work at the %.2f ns per product and %.2f ns per word of material "
           "that one\n"
           "thread of this machine took just now.\n",
           j->speed.multiply_ns, j->speed.word_ns);
}

static void write_row(eis_json_writer *w, const job *j, const eis_mpc_plan_row *row)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"rounds", row->rounds},
                   {"words_opened", row->opened},
                   {"bytes_to_each_peer", 8 * row->opened + (uint64_t)row->rounds * HEADER_BYTES},
                   {"mask_words", row->masks},
                   {"correction_words", row->corrections},
                   {"multiply_adds", row->multiply_adds}};

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "name");
    eis_json_writer_text(w, row->name);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        eis_json_writer_key(w, members[i].name);
        eis_json_writer_u64(w, members[i].value);
    }
    eis_json_writer_key(w, "ms");
    eis_json_writer_begin_object(w);
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) {
        eis_json_writer_key(w, eis_plan_links[l].name);
        eis_json_writer_f32(w, (float)predict_ms(j, row, &eis_plan_links[l]));
    }
    eis_json_writer_end_object(w);
    eis_json_writer_end_object(w);
}

static eis_status print_json(const job *j)
{
    eis_mpc_plan_row check = check_row(j), all = whole_row(j);
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "engine");
    eis_json_writer_text(&w, "mpc");
    eis_json_writer_key(&w, "parties");
    eis_json_writer_u64(&w, j->parties);
    if (is_text(j)) {
        eis_json_writer_key(&w, "context");
        eis_json_writer_u64(&w, j->context);
        eis_cli_mpc_sampling_json(&w, &j->sampling);
    }
    eis_json_writer_key(&w, "layers");
    eis_json_writer_begin_array(&w);
    for (uint32_t i = 0; i < j->plan.row_count; i++) write_row(&w, j, &j->plan.rows[i]);
    if (j->prompt == 0) write_row(&w, j, &check);
    eis_json_writer_end_array(&w);
    eis_cli_mpc_notes_json(&w, &j->notes);
    eis_json_writer_key(&w, "total");
    write_row(&w, j, &all);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

static eis_status plan_text(job *j, const eis_mpc_settings *settings, const eis_mpc_sampling *asked)
{
    static const eis_mpc_sampling greedy = {1, 0};
    const eis_mpc_lm *lm = &j->session.lm;
    const eis_mpc_plan_tests tests = tests_of(j);

    if (j->context == 0) j->context = lm->context < CONTEXT_DEFAULT ? lm->context : CONTEXT_DEFAULT;
    j->sampling = asked != NULL ? *asked : greedy;
    if (j->sampling.top_k == 0) j->sampling.top_k = settings->sampling.top_k;
    if (asked != NULL && asked->temperature == 0) j->sampling.temperature = settings->sampling.temperature;
    if (j->prompt > 0) return plan_prompt(j);
    return eis_mpc_plan_make(&j->plan, lm, j->context - 1, 0, &j->sampling, &tests);
}

static eis_status plan_classifier(job *j)
{
    const eis_mpc_plan_tests tests = tests_of(j);

    return eis_mpc_plan_make_classifier(&j->plan, &j->session.classifier, &tests);
}

eis_status eis_cli_plan_mpc(const eis_model *model, const eis_cli_mpc *flags, unsigned context, unsigned prompt,
                            const eis_mpc_sampling *sampling, bool json)
{
    eis_status st = EIS_OK;
    eis_mpc_settings settings;
    job j = {.parties = flags->parties != 0 ? flags->parties : PARTIES_DEFAULT, .context = context, .prompt = prompt};

    EIS_TRY(eis_cli_settings_read(&settings, &flags->settings));
    EIS_TRY(eis_mpc_manifest_take(&j.session, &j.notes, &settings, true, model));
    EIS_REQUIRE(is_text(&j) || (context == 0 && prompt == 0 && sampling == NULL), EIS_ERR_USAGE,
                "--context, --prompt-tokens, --temperature and --top-k are for language models: a classifier tells its "
                "likeliest class");
    EIS_TRY(is_text(&j) ? plan_text(&j, &settings, sampling) : plan_classifier(&j));
    EIS_TRY(measure(&j.speed));
    if (json)
        EIS_TRY(print_json(&j));
    else {
        print_table(&j);
        eis_cli_mpc_notes_print(stdout, &j.notes);
    }
    EIS_TRY(eis_cli_flush());
out:
    eis_mpc_plan_clear(&j.plan);
    eis_mpc_session_clear(&j.session);
    return st;
}
