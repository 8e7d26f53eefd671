/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that a user names: certificates and keys. */
#ifndef EIS_SERVICE_PEM_FILE_H
#define EIS_SERVICE_PEM_FILE_H

#include "base/bytes.h"
#include "base/status.h"

/* Reads a PEM file into memory of the caller's, who frees it with eis_pem_file_clear. `secret` wants that nobody else
 * may read the file.
 *
 * Errors: EIS_ERR_FILE  it cannot be read, is larger than 1 MiB, or others may read a secret one. *file is then empty.
 */
EIS_MUST_USE eis_status eis_pem_file_read(eis_span *file, const char *path, bool secret);

/* Reads a certificate and its key, which only its owner may read, and checks that they belong together.
 *
 * Errors: as above;  EIS_ERR_TLS  they do not, or are damaged, and both names. What was read stays until it is cleared.
 */
EIS_MUST_USE eis_status eis_pem_file_read_pair(eis_span *cert, eis_span *key, const char *cert_path,
                                               const char *key_path);

/* Wipes and frees. */
void eis_pem_file_clear(eis_span *file);

#endif
