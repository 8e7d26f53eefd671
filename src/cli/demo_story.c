/* SPDX-License-Identifier: Apache-2.0 */
/* Second act: a story, streamed as the servers' answers come, and the same story in plain. The fifth act tells one too,
 * see demo_mpc.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/demo.h"
#include "cli/models_dir.h"
#include "cli/prompt.h"

#include <stdio.h>
#include <string.h>

#define NAME           "tiny-stories"
#define PROMPT         "Once upon a time"
#define TOKENS         200
#define LINE_COLUMNS   76
#define WORD_BYTES_MAX 128

/* Breaks a stream of text into indented lines at spaces. */
typedef struct lines {
    char word[WORD_BYTES_MAX];
    size_t word_bytes, column;
} lines;

static void flush_word(lines *l)
{
    if (l->word_bytes == 0) return;
    if (l->column == 0 || l->column + 1 + l->word_bytes > LINE_COLUMNS) {
        printf("%s    ", l->column == 0 ? "" : "\n");
        l->column = 4;
    } else {
        putchar(' ');
        l->column++;
    }
    fwrite(l->word, 1, l->word_bytes, stdout);
    l->column += l->word_bytes;
    l->word_bytes = 0;
    fflush(stdout);
}

static eis_status print_piece(void *context, const eis_text_token *token)
{
    lines *l = context;

    for (size_t i = 0; i < token->text->bytes; i++) {
        char c = (char)token->text->data[i];
        if (c == ' ' || c == '\n' || l->word_bytes == sizeof l->word) flush_word(l);
        if (c == '\n' && l->column > 0) {
            putchar('\n');
            l->column = 0;
        }
        if (c != ' ' && c != '\n') l->word[l->word_bytes++] = c;
    }
    return EIS_OK;
}

eis_status eis_cli_demo_tell(eis_ids *ids, const eis_text_model *lm, const eis_cli_backend *backend, uint32_t tokens,
                             const char *heading)
{
    eis_status st = EIS_OK;
    uint64_t started = eis_clock_ns();
    size_t first;
    lines text = {0};
    eis_text_generation generation = {.lm = lm,
                                      .backend = backend->seam,
                                      .max_tokens = tokens,
                                      .cancel = eis_cli_cancel(),
                                      .sampling = eis_sampler_options_default(),
                                      .emit = print_piece,
                                      .context = &text};

    generation.sampling.greedy = true;
    printf("  %s\n\n", heading);
    EIS_TRY(eis_cli_prompt_read(ids, lm, &(eis_cli_prompt){.text = PROMPT}));
    first = ids->count;
    EIS_TRY(backend->mpc != NULL ? eis_mpc_text_generate(ids, backend->mpc, &generation)
                                 : eis_text_generate(ids, &generation));
    flush_word(&text);
    printf("%s\n  %zu tokens, %.1f ms each\n\n", text.column > 0 ? "\n" : "", ids->count - first,
           (double)(eis_clock_ns() - started) / 1e6 / (double)(ids->count > first ? ids->count - first : 1));
out:
    if (st != EIS_OK) putchar('\n');
    return st;
}

bool eis_cli_demo_same_ids(const eis_ids *a, const eis_ids *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0;
}

eis_status eis_cli_demo_story(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES];
    eis_text_model lm = {0};
    eis_cli_backend plain = {0}, split = {0};
    eis_ids right = {0}, private = {0};

    printf("2  A story by %s\n\n", NAME);
    EIS_TRY(eis_cli_models_find(path, NAME));
    EIS_TRY(eis_text_model_open(&lm, path, NULL));
    EIS_REQUIRE(lm.tokenizer != NULL, EIS_ERR_MODEL, "%s comes without its tokenizer", path);
    EIS_TRY(eis_cli_demo_open(&plain, &split, demo, lm.model, path, NAME));
    EIS_TRY(
        eis_cli_demo_tell(&private, &lm, &split, TOKENS, "private, told by servers that saw random numbers alone:"));
    EIS_TRY(eis_cli_demo_tell(&right, &lm, &plain, TOKENS, "plaintext, by this process alone:"));
    eis_cli_demo_compare(demo, eis_cli_demo_same_ids(&private, &right), "equal");
out:
    eis_cli_backend_close(&split);
    eis_cli_backend_close(&plain);
    eis_text_model_close(&lm);
    eis_ids_clear(&right);
    eis_ids_clear(&private);
    return st;
}
