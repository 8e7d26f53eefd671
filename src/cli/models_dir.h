/* SPDX-License-Identifier: Apache-2.0 */
/* Where the project's own models lie: for the commands that work without a flag. */
#ifndef EIS_CLI_MODELS_DIR_H
#define EIS_CLI_MODELS_DIR_H

#include "base/status.h"

#define EIS_CLI_PATH_BYTES 4096

/* Finds a model by name: in the directory of the environment variable EIS_MODELS, else in ./models, beside the program
 * (../models, as in a source tree), or where it was installed (../share/eis/models).
 *
 * Errors: EIS_ERR_FILE  it is in none of them; the text says what to do. */
EIS_MUST_USE eis_status eis_cli_models_find(char path[EIS_CLI_PATH_BYTES], const char *name);

#endif
