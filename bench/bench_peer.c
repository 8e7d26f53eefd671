/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_peer.h"

#include "base/mem.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)

static eis_status read_file(char **text, size_t *bytes, const char *path)
{
    eis_status st = EIS_OK;
    FILE *file = fopen(path, "rb");

    *text = NULL;
    EIS_REQUIRE(file != NULL, EIS_ERR_FILE, "%s cannot be opened", path);
    EIS_NEW(*text, FILE_BYTES_MAX + 1);
    *bytes = fread(*text, 1, FILE_BYTES_MAX + 1, file);
    EIS_REQUIRE(ferror(file) == 0, EIS_ERR_FILE, "%s cannot be read", path);
out:
    if (file != NULL) fclose(file);
    return st;
}

static eis_status take_row(eis_bench *bench, eis_json_value entry, const char *at, const char *peer)
{
    static const char *const names[] = {"name", "value", "unit", NULL};
    eis_status st = EIS_OK;
    char name[sizeof bench->rows[0].name], unit[sizeof bench->rows[0].unit];
    double value = 0;

    EIS_TRY(eis_json_bind_object(entry, at, names));
    EIS_TRY(eis_json_bind_text(name, sizeof name, entry, at, "name", true));
    EIS_TRY(eis_json_bind_text(unit, sizeof unit, entry, at, "unit", true));
    EIS_TRY(eis_json_bind_double(&value, entry, at, "value", true, 1e-300, 1e300));
    for (size_t i = 0; i < bench->row_count; i++) {
        eis_bench_row *row = &bench->rows[i];
        if (row->has_peer || strcmp(row->name, name) != 0 || strcmp(row->unit, unit) != 0) continue;
        eis_bench_against(row, peer, value);
        row->value_goal = row->goal;
        row->goal /= value;
    }
out:
    return st;
}

eis_status eis_bench_peer_read(eis_bench *bench, const char *path)
{
    static const char *const names[] = {"peer", "rows", NULL};
    eis_status st = EIS_OK;
    char *text = NULL, peer[sizeof bench->rows[0].peer], at[EIS_JSON_PATH_BYTES_MAX];
    size_t bytes = 0, index = 0;
    eis_json_doc *doc = NULL;
    eis_json_value root, rows, entry;
    eis_json_iter it;

    EIS_TRY(read_file(&text, &bytes, path));
    EIS_TRY(eis_json_parse(&doc, path, text, bytes, FILE_BYTES_MAX));
    root = eis_json_root(doc);
    EIS_TRY(eis_json_bind_object(root, path, names));
    EIS_TRY(eis_json_bind_text(peer, sizeof peer, root, path, "peer", true));
    EIS_TRY(eis_json_bind_array(&rows, root, path, "rows", 0, EIS_BENCH_ROWS_MAX));
    for (it = eis_json_iterate(rows); eis_json_next_element(&it, &entry); index++) {
        snprintf(at, sizeof at, "%.200s: rows[%zu]", path, index);
        EIS_TRY(take_row(bench, entry, at, peer));
    }
out:
    eis_json_free(doc);
    eis_mem_free(text);
    return st;
}
