/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 in the middle of a job: the next process says that it failed and may be tried again; the same Idempotency-Key
 * then runs it once more, however often it is sent. The server is the program that ships. */
#include "support/he_api_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL "digits-square"

typedef struct victim {
    pid_t pid;
    FILE *out;
} victim;

static void start(victim *v, api_world *w, const char *program, const char *registry, const char *store)
{
    int ends[2];
    char line[128] = "";

    assert_int_equal(pipe(ends), 0);
    v->pid = fork();
    assert_true(v->pid >= 0);
    if (v->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(program, program, "serve", "api", "--registry", registry, "--listen", "127.0.0.1:0", "--store", store,
              "--rate", "0", "--workers", "1", "--quiet", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    v->out = fdopen(ends[0], "r");
    assert_non_null(v->out);
    if (fgets(line, sizeof line, v->out) == NULL || strncmp(line, "listening ", 10) != 0)
        fail_msg("%s does not start", program);
    assert_int_equal(eis_net_address_parse(&w->http, strtok(line + 10, "\n"), -1), EIS_OK);
}

static void stop(victim *v, int signal)
{
    assert_int_equal(kill(v->pid, signal), 0);
    assert_int_equal(waitpid(v->pid, NULL, 0), v->pid);
    fclose(v->out);
}

static void write_registry(char *directory)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[256];
    FILE *file;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/model.json", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"model_id\":\"" MODEL "\",\"version\":\"1.0.0\",\"description\":\"digits\",\"he_scheme\":\"CKKS\","
            "\"model\":\"%s/models/" MODEL "\",\"chain\":\"M\",\"form\":\"single\"}",
            root);
    fclose(file);
}

static void discover(eis_he_contract *contract, api_world *w)
{
    eis_json_doc *doc = NULL;
    eis_json_value entry;
    eis_he_info info;

    assert_int_equal(api_get(w, "/models"), 200);
    assert_int_equal(eis_json_parse(&doc, "models", w->call.answer, w->call.answer_bytes, w->call.answer_bytes),
                     EIS_OK);
    assert_int_equal(eis_he_models_find(&entry, eis_json_root(doc), MODEL, NULL), EIS_OK);
    if (eis_he_contract_read(contract, &info, entry) != EIS_OK) fail_msg("%s", eis_error_detail());
    eis_he_info_clear(&info);
    eis_json_free(doc);
}

/* Sends the same bytes under the same key, and says which job answers. */
static void send_keyed(char id[EIS_HE_JOB_ID_BYTES], api_world *w, const api_party *p, const eis_he_head *head)
{
    static const char *const headers[] = {"Idempotency-Key: the-one", NULL};
    eis_he_job job;

    if (api_infer(w, p, head, EIS_HE_BINARY, headers) != 202) fail_msg("%s", (const char *)w->call.answer);
    api_read_job(&job, w);
    memcpy(id, job.job_id, EIS_HE_JOB_ID_BYTES);
    eis_he_job_clear(&job);
}

static void read_job(eis_he_job *job, api_world *w, const char *id)
{
    char path[64];

    snprintf(path, sizeof path, "/jobs/%s", id);
    assert_int_equal(api_get(w, path), 200);
    api_read_job(job, w);
}

static void a_job_that_was_killed_is_run_once_more(void **state)
{
    const eis_http_client_config client = {.timeout_ms = API_TIMEOUT_S * 1000};
    const char *build = getenv("EIS_TEST_BUILD");
    char directory[] = "/tmp/eis-test-kill-XXXXXX", program[1024], store[64], path[80], wal[80];
    char first[EIS_HE_JOB_ID_BYTES], second[EIS_HE_JOB_ID_BYTES], again[EIS_HE_JOB_ID_BYTES];
    eis_he_contract *contract;
    double y[10], *x;
    eis_writer keys;
    eis_he_head head;
    eis_he_job job;
    api_world w = {0};
    api_party p;
    victim v;

    (void)state;
    snprintf(program, sizeof program, "%s/eis-server", build != NULL ? build : "build");
    if (access(program, X_OK) != 0) {
        print_message("SKIP: there is no eis-server\n");
        skip();
    }
    contract = eis_mem_new(1, sizeof *contract);
    x = eis_mem_new((size_t)28 * 28, sizeof *x);
    assert_non_null(contract), assert_non_null(x);
    write_registry(directory);
    snprintf(store, sizeof store, "%s/jobs.db", directory);
    assert_int_equal(eis_net_http_client_new(&w.client, &client), EIS_OK);
    start(&v, &w, program, directory, store);
    discover(contract, &w);
    api_party_begin_contract(&p, contract, MODEL);
    api_make_keys(&keys, path, &p);
    assert_int_equal(api_put_keys(&w, path, &keys, NULL), 201);
    head = api_head(&p);
    head.has_keys = eis_he_digest_read(head.keys, path + 6, 64);
    api_encrypt(&p, x, 1, true);
    send_keyed(first, &w, &p, &head); /* the server computes for far longer than this process needs for the next line */
    stop(&v, SIGKILL);

    start(&v, &w, program, directory, store);
    read_job(&job, &w, first);
    assert_int_equal(job.state, EIS_HE_JOB_FAILED);
    assert_int_equal(job.error, EIS_ERR_INTERRUPTED);
    assert_true(job.retryable);
    eis_he_job_clear(&job);
    assert_int_equal(api_put_keys(&w, path, &keys, NULL), 201); /* keys lived in memory */
    send_keyed(second, &w, &p, &head);
    assert_string_not_equal(first, second);
    for (int i = 0; i < 3; i++) {
        send_keyed(again, &w, &p, &head);
        assert_string_equal(again, second);
    }
    api_wait(&w, second, NULL);
    read_job(&job, &w, second);
    if (job.state != EIS_HE_JOB_COMPLETED) fail_msg("%s", (const char *)w.call.answer);
    eis_he_job_clear(&job);
    api_decrypt(y, &w, &p, 1, EIS_HE_BINARY);
    send_keyed(again, &w, &p, &head);
    assert_string_equal(again, second);
    assert_int_equal(api_get(&w, "/metrics"), 200);
    assert_non_null(strstr((const char *)w.call.answer, "\neis_he_store_jobs 2\n"));
    stop(&v, SIGTERM);

    /* What was completed is there after an orderly restart as well. */
    start(&v, &w, program, directory, store);
    read_job(&job, &w, second);
    assert_int_equal(job.state, EIS_HE_JOB_COMPLETED);
    eis_he_job_clear(&job);
    stop(&v, SIGTERM);

    eis_net_http_call_clear(&w.call);
    eis_net_http_client_free(w.client);
    eis_wire_writer_clear(&keys);
    api_party_end(&p);
    eis_mem_free(contract);
    eis_mem_free(x);
    snprintf(wal, sizeof wal, "%s-wal", store);
    unlink(wal);
    unlink(store);
    snprintf(wal, sizeof wal, "%s/model.json", directory);
    unlink(wal);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_job_that_was_killed_is_run_once_more)};

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
