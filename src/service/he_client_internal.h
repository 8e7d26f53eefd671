/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: what the files of the he client share. */
#ifndef EIS_SERVICE_HE_CLIENT_INTERNAL_H
#define EIS_SERVICE_HE_CLIENT_INTERNAL_H

#include "engine/he/protect.h"
#include "service/he_client.h"
#include "service/he_key_file.h"

struct eis_he_remote {
    eis_he_link *link;
    eis_he_contract contract;
    eis_he_info info;
    bool is_original;
    eis_he_client client;
    uint8_t *passphrase; /* owned, or NULL */
    size_t passphrase_bytes;
    eis_he_key_file file;                      /* secret is NULL: the key is in `client` alone */
    char key_path[EIS_HE_KEY_FILE_PATH_BYTES]; /* "": thrown away */
    eis_he_encoding encoding;
    unsigned publish_bits;
    uint64_t request_bytes_max, keys_bytes_max;
    uint32_t job_timeout_ms;
    unsigned wait_s; /* that a server is asked to hold its answer: well below the limit of a call */
    eis_pool *pool;
    bool needs_keys, has_keys; /* has_keys: the set `digest` is at the server, as far as we know */
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    eis_he_remote_report report;
};

/* Forgets that keys were uploaded and uploads a new set. */
EIS_MUST_USE eis_status eis_he_remote_upload_afresh(eis_he_remote *remote);

#endif
