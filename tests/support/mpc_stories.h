/* SPDX-License-Identifier: Apache-2.0 */
/* The project's small model of stories, open while a group of tests runs: setup and teardown of the group. */
#ifndef EIS_TESTS_SUPPORT_MPC_STORIES_H
#define EIS_TESTS_SUPPORT_MPC_STORIES_H

#include "engine/mpc/functions.h"
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>

static eis_model *model;
static eis_mpc_tuning tuning;

static int open_model(void **state)
{
    char path[1024];
    const char *root = getenv("EIS_TEST_ROOT");
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root != NULL ? root : ".");
    eis_mpc_tuning_default(&tuning);
    return eis_model_open(&model, path, NULL) == EIS_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    eis_model_free(model);
    return 0;
}

#endif
