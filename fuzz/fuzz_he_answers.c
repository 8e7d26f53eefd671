/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the inference API reads from a server that it does not trust, and from its own key file: errors,
 * jobs, lists of models, keys. The first byte chooses. A contract that is taken is one that the client can use. */
#include "base/mem.h"
#include "service/he_contract_json.h"
#include "service/he_key_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_problem(eis_span body, int http_status)
{
    eis_he_problem p;

    eis_he_problem_read(&p, http_status, 0, body);
    EIS_ASSERT(p.status != EIS_OK && p.retry_after_s <= 3600);
    EIS_ASSERT(strlen(p.code) < sizeof p.code && strlen(p.message) < sizeof p.message);
    for (const char *c = p.message; *c != '\0'; c++) EIS_ASSERT(*c >= 0x20 && *c < 0x7f);
}

static void try_key_file(eis_span body)
{
    eis_he_key_file file;
    uint8_t digest[EIS_HE_DIGEST_BYTES] = {1};

    if (eis_he_key_file_parse(&file, "key", body.data, body.bytes, (eis_span){0}) != EIS_OK) return;
    EIS_ASSERT(file.secret_bytes > 0 && file.upload_count <= EIS_HE_UPLOADS_MAX);
    eis_he_key_file_remember(&file, "model", "1.0.0", digest);
    EIS_ASSERT(memcmp(eis_he_key_file_uploaded(&file, "model", "1.0.0"), digest, sizeof digest) == 0);
    eis_he_key_file_clear(&file);
}

static void try_job(eis_span body, eis_he_media media)
{
    eis_he_job job;

    if (eis_he_job_read(&job, media, body, 8) != EIS_OK) return;
    EIS_ASSERT(job.payload_count <= 8);
    for (size_t i = 0; i < job.payload_count; i++) {
        eis_span bytes;
        uint8_t *memory;
        if (eis_he_payload_open(&bytes, &memory, &job.payloads[i]) == EIS_OK)
            EIS_ASSERT(bytes.bytes == job.payloads[i].bytes);
        eis_mem_free(memory);
    }
    eis_he_job_clear(&job);
}

static void try_models(eis_span body)
{
    static eis_he_contract contract;
    eis_he_info info = {0};
    eis_json_doc *doc = NULL;
    eis_json_value entry;

    if (eis_json_parse(&doc, "models", body.data, body.bytes, (size_t)1 << 20) != EIS_OK) return;
    if (eis_he_models_find(&entry, eis_json_root(doc), "m", NULL) == EIS_OK &&
        eis_he_contract_read(&contract, &info, entry) == EIS_OK)
        EIS_ASSERT(eis_he_contract_check(&contract) == EIS_OK);
    eis_he_info_clear(&info);
    eis_json_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    switch (data[0]) {
    case 'e':
        try_problem((eis_span){data + 1, size - 1}, 400 + (int)(size % 110));
        break;
    case 'k':
        try_key_file((eis_span){data + 1, size - 1});
        break;
    case 'j':
        try_job((eis_span){data + 1, size - 1}, EIS_HE_MEDIA_JSON);
        break;
    case 'b':
        try_job((eis_span){data + 1, size - 1}, EIS_HE_MEDIA_BINARY);
        break;
    default:
        try_models((eis_span){data + 1, size - 1});
    }
    return 0;
}
