/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys: made once, sent once, named by their digest from then on. */
#include "base/clock.h"
#include "base/mem.h"
#include "ckks/seal_keys.h"
#include "service/he_client_internal.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define KEYS_PATH_BYTES (sizeof "/keys/" + 2 * EIS_HE_DIGEST_BYTES)

static void name_path(char path[KEYS_PATH_BYTES], const uint8_t digest[EIS_HE_DIGEST_BYTES])
{
    memcpy(path, "/keys/", 6);
    eis_wire_hex_write(path + 6, digest, EIS_HE_DIGEST_BYTES);
}

/* Asks for the set of an earlier run. Any answer but 200 means that it is gone. */
static eis_status look_for_keys(eis_he_remote *r)
{
    const uint8_t *known = eis_he_key_file_uploaded(&r->file, r->info.model_id, r->info.version);
    eis_status st = EIS_OK;
    eis_http_call call = {0};
    eis_he_problem problem;
    char path[KEYS_PATH_BYTES];
    const eis_he_ask ask = {.method = "HEAD", .path = path};

    if (known == NULL) return EIS_OK;
    name_path(path, known);
    st = eis_he_link_run(r->link, &call, &problem, &ask);
    if (st != EIS_OK && problem.status != EIS_OK && call.http_status == 404) {
        eis_error_clear();
        st = EIS_OK;
    } else if (st == EIS_OK) {
        memcpy(r->digest, known, sizeof r->digest);
        r->has_keys = r->report.keys_found = true;
    }
    eis_net_http_call_clear(&call);
    return st;
}

static eis_status write_part(eis_span *part, eis_writer *w, const eis_he_keys *keys, eis_he_part kind,
                             eis_seal_style style)
{
    eis_status st = EIS_OK;

    if (kind == EIS_HE_PART_RELIN) eis_ckks_relin_key_write(w, &keys->relin, style, true);
    if (kind == EIS_HE_PART_GALOIS) eis_ckks_galois_keys_write(w, &keys->galois, style, true);
    if (kind == EIS_HE_PART_PUBLIC) eis_ckks_public_key_write(w, &keys->public_key, style, true);
    EIS_TRY(eis_wire_writer_status(w));
    *part = (eis_span){w->data, w->bytes};
out:
    return st;
}

static eis_status write_parts(eis_he_keys_body *set, eis_writer part[EIS_HE_PARTS], const eis_he_client *client,
                              eis_seal_style style)
{
    const eis_he_contract *c = client->contract;
    const bool wanted[EIS_HE_PARTS] = {[EIS_HE_PART_RELIN] = c->needs_relin,
                                       [EIS_HE_PART_GALOIS] = c->element_count > 0,
                                       [EIS_HE_PART_PUBLIC] = c->needs_public};
    eis_status st = EIS_OK;
    eis_he_keys keys = {0};

    EIS_TRY(eis_he_client_keys(&keys, client));
    for (unsigned i = 0; i < EIS_HE_PARTS; i++)
        if (wanted[i]) EIS_TRY(write_part(&set->part[i], &part[i], &keys, (eis_he_part)i, style));
out:
    eis_he_keys_clear(&keys);
    return st;
}

static eis_status write_set(eis_he_keys_body *set, eis_writer *w, const eis_he_client *client)
{
    eis_status st = EIS_OK;
    eis_ckks_key_set keys = {0};

    EIS_TRY(eis_he_client_key_set(&keys, client));
    eis_ckks_key_set_write(w, &keys, true);
    EIS_TRY(eis_wire_writer_status(w));
    set->part[EIS_HE_PART_SET] = (eis_span){w->data, w->bytes};
out:
    eis_ckks_key_set_clear(&keys);
    return st;
}

eis_status eis_he_keys_body_make(eis_writer *body, const eis_he_client *client, const char *model_id,
                                 const char *version, eis_he_keys_form form)
{
    /* Words have 64 bits and primes 60 at most: what that leaves empty is all that can be saved, and zstd takes it. */
    const eis_seal_style style = {.mode = form == EIS_HE_KEYS_SEAL ? EIS_SEAL_NONE : EIS_SEAL_ZSTD};
    eis_status st = EIS_OK;
    eis_writer part[EIS_HE_PARTS];
    eis_he_keys_body set = {0};

    for (unsigned i = 0; i < EIS_HE_PARTS; i++) eis_wire_writer_init(&part[i], EIS_SEAL_OBJECT_BYTES_MAX);
    snprintf(set.model_id, sizeof set.model_id, "%s", model_id);
    snprintf(set.version, sizeof set.version, "%s", version);
    if (form == EIS_HE_KEYS_SMALL && client->contract->has_levels)
        EIS_TRY(write_set(&set, &part[EIS_HE_PART_SET], client));
    else
        EIS_TRY(write_parts(&set, part, client, style));
    eis_he_keys_body_write(body, &set);
    EIS_TRY(eis_wire_writer_status(body));
out:
    for (unsigned i = 0; i < EIS_HE_PARTS; i++) eis_wire_writer_clear(&part[i]);
    return st;
}

eis_status eis_he_remote_keys_body(eis_writer *body, const eis_he_remote *r, eis_he_keys_form form)
{
    return eis_he_keys_body_make(body, &r->client, r->info.model_id, r->info.version, form);
}

static eis_status put_keys(eis_he_remote *r, const eis_writer *body)
{
    eis_status st = EIS_OK;
    eis_http_call call = {0};
    char path[KEYS_PATH_BYTES];
    const eis_he_ask ask = {.method = "PUT",
                            .path = path,
                            .media_type = EIS_HE_MEDIA_BIN_TEXT,
                            .body = {body->data, body->bytes},
                            .line = {"Accept: application/json"},
                            .line_count = 1};

    EIS_REQUIRE(EVP_Digest(body->data, body->bytes, r->digest, NULL, EVP_sha256(), NULL) == 1, EIS_ERR_INTERNAL,
                "libcrypto failed");
    name_path(path, r->digest);
    EIS_TRY(eis_he_link_run(r->link, &call, NULL, &ask));
    r->report.key_bytes += body->bytes;
    r->has_keys = true;
    if (r->key_path[0] != '\0') {
        eis_he_key_file_remember(&r->file, r->info.model_id, r->info.version, r->digest);
        EIS_TRY(eis_he_key_file_write(&r->file, r->key_path));
    }
out:
    eis_net_http_call_clear(&call);
    return st;
}

eis_status eis_he_remote_upload_afresh(eis_he_remote *r)
{
    uint64_t begin = eis_clock_ns();
    eis_status st = EIS_OK;
    eis_writer body;

    r->has_keys = r->report.keys_found = false;
    eis_wire_writer_init(&body, r->keys_bytes_max + 65536);
    EIS_TRY(eis_he_remote_keys_body(&body, r, EIS_HE_KEYS_SMALL));
    EIS_TRY(put_keys(r, &body));
    r->report.keys_ns += eis_clock_ns() - begin;
out:
    eis_wire_writer_clear(&body);
    return st;
}

eis_status eis_he_remote_upload(eis_he_remote *r)
{
    eis_status st = EIS_OK;

    if (!r->needs_keys || r->has_keys) return EIS_OK;
    EIS_TRY(look_for_keys(r));
    if (!r->has_keys) EIS_TRY(eis_he_remote_upload_afresh(r));
out:
    return st;
}
