/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_he.h"

#include "cli/report.h"
#include "engine/he/plan.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *form_name(const eis_he_contract *c)
{
    if (c->interactive) return "interactive";
    return c->stage[0].input.kind == EIS_HE_FEATURES ? "batch" : "single";
}

static const char *packing_name(eis_he_packing_kind kind)
{
    static const char *const names[] = {"", "features", "rows", "blocks", "windows"};

    return names[kind];
}

static double error_bound(const eis_he_contract *c) { return c->stage[c->stage_count - 1].output.error; }

/* ---- the table ---- */

static unsigned prime_bits(const eis_ckks_params *params, size_t i)
{
    return 64 - (unsigned)__builtin_clzll(eis_rns_modulus(&params->rns, i)->q);
}

static void print_parameters(const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    const eis_ckks_params *params = plan->params;

    printf("parameters  N = %zu%s%s, primes of", params->degree, c->chain[0] != '\0' ? ", chain " : "", c->chain);
    for (size_t i = 0; i < params->prime_count; i++) printf("%s%u", i > 0 ? " + " : " ", prime_bits(params, i));
    printf(" bits: %u of the %u that %s allows\n", params->total_bits,
           eis_ckks_policy_bits(params->policy, params->degree), eis_ckks_policy_name(params->policy));
    printf("levels      %u of %zu, scale 2^%.2f\n", c->depth, params->limbs_max - 1, log2(c->stage[0].input.scale));
}

static void print_rows(const eis_he_plan *plan)
{
    printf("\n%-28s %-20s %6s %6s %9s %9s %6s %8s %10s %10s\n", "layer", "method", "limbs", "after", "products",
           "rotations", "relin", "rescales", "values to", "error to");
    for (uint32_t i = 0; i < plan->row_count; i++) {
        const eis_he_plan_row *row = &plan->rows[i];
        printf("%-28s %-20s %6u %6u %9" PRIu64 " %9" PRIu64 " %6" PRIu64 " %8" PRIu64 " %10.3g %10.2g\n", row->name,
               row->method != NULL ? row->method : "", row->limbs_in, row->limbs_out, row->products, row->rotations,
               row->relinearisations, row->rescales, row->magnitude, row->error);
    }
    putchar('\n');
}

static void print_costs(const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    char up[16], down[16], keys[16];

    printf("keys        %s%s%u rotation%s: %s, uploaded once\n", c->needs_relin ? "relinearisation, " : "",
           c->needs_public ? "public, " : "", c->element_count, c->element_count == 1 ? "" : "s",
           eis_cli_bytes(keys, plan->key_bytes));
    printf("request     %u ciphertext%s (%s), %s up, %s down", c->stage[0].input.ciphertexts,
           c->stage[0].input.ciphertexts == 1 ? "" : "s", packing_name(c->stage[0].input.kind),
           eis_cli_bytes(up, plan->request_bytes), eis_cli_bytes(down, plan->reply_bytes));
    if (c->interactive) printf(" in %u rounds", c->stage_count);
    printf("; up to %u input%s in one\n", c->batch_max, c->batch_max == 1 ? "" : "s");
    printf("time        %.1f ms of one thread at the server, by what single operations took here just now\n",
           plan->expected_ms);
    printf("precision   errors of at most %.2g while |x| <= %.3g (%s)\n", error_bound(c), c->input_max,
           c->calibrated ? "calibrated magnitudes: an input outside them can wrap around" : "certain");
}

/* A full batch costs what one input costs: says from how many inputs on that is the better form. */
static void print_other_form(const eis_he_plan *plan, const eis_model *model, const eis_he_wish *wish)
{
    eis_he_wish other = *wish;
    const eis_he_plan *batch = NULL;

    if (wish->form != EIS_HE_FORM_AUTO || wish->interactive || plan->contract.batch_max > 1) return;
    other.form = EIS_HE_FORM_BATCH;
    other.chain = NULL;
    if (eis_he_plan_new(&batch, model, &other) != EIS_OK) {
        eis_error_clear();
        return;
    }
    printf("many        --form batch takes up to %u inputs in one request of %.0f ms: better from %.0f inputs on\n",
           batch->contract.batch_max, batch->expected_ms, ceil(batch->expected_ms / fmax(plan->expected_ms, 1e-6)));
    eis_he_plan_free(batch);
}

/* ---- JSON ---- */

static void write_u64(eis_json_writer *w, const char *name, uint64_t v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_u64(w, v);
}

static void write_real(eis_json_writer *w, const char *name, double v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_rounded(w, v, 6);
}

static void write_text(eis_json_writer *w, const char *name, const char *text)
{
    eis_json_writer_key(w, name);
    eis_json_writer_text(w, text);
}

static void write_bool(eis_json_writer *w, const char *name, bool v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_bool(w, v);
}

static void write_parameters(eis_json_writer *w, const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    char text[24];

    write_text(w, "chain", c->chain);
    write_text(w, "security_policy", eis_ckks_policy_name(plan->params->policy));
    write_u64(w, "poly_modulus_degree", plan->params->degree);
    eis_json_writer_key(w, "coeff_modulus_bits");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < plan->params->prime_count; i++) eis_json_writer_u64(w, prime_bits(plan->params, i));
    eis_json_writer_end_array(w);
    eis_json_writer_key(w, "coeff_modulus");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < plan->params->prime_count; i++) {
        snprintf(text, sizeof text, "%" PRIu64, eis_rns_modulus(&plan->params->rns, i)->q);
        eis_json_writer_text(w, text);
    }
    eis_json_writer_end_array(w);
    write_u64(w, "total_bits", plan->params->total_bits);
    write_u64(w, "total_bits_max", eis_ckks_policy_bits(plan->params->policy, plan->params->degree));
    eis_json_writer_key(w, "scale");
    eis_json_writer_f64(w, c->stage[0].input.scale);
    write_u64(w, "levels", c->depth);
}

static void write_layer(eis_json_writer *w, const eis_he_plan_row *row)
{
    eis_json_writer_begin_object(w);
    write_text(w, "name", row->name);
    write_text(w, "method", row->method != NULL ? row->method : "");
    write_u64(w, "limbs_in", row->limbs_in);
    write_u64(w, "limbs_out", row->limbs_out);
    write_u64(w, "products", row->products);
    write_u64(w, "rotations", row->rotations);
    write_u64(w, "relinearisations", row->relinearisations);
    write_u64(w, "rescales", row->rescales);
    write_real(w, "magnitude", row->magnitude);
    write_real(w, "error", row->error);
    eis_json_writer_end_object(w);
}

static eis_status print_json(const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    write_text(&w, "engine", "he");
    write_text(&w, "form", form_name(c));
    write_parameters(&w, plan);
    write_text(&w, "packing", packing_name(c->stage[0].input.kind));
    write_u64(&w, "ciphertexts", c->stage[0].input.ciphertexts);
    write_u64(&w, "max_batch_size", c->batch_max);
    write_u64(&w, "rounds", c->interactive ? c->stage_count : 1);
    write_bool(&w, "relin", c->needs_relin);
    write_bool(&w, "public", c->needs_public);
    write_u64(&w, "rotation_keys", c->element_count);
    write_u64(&w, "key_bytes", plan->key_bytes);
    write_u64(&w, "request_bytes", plan->request_bytes);
    write_u64(&w, "reply_bytes", plan->reply_bytes);
    write_real(&w, "expected_ms", plan->expected_ms);
    write_real(&w, "error_bound", error_bound(c));
    write_bool(&w, "calibrated", c->calibrated);
    write_real(&w, "input_max", c->input_max);
    eis_json_writer_key(&w, "layers");
    eis_json_writer_begin_array(&w);
    for (uint32_t i = 0; i < plan->row_count; i++) write_layer(&w, &plan->rows[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

/* ---- the command ---- */

static eis_he_wish wish_of(const eis_cli_he_own *own, const char *policy, double tolerance)
{
    eis_he_wish wish = {.chain = own->chain, .interactive = own->interactive, .tolerance = tolerance};

    if (policy != NULL) (void)eis_ckks_policy_parse(&wish.policy, policy);
    if (own->form != NULL) wish.form = strcmp(own->form, "batch") == 0 ? EIS_HE_FORM_BATCH : EIS_HE_FORM_SINGLE;
    return wish;
}

eis_status eis_cli_plan_he(const eis_model *model, const eis_cli_he_own *own, const char *policy, double tolerance,
                           bool json)
{
    const eis_he_wish wish = wish_of(own, policy, tolerance);
    eis_status st = EIS_OK;
    const eis_he_plan *plan = NULL;

    st = eis_he_plan_new(&plan, model, &wish);
    if (st == EIS_ERR_UNSUPPORTED) st = EIS_ERR_MODEL; /* the other one is said of requests */
    if (st != EIS_OK) goto out;
    if (json) {
        EIS_TRY(print_json(plan));
    } else {
        print_parameters(plan);
        print_rows(plan);
        print_costs(plan);
        print_other_form(plan, model, &wish);
    }
    EIS_TRY(eis_cli_flush());
out:
    eis_he_plan_free(plan);
    return st;
}
