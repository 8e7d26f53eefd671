/* SPDX-License-Identifier: Apache-2.0 */
#include "service/local.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "engine/split/pack.h"
#include "engine/split/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct eis_split_session {
    eis_split_layers layers; /* of a pack made here; empty where a part says it all */
    const eis_part_info *info;
    int pack_fd; /* -1: none */
    eis_embedded *embedded;
    eis_split_verifier *verifier;
    eis_split_client *client;
    eis_split_scheme scheme;
};

eis_split_profile eis_split_session_profile(const eis_model *model, unsigned wanted, size_t threshold, bool verify)
{
    if (wanted != 0) return (eis_split_profile)wanted;
    if (model->part != NULL) return (eis_split_profile)model->part->profile;
    return threshold > 0 || verify ? EIS_SPLIT_F61_20 : EIS_SPLIT_P24;
}

/* ---- the pack ---- */

/* Measures input norms, which only p8 needs. *norms stays NULL where nothing was given to measure with. */
static eis_status calibrate(double **out_norms, const eis_split_session_config *config, eis_split_profile profile)
{
    const eis_model *model = config->model;
    double *norms = NULL;
    eis_status st = EIS_OK;

    *out_norms = NULL;
    if (profile != EIS_SPLIT_P8 || config->calibration_count == 0) return EIS_OK;
    EIS_NEW(norms, model->linear_count);
    if (model->kind == EIS_MODEL_LM && config->calibration_ids != NULL)
        EIS_TRY(eis_split_calibrate_lm(norms, model, config->calibration_ids, config->calibration_count, config->pool));
    else if (model->kind == EIS_MODEL_CLASSIFIER && config->calibration_inputs != NULL)
        EIS_TRY(eis_split_calibrate_classifier(norms, model, config->calibration_inputs, config->calibration_count,
                                               config->pool));
    else
        goto out;
    *out_norms = norms;
    norms = NULL;
out:
    eis_mem_free(norms);
    return st;
}

static eis_status make_pack(eis_split_session *session, const eis_split_session_config *config,
                            eis_split_profile profile)
{
    eis_split_prepare_options options = {.profile = profile, .pool = config->pool};
    double *norms = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(calibrate(&norms, config, profile));
    options.declared_norms = norms;
    EIS_TRY(eis_split_prepare_in_memory(&session->layers, &session->pack_fd, config->model, &options));
    session->info = &session->layers.info;
out:
    eis_mem_free(norms);
    return st;
}

/* Reads a pack once, so that a damaged one, or that of another part, is told by its name before anything is started. */
static eis_status check_pack(const eis_split_session *session, const char *path)
{
    eis_pack *pack = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(eis_pack_open_fd(&pack, session->pack_fd, path, true));
    EIS_REQUIRE(memcmp(pack->digest, session->info->pack_digest, sizeof pack->digest) == 0, EIS_ERR_DIGEST,
                "%s is not the pack of this client part; both must come from one `eis partition`", path);
out:
    eis_pack_free(pack);
    return st;
}

/* A client part knows its pack's digest; the pack itself is wanted for own servers and for checks. */
static eis_status open_pack(eis_split_session *session, const eis_split_session_config *config,
                            eis_split_profile profile)
{
    const char *path = config->pack_path;
    bool wanted = config->client.servers == NULL || config->verify;
    eis_status st = EIS_OK;

    session->info = config->model->part;
    EIS_REQUIRE((unsigned)profile == session->info->profile, EIS_ERR_USAGE, "the client part was made for profile %s",
                eis_split_profile_get(session->info->profile)->name);
    if (!wanted) return EIS_OK;
    EIS_REQUIRE(path != NULL, EIS_ERR_USAGE,
                "a client part alone holds no weights: give its server.eispack too, or name "
                "servers with --servers (checks of answers want the pack as well)");
    session->pack_fd = open(path, O_RDONLY | O_CLOEXEC);
    EIS_REQUIRE(session->pack_fd >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_TRY(check_pack(session, path));
out:
    return st;
}

static eis_status get_pack(eis_split_session *session, const eis_split_session_config *config)
{
    const eis_split_client_config *client = &config->client;
    eis_split_profile profile =
        eis_split_session_profile(config->model, config->profile, client->scheme.threshold, config->verify);
    const eis_split_profile_info *about = eis_split_profile_get(profile);
    eis_status st = EIS_OK;

    EIS_REQUIRE(about != NULL, EIS_ERR_USAGE, "unknown profile");
    EIS_REQUIRE(!config->verify || about->is_field, EIS_ERR_USAGE,
                "answers can be checked with profile f61 (or f61-8), not %s", about->name);
    EIS_TRY(eis_split_scheme_check(&session->scheme, profile));
    if (config->model->part != NULL)
        EIS_TRY(open_pack(session, config, profile));
    else
        EIS_TRY(make_pack(session, config, profile));
out:
    return st;
}

/* Makes the keys of the checks: reads every weight once and forgets it. */
static eis_status make_verifier(eis_split_session *session)
{
    eis_pack *pack = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(
        eis_pack_open_fd(&pack, session->pack_fd, "pack", false)); /* a file has been checked, the rest was made here */
    EIS_TRY(eis_split_verifier_new(&session->verifier, pack, session->info->pack_digest));
out:
    eis_pack_free(pack);
    return st;
}

/* ---- servers and client ---- */

static eis_status start_servers(eis_split_session *session, const eis_split_session_config *config)
{
    unsigned threads = config->server_threads, processors = eis_cpu_count();

    if (threads == 0) threads = processors / (unsigned)session->scheme.servers;
    if (threads == 0) threads = 1;
    return eis_embedded_start(&session->embedded, config->program, "split", session->pack_fd, session->scheme.servers,
                              threads);
}

static eis_status connect_client(eis_split_session *session, const eis_split_session_config *config)
{
    eis_split_client_config client = config->client;
    eis_embedded_access access;

    client.scheme = session->scheme;
    client.verifier = session->verifier;
    if (session->embedded != NULL) {
        eis_embedded_access_get(&access, session->embedded);
        client.servers = access.addresses;
        client.pins = access.pins;
        client.ca_pem = access.ca_pem;
        client.cert_pem = access.cert_pem;
        client.key_pem = access.key_pem;
        client.token = NULL;
        client.model_name = NULL;
    }
    return eis_split_client_new(&session->client, config->model, session->info, &client);
}

eis_status eis_split_session_open(eis_split_session **out_session, const eis_split_session_config *config)
{
    eis_status st = EIS_OK;
    eis_split_session *session = NULL;
    bool own_servers = config->client.servers == NULL;

    *out_session = NULL;
    EIS_NEW(session, 1);
    session->pack_fd = -1;
    session->scheme = config->client.scheme;
    if (own_servers && session->scheme.servers == 0)
        session->scheme.servers = session->scheme.threshold > 0 ? session->scheme.threshold + 1 : 2;
    EIS_TRY(get_pack(session, config));
    if (config->verify) EIS_TRY(make_verifier(session));
    if (own_servers) {
        EIS_TRY(start_servers(session, config));
    } else if (session->pack_fd >= 0) {
        close(session->pack_fd); /* the weights are elsewhere; what was made here gave digest, scales and keys */
        session->pack_fd = -1;
    }
    EIS_TRY(connect_client(session, config));
    *out_session = session;
    session = NULL;
out:
    eis_split_session_close(session);
    return st;
}

void eis_split_session_close(eis_split_session *session)
{
    if (session == NULL) return;
    eis_split_client_free(session->client);
    eis_embedded_stop(session->embedded);
    eis_split_verifier_free(session->verifier);
    eis_split_layers_clear(&session->layers);
    if (session->pack_fd >= 0) close(session->pack_fd);
    eis_mem_free(session);
}

eis_split_client *eis_split_session_client(eis_split_session *session) { return session->client; }

eis_linear_backend eis_split_session_seam(eis_split_session *session) { return eis_split_client_seam(session->client); }

const eis_part_info *eis_split_session_info(const eis_split_session *session) { return session->info; }

eis_split_scheme eis_split_session_scheme(const eis_split_session *session) { return session->scheme; }

size_t eis_split_session_processes(const pid_t **processes, const eis_split_session *session)
{
    eis_embedded_access access;

    *processes = NULL;
    if (session->embedded == NULL) return 0;
    eis_embedded_access_get(&access, session->embedded);
    *processes = access.processes;
    return access.count;
}
