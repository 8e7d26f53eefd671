/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between the processes of the mpc engine: what they are called, and how one is sent and awaited. The header of
 * the stream addresses them: request id = number of the session, layer = step, batch = sender. */
#ifndef EIS_SERVICE_MPC_STREAM_H
#define EIS_SERVICE_MPC_STREAM_H

#include "engine/mpc/links.h"
#include "engine/mpc/sample.h"
#include "net/stream.h"
#include "wire/cursor.h"

#define EIS_MPC_SEEN_BINS 256

/* Behind those of engine/mpc/links.h, which parties exchange round by round. */
typedef enum eis_mpc_message {
    EIS_MPC_MESSAGE_HELLO = 32,  /* role u8, index u32, number of the session u64 (0: none yet) */
    EIS_MPC_MESSAGE_WELCOME,     /* empty; to a party that calls the Triple Service: its seed */
    EIS_MPC_MESSAGE_CREATE,      /* index u32, session document: coordinator to party and Triple Service */
    EIS_MPC_MESSAGE_CREATED,     /* links are up: a party's public key, u16 bytes; of the Triple Service empty */
    EIS_MPC_MESSAGE_KEYS,        /* purpose u8, number u64: an owner asks for the keys of its masks */
    EIS_MPC_MESSAGE_KEYS_ARE,    /* a key of 32 bytes for each party */
    EIS_MPC_MESSAGE_UNIT,        /* kind u8, step u64, position u32, sampling, tokens u32: the last party asks for
                                    corrections */
    EIS_MPC_MESSAGE_UNIT_IS,     /* words */
    EIS_MPC_MESSAGE_WEIGHTS,     /* matrix u32, words D */
    EIS_MPC_MESSAGE_INPUT,       /* step u64, slot u32, tokens left u32, words D */
    EIS_MPC_MESSAGE_TAKEN,       /* empty: the party has it */
    EIS_MPC_MESSAGE_LOAD,        /* empty: the model's owner has sent everything */
    EIS_MPC_MESSAGE_LOADED,      /* empty: weights are checked */
    EIS_MPC_MESSAGE_RUN,         /* tokens of the prompt u32 (0: go on after DRY), most new tokens u32, sampling */
    EIS_MPC_MESSAGE_TOKEN,       /* id u32, ms f64, step u64, signature u16 bytes */
    EIS_MPC_MESSAGE_DONE,        /* reason u8, next step u64 and position u32, tokens of the prompt that are left u32 */
    EIS_MPC_MESSAGE_FAILED,      /* code, text: the session has ended */
    EIS_MPC_MESSAGE_CLOSE,       /* empty */
    EIS_MPC_MESSAGE_COUNT,       /* empty: the coordinator or an owner asks what a member has counted */
    EIS_MPC_MESSAGE_COUNTED,     /* eis_mpc_counters */
    EIS_MPC_MESSAGE_LAYERS = 65, /* empty: an owner asks a party what layers have cost */
    EIS_MPC_MESSAGE_LAYERS_ARE,  /* mpc_layers.h */

    EIS_MPC_MESSAGE_KEY_HASH = 75, /* purpose u8, number u64: an owner asks a party which key of masks it has */
    EIS_MPC_MESSAGE_KEY_HASH_IS,   /* 32 bytes: mpc_key_hash.h */
    EIS_MPC_MESSAGE_HELD,      /* u8: the last party tells the others whether it has the step's unit: eis_mpc_held */
    EIS_MPC_MESSAGE_DRY,       /* empty: the Triple Service has no unit in time, and has given none */
    EIS_MPC_MESSAGE_WAITING,   /* step u64: a party tells its coordinator that a step waits for its unit */
    EIS_MPC_MESSAGE_STATS,     /* empty: a coordinator asks the Triple Service, in place of CREATE */
    EIS_MPC_MESSAGE_STATS_ARE, /* eis_mpc_pool_stats */
    EIS_MPC_MESSAGE_TESTED     /* u8 1: the last party tells the Triple Service that tests of material passed; 0: not */
} eis_mpc_message;

typedef enum eis_mpc_role { EIS_MPC_ROLE_PARTY = 1, EIS_MPC_ROLE_COORDINATOR = 2, EIS_MPC_ROLE_OWNER = 3 } eis_mpc_role;

/* What a RUN ended with. */
typedef enum eis_mpc_end {
    EIS_MPC_END_LENGTH = 0,
    EIS_MPC_END_STOP = 1,
    EIS_MPC_END_CONTEXT = 2,
    EIS_MPC_END_DRY = 3
} eis_mpc_end;

/* What a unit is for. */
typedef enum eis_mpc_unit_kind {
    EIS_MPC_UNIT_LOAD = 0,
    EIS_MPC_UNIT_VECTORS = 1,
    EIS_MPC_UNIT_PROMPT = 2,  /* secret tokens, no head */
    EIS_MPC_UNIT_LAST = 3,    /* the last secret tokens of a prompt, with the head */
    EIS_MPC_UNIT_NEXT = 4,    /* a public token, with the head */
    EIS_MPC_UNIT_CLASSIFY = 5 /* a classifier and one input */
} eis_mpc_unit_kind;

/* What a member of a session has counted: sizes and times are no secrets, and the shape of what it saw is for showing
 * that it is noise. Of the Triple Service only `units` and `unit_words` are not 0. */
typedef struct eis_mpc_counters {
    uint64_t steps, rounds, bytes_to_each_peer;        /* between the parties */
    uint64_t units, unit_words;                        /* from the Triple Service, to the last party */
    uint64_t input_words;                              /* masked words from owners */
    uint64_t load_rounds, load_bytes, load_unit_words; /* those of the weights' load, which are part of the above */
    uint64_t seen[EIS_MPC_SEEN_BINS];                  /* top bytes of words that other parties have sent, sampled */
} eis_mpc_counters;

/* What the Triple Service has counted of the sessions of one coordinator since it started. */
typedef struct eis_mpc_pool_stats {
    uint64_t sessions, produced, consumed, burned; /* units dealt, given, thrown away */
    uint64_t bytes, ready_bytes;                   /* of corrections that were given; of those that wait */
    uint64_t ready, ready_min;                     /* units that wait; at the session in progress that has the fewest */
    uint64_t sac_ok, sac_fail;                     /* units whose tests at the parties passed, or did not */
    uint64_t running;      /* sessions in progress; 0: the two that are the least of them are 0 */
    double wait_s, left_s; /* steps have waited for units; what waits lasts at the rate of now, where it is the least:
                              0 where nothing waits, or where no rate is known yet */
} eis_mpc_pool_stats;

void eis_mpc_pool_stats_write(eis_writer *w, const eis_mpc_pool_stats *stats);
void eis_mpc_pool_stats_read(eis_reader *r, eis_mpc_pool_stats *stats);

/* Writes and reads counters. Errors: sticky in the writer or the reader. */
void eis_mpc_counters_write(eis_writer *w, const eis_mpc_counters *counters);
void eis_mpc_counters_read(eis_reader *r, eis_mpc_counters *counters);

/* Writes and reads how tokens are chosen: top_k u32, temperature f64. Errors: sticky in w; EIS_ERR_RANGE  what the
 * engine does not take;  those of the reader. */
void eis_mpc_sampling_write(eis_writer *w, const eis_mpc_sampling *sampling);
EIS_MUST_USE eis_status eis_mpc_sampling_read(eis_reader *r, eis_mpc_sampling *sampling);

/* The number under which the material of a step is drawn. A unit that follows a public token is dealt ahead, and is
 * thrown away where a prompt comes instead. So its number also names the step of the last secret token, which is above
 * 0: no stream is dealt from twice. Range: steps up to EIS_MPC_STEP_MAX; the Triple Service gives no unit of others. */
#define EIS_MPC_STEP_MAX UINT32_MAX
static inline uint64_t eis_mpc_unit_number(eis_mpc_unit_kind kind, uint64_t step, uint64_t last_secret)
{
    return kind == EIS_MPC_UNIT_NEXT ? step | last_secret << 32 : step;
}

/* The kind of the same unit in the records, of 40 bits: the kind of its step in the low byte, and what else tells its
 * stream from others of the step. Range: as above. */
static inline uint64_t eis_mpc_unit_record_kind(eis_mpc_unit_kind kind, uint64_t last_secret)
{
    return kind == EIS_MPC_UNIT_NEXT ? (uint64_t)kind | last_secret << 8 : (uint64_t)kind;
}

/* Sends a frame: the bytes of a writer (NULL: none) and a run of words (NULL: none). The writer is rewound. */
EIS_MUST_USE eis_status eis_mpc_send(eis_stream *stream, eis_mpc_message message, uint64_t session, eis_writer *w,
                                     const uint64_t *words, size_t word_count);

/* Receives a frame of one type and starts reading its payload, which stays until the next receive.
 *
 * Errors:  what the peer said (FAILED);  EIS_ERR_PROTOCOL  another type or session;  those of the stream. */
EIS_MUST_USE eis_status eis_mpc_await(eis_reader *r, eis_stream *stream, eis_mpc_message message, uint64_t session,
                                      uint32_t wait_ms);

/* Reads a frame that was received as the one of that type; as above. */
EIS_MUST_USE eis_status eis_mpc_open_frame(eis_reader *r, const eis_stream_frame *frame, eis_mpc_message message,
                                           uint64_t session);

/* Tells the peer what went wrong: the code, and a text where it is about the peer's own doing. */
void eis_mpc_send_failure(eis_stream *stream, uint64_t session, eis_status st);

/* Copies the rest of a payload as words of the field.
 * Errors:  EIS_ERR_PROTOCOL  another number of words, or one that is not below p. Shape: words[count]. */
EIS_MUST_USE eis_status eis_mpc_read_words(uint64_t *words, size_t count, eis_reader *r);

#endif
