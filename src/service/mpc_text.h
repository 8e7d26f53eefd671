/* SPDX-License-Identifier: Apache-2.0 */
/* A text, or classes of inputs, by parties that see nothing of it: processes, session, weights and prompt, for the
 * commands. */
#ifndef EIS_SERVICE_MPC_TEXT_H
#define EIS_SERVICE_MPC_TEXT_H

#include "service/mpc_embedded.h"
#include "service/mpc_manifest.h"
#include "service/text_model.h"

typedef struct eis_mpc_text eis_mpc_text;

typedef struct eis_mpc_text_wish {
    const eis_mpc_settings *settings;
    uint32_t parties;            /* to start on this machine */
    const char *program;         /* what they run; NULL: this very program */
    const char *coordinator;     /* HOST:PORT of one that somebody else runs; NULL: start everything here */
    const char *session;         /* with it: the file of the session that was agreed on */
    const char *ca, *cert, *key; /* with it: PEM files; ours must be the key of an owner that the session names */
    const eis_cancel *cancel;    /* must outlive the text; may be NULL */
    void (*progress)(void *context, double part); /* of sending the weights; may be NULL */
    void *progress_context;
} eis_mpc_text_wish;

/* Starts the processes, opens a session with them and sends them the masked weights. The model must outlive it.
 *
 * Errors:  EIS_ERR_UNSUPPORTED, EIS_ERR_RANGE, EIS_ERR_MODEL  a model that this engine does not take; those of
 *          processes and session. *text is then NULL. */
EIS_MUST_USE eis_status eis_mpc_text_open(eis_mpc_text **text, const eis_mpc_text_wish *wish, const eis_model *model);

/* As eis_text_generate, once for each opened text: sends the prompt under a mask, and emits what the
 * parties tell. Of the sampling, top_k and temperature count where they are not 0; else the settings'.
 *
 * Errors:  EIS_ERR_RANGE  a top_k or temperature that the engine does not take;  EIS_ERR_CONTEXT_LENGTH;
 * EIS_ERR_INTERRUPTED;  EIS_ERR_UNAVAILABLE  who has gone;  those of the session and of emit. */
EIS_MUST_USE eis_status eis_mpc_text_generate(eis_ids *ids, eis_mpc_text *text, const eis_text_generation *generation);

/* Classifies one input, as read from a file: it is sent under a mask, and only its class comes out. Any number of times
 * for a text that was opened with a classifier, which `model` is.
 *
 * Shape:   x[inputs].
 * Secret:  x.
 * Errors:  EIS_ERR_RANGE  an input that the session has no room for;  as above. */
EIS_MUST_USE eis_status eis_mpc_text_classify(uint32_t *best, eis_mpc_text *text, const eis_model *model,
                                              const double *x);

/* What happened so far, as the members have counted it when the text was done. */
typedef struct eis_mpc_text_report {
    const eis_mpc_session *session;
    const eis_mpc_manifest_notes *notes;
    const eis_mpc_counters *parties; /* [session->party_count] */
    const eis_mpc_counters *dealer;
    const eis_mpc_layers *layers;
    eis_mpc_sampling sampling;          /* how tokens were chosen */
    const pid_t *processes;             /* parties, the Triple Service, the coordinator */
    uint32_t prompt_tokens, tokens;     /* put in, and told */
    double start_ms, load_ms, token_ms; /* token_ms: all steps of the text */
    double first_ms;                    /* of these until the first token was told */
} eis_mpc_text_report;

void eis_mpc_text_report_get(eis_mpc_text_report *report, const eis_mpc_text *text);

/* Ends session and processes. NULL is allowed. */
void eis_mpc_text_close(eis_mpc_text *text);

#endif
