/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompt.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No prompt file may be larger; the longest contexts take a few megabytes. */
#define PROMPT_BYTES_MAX ((size_t)64 << 20)

static eis_status parse_ids(eis_ids *ids, const char *text)
{
    eis_status st = EIS_OK;

    do {
        char *end;
        unsigned long id;
        errno = 0;
        id = strtoul(text, &end, 10);
        EIS_REQUIRE(errno == 0 && *text >= '0' && *text <= '9' && id < EIS_TOKEN_NONE && (*end == ',' || *end == '\0'),
                    EIS_ERR_USAGE, "--prompt-ids takes token ids separated by commas, such as 1,2,3");
        EIS_TRY(eis_ids_append(ids, (uint32_t)id));
        text = *end == ',' ? end + 1 : end;
        EIS_REQUIRE(*end == '\0' || *text != '\0', EIS_ERR_USAGE, "--prompt-ids ends with a comma");
    } while (*text != '\0');
out:
    return st;
}

static eis_status read_prompt_file(eis_text *text, const char *path)
{
    eis_status st = EIS_OK;
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "rb");
    uint8_t chunk[4096];
    size_t got;

    if (file == NULL) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        EIS_REQUIRE(text->bytes + got <= PROMPT_BYTES_MAX, EIS_ERR_TOO_LARGE, "%s: the prompt has more than %zu bytes",
                    path, PROMPT_BYTES_MAX);
        EIS_TRY(eis_text_append(text, chunk, got));
    }
    EIS_REQUIRE(!ferror(file), EIS_ERR_FILE, "%s: %s", path, strerror(errno));
out:
    eis_mem_wipe(chunk, sizeof chunk);
    if (!from_stdin) fclose(file);
    return st;
}

eis_status eis_cli_prompt_read(eis_ids *ids, const eis_text_model *lm, const eis_cli_prompt *prompt)
{
    eis_status st = EIS_OK;
    eis_text text = {0};

    if (prompt->ids != NULL) {
        EIS_TRY(parse_ids(ids, prompt->ids));
    } else {
        if (prompt->file != NULL)
            EIS_TRY(read_prompt_file(&text, prompt->file));
        else if (prompt->text != NULL)
            EIS_TRY(eis_text_append(&text, prompt->text, strlen(prompt->text)));
        EIS_TRY(eis_text_model_encode(ids, lm, text.data, text.bytes));
    }
    EIS_TRY(eis_text_model_check_ids(lm, ids));
out:
    eis_text_clear(&text);
    return st;
}
