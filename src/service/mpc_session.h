/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a session: who takes part, with which keys, on which model, under which rules. One document; its
 * hash enters everything that the session computes, and every role compares it with its own list of whom it knows. */
#ifndef EIS_SERVICE_MPC_SESSION_H
#define EIS_SERVICE_MPC_SESSION_H

#include "engine/mpc/check.h"
#include "engine/mpc/classifier.h"
#include "engine/mpc/lm.h"
#include "engine/mpc/material.h"
#include "net/address.h"
#include "net/tls.h"
#include "wire/cursor.h"

#define EIS_MPC_NAME_BYTES         65 /* 64 of [A-Za-z0-9._-] and the zero */
#define EIS_MPC_SESSION_BYTES_MAX  ((size_t)1 << 20)
#define EIS_MPC_STREAM_PAYLOAD_MAX (EIS_MPC_FRAME_BYTES + ((uint64_t)256 << 20))
#define EIS_MPC_FRAME_BYTES        8 /* round u32 and a reserved u32, behind the header of the stream */
#define EIS_MPC_ALPN               "eis-mpc/1"
#define EIS_MPC_SACRIFICE_MAX      2                   /* levels */
#define EIS_MPC_PENDING_LIMIT      ((uint32_t)1 << 24) /* check.max_pending is at most this */

typedef struct eis_mpc_member {
    eis_address address;
    eis_tls_pin pin;
} eis_mpc_member;

/* What the manifest tells of. */
typedef enum eis_mpc_model_kind { EIS_MPC_MODEL_LM = 0, EIS_MPC_MODEL_CLASSIFIER = 1 } eis_mpc_model_kind;

typedef struct eis_mpc_session {
    char id[EIS_MPC_NAME_BYTES], model[EIS_MPC_NAME_BYTES];
    uint32_t party_count;
    eis_mpc_member party[EIS_MPC_PARTIES_MAX];
    eis_mpc_member dealer;
    eis_tls_pin coordinator, model_owner, prompt_owner;
    uint32_t context;                   /* positions of a text, or inputs to classify, at most */
    uint32_t stop[EIS_LM_STOP_IDS_MAX]; /* tokens that end a text */
    uint32_t stop_count;
    eis_mpc_tests tests;  /* sacrifice.level, prompt.check */
    uint32_t pending_max; /* check.max_pending */
    uint32_t master_mask; /* dealer.master_mask: 0, or masks that hide nothing, for tests on one machine */
    eis_mpc_model_kind kind;
    eis_mpc_lm lm;                      /* the model's manifest, tunables included; zeroed with a classifier */
    eis_mpc_classifier classifier;      /* its manifest; zeroed with a language model */
    uint8_t hash[EIS_MPC_DIGEST_BYTES]; /* of the document */
} eis_mpc_session;

/* Writes the document, and sets the hash. Errors: sticky in w. */
eis_status eis_mpc_session_write(eis_writer *w, eis_mpc_session *session);

/* Reads a document and checks it whole: names, counts, two keys that are one where they must not be (the dealer's and
 * anybody else's, two parties'), a manifest that cannot be.
 *
 * Errors:  EIS_ERR_PARSE, EIS_ERR_VERSION, EIS_ERR_MEMORY; *session is zeroed. */
EIS_MUST_USE eis_status eis_mpc_session_read(eis_mpc_session *session, const void *data, size_t bytes);

/* Frees. Safe on a zeroed session. */
void eis_mpc_session_clear(eis_mpc_session *session);

/* The first bytes of the hash, which address frames. */
uint64_t eis_mpc_session_number(const eis_mpc_session *session);

/* Tells whether a text is a name. */
bool eis_mpc_name_valid(const char *text);

#endif
