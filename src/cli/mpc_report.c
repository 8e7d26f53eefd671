/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mpc_report.h"

#include "cli/mpc_notes.h"
#include "cli/report.h"
#include "share/uniformity.h"

#include <inttypes.h>

/* The p-value of the sampled top bytes of what a party was sent by others; 1 where there is too little of it. */
static double noise_p(uint64_t *words, const eis_mpc_counters *c)
{
    double expected, chi2 = 0;

    *words = 0;
    for (size_t i = 0; i < EIS_MPC_SEEN_BINS; i++) *words += c->seen[i];
    if (*words < 5 * EIS_MPC_SEEN_BINS) return 1;
    expected = (double)*words / EIS_MPC_SEEN_BINS;
    for (size_t i = 0; i < EIS_MPC_SEEN_BINS; i++) {
        double d = (double)c->seen[i] - expected;
        chi2 += d * d / expected;
    }
    return eis_uniformity_chi2_p(chi2, EIS_MPC_SEEN_BINS - 1);
}

bool eis_cli_mpc_sight_print(FILE *out, const eis_mpc_text *text)
{
    eis_mpc_text_report r;
    bool noise = true;
    char got[16], owners[16], material[16], name[32];

    eis_mpc_text_report_get(&r, text);
    fprintf(out, "  %-24s %12s %12s %12s %11s %s\n", "process", "from parties", "from owner", "material", "uniform p",
            "in the clear");
    for (uint32_t p = 0; p < r.session->party_count; p++) {
        const eis_mpc_counters *c = &r.parties[p];
        uint64_t words, others = r.session->party_count - 1;
        double value = noise_p(&words, c);
        snprintf(name, sizeof name, "party %u (%d)", p, (int)r.processes[p]);
        fprintf(out, "  %-24s %12s %12s %12s %11.3g tokens told, shapes, times%s\n", name,
                eis_cli_bytes(got, c->bytes_to_each_peer * others), eis_cli_bytes(owners, 8 * c->input_words),
                eis_cli_bytes(material, 8 * c->unit_words), value, value > EIS_UNIFORMITY_P_MIN ? "" : ": NOT UNIFORM");
        noise &= value > EIS_UNIFORMITY_P_MIN;
    }
    snprintf(name, sizeof name, "Triple Service (%d)", (int)r.processes[r.session->party_count]);
    fprintf(out, "  %-24s %12s %12s %12s %11s shapes, times; it drew all masks\n", name, "nothing", "nothing",
            eis_cli_bytes(material, 8 * r.dealer->unit_words), "");
    snprintf(name, sizeof name, "coordinator (%d)", (int)r.processes[r.session->party_count + 1]);
    fprintf(out, "  %-24s %12s %12s %12s %11s names, lengths, tokens told, shapes, times\n", name, "tokens", "nothing",
            "nothing", "");
    return noise;
}

/* Numbers of one step, on average over all of them. */
typedef struct per_step {
    double steps, rounds, bytes, words, ms;
} per_step;

static per_step average(const eis_mpc_text_report *r)
{
    const eis_mpc_counters *last = &r->parties[r->session->party_count - 1];
    double steps = last->steps > 1 ? (double)(last->steps - 1) : 0, n = steps > 0 ? steps : 1;

    return (per_step){.steps = steps,
                      .rounds = (double)(last->rounds - last->load_rounds) / n,
                      .bytes = (double)(last->bytes_to_each_peer - last->load_bytes) / n,
                      .words = (double)(last->unit_words - last->load_unit_words) / n,
                      .ms = r->token_ms / n};
}

/* Each token but the first takes one. */
static double prompt_steps(const eis_mpc_text_report *r, const per_step *a)
{
    return a->steps - (r->tokens > 0 ? (double)r->tokens - 1 : 0);
}

static void print_layer(FILE *out, const char *name, uint64_t rounds, uint64_t bytes, uint64_t corrections)
{
    char online[16], offline[16];

    fprintf(out, "  %-32s %8" PRIu64 " %12s %12s\n", name, rounds, eis_cli_bytes(online, bytes),
            eis_cli_bytes(offline, 8 * corrections));
}

/* What the last party's links have counted since the load, and which layers it was for; the rest is what proves them.
 */
static void print_layers(FILE *out, const eis_mpc_text_report *r)
{
    const eis_mpc_counters *c = &r->parties[r->session->party_count - 1];
    uint64_t rounds = c->rounds - c->load_rounds, bytes = c->bytes_to_each_peer - c->load_bytes,
             words = c->unit_words - c->load_unit_words;
    eis_mpc_layer_cost all;
    bool same = eis_mpc_layers_sum(&all, r->layers);

    fprintf(out, "  %-32s %8s %12s %12s\n", "layer, of all steps", "rounds", "to each peer", "material");
    for (uint32_t i = 0; i < r->layers->count; i++) {
        const eis_mpc_layer_cost *row = &r->layers->rows[i];
        print_layer(out, row->name, row->rounds, eis_mpc_layer_bytes(row), row->corrections);
    }
    print_layer(out, "checks, coins, tests and output", rounds - all.rounds, bytes - eis_mpc_layer_bytes(&all),
                words - all.corrections);
    print_layer(out, "all, counted at the links", rounds, bytes, words);
    if (!same)
        fprintf(out, "  THE LINKS HAVE COUNTED %" PRIu64 " rounds and %" PRIu64 " bytes for these layers\n",
                r->layers->rounds, r->layers->bytes);
}

void eis_cli_mpc_report_print(FILE *out, const eis_mpc_text *text)
{
    eis_mpc_text_report r;
    per_step a;
    const eis_mpc_counters *last;
    char online[16], offline[16], load_online[16], load_offline[16];
    bool classes;

    eis_mpc_text_report_get(&r, text);
    classes = r.session->kind == EIS_MPC_MODEL_CLASSIFIER;
    a = average(&r);
    last = &r.parties[r.session->party_count - 1];
    fprintf(out, "  %u parties, a Triple Service and a coordinator; processes started in %.0f ms\n",
            r.session->party_count, r.start_ms);
    fprintf(out, "  weights: %.0f ms, %" PRIu64 " rounds, %s to each peer, %s of material\n", r.load_ms,
            last->load_rounds, eis_cli_bytes(load_online, last->load_bytes),
            eis_cli_bytes(load_offline, 8 * last->load_unit_words));
    fprintf(out, "  a step (%.0f of them): %.1f ms, %.1f rounds, %s to each peer, %s of material\n", a.steps, a.ms,
            a.rounds, eis_cli_bytes(online, (uint64_t)a.bytes), eis_cli_bytes(offline, (uint64_t)(8 * a.words)));
    if (!classes)
        fprintf(out, "  prompt: %u tokens in %.0f step%s; the first token came after %.0f ms\n", r.prompt_tokens,
                prompt_steps(&r, &a), prompt_steps(&r, &a) == 1 ? "" : "s", r.first_ms);
    if (!classes && eis_mpc_sampling_is_greedy(&r.sampling))
        fprintf(out, "  tokens: the likeliest ones\n");
    else if (!classes)
        fprintf(out, "  tokens: drawn among the %u likeliest at temperature %g\n", r.sampling.top_k,
                r.sampling.temperature);
    print_layers(out, &r);
    (void)eis_cli_mpc_sight_print(out, text);
    fprintf(out,
            "  Nobody but the owner saw a weight or %s. Whoever runs the Triple Service and one "
            "party reads everything;\n  %s, and times, are seen by all.\n",
            classes ? "an input" : "a token of the prompt", classes ? "classes" : "length of prompt and text");
}

static void write_u64(eis_json_writer *w, const char *name, uint64_t value)
{
    eis_json_writer_key(w, name);
    eis_json_writer_u64(w, value);
}

static void write_real(eis_json_writer *w, const char *name, double value)
{
    eis_json_writer_key(w, name);
    eis_json_writer_f32(w, (float)value);
}

void eis_cli_mpc_sampling_json(eis_json_writer *w, const eis_mpc_sampling *sampling)
{
    bool greedy = eis_mpc_sampling_is_greedy(sampling);

    eis_json_writer_key(w, "sampling");
    eis_json_writer_begin_object(w);
    write_u64(w, "topk", greedy ? 1 : sampling->top_k);
    eis_json_writer_key(w, "temperature");
    eis_json_writer_f64(w, greedy ? 0 : sampling->temperature);
    eis_json_writer_end_object(w);
}

static void write_layers(eis_json_writer *w, const eis_mpc_layers *layers)
{
    eis_mpc_layer_cost all;

    eis_json_writer_key(w, "layers");
    eis_json_writer_begin_array(w);
    for (uint32_t i = 0; i < layers->count; i++) {
        const eis_mpc_layer_cost *row = &layers->rows[i];
        eis_json_writer_begin_object(w);
        eis_json_writer_key(w, "name");
        eis_json_writer_text(w, row->name);
        write_u64(w, "rounds", row->rounds);
        write_u64(w, "words_opened", row->opened);
        write_u64(w, "bytes_to_each_peer", eis_mpc_layer_bytes(row));
        write_u64(w, "correction_words", row->corrections);
        eis_json_writer_end_object(w);
    }
    eis_json_writer_end_array(w);
    eis_json_writer_key(w, "layers_at_the_links");
    eis_json_writer_begin_object(w);
    write_u64(w, "rounds", layers->rounds);
    write_u64(w, "bytes_to_each_peer", layers->bytes);
    eis_json_writer_key(w, "same");
    eis_json_writer_bool(w, eis_mpc_layers_sum(&all, layers));
    eis_json_writer_end_object(w);
}

void eis_cli_mpc_report_json(eis_json_writer *w, const eis_mpc_text *text)
{
    eis_mpc_text_report r;
    per_step a;
    const eis_mpc_counters *last;

    eis_mpc_text_report_get(&r, text);
    a = average(&r);
    last = &r.parties[r.session->party_count - 1];
    if (r.session->kind == EIS_MPC_MODEL_LM) eis_cli_mpc_sampling_json(w, &r.sampling);
    eis_cli_mpc_notes_json(w, r.notes);
    write_real(w, "start_ms", r.start_ms);
    write_real(w, "load_ms", r.load_ms);
    write_u64(w, "load_rounds", last->load_rounds);
    write_u64(w, "load_bytes_to_each_peer", last->load_bytes);
    write_u64(w, "load_unit_words", last->load_unit_words);
    write_real(w, "steps", a.steps);
    if (r.session->kind == EIS_MPC_MODEL_LM) {
        write_u64(w, "prompt_tokens", r.prompt_tokens);
        write_real(w, "prompt_steps", prompt_steps(&r, &a));
        write_real(w, "first_token_ms", r.first_ms);
    }
    write_real(w, "ms_per_step", a.ms);
    write_real(w, "rounds_per_step", a.rounds);
    write_real(w, "bytes_per_step_to_each_peer", a.bytes);
    write_real(w, "unit_words_per_step", a.words);
    write_layers(w, r.layers);
    eis_json_writer_key(w, "parties");
    eis_json_writer_begin_array(w);
    for (uint32_t p = 0; p < r.session->party_count; p++) {
        const eis_mpc_counters *c = &r.parties[p];
        uint64_t words;
        double value = noise_p(&words, c);
        eis_json_writer_begin_object(w);
        write_u64(w, "rounds", c->rounds);
        write_u64(w, "bytes_to_each_peer", c->bytes_to_each_peer);
        write_u64(w, "unit_words", c->unit_words);
        write_u64(w, "input_words", c->input_words);
        write_u64(w, "sampled_words", words);
        write_real(w, "uniform_p", value);
        eis_json_writer_end_object(w);
    }
    eis_json_writer_end_array(w);
    eis_json_writer_key(w, "triple_service");
    eis_json_writer_begin_object(w);
    write_u64(w, "units", r.dealer->units);
    write_u64(w, "unit_words", r.dealer->unit_words);
    eis_json_writer_end_object(w);
}
