/* SPDX-License-Identifier: Apache-2.0 */
/* Example 3: a language model on servers that do not see the story.
 *
 *   3_private_story MODEL [PROGRAM]
 *
 * opens a model twice: once in plain, in this process, and once split over two servers. The servers are started on this
 * machine by the library (PROGRAM is the eis-server or eis that they run; without it the PATH is searched), which shows
 * everything but the distance: the weights go to them packed, each layer's input as two shares of which neither says
 * anything, and the local half (embeddings, norms, attention, the choice of the next token) stays here. In earnest the
 * servers belong to two owners who do not talk to each other, and `servers`, `ca` and the other members of
 * eis_client_options say how to reach them.
 *
 * The texts are equal, token by token. */
#include <eis/eis.h>

#include <stdio.h>
#include <string.h>

enum { TOKENS = 24, TEXT_BYTES_MAX = 2048 };

typedef struct story {
    char text[TEXT_BYTES_MAX];
    size_t bytes;
} story;

/* Text comes in pieces, the prompt's own first; a piece may be empty. */
static eis_status collect(void *context, uint32_t id, const char *text, size_t bytes)
{
    story *s = context;

    (void)id;
    if (bytes > sizeof s->text - 1 - s->bytes) return EIS_ERR_TOO_LARGE;
    if (bytes > 0) memcpy(s->text + s->bytes, text, bytes);
    s->bytes += bytes;
    return EIS_OK;
}

static eis_status tell(story *s, const char *model, const eis_client_options *options)
{
    eis_client *client;
    eis_client_generation generation = {0};
    eis_status st = eis_client_open(&client, model, options);

    if (st != EIS_OK) return st;
    generation.prompt = "Once upon a time";
    generation.max_tokens = TOKENS;
    generation.receive = collect;
    generation.context = s;
    st = eis_client_generate(client, &generation);
    eis_client_close(client);
    return st;
}

int main(int argc, char **argv)
{
    eis_client_options plain = {0}, split = {0};
    story here = {0}, there = {0};
    eis_status st;

    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL [PROGRAM], such as: %s models/tiny-stories build/eis-server\n", argv[0],
                argv[0]);
        return 2;
    }
    plain.engine = EIS_CLIENT_PLAIN;
    split.server_program = argc > 2 ? argv[2] : NULL; /* all else is the default: the split engine, two servers */
    st = tell(&here, argv[1], &plain);
    if (st == EIS_OK) st = tell(&there, argv[1], &split);
    if (st != EIS_OK) {
        fprintf(stderr, "%s: %s\n", eis_status_text(st), eis_error_detail());
        return eis_status_exit_code(st);
    }
    printf("in plain:         %s ...\non two servers:   %s ...\n", here.text, there.text);
    if (strcmp(here.text, there.text) == 0) return 0;
    fputs("the two stories differ\n", stderr);
    return 1;
}
