/* SPDX-License-Identifier: Apache-2.0 */
/* Whole models: open one, generate text or classify, on servers that see nothing of it (engines split and he) or here
 * (engine plain, the reference). What `eis generate` and `eis classify` do. */
#ifndef EIS_CLIENT_H
#define EIS_CLIENT_H

#include "eis/export.h"
#include "eis/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open model with whoever multiplies for it. One thread at a time. */
typedef struct eis_client eis_client;

typedef enum eis_client_engine {
    EIS_CLIENT_SPLIT = 0, /* servers multiply shares */
    EIS_CLIENT_PLAIN = 1, /* this process multiplies by the model's own weights; nothing is hidden or sent */
    EIS_CLIENT_HE = 2     /* one server computes on ciphertexts; classifiers alone */
} eis_client_engine;

/* How a model is opened. All zero: the split engine on two servers that are started on this machine. The members from
 * `servers` to `timeout_ms` are for the split engine; model_name, ca, cert, key, pins, token_file, server_program and
 * timeout_ms for the engine he, too, where `servers` is not used; those behind are for the engine he alone. */
typedef struct eis_client_options {
    eis_client_engine engine;
    const char *tokenizer; /* file or directory; NULL: what comes with the model */
    const char *weights;   /* of a classifier, in place of model.safetensors */
    unsigned threads;      /* 0: one per processor */

    const char *servers;    /* "HOST:PORT,..."; NULL: start own ones on loopback */
    const char *model_name; /* at the servers; NULL: their only model */
    const char *ca;         /* PEM file; NULL: the system's CAs */
    const char *cert, *key; /* PEM files of our own certificate, for servers that ask */
    const char *pins;       /* "SHA256,...": the servers' public keys, in their order */
    const char *token_file; /* a token that tells the servers who we are */

    unsigned shares;            /* own servers: how many; 0: 2, or threshold + 1 */
    const char *server_program; /* own servers run this eis-server or eis; NULL: the first of them on the PATH */

    const char *profile; /* "p24", "p8", "f61", "f61-8"; NULL: that of a client part, else "f61" with a threshold
                            or `verify`, else "p24" */
    const char *pack;    /* of a client part, for own servers and `verify`; NULL: server.eispack beside it */
    unsigned threshold;  /* 0: every server must answer; else any so many are enough */
    bool verify;         /* check every answer; a server that cheats is named */
    bool truncate;       /* ask for 32-bit replies */
    unsigned timeout_ms; /* for an answer; 0: 30 s, with the engine he 60 s */

    const char *url;      /* of a server of the Encrypted Inference API, with model_name; NULL: start an own one */
    const char *tenant;   /* that we are there; NULL: its default */
    const char *key_file; /* where the secret key is kept; NULL: below ~/.local/share/eis/he. Own servers get a key
                             that is thrown away */
    const char *security_policy; /* NULL: "he-guidelines-2024-128" */
    const char *chain;           /* of an own server: parameters by name; NULL: the cheapest that fits */
    const char *form;            /* of an own server: "single" or "batch"; NULL: as suits the model */
    bool interactive;            /* compute here, between rounds, what ciphertexts cannot (ReLU, max pool) */
    bool insecure_http;          /* allow http:// beyond this machine */
} eis_client_options;

/* Opens a model (a Hugging Face directory, a llama2.c file, a directory with model.json, or a client part), and with
 * the split engine reaches or starts its servers. Own servers end with the client, and with the thread that opened it.
 * p8 chooses its rings from a client part; from a model with weights it uses 64-bit words.
 *
 * Errors:  EIS_ERR_USAGE  options that do not go together;  EIS_ERR_FILE, EIS_ERR_MODEL, EIS_ERR_PARSE, ...  the files;
 *          EIS_ERR_TLS, EIS_ERR_DIGEST, EIS_ERR_UNAVAILABLE, EIS_ERR_TIMEOUT, EIS_ERR_MODEL_NOT_FOUND, ...  a server,
 *          which the text names. */
EIS_API EIS_MUST_USE eis_status eis_client_open(eis_client **client, const char *model,
                                                const eis_client_options *options);

/* Stops own servers, wipes and frees. NULL is allowed. */
EIS_API void eis_client_close(eis_client *client);

/* Makes whatever the client does, now and later, end with EIS_ERR_INTERRUPTED. Any thread may call it, and a signal
 * handler too. */
EIS_API void eis_client_interrupt(eis_client *client);

/* The id that comes with text that belongs to no new token: the prompt's own, and a character left unfinished. */
#define EIS_CLIENT_NO_TOKEN UINT32_MAX

/* Receives text as it comes: first the prompt's, then what became ready with each token. `text` is UTF-8 without a
 * terminator, never cut within a character; bytes may be 0. Another status than EIS_OK ends the generation with it. */
typedef eis_status (*eis_client_receiver)(void *context, uint32_t id, const char *text, size_t bytes);

/* What is generated. All zero: from the beginning of a text, 256 tokens, always the likeliest. */
typedef struct eis_client_generation {
    const char *prompt;         /* UTF-8; NULL: empty */
    const uint32_t *prompt_ids; /* [prompt_id_count]: taken as they are, in place of a text; NULL: none */
    size_t prompt_id_count;
    uint32_t max_tokens; /* 0: 256 */
    double temperature;  /* sample at this temperature; 0: the likeliest token, or 1 where top_k or top_p is set */
    uint32_t top_k;      /* sample among the k likeliest; 0: all */
    double top_p;        /* sample among the likeliest that reach p; 0: all */
    uint64_t seed;       /* the same text again; 0: drawn from the system */
    eis_client_receiver receive; /* NULL: nobody listens */
    void *context;
} eis_client_generation;

/* Generates until max_tokens, a token that ends the text, or the end of the model's context.
 *
 * Secret:  prompt and text; their number of tokens is public.
 * Errors:  EIS_ERR_MODEL  a classifier;  EIS_ERR_USAGE  no tokenizer, or a prompt in both forms;  EIS_ERR_RANGE  an id
 *          that the model does not have, or sampling out of range;  EIS_ERR_CONTEXT_LENGTH;  EIS_ERR_INTEGRITY  a wrong
 *          answer, the text names the server;  EIS_ERR_INTERRUPTED;  those of connections;  what `receive` returned. */
EIS_API EIS_MUST_USE eis_status eis_client_generate(eis_client *client, const eis_client_generation *generation);

/* Returns how many numbers one input of a classifier has, and how many classes there are; 0 for a language model. */
EIS_API size_t eis_client_input_count(const eis_client *client);
EIS_API size_t eis_client_class_count(const eis_client *client);

/* Returns the label of a class, or NULL where the model has no labels or no such class. It lives as long as the client.
 */
EIS_API const char *eis_client_class_label(const eis_client *client, uint32_t class_index);

/* Classifies a batch. With the engine he every number of the answers carries a small error, and exact answers are for
 * their owner alone: who publishes them publishes something of the key.
 *
 * Shape:   classes[batch]; logits[batch][class_count], or NULL; x[batch][input_count], unscaled, as the model's
 *          description means them (an image: 0 to 255).
 * Secret:  x, classes, logits; the batch is public.
 * Errors:  EIS_ERR_MODEL  a language model;  EIS_ERR_RANGE  an input is not finite;  EIS_ERR_SHAPE  an empty batch;
 *          EIS_ERR_TOO_LARGE;  EIS_ERR_INTEGRITY;  EIS_ERR_INTERRUPTED;  those of connections. Both outputs are
 *          untouched. */
EIS_API EIS_MUST_USE eis_status eis_client_classify(eis_client *client, uint32_t *classes, double *logits,
                                                    const double *x, size_t batch);

#ifdef __cplusplus
}
#endif
#endif
