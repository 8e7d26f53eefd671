/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from YAML. The schema is made from the table of keys; every value is a text that the table then judges, so
 * that a file and --set say the same about a wrong one. */
#include "base/mem.h"
#include "service/mpc_settings.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)64 << 10)
#define KEYS_MAX       64
#define SAID_BYTES     512

/* What the reader of YAML has said: what is wrong, then where, from the inside out. */
typedef struct said {
    char what[SAID_BYTES], where[SAID_BYTES];
} said;

static void note(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    said *s = context;
    char line[SAID_BYTES];

    if (level < CYAML_LOG_ERROR) return;
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = 0;
    if (strstr(line, "line:") != NULL) {
        const char *text = line + strspn(line, " ");
        if (s->where[0] == 0) memcpy(s->where, text, strlen(text) + 1);
    } else if (s->what[0] == 0) {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        memcpy(s->what, text, strlen(text) + 1);
    }
}

/* The schema: fields of the file, fields of its sections, each with an end. values[i] is the text of key i. */
typedef struct schema {
    cyaml_schema_field_t top[KEYS_MAX + 1], inner[2 * KEYS_MAX + 1];
    cyaml_schema_value_t value;
} schema;

static cyaml_schema_field_t text_field(const char *name, uint32_t offset)
{
    return (cyaml_schema_field_t){.key = name,
                                  .data_offset = offset,
                                  .value = {.type = CYAML_STRING,
                                            .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                                            .data_size = sizeof(char),
                                            .string = {.min = 0, .max = EIS_MPC_SETTING_TEXT_BYTES - 1}}};
}

static void make_schema(schema *s)
{
    size_t count = eis_mpc_setting_count(), tops = 0, inners = 0;

    EIS_ASSERT(count <= KEYS_MAX);
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < count;) {
        eis_mpc_setting first = eis_mpc_setting_get(i);
        cyaml_schema_field_t *section = &s->top[tops++];
        size_t begin = i;
        *section = text_field(first.section, (uint32_t)(i * sizeof(char *)));
        if (first.name == NULL) {
            i++;
            continue;
        }
        section->value.type = CYAML_MAPPING;
        section->value.flags = CYAML_FLAG_OPTIONAL;
        section->value.mapping.fields = &s->inner[inners];
        for (; i < count && strcmp(eis_mpc_setting_get(i).section, first.section) == 0; i++)
            s->inner[inners++] = text_field(eis_mpc_setting_get(i).name, (uint32_t)((i - begin) * sizeof(char *)));
        section->value.data_size = (uint32_t)((i - begin) * sizeof(char *));
        inners++; /* its end */
    }
    s->value.type = CYAML_MAPPING;
    s->value.flags = CYAML_FLAG_POINTER;
    s->value.data_size = (uint32_t)(count * sizeof(char *));
    s->value.mapping.fields = s->top;
}

static eis_status take(eis_mpc_settings *settings, char *const *values)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; values != NULL && i < eis_mpc_setting_count(); i++) /* NULL: an empty file */
        if (values[i] != NULL) EIS_TRY(eis_mpc_setting_assign(settings, i, values[i]));
out:
    return st;
}

static eis_status read_file(uint8_t *data, size_t *bytes, const char *path)
{
    eis_status st = EIS_OK;
    FILE *file = fopen(path, "rb");

    if (file == NULL) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    *bytes = fread(data, 1, FILE_BYTES_MAX, file);
    EIS_REQUIRE(!ferror(file) && *bytes < FILE_BYTES_MAX, EIS_ERR_FILE,
                "%s cannot be read, or is longer than settings are", path);
out:
    fclose(file);
    return st;
}

eis_status eis_mpc_settings_parse(eis_mpc_settings *settings, const void *data, size_t bytes, const char *name)
{
    eis_status st = EIS_OK;
    said heard = {.what = ""};
    const cyaml_config_t config = {
        .log_fn = note, .log_ctx = &heard, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    schema *s = NULL;
    char **values = NULL;
    cyaml_err_t error;

    EIS_NEW(s, 1);
    make_schema(s);
    error = cyaml_load_data(data, bytes, &config, &s->value, (cyaml_data_t **)&values, NULL);
    EIS_REQUIRE(error == CYAML_OK, EIS_ERR_PARSE, "%s: %s%s%s", name,
                heard.what[0] != 0 ? heard.what : cyaml_strerror(error), heard.where[0] != 0 ? " " : "", heard.where);
    st = take(settings, values);
    if (st != EIS_OK) st = eis_fail_prefix(st, "%s", name);
    (void)cyaml_free(&config, &s->value, (cyaml_data_t *)values, 0);
out:
    eis_mem_free(s);
    return st;
}

eis_status eis_mpc_settings_load(eis_mpc_settings *settings, const char *path)
{
    eis_status st = EIS_OK;
    uint8_t *data = NULL;
    size_t bytes = 0;

    EIS_NEW(data, FILE_BYTES_MAX);
    EIS_TRY(read_file(data, &bytes, path));
    EIS_TRY(eis_mpc_settings_parse(settings, data, bytes, path));
out:
    eis_mem_free(data);
    return st;
}
