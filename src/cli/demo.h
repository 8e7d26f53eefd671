/* SPDX-License-Identifier: Apache-2.0 */
/* The acts of `eis demo`. Each runs something on servers that see nothing of it and in plain, prints both, and notes
 * whether they agree. */
#ifndef EIS_CLI_DEMO_H
#define EIS_CLI_DEMO_H

#include "base/status.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/sight.h"
#include "cli/split_flags.h"
#include "service/text_model.h"

#include <stdbool.h>
#include <stdint.h>

/* The models of the second and later acts, as eis_cli_models_find knows them and as named servers call them. */
#define EIS_CLI_DEMO_STORY      "tiny-stories"
#define EIS_CLI_DEMO_DIGITS     "digits"
#define EIS_CLI_DEMO_CIPHERTEXT "digits-square"

typedef struct eis_cli_demo {
    eis_cli_common common;
    eis_cli_split split; /* its hook fills `sight` */
    eis_cli_sight sight; /* of the whole demo */
    bool agreed;         /* everything so far */
} eis_cli_demo;

/* Opens both engines for a model; name is the model's at servers that the user named.
 *
 * Errors: those of eis_cli_backend_open; both are then closed. */
EIS_MUST_USE eis_status eis_cli_demo_open(eis_cli_backend *plain, eis_cli_backend *split, eis_cli_demo *demo,
                                          const eis_model *model, const char *path, const char *name);

/* Prints whether private and plaintext answer are equal, and notes it. */
void eis_cli_demo_compare(eis_cli_demo *demo, bool equal, const char *what);

/* The original's layer: logits, the best of them, and the uniformity of every share. */
EIS_MUST_USE eis_status eis_cli_demo_layer(eis_cli_demo *demo);

/* A story by models/tiny-stories. */
EIS_MUST_USE eis_status eis_cli_demo_story(eis_cli_demo *demo);

/* Tells a story under a heading, word by word as it comes, and how long a token took; appends its ids. */
EIS_MUST_USE eis_status eis_cli_demo_tell(eis_ids *ids, const eis_text_model *lm, const eis_cli_backend *backend,
                                          uint32_t tokens, const char *heading);

bool eis_cli_demo_same_ids(const eis_ids *a, const eis_ids *b);

/* The beginning of a story, by three parties that do not trust each other, and what each of them saw. */
EIS_MUST_USE eis_status eis_cli_demo_mpc(eis_cli_demo *demo);

/* Ten digits by models/digits. */
EIS_MUST_USE eis_status eis_cli_demo_digits(eis_cli_demo *demo);

/* Draws one image of greys from 0 to 255. */
void eis_cli_demo_draw(const double *image, uint32_t width, uint32_t height);

/* One digit by models/digits-square, on ciphertexts. */
EIS_MUST_USE eis_status eis_cli_demo_ciphertext(eis_cli_demo *demo);

#endif
