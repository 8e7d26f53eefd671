/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that flags name: certificates and keys. */
#ifndef EIS_CLI_FILES_H
#define EIS_CLI_FILES_H

#include "base/bytes.h"
#include "base/status.h"

/* Reads a PEM file into memory of the caller's, who frees it with eis_cli_file_clear. `secret` wants that nobody else
 * may read the file.
 *
 * Errors: EIS_ERR_FILE  it cannot be read, is larger than 1 MiB, or others may read a secret one. *file is then empty.
 */
EIS_MUST_USE eis_status eis_cli_file_read(eis_span *file, const char *path, bool secret);

/* Wipes and frees. */
void eis_cli_file_clear(eis_span *file);

#endif
