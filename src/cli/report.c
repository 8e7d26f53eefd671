/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/he_report.h"
#include "cli/mpc_report.h"
#include "engine/split/profile.h"
#include "service/split_client.h"

#include <inttypes.h>

/* The counters of a split session; all NULL with the plain engine. */
typedef struct counters {
    eis_split_layer_report *layers;   /* [linear_count] */
    eis_split_server_report *servers; /* [server_count] */
    size_t server_count;
    eis_split_layer_report total;
} counters;

static bool read_counters(counters *c, const eis_cli_backend *backend)
{
    const eis_split_client *client = eis_split_session_client(backend->session);

    c->server_count = eis_split_session_scheme(backend->session).servers;
    c->layers = eis_mem_new(backend->model->linear_count, sizeof *c->layers);
    c->servers = eis_mem_new(c->server_count, sizeof *c->servers);
    if (c->layers == NULL || c->servers == NULL) return false;
    eis_split_client_report(client, c->layers, c->servers);
    for (uint32_t i = 0; i < backend->model->linear_count; i++) {
        c->total.bytes_up += c->layers[i].bytes_up;
        c->total.bytes_down += c->layers[i].bytes_down;
        c->total.round_trips += c->layers[i].round_trips;
        c->total.nanoseconds += c->layers[i].nanoseconds;
        c->total.masked_calls += c->layers[i].masked_calls;
    }
    return true;
}

static void clear_counters(counters *c)
{
    eis_mem_free(c->layers);
    eis_mem_free(c->servers);
}

const char *eis_cli_bytes(char text[16], uint64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    unsigned unit = 0;

    while (value >= 999.5 && unit < 4) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 16, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

static void print_row(FILE *out, const char *name, const eis_split_layer_report *row, uint64_t all_ns)
{
    char up[16], down[16];

    fprintf(out, "  %-36s %9s %9s %7" PRIu64 " %10.2f %6.1f %%\n", name, eis_cli_bytes(up, row->bytes_up),
            eis_cli_bytes(down, row->bytes_down), row->round_trips, (double)row->nanoseconds / 1e6,
            all_ns > 0 ? 100 * (double)row->nanoseconds / (double)all_ns : 0);
}

static void print_servers(FILE *out, const counters *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        const eis_split_server_report *server = &c->servers[i];
        char address[EIS_ADDRESS_TEXT_BYTES_MAX], up[16], down[16];
        eis_net_address_format(address, &server->address);
        fprintf(out, "  server %zu %-27s %9s %9s %7" PRIu64 " %s%s%s%s\n", i + 1, address,
                eis_cli_bytes(up, server->bytes_up), eis_cli_bytes(down, server->bytes_down), server->calls,
                server->alive ? "alive" : "lost", server->caught ? ", caught with a wrong answer" : "",
                server->last_error != EIS_OK ? ", " : "",
                server->last_error != EIS_OK ? eis_status_code(server->last_error) : "");
    }
}

static void print_split(FILE *out, const eis_cli_backend *backend, uint64_t all_ns)
{
    counters c = {0};
    uint64_t misses;

    if (read_counters(&c, backend)) {
        eis_split_layer_report local = {.nanoseconds = all_ns > c.total.nanoseconds ? all_ns - c.total.nanoseconds : 0};
        fprintf(out, "  %-36s %9s %9s %7s %10s %8s\n", "layer", "up", "down", "trips", "ms", "share");
        for (uint32_t i = 0; i < backend->model->linear_count; i++)
            print_row(out, backend->model->linears[i].name, &c.layers[i], all_ns);
        print_row(out, "everything that stayed here", &local, all_ns);
        c.total.nanoseconds = all_ns;
        print_row(out, "total", &c.total, all_ns);
        print_servers(out, &c);
        misses = eis_split_client_mask_misses(eis_split_session_client(backend->session));
        if (c.total.masked_calls > 0 || misses > 0)
            fprintf(out, "  offline masks: %" PRIu64 " calls used one, %" PRIu64 " found none and shared afresh\n",
                    c.total.masked_calls, misses);
        if (!backend->verified)
            fprintf(out, "  answers were not checked: a server that cheats can shift them, and can learn from the "
                         "length of the\n"
                         "  text that follows; --verify closes both\n");
    }
    clear_counters(&c);
}

void eis_cli_report_print(FILE *out, const eis_cli_backend *backend, bool on_new_line)
{
    uint64_t all_ns = eis_clock_ns() - backend->opened_ns;

    if (on_new_line) fputc('\n', out);
    if (backend->session != NULL)
        print_split(out, backend, all_ns);
    else if (backend->mpc != NULL)
        eis_cli_mpc_report_print(out, backend->mpc);
    else if (backend->he != NULL)
        eis_cli_he_report_print(out, backend->he, all_ns);
    else
        fprintf(out, "  plain engine: nothing left this process; %.1f ms in all\n", (double)all_ns / 1e6);
}

static void write_layer(eis_json_writer *w, const char *name, const eis_split_layer_report *row)
{
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "name");
    eis_json_writer_text(w, name);
    eis_json_writer_key(w, "bytes_up");
    eis_json_writer_u64(w, row->bytes_up);
    eis_json_writer_key(w, "bytes_down");
    eis_json_writer_u64(w, row->bytes_down);
    eis_json_writer_key(w, "round_trips");
    eis_json_writer_u64(w, row->round_trips);
    eis_json_writer_key(w, "masked_calls");
    eis_json_writer_u64(w, row->masked_calls);
    eis_json_writer_key(w, "ms");
    eis_json_writer_f32(w, (float)((double)row->nanoseconds / 1e6));
    eis_json_writer_end_object(w);
}

static void write_servers(eis_json_writer *w, const counters *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        char address[EIS_ADDRESS_TEXT_BYTES_MAX];
        eis_net_address_format(address, &c->servers[i].address);
        eis_json_writer_begin_object(w);
        eis_json_writer_key(w, "index");
        eis_json_writer_u64(w, i + 1);
        eis_json_writer_key(w, "address");
        eis_json_writer_text(w, address);
        eis_json_writer_key(w, "bytes_up");
        eis_json_writer_u64(w, c->servers[i].bytes_up);
        eis_json_writer_key(w, "bytes_down");
        eis_json_writer_u64(w, c->servers[i].bytes_down);
        eis_json_writer_key(w, "alive");
        eis_json_writer_bool(w, c->servers[i].alive);
        eis_json_writer_key(w, "caught");
        eis_json_writer_bool(w, c->servers[i].caught);
        eis_json_writer_end_object(w);
    }
}

static void write_split(eis_json_writer *w, const eis_cli_backend *backend)
{
    counters c = {0};

    if (read_counters(&c, backend)) {
        eis_json_writer_key(w, "profile");
        eis_json_writer_text(w, eis_split_profile_get(eis_split_session_info(backend->session)->profile)->name);
        eis_json_writer_key(w, "verified");
        eis_json_writer_bool(w, backend->verified);
        eis_json_writer_key(w, "layers");
        eis_json_writer_begin_array(w);
        for (uint32_t i = 0; i < backend->model->linear_count; i++)
            write_layer(w, backend->model->linears[i].name, &c.layers[i]);
        eis_json_writer_end_array(w);
        eis_json_writer_key(w, "total");
        write_layer(w, "total", &c.total);
        eis_json_writer_key(w, "servers");
        eis_json_writer_begin_array(w);
        write_servers(w, &c);
        eis_json_writer_end_array(w);
    }
    clear_counters(&c);
}

void eis_cli_report_json(eis_json_writer *w, const eis_cli_backend *backend)
{
    if (backend->he != NULL) {
        eis_cli_he_report_json(w, backend->he, eis_clock_ns() - backend->opened_ns);
        return;
    }
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "engine");
    eis_json_writer_text(w, backend->session != NULL ? "split" : backend->mpc != NULL ? "mpc" : "plain");
    eis_json_writer_key(w, "ms");
    eis_json_writer_f32(w, (float)((double)(eis_clock_ns() - backend->opened_ns) / 1e6));
    if (backend->session != NULL) write_split(w, backend);
    if (backend->mpc != NULL) eis_cli_mpc_report_json(w, backend->mpc);
    eis_json_writer_end_object(w);
}
