/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/digest.h"

#include <openssl/evp.h>
#include <string.h>

eis_status eis_mpc_digest_start(eis_mpc_digest *digest, const char *domain)
{
    uint8_t length = (uint8_t)strlen(domain);

    digest->st = EIS_OK;
    if (digest->context == NULL) digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL) return eis_fail(EIS_ERR_MEMORY, "no memory for a digest");
    if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
        return eis_fail(EIS_ERR_INTERNAL, "SHA-256 is not available");
    eis_mpc_digest_add(digest, &length, 1);
    eis_mpc_digest_add(digest, domain, length);
    return digest->st;
}

void eis_mpc_digest_add(eis_mpc_digest *digest, const void *data, size_t bytes)
{
    if (digest->st == EIS_OK && EVP_DigestUpdate(digest->context, data, bytes) != 1) digest->st = EIS_ERR_INTERNAL;
}

eis_status eis_mpc_digest_end(eis_mpc_digest *digest, uint8_t *out)
{
    if (digest->st == EIS_OK && EVP_DigestFinal_ex(digest->context, out, NULL) != 1) digest->st = EIS_ERR_INTERNAL;
    if (digest->st != EIS_OK) memset(out, 0, EIS_MPC_DIGEST_BYTES);
    return digest->st;
}

eis_status eis_mpc_digest_peek(const eis_mpc_digest *digest, uint8_t *out)
{
    eis_status st = digest->st;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();

    memset(out, 0, EIS_MPC_DIGEST_BYTES);
    if (copy == NULL) return eis_fail(EIS_ERR_MEMORY, "no memory for a digest");
    if (st == EIS_OK && (EVP_MD_CTX_copy_ex(copy, digest->context) != 1 || EVP_DigestFinal_ex(copy, out, NULL) != 1))
        st = EIS_ERR_INTERNAL;
    EVP_MD_CTX_free(copy);
    return st;
}

void eis_mpc_digest_clear(eis_mpc_digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}
