/* SPDX-License-Identifier: MIT */
/*
 * The event-loop interface in a poll() loop of one's own: counts to ten on a server, ten requests
 * at a time. With a file of authorities it speaks TLS, and it logs in when told as whom.
 *
 *     loop 127.0.0.1:11211 [ca.pem [user password]]
 */
#include <mcmeta/mcmeta.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

static void print_number(void *arg, const struct mcm_result *result)
{
    unsigned *failures = arg;
    if (result->outcome == MCM_OK) {
        printf("the counter is at %" PRIu64 "\n", result->number);
    } else {
        printf("%s\n", mcm_outcome_text(result->outcome));
        ++*failures;
    }
}

/* Milliseconds until `deadline`, as poll() wants them: rounded up, -1 for ever. */
static int wait_ms(mcm_ns deadline)
{
    if (deadline == MCM_NS_NEVER)
        return -1;
    mcm_ns left = deadline - mcm_after(0);
    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

static unsigned count_to_ten(struct mcm_loop *loop)
{
    unsigned failures = 0;
    struct mcm_increment add = {.delta = 1, .create = true, .initial = 1, .ttl = 60};
    struct mcm_loop_call call = {
        .deadline = mcm_after(SECOND), .done = print_number, .arg = &failures};
    for (int i = 0; i < 10; i++) {
        if (mcm_loop_increment(loop, &call, MCM_KEY("example-counter"), &add) != MCM_OK)
            failures++;
    }
    while (mcm_loop_pending(loop) > 0) {
        struct pollfd pollfd = {.fd = mcm_loop_fd(loop), .events = POLLIN};
        poll(&pollfd, 1, wait_ms(mcm_loop_deadline(loop)));
        mcm_loop_process(loop);
    }
    return failures;
}

int main(int argc, char **argv)
{
    struct mcm_server server = {.address = argc > 1 ? argv[1] : "127.0.0.1:11211"};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.lanes = 1; /* answers come in order on one connection, not across several */
    struct mcm_tls_config tls = {.ca_file = argc > 2 ? argv[2] : NULL};
    config.tls = argc > 2 ? &tls : NULL;
    config.user = argc > 4 ? argv[3] : NULL;
    config.password = argc > 4 ? argv[4] : NULL;
    char error[MCM_ERROR_SIZE];
    struct mcm_loop *loop = mcm_loop_new(&config, error, sizeof(error));
    if (loop == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    unsigned failures = count_to_ten(loop);
    mcm_loop_free(loop);
    return failures > 0;
}
