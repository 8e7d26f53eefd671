/* SPDX-License-Identifier: Apache-2.0 */
#include "service/pem_file.h"

#include "base/mem.h"
#include "net/tls.h"
#include "trust/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX 1048576

eis_status eis_pem_file_read(eis_span *span, const char *path, bool secret)
{
    eis_status st = EIS_OK;
    FILE *file = NULL;
    uint8_t *data = NULL;
    size_t bytes;

    *span = (eis_span){0};
    if (secret) EIS_TRY(eis_trust_key_file_check(path));
    file = fopen(path, "rb");
    EIS_REQUIRE(file != NULL, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    data = eis_mem_new_secret(FILE_BYTES_MAX, 1);
    if (data == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    bytes = fread(data, 1, FILE_BYTES_MAX, file);
    EIS_REQUIRE(!ferror(file) && bytes < FILE_BYTES_MAX, EIS_ERR_FILE, "%s cannot be read or is too large", path);
    *span = (eis_span){data, bytes};
    data = NULL;
out:
    if (file != NULL) fclose(file);
    eis_mem_free_wiped(data, FILE_BYTES_MAX, 1);
    return st;
}

eis_status eis_pem_file_read_pair(eis_span *cert, eis_span *key, const char *cert_path, const char *key_path)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_pem_file_read(cert, cert_path, false));
    EIS_TRY(eis_pem_file_read(key, key_path, true));
    st = eis_net_tls_check_pair(*cert, *key);
    if (st != EIS_OK) st = eis_fail_prefix(st, "%s and %s", cert_path, key_path);
out:
    return st;
}

void eis_pem_file_clear(eis_span *file)
{
    eis_mem_free_wiped((void *)(uintptr_t)file->data, file->bytes, 1);
    *file = (eis_span){0};
}
