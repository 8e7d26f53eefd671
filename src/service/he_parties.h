/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and how much he may: calls, polls and bytes, by tenant and, without credentials, by address as well. The
 * number of names that are remembered is bounded, so that inventing names gains nothing. Many threads may use it. */
#ifndef EIS_SERVICE_HE_PARTIES_H
#define EIS_SERVICE_HE_PARTIES_H

#include "base/status.h"
#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eis_he_parties eis_he_parties;
typedef struct eis_he_caller eis_he_caller; /* one request's tenant and address; jobs keep it longer */

typedef struct eis_he_parties_config {
    bool rate_off;
    unsigned calls, calls_s, polls_per_s; /* buckets: so many calls in so many seconds */
    uint64_t bytes_max, owner_bytes_max;  /* bodies and inputs: all together, and of one tenant or address */
    size_t names_max;                     /* 0: 4096 */
    uint64_t (*now_ns)(void *context);    /* test hook; NULL: the monotonic clock */
    void *now_context;
} eis_he_parties_config;

EIS_MUST_USE eis_status eis_he_parties_new(eis_he_parties **parties, const eis_he_parties_config *config);
void eis_he_parties_free(eis_he_parties *parties); /* no caller is left. NULL is allowed */

/* Makes the caller of a request. address "": credentials name the tenant, and addresses do not count.
 * Errors: EIS_ERR_LIMIT  too many names at once; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_caller_new(eis_he_caller **caller, eis_he_parties *parties, const char *tenant,
                                          const char *address);

/* Another holder of the caller; the last release frees it. */
eis_he_caller *eis_he_caller_keep(eis_he_caller *caller);
void eis_he_caller_release(eis_he_caller *caller); /* NULL is allowed */

const char *eis_he_caller_tenant(const eis_he_caller *caller);
const char *eis_he_caller_address(const eis_he_caller *caller); /* "" where it does not count */

/* What a bucket has left. */
typedef struct eis_he_rate {
    unsigned limit, remaining, reset_s; /* 0: there is no limit */
    unsigned retry_s;                   /* where it was refused */
} eis_he_rate;

/* Take one call, or one poll. Errors: EIS_ERR_RATE_LIMITED. */
EIS_MUST_USE eis_status eis_he_caller_call(eis_he_caller *caller, eis_he_rate *rate);
EIS_MUST_USE eis_status eis_he_caller_poll(eis_he_caller *caller, eis_he_rate *rate);

/* Gives a call back: it was the repeat of one that has been counted. */
void eis_he_caller_uncall(eis_he_caller *caller);

/* Reserve bytes for a body or for inputs that wait, and give them back. Errors: EIS_ERR_BUSY. */
EIS_MUST_USE eis_status eis_he_caller_charge(eis_he_caller *caller, uint64_t bytes);
void eis_he_caller_refund(eis_he_caller *caller, uint64_t bytes);

/* Returns the bytes that are reserved now, all together. */
uint64_t eis_he_parties_bytes(eis_he_parties *parties);

#endif
