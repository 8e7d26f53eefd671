/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/he_report.h"

#include "base/log.h"
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>

/* The largest bound of an answer's error. */
static double error_bound(const eis_he_contract *c) { return c->stage[c->stage_count - 1].output.error; }

int eis_cli_he_digits(eis_he_session *session, double answer)
{
    double bound = error_bound(eis_he_remote_contract(eis_he_session_remote(session)));
    double digits = bound > 0 && isfinite(answer) ? floor(log10(fabs(answer))) - floor(log10(bound)) + 2 : 17;

    return digits < 1 ? 1 : digits > 17 ? 17 : (int)digits;
}

static void print_parameters(FILE *out, const eis_he_remote *remote)
{
    const eis_he_contract *c = eis_he_remote_contract(remote);
    const eis_he_info *info = eis_he_remote_info(remote);

    fprintf(out, "  model       %s %s: N = %zu, %zu primes%s%s, %u sample%s a request", info->model_id, info->version,
            c->literal.degree, c->literal.prime_count, c->chain[0] != '\0' ? ", chain " : "", c->chain, c->batch_max,
            c->batch_max == 1 ? "" : "s");
    if (c->interactive) fprintf(out, ", %u rounds", c->stage_count);
    if (error_bound(c) > 0)
        fprintf(out, "\n  precision   errors of at most %.2g (%s magnitudes)", error_bound(c),
                c->calibrated ? "calibrated" : "certain");
    fputc('\n', out);
}

void eis_cli_he_report_print(FILE *out, eis_he_session *session, uint64_t all_ns)
{
    eis_he_remote *remote = eis_he_session_remote(session);
    eis_he_remote_report r;
    char up[16], down[16], keys[16], held[16];

    eis_he_remote_report_get(&r, remote);
    fprintf(out, "  server      %s", eis_he_link_origin(eis_he_remote_link(remote)));
    if (eis_he_session_process(session) != 0)
        fprintf(out, ", a process of its own (%ld)", (long)eis_he_session_process(session));
    fputc('\n', out);
    print_parameters(out, remote);
    fprintf(out, "  traffic     %" PRIu64 " requests, %" PRIu64 " calls (%" PRIu64 " repeated), %s up, %s down\n",
            r.requests, r.calls, r.retries, eis_cli_bytes(up, r.bytes_up), eis_cli_bytes(down, r.bytes_down));
    fprintf(out, "  time        %.1f ms: encrypt %.1f, server and network %.1f, decrypt %.1f", (double)all_ns / 1e6,
            (double)r.protect_ns / 1e6, (double)r.exchange_ns / 1e6, (double)r.recover_ns / 1e6);
    if (r.keys_ns > 0) fprintf(out, "; keys made and sent, once: %.1f", (double)r.keys_ns / 1e6);
    fputc('\n', out);
    fprintf(out, "  the server held ciphertexts (%s a request) and ", eis_cli_bytes(held, r.request_bytes_last));
    if (r.key_bytes > 0 || r.keys_found)
        fprintf(out, "evaluation keys (%s)", r.keys_found ? "from an earlier run" : eis_cli_bytes(keys, r.key_bytes));
    else
        fprintf(out, "no keys at all");
    fprintf(out, ": nothing that decrypts\n");
}

static void write_number(eis_json_writer *w, const char *name, uint64_t value)
{
    eis_json_writer_key(w, name);
    eis_json_writer_u64(w, value);
}

static void write_ms(eis_json_writer *w, const char *name, uint64_t ns)
{
    eis_json_writer_key(w, name);
    eis_json_writer_rounded(w, (double)ns / 1e6, 6);
}

static void write_text(eis_json_writer *w, const char *name, const char *text)
{
    eis_json_writer_key(w, name);
    eis_json_writer_text(w, text);
}

void eis_cli_he_report_json(eis_json_writer *w, eis_he_session *session, uint64_t all_ns)
{
    eis_he_remote *remote = eis_he_session_remote(session);
    const eis_he_contract *c = eis_he_remote_contract(remote);
    const eis_he_info *info = eis_he_remote_info(remote);
    eis_he_remote_report r;

    eis_he_remote_report_get(&r, remote);
    eis_json_writer_begin_object(w);
    write_text(w, "engine", "he");
    write_text(w, "server", eis_he_link_origin(eis_he_remote_link(remote)));
    write_text(w, "model_id", info->model_id);
    write_text(w, "version", info->version);
    write_text(w, "chain", c->chain);
    write_number(w, "poly_modulus_degree", c->literal.degree);
    eis_json_writer_key(w, "error_bound");
    eis_json_writer_rounded(w, error_bound(c), 6);
    eis_json_writer_key(w, "calibrated");
    eis_json_writer_bool(w, c->calibrated);
    write_number(w, "rounds", c->interactive ? c->stage_count : 1);
    write_ms(w, "ms", all_ns);
    write_ms(w, "keys_ms", r.keys_ns);
    write_ms(w, "encrypt_ms", r.protect_ns);
    write_ms(w, "exchange_ms", r.exchange_ns);
    write_ms(w, "decrypt_ms", r.recover_ns);
    write_number(w, "requests", r.requests);
    write_number(w, "calls", r.calls);
    write_number(w, "retries", r.retries);
    write_number(w, "bytes_up", r.bytes_up);
    write_number(w, "bytes_down", r.bytes_down);
    write_number(w, "key_bytes", r.key_bytes);
    write_number(w, "request_bytes", r.request_bytes_last);
    eis_json_writer_key(w, "keys_found");
    eis_json_writer_bool(w, r.keys_found);
    write_number(w, "inputs_beyond_bound", r.beyond);
    eis_json_writer_end_object(w);
}

void eis_cli_he_warn(eis_he_session *session)
{
    eis_he_remote *remote = eis_he_session_remote(session);
    eis_he_remote_report r;

    eis_he_remote_report_get(&r, remote);
    if (r.beyond > 0)
        eis_log(EIS_LOG_WARN, "beyond_bound",
                "%" PRIu64 " input%s numbers beyond %g, for which the model promises no precision", r.beyond,
                r.beyond == 1 ? " has" : "s have", eis_he_remote_contract(remote)->input_max);
}
