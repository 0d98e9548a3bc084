/* SPDX-License-Identifier: MIT */
#include "rig/trial.h"

#include <poll.h>

#include "load/workers.h"

enum { WARM_UP, MEASURED, PARTS };

struct running {
    const struct trial_config *config;
    struct recorder *recorder;
    struct evidence evidence;
    struct load *load;
    struct workers *workers;
    void *client;
    unsigned lost; /* workers that never came back */
};

static int open_client(struct running *r, struct err *err)
{
    struct driver_config client = r->config->client;
    const char *servers[SCENARIO_NODES_MAX], *names[SCENARIO_NODES_MAX];
    client.server_count = topology_node_count(r->config->topology);
    for (size_t i = 0; i < client.server_count; i++) {
        servers[i] = topology_node(r->config->topology, i)->listen;
        names[i] = topology_node(r->config->topology, i)->name;
    }
    client.servers = servers;
    client.names = names;
    client.workers = r->config->workers;
    client.seed = r->config->seed;
    if (r->config->load->workload->adapt_client != NULL)
        r->config->load->workload->adapt_client(&client);
    return r->config->driver->open(&client, &r->client, err);
}

static int begin(struct running *r, struct err *err)
{
    const struct trial_config *config = r->config;
    struct recorder_config recorder = {
        .nodes = (unsigned)topology_node_count(config->topology),
        .phases = PARTS,
        .workers = config->workers,
    };
    r->recorder = recorder_new(&recorder, err);
    if (r->recorder == NULL || open_client(r, err) != 0)
        return -1;
    uint64_t run = config->seed ^ (uint64_t)ns_now();
    r->load = load_new(config->load, config->workers, config->seed, (uint32_t)rng_splitmix(&run));
    if (r->load == NULL)
        return err_set(err, "out of memory");
    struct workers_config workers = {
        .count = config->workers,
        .load = r->load,
        .driver = config->driver,
        .client = r->client,
        .recorder = r->recorder,
        .evidence = &r->evidence,
        .timeout_ns = config->timeout_ns,
        .seed = config->seed,
        .cancel_fd = config->signal_fd,
    };
    return workers_start(&workers, &r->workers, err);
}

/* Whether a signal has come. */
static bool sleep_for(const struct running *r, ns_t length)
{
    struct timespec timeout = ns_to_timespec(length);
    struct pollfd pfd = {.fd = r->config->signal_fd, .events = POLLIN};
    return ppoll(&pfd, 1, &timeout, NULL) > 0;
}

static void measure(struct running *r, struct trial *out)
{
    out->interrupted = sleep_for(r, r->config->warm_up_ns);
    recorder_phase_set(r->recorder, MEASURED);
    if (!out->interrupted)
        out->interrupted = sleep_for(r, r->config->length_ns);
    r->lost = workers_stop(r->workers).lost;
    r->workers = NULL;
    out->counts = recorder_counts(r->recorder, MEASURED, RECORDER_ALL, RECORDER_ALL);
}

static int read_response(const struct running *r, struct trial *out, struct err *err)
{
    struct hist hist;
    if (hist_init(&hist, &LATENCY_HIST_CONFIG, err) < 0)
        return -1;
    recorder_response(r->recorder, MEASURED, true, &hist);
    out->response = latency_of(&hist);
    hist_deinit(&hist);
    return 0;
}

int trial_run(const struct trial_config *config, struct trial *out, struct err *err)
{
    struct running r = {.config = config};
    *out = (struct trial){0};
    evidence_init(&r.evidence);
    int rc = begin(&r, err);
    if (rc == 0) {
        measure(&r, out);
        rc = read_response(&r, out, err);
    }
    if (r.lost == 0 && r.workers != NULL)
        r.lost = workers_stop(r.workers).lost;
    if (r.lost > 0) /* what they use must stay */
        return err_set(err, "%u calls of the client never came back", r.lost);
    load_free(r.load);
    if (r.client != NULL)
        config->driver->close(r.client);
    recorder_free(r.recorder);
    evidence_deinit(&r.evidence);
    return rc;
}
