/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded default: servers in processes of their own. If they outlived the program, or learned of it more than
 * their papers, "nothing to set up" would be paid for with safety. The test runs itself again as a server. */
#define _GNU_SOURCE
#include "support/split_world.h"

#include "service/local.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define LOGITS (WORLD_STEPS * WORLD_LOGITS)

static eis_split_session *open_session(const eis_split_session_config *config)
{
    eis_split_session *session = NULL;

    if (eis_split_session_open(&session, config) != EIS_OK) fail_msg("session: %s", eis_error_detail());
    return session;
}

static bool is_gone(pid_t process)
{
    static const struct timespec step = {.tv_nsec = 5000000};

    for (int i = 0; i < 1000; i++) {
        if (kill(process, 0) != 0) return true;
        nanosleep(&step, NULL);
    }
    return false;
}

/* Own servers give the plaintext answer, and are gone when the session is. */
static void own_servers(void **state)
{
    static const unsigned profiles[] = {0, EIS_SPLIT_P8, EIS_SPLIT_F61_20};
    double plain[LOGITS], logits[LOGITS];
    eis_model *model = world_lm();

    (void)state;
    world_generate_plain(plain, model);
    for (size_t p = 0; p < 3; p++) {
        const eis_split_session_config config = {.model = model,
                                                 .profile = profiles[p],
                                                 .verify = profiles[p] == EIS_SPLIT_F61_20,
                                                 .calibration_ids = world_ids,
                                                 .calibration_count = WORLD_IDS,
                                                 .client = {.scheme = {.servers = 3}, .pad_batches = true},
                                                 .server_threads = 1};
        eis_split_session *session = open_session(&config);
        const pid_t *processes;
        pid_t kept[3];
        assert_int_equal(eis_split_session_processes(&processes, session), 3);
        memcpy(kept, processes, sizeof kept);
        if (world_generate(logits, model, eis_split_session_seam(session)) != EIS_OK)
            fail_msg("%s", eis_error_detail());
        assert_true(world_distance(logits, plain, LOGITS) < (profiles[p] == EIS_SPLIT_P8 ? 0.1 : 3e-5));
        eis_split_session_close(session);
        for (size_t i = 0; i < 3; i++) assert_true(is_gone(kept[i]));
    }
    eis_model_free(model);
}

/* Calibration may only make rings smaller, never an answer worse than 8-bit weights make it. */
static void calibrated_rings(void **state)
{
    eis_model *model = world_lm();
    eis_split_session_config config = {.model = model, .profile = EIS_SPLIT_P8, .server_threads = 1};
    eis_split_session *session;

    (void)state;
    session = open_session(&config);
    assert_int_equal(eis_split_session_info(session)->layers[0].planes, 8);
    assert_int_equal(eis_split_session_scheme(session).servers, 2);
    eis_split_session_close(session);
    config.calibration_ids = world_ids;
    config.calibration_count = WORLD_IDS;
    session = open_session(&config);
    assert_in_range(eis_split_session_info(session)->layers[0].planes, 4, 7);
    eis_split_session_close(session);
    eis_model_free(model);
}

/* Two of three are enough, also when one is killed in the middle of a text. */
static void one_of_three_is_killed(void **state)
{
    double before[LOGITS], after[LOGITS];
    eis_model *model = world_lm();
    const eis_split_session_config config = {
        .model = model, .client = {.scheme = {.threshold = 2}}, .server_threads = 1};
    eis_split_session *session;
    const pid_t *processes;

    (void)state;
    session = open_session(&config);
    assert_int_equal(eis_split_session_scheme(session).servers, 3);
    assert_int_equal(eis_split_session_info(session)->profile, EIS_SPLIT_F61_20);
    assert_int_equal(world_generate(before, model, eis_split_session_seam(session)), EIS_OK);
    assert_int_equal(eis_split_session_processes(&processes, session), 3);
    assert_int_equal(kill(processes[1], SIGKILL), 0);
    if (world_generate(after, model, eis_split_session_seam(session)) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_memory_equal(before, after, sizeof after);
    eis_split_session_close(session);
    eis_model_free(model);
}

/* A frozen server answers nothing and closes nothing: nobody may wait for it. */
static void one_of_three_is_frozen(void **state)
{
    double before[LOGITS], after[LOGITS];
    eis_model *model = world_lm();
    const eis_split_session_config config = {
        .model = model, .server_threads = 1, .client = {.scheme = {.servers = 3, .threshold = 2}, .timeout_ms = 60000}};
    eis_split_session *session = open_session(&config);
    const pid_t *processes;
    time_t start;

    (void)state;
    assert_int_equal(world_generate(before, model, eis_split_session_seam(session)), EIS_OK);
    assert_int_equal(eis_split_session_processes(&processes, session), 3);
    assert_int_equal(kill(processes[0], SIGSTOP), 0);
    start = time(NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_generate(after, model, eis_split_session_seam(session)), EIS_OK);
    assert_true(time(NULL) - start < 30);
    assert_memory_equal(before, after, sizeof after);
    assert_int_equal(kill(processes[0], SIGCONT), 0);
    assert_int_equal(world_generate(after, model, eis_split_session_seam(session)), EIS_OK);
    assert_memory_equal(before, after, sizeof after);
    eis_split_session_close(session);
    eis_model_free(model);
}

/* A parent that dies without a word, even by SIGKILL, takes its servers with it. */
static void servers_end_with_their_parent(void **state)
{
    int pipe_fds[2];
    pid_t parent, servers[2];

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    parent = fork();
    if (parent == 0) {
        eis_model *model = world_lm();
        const eis_split_session_config config = {.model = model, .server_threads = 1};
        const pid_t *processes;
        eis_split_session *session = open_session(&config);
        if (eis_split_session_processes(&processes, session) != 2) _exit(1);
        if (write(pipe_fds[1], processes, sizeof servers) != (ssize_t)sizeof servers) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(pipe_fds[0], servers, sizeof servers), sizeof servers);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_true(is_gone(servers[0]));
    assert_true(is_gone(servers[1]));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* A child has nothing but standard error, its pack and its socket: no file of ours, no prompt in its arguments. */
static void a_child_inherits_nothing(void **state)
{
    eis_model *model = world_lm();
    const eis_split_session_config config = {.model = model, .server_threads = 1};
    int secret = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC */
    eis_split_session *session = open_session(&config);
    const pid_t *processes;
    char path[64], target[256];

    (void)state;
    assert_int_equal(eis_split_session_processes(&processes, session), 2);
    for (int fd = 0; fd < 64; fd++) {
        ssize_t bytes;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)processes[0], fd);
        bytes = readlink(path, target, sizeof target - 1);
        if (bytes < 0) continue;
        target[bytes] = '\0';
        assert_null(strstr(target, "/dev/zero"));
    }
    eis_split_session_close(session);
    eis_model_free(model);
    close(secret);
}

/* A program that is not ours, or is not there: one clear error, nothing left running. */
static void programs_that_do_not_serve(void **state)
{
    eis_model *model = world_lm();
    eis_split_session_config config = {.model = model, .program = "/bin/true"};
    eis_split_session *session = (eis_split_session *)&config;

    (void)state;
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_UNAVAILABLE);
    assert_null(session);
    config.program = "/nonexistent/eis";
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_UNAVAILABLE);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    eis_model_free(model);
}

/* From the two files of a partition alone, and what is refused beside them. */
static void from_two_files(void **state)
{
    static const char *const names[] = {"client.eispart", "server.eispack", NULL};
    double plain[LOGITS], logits[LOGITS];
    char directory[256], part_path[512], pack_path[512];
    eis_model *model = world_lm(), *part = NULL;
    const eis_split_prepare_options options = {.profile = EIS_SPLIT_F61_20};
    eis_split_session_config config = {.verify = true, .server_threads = 1};
    eis_split_layers layers;
    eis_split_session *session = NULL;
    int fd;

    (void)state;
    fixture_directory(directory);
    fixture_path(part_path, directory, names[0]);
    fixture_path(pack_path, directory, names[1]);
    fd = open(pack_path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(eis_split_prepare(&layers, fd, model, &options), EIS_OK);
    close(fd);
    assert_int_equal(eis_part_write(part_path, model, &layers.info), EIS_OK);
    eis_split_layers_clear(&layers);
    world_generate_plain(plain, model);
    assert_int_equal(eis_model_open(&part, part_path, NULL), EIS_OK);
    config.model = part;
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_USAGE); /* no pack */
    config.pack_path = pack_path;
    session = open_session(&config);
    assert_int_equal(world_generate(logits, part, eis_split_session_seam(session)), EIS_OK);
    assert_true(world_distance(logits, plain, LOGITS) < 3e-5);
    eis_split_session_close(session);
    config.profile = EIS_SPLIT_P24;
    config.verify = false;
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_USAGE);
    /* The pack of other weights is no pack of this part, whoever says so. */
    config.profile = 0;
    fd = open(pack_path, O_RDWR | O_TRUNC);
    const eis_split_prepare_options other = {.profile = EIS_SPLIT_F61_8};
    assert_int_equal(eis_split_prepare(&layers, fd, model, &other), EIS_OK);
    close(fd);
    eis_split_layers_clear(&layers);
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_DIGEST);
    config.verify = true;
    assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_DIGEST);
    eis_model_free(part);
    eis_model_free(model);
    fixture_remove(directory, names);
}

/* What cannot be private is refused before anything starts. */
static void schemes_that_are_refused(void **state)
{
    static const struct {
        size_t servers, threshold;
        unsigned profile;
        bool verify;
    } cases[] = {
        {1, 0, 0, false}, {3, 1, 0, false}, {2, 3, 0, false}, {3, 2, EIS_SPLIT_P24, false}, {2, 0, EIS_SPLIT_P8, true},
    };
    eis_model *model = world_lm();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const eis_split_session_config config = {.model = model,
                                                 .profile = cases[i].profile,
                                                 .verify = cases[i].verify,
                                                 .client = {.scheme = {cases[i].servers, cases[i].threshold, 0}}};
        eis_split_session *session = NULL;
        assert_int_equal(eis_split_session_open(&session, &config), EIS_ERR_USAGE);
        assert_null(session);
    }
    eis_model_free(model);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_servers),
        cmocka_unit_test(calibrated_rings),
        cmocka_unit_test(one_of_three_is_killed),
        cmocka_unit_test(one_of_three_is_frozen),
        cmocka_unit_test(servers_end_with_their_parent),
        cmocka_unit_test(a_child_inherits_nothing),
        cmocka_unit_test(programs_that_do_not_serve),
        cmocka_unit_test(from_two_files),
        cmocka_unit_test(schemes_that_are_refused),
    };

    if (argc > 1 && strcmp(argv[argc - 1], "--embedded") == 0) return eis_embedded_child_run(0) == EIS_OK ? 0 : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
