/* SPDX-License-Identifier: Apache-2.0 */
/* Fifth act: the beginning of a story by three processes, each of which could cheat, and a fourth that deals them
 * randomness. Weights and prompt are secret too. */
#include "cli/demo.h"
#include "cli/models_dir.h"
#include "cli/mpc_report.h"

#include <stdio.h>

#define PARTIES 3
#define TOKENS  16

static eis_status act(eis_cli_demo *demo, const eis_text_model *lm, const char *path, eis_ids *private, eis_ids *right)
{
    eis_status st = EIS_OK;
    const eis_cli_split local = {.engine = EIS_ENGINE_PLAIN};
    const eis_cli_mpc wish = {.parties = PARTIES};
    const eis_cli_split among = {.engine = EIS_ENGINE_MPC, .mpc = &wish};
    eis_cli_backend plain = {0}, mpc = {0};
    bool noise;

    EIS_TRY(eis_cli_backend_open(&mpc, &among, &demo->common, lm->model, path, NULL, NULL, 0));
    EIS_TRY(eis_cli_backend_open(&plain, &local, &demo->common, lm->model, path, NULL, NULL, 0));
    EIS_TRY(
        eis_cli_demo_tell(private, lm, &mpc, TOKENS, "private, told by three processes that do not trust each other:"));
    EIS_TRY(eis_cli_demo_tell(right, lm, &plain, TOKENS, "plaintext, by this process alone:"));
    eis_cli_demo_compare(demo, eis_cli_demo_same_ids(private, right), "equal");
    printf("\n");
    noise = eis_cli_mpc_sight_print(stdout, mpc.mpc);
    demo->agreed &= noise;
out:
    eis_cli_backend_close(&mpc);
    eis_cli_backend_close(&plain);
    return st;
}

eis_status eis_cli_demo_mpc(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES];
    eis_text_model lm = {0};
    eis_ids right = {0}, private = {0};

    printf("5  A story by " EIS_CLI_DEMO_STORY ", among parties that trust nobody\n\n");
    EIS_TRY(eis_cli_models_find(path, EIS_CLI_DEMO_STORY));
    EIS_TRY(eis_text_model_open(&lm, path, NULL));
    EIS_REQUIRE(lm.tokenizer != NULL, EIS_ERR_MODEL, "%s comes without its tokenizer", path);
    EIS_TRY(act(demo, &lm, path, &private, &right));
out:
    eis_text_model_close(&lm);
    eis_ids_clear(&right);
    eis_ids_clear(&private);
    return st;
}
