/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a secret key is readable by others, is shown to two servers as one user's, or is lost with a crash.
 */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "service/he_key_file.h"

static char dir[] = "/tmp/eis_he_key_XXXXXX", path[64];

static const eis_span none;

static int make_dir(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.key", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static eis_he_key_file sample(void)
{
    eis_he_key_file file = {0};
    uint8_t digest[EIS_HE_DIGEST_BYTES];

    snprintf(file.origin, sizeof file.origin, "http://localhost:8000");
    memset(file.parms_id, 7, sizeof file.parms_id);
    memset(digest, 9, sizeof digest);
    eis_he_key_file_remember(&file, "digits", "1.0.0", digest);
    file.secret = eis_mem_new_secret(40, 1);
    file.secret_bytes = 40;
    memset(file.secret, 5, 40);
    return file;
}

static void what_is_written_is_read(void **state)
{
    eis_he_key_file a = sample(), b;
    struct stat info;
    bool found = true;

    (void)state;
    assert_int_equal(eis_he_key_file_read(&b, &found, path, none), EIS_OK);
    assert_false(found);
    assert_int_equal(eis_he_key_file_write(&a, path), EIS_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, none), EIS_OK);
    assert_true(found);
    assert_string_equal(a.origin, b.origin);
    assert_memory_equal(a.parms_id, b.parms_id, sizeof a.parms_id);
    assert_int_equal(b.upload_count, 1);
    assert_memory_equal(&a.upload[0], &b.upload[0], sizeof a.upload[0]);
    assert_int_equal(b.secret_bytes, 40);
    assert_memory_equal(a.secret, b.secret, 40);
    eis_he_key_file_clear(&b);
    /* Over what is there, and still nobody else's. */
    assert_int_equal(eis_he_key_file_write(&a, path), EIS_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, none), EIS_ERR_FILE);
    assert_non_null(strstr(eis_error_detail(), "chmod 600"));
    assert_int_equal(unlink(path), 0);
    eis_he_key_file_clear(&a);
}

static void a_key_serves_one_server_and_one_chain(void **state)
{
    eis_he_key_file a = sample();
    uint8_t other[EIS_CKKS_PARMS_ID_BYTES] = {0};

    (void)state;
    assert_int_equal(eis_he_key_file_check(&a, path, "http://localhost:8000", a.parms_id), EIS_OK);
    assert_int_equal(eis_he_key_file_check(&a, path, "http://localhost:8001", a.parms_id), EIS_ERR_USAGE);
    assert_int_equal(eis_he_key_file_check(&a, path, "http://localhost:8000", other), EIS_ERR_USAGE);
    eis_he_key_file_clear(&a);
}

static void damaged_files_are_refused(void **state)
{
    eis_he_key_file a = sample(), b;
    uint8_t data[512];
    FILE *in;
    size_t bytes;

    (void)state;
    assert_int_equal(eis_he_key_file_write(&a, path), EIS_OK);
    in = fopen(path, "rb");
    bytes = fread(data, 1, sizeof data, in);
    fclose(in);
    assert_int_equal(eis_he_key_file_parse(&b, "file", data, bytes, none), EIS_OK);
    eis_he_key_file_clear(&b);
    for (size_t cut = 0; cut < bytes; cut++) {
        assert_int_not_equal(eis_he_key_file_parse(&b, "file", data, cut, none), EIS_OK);
        assert_null(b.secret);
    }
    assert_int_not_equal(eis_he_key_file_parse(&b, "file", data, bytes + 1, none), EIS_OK);
    data[8] = 2;
    assert_int_equal(eis_he_key_file_parse(&b, "file", data, bytes, none), EIS_ERR_VERSION);
    assert_int_equal(unlink(path), 0);
    eis_he_key_file_clear(&a);
}

/* A sealed key opens with its passphrase alone, and only in the file of its server; no two files are sealed alike. */
static void a_passphrase_seals_a_key(void **state)
{
    const eis_span right = {(const uint8_t *)"correct horse", 13}, wrong = {(const uint8_t *)"correct hors", 12};
    eis_he_key_file a = sample(), b;
    uint8_t data[2][512], plain[40];
    size_t bytes = 0;
    bool found;

    (void)state;
    memset(plain, 5, sizeof plain);
    a.passphrase = right;
    for (int i = 0; i < 2; i++) {
        FILE *in;
        assert_int_equal(eis_he_key_file_write(&a, path), EIS_OK);
        in = fopen(path, "rb");
        bytes = fread(data[i], 1, sizeof data[i], in);
        fclose(in);
        assert_null(memmem(data[i], bytes, plain, sizeof plain));
    }
    assert_memory_not_equal(data[0] + bytes - 60, data[1] + bytes - 60, 60);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, right), EIS_OK);
    assert_int_equal(b.secret_bytes, 40);
    assert_memory_equal(b.secret, plain, 40);
    eis_he_key_file_clear(&b);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, wrong), EIS_ERR_USAGE);
    assert_null(b.secret);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, none), EIS_ERR_USAGE);
    assert_non_null(strstr(eis_error_detail(), "passphrase"));
    data[1][8 + 4 + 17 + 2 + 10] ^= 1; /* another origin */
    assert_int_equal(eis_he_key_file_parse(&b, "file", data[1], bytes, right), EIS_ERR_USAGE);
    assert_null(b.secret);
    a.passphrase = none;
    assert_int_equal(eis_he_key_file_write(&a, path), EIS_OK);
    assert_int_equal(eis_he_key_file_read(&b, &found, path, right), EIS_ERR_USAGE);
    assert_int_equal(unlink(path), 0);
    eis_he_key_file_clear(&a);
}

static void uploads_are_remembered_per_model(void **state)
{
    eis_he_key_file a = {0};
    uint8_t digest[EIS_HE_DIGEST_BYTES] = {0};
    char name[16];

    (void)state;
    for (unsigned i = 0; i < EIS_HE_UPLOADS_MAX + 3; i++) {
        snprintf(name, sizeof name, "model%u", i);
        digest[0] = (uint8_t)i;
        eis_he_key_file_remember(&a, name, "1", digest);
    }
    assert_int_equal(a.upload_count, EIS_HE_UPLOADS_MAX);
    assert_null(eis_he_key_file_uploaded(&a, "model2", "1"));
    assert_int_equal(eis_he_key_file_uploaded(&a, "model3", "1")[0], 3);
    assert_null(eis_he_key_file_uploaded(&a, "model3", "2"));
    digest[0] = 77;
    eis_he_key_file_remember(&a, "model3", "1", digest);
    assert_int_equal(a.upload_count, EIS_HE_UPLOADS_MAX);
    assert_int_equal(eis_he_key_file_uploaded(&a, "model3", "1")[0], 77);
}

static void the_default_place_tells_servers_apart(void **state)
{
    char a[EIS_HE_KEY_FILE_PATH_BYTES], b[EIS_HE_KEY_FILE_PATH_BYTES];
    uint8_t id[EIS_CKKS_PARMS_ID_BYTES] = {1}, other[EIS_CKKS_PARMS_ID_BYTES] = {2};
    struct stat info;

    (void)state;
    assert_int_equal(setenv("XDG_DATA_HOME", dir, 1), 0);
    assert_int_equal(eis_he_key_file_default(a, "http://a:1", id), EIS_OK);
    assert_int_equal(eis_he_key_file_default(b, "http://a:1", id), EIS_OK);
    assert_string_equal(a, b);
    assert_int_equal(eis_he_key_file_default(b, "http://a:2", id), EIS_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(eis_he_key_file_default(b, "http://a:1", other), EIS_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(strncmp(a, dir, strlen(dir)), 0);
    snprintf(b, sizeof b, "%s/eis/he", dir);
    assert_int_equal(stat(b, &info), 0);
    assert_int_equal(info.st_mode & 0077, 0);
    assert_int_equal(rmdir(b), 0);
    snprintf(b, sizeof b, "%s/eis", dir);
    assert_int_equal(rmdir(b), 0);
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    assert_int_equal(eis_he_key_file_default(a, "http://a:1", id), EIS_ERR_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),          cmocka_unit_test(a_key_serves_one_server_and_one_chain),
        cmocka_unit_test(damaged_files_are_refused),        cmocka_unit_test(a_passphrase_seals_a_key),
        cmocka_unit_test(uploads_are_remembered_per_model), cmocka_unit_test(the_default_place_tells_servers_apart),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
