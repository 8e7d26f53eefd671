/* SPDX-License-Identifier: Apache-2.0 */
/* The original's float shares, sent as the original sent them, and what the last server makes of them: it averages what
 * it gets for one input and holds the input. The demonstration behind `eis audit --legacy-float`; nothing else in the
 * project sends floats. */
#ifndef EIS_CLI_LEGACY_LEAK_H
#define EIS_CLI_LEGACY_LEAK_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_CLI_LEAK_POINTS_MAX 24

/* What the last server knows after so many requests for one input. */
typedef struct eis_cli_leak_point {
    unsigned repetitions;
    double correlation;    /* of the average with the input */
    double relative_error; /* |average - input|_2 / |input|_2 */
} eis_cli_leak_point;

typedef struct eis_cli_leak {
    eis_cli_leak_point points[EIS_CLI_LEAK_POINTS_MAX]; /* at powers of 4, and at the end */
    size_t point_count, servers, inputs;
    double answer_error; /* of the sum of the partial answers against the layer computed here, relative */
    uint64_t bytes_sent; /* to the last server */
} eis_cli_leak;

/* Asks legacy servers `repetitions` times for one input of random numbers. servers: HOST:PORT or URLs separated by
 * commas; NULL starts two in this process, on loopback.
 *
 * Errors: EIS_ERR_USAGE, EIS_ERR_LEGACY_FLOAT (the server's operator did not opt in), those of HTTP. */
EIS_MUST_USE eis_status eis_cli_leak_run(eis_cli_leak *leak, const char *servers, unsigned repetitions);

#endif
