/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of the Encrypted Inference API: one model at one server that is not trusted.
 *
 * What a server publishes decides nothing about security: parameters are held against the client's own policy, primes
 * and counts against its own limits, and a reply must be exactly the object that the contract names before it is
 * decrypted. Behind decryption nothing happens that the network could see: results of all requests come out together
 * with the first error, and no request depends on an earlier result. */
#ifndef EIS_SERVICE_HE_CLIENT_H
#define EIS_SERVICE_HE_CLIENT_H

#include "base/pool.h"
#include "base/status.h"
#include "ckks/ct.h"
#include "engine/he/contract.h"
#include "service/he_contract_json.h"
#include "service/he_link.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread at a time. The engine's own half of a client is eis_he_client (engine/he/protect.h). */
typedef struct eis_he_remote eis_he_remote;

struct eis_he_client; /* engine/he/protect.h */

typedef struct eis_he_remote_config {
    eis_he_link_config link;
    const char *model_id, *version; /* version NULL: the newest */
    eis_ckks_policy policy;         /* ours; zero: the guidelines of 2024 at 128 bits */
    const char *key_file;           /* the secret key's place, made where there is none; NULL: the default place */
    eis_span passphrase;            /* that seals the key in its file; copied; empty: none */
    bool throw_away;                /* a key for this object alone, never written; key_file is NULL */
    unsigned publish_bits;          /* flood answers so that they may be shown to others, see eis_he_publish; 0: not */
    eis_he_encoding encoding;       /* of requests; 0: binary, or hex where the server knows nothing newer */
    uint64_t request_bytes_max;     /* most that we send at once; 0: 1 GiB */
    uint64_t keys_bytes_max;        /* largest set of evaluation keys that we make; 0: 512 MiB */
    uint32_t job_timeout_ms;        /* for one answer; 0: 10 minutes */
    eis_pool *pool;                 /* encrypts with it; may be NULL */
} eis_he_remote_config;

/* Discovers the model, checks what it asks for, and gets a secret key. Nothing secret is sent, and nothing uploaded.
 *
 * Errors:  EIS_ERR_MODEL_NOT_FOUND;  EIS_ERR_PROTOCOL  an entry that makes no sense;  EIS_ERR_POLICY  its parameters
 *          are not secure enough for us;  EIS_ERR_LIMIT  it asks for more bytes than we send;  EIS_ERR_FILE,
 *          EIS_ERR_USAGE  the key file;  those of the link. *remote is NULL. */
EIS_MUST_USE eis_status eis_he_remote_open(eis_he_remote **remote, const eis_he_remote_config *config);

/* Wipes and frees. NULL is allowed. */
void eis_he_remote_close(eis_he_remote *remote);

const eis_he_contract *eis_he_remote_contract(const eis_he_remote *remote);
const eis_he_info *eis_he_remote_info(const eis_he_remote *remote);
eis_he_link *eis_he_remote_link(eis_he_remote *remote);

/* Tells whether the server's entry lacks what only newer servers publish. */
bool eis_he_remote_is_original(const eis_he_remote *remote);

/* Returns the engine's half, for those who encrypt and decrypt themselves: the conformance suite. */
const struct eis_he_client *eis_he_remote_engine(const eis_he_remote *remote);

/* How a set of evaluation keys is written. All of them are seeded. */
typedef enum eis_he_keys_form {
    EIS_HE_KEYS_SMALL = 0,  /* one key set, cut, where the contract has levels; else SEAL objects with zstd */
    EIS_HE_KEYS_PACKED = 1, /* SEAL objects with zstd */
    EIS_HE_KEYS_SEAL = 2    /* SEAL objects that are not compressed: every server takes them */
} eis_he_keys_form;

/* Makes a set of evaluation keys and appends the body of PUT /keys that carries it; nothing is sent. Errors: those of
 * keygen; sticky in body, too. */
EIS_MUST_USE eis_status eis_he_keys_body_make(eis_writer *body, const struct eis_he_client *client,
                                              const char *model_id, const char *version, eis_he_keys_form form);
EIS_MUST_USE eis_status eis_he_remote_keys_body(eis_writer *body, const eis_he_remote *remote, eis_he_keys_form form);

/* Sees to it that the evaluation keys are at the server: asks whether the set of an earlier run is still there, else
 * makes one and uploads it. Nothing where the model needs none. Errors: those of keygen, link and key file. */
EIS_MUST_USE eis_status eis_he_remote_upload(eis_he_remote *remote);

/* Return how many numbers one input and one answer have. */
size_t eis_he_remote_size(const eis_he_remote *remote);
size_t eis_he_remote_values(const eis_he_remote *remote);

/* Who is told how far a run is: a fraction in [0, 1]. */
typedef struct eis_he_watch {
    void (*progress)(void *context, double fraction);
    void *context;
} eis_he_watch;

/* Runs inputs through the model: as many to a request as the contract allows, or one after the other in rounds where
 * the contract is interactive.
 *
 * Shape:   y[count][values]; x[count][size], the model's own scaling already applied (eis_he_scale). watch may
 *          be NULL.
 * Secret:  x and y.
 * Errors:  EIS_ERR_RANGE  an input is not finite, nothing was sent; one is too large to be encoded;  EIS_ERR_INTEGRITY
 *          a reply that is not the object that was promised;  EIS_ERR_JOB_FAILED and what the server says;
 *          EIS_ERR_TIMEOUT;  those of link and engine. y is wiped. */
EIS_MUST_USE eis_status eis_he_remote_infer(eis_he_remote *remote, double *y, const double *x, size_t count,
                                            const eis_he_watch *watch);

/* How a model scales its inputs: x = (x / divide - mean) / deviation. */
typedef struct eis_he_scaling {
    double divide;                  /* 0: nothing is scaled */
    const double *mean, *deviation; /* [mean_count], [deviation_count]: 1, or one per channel; NULL: 0 and 1 */
    uint32_t mean_count, deviation_count;
    size_t per_channel; /* numbers of one channel; 1 for a vector */
} eis_he_scaling;

/* Scales x[count][size] in place. */
void eis_he_scale(double *x, size_t size, size_t count, const eis_he_scaling *scaling);

/* Returns how the entry says that inputs are scaled. */
eis_he_scaling eis_he_remote_scaling(const eis_he_remote *remote);

/* Where the ciphertexts of a request come from: makes ciphertext `index`, seeded, at the stage's level and scale.
 * Several threads may ask at once. *ct is zeroed or made. */
typedef struct eis_he_sealed {
    void *context;
    eis_status (*next)(void *context, uint32_t index, eis_ckks_ct *ct);
} eis_he_sealed;

/* Sends one request for a stage and reads the reply, checked whole; nothing is decrypted. For rounds of interactive
 * models.
 *
 * Shape:   reply[stage.output.ciphertexts], zeroed or made; the caller clears them.
 * Errors:  as eis_he_remote_infer. All of reply is zeroed. */
EIS_MUST_USE eis_status eis_he_remote_exchange(eis_he_remote *remote, eis_ckks_ct *reply, uint32_t stage, size_t batch,
                                               const eis_he_sealed *source);

/* What was spent so far. */
typedef struct eis_he_remote_report {
    uint64_t requests, calls, retries, polls;
    uint64_t bytes_up, bytes_down, key_bytes; /* bodies; keys are in bytes_up too */
    uint64_t protect_ns, exchange_ns, recover_ns, keys_ns;
    uint64_t request_bytes_last; /* what the server held of one request */
    uint64_t beyond;             /* inputs with a number beyond the contract's input_max: no error bound holds there */
    bool keys_found;             /* uploaded by an earlier run */
} eis_he_remote_report;

void eis_he_remote_report_get(eis_he_remote_report *report, const eis_he_remote *remote);

#endif
