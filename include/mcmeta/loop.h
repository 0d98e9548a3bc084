/* SPDX-License-Identifier: MIT */
/*
 * The client for programs that have an event loop of their own: requests are submitted, answers
 * come through callbacks, and nothing ever blocks.
 *
 *     struct mcm_loop *loop = mcm_loop_new(&config, error, sizeof(error));
 *     struct mcm_loop_call call = {.deadline = mcm_after(250000000), .done = print, .arg = me};
 *     mcm_loop_get(loop, &call, MCM_KEY("greeting"), buffer, sizeof(buffer));
 *
 *     for (;;) {                                   // or mcm_loop_run()
 *         wait until mcm_loop_fd() is readable or mcm_loop_deadline() has come;
 *         mcm_loop_process(loop);
 *     }
 *
 * There is one descriptor to watch: an epoll descriptor, readable when anything is to be done, so
 * it can be added to poll(), another epoll, libuv, libevent or asio as it is. Submitting sends
 * nothing by itself. What was submitted since the last mcm_loop_process() leaves with the next one,
 * in one write per connection; mcm_loop_deadline() is 0 until then.
 *
 * A loop does what a blocking client does: TLS and logins, which take as many turns of the loop as
 * they need; circuit breakers; failure policies; retries of requests that a dead connection lost;
 * health checks, lifetimes and back-off. What MCM_MODE_SHARED is to the blocking client is the only
 * mode here: requests to a server share `lanes` connections, and large values go over one more. All
 * of them are verified by tokens.
 *
 * Host names are resolved in mcm_loop_new(), which may block. Later they are looked up again by a
 * thread that is made for each lookup and touches nothing else; resolve_period = 0 forbids that,
 * and numeric addresses never need it.
 *
 * Threads: a loop belongs to one thread at a time. It waits for no lock.
 */
#ifndef MCMETA_LOOP_H
#define MCMETA_LOOP_H

#include <mcmeta/client.h>
#include <mcmeta/commands.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mcm_loop;

/*
 * The end of a request. It may submit and cancel requests, but neither process nor free the loop.
 * `result` is valid during the call, the value it points to as long as the buffer. The buffer of a
 * fetch and the value of a store are never touched after this, however the request ended.
 */
typedef void (*mcm_loop_done_fn)(void *arg, const struct mcm_result *result);

/* What every request needs. The caller's; read during the submission only. */
struct mcm_loop_call {
    mcm_ns deadline; /* absolute; MCM_NS_NEVER for none */
    mcm_loop_done_fn done;
    void *arg;
    uint64_t id; /* set by a successful submission: for mcm_loop_cancel(); never 0 */
};

/*
 * A loop with a copy of `config`. On failure NULL and a sentence, as mcm_client_new(). Of the
 * configuration
 *
 * - mode and connections_max are not looked at: there are `lanes` connections to a server, and one
 *   for values beyond lane_store_max and lane_fetch_max; verify is always on;
 * - maintenance_thread and idle_check are not needed: a loop looks after its connections in
 *   mcm_loop_process(), and sees at once when one dies; nor is allow_flush: a loop cannot;
 * - waiters_max, unless it is 0, takes the place of MCM_LOOP_QUEUE_MAX;
 * - acquire_timeout is how long a request may wait to be sent, once there is a connection or while
 *   none may be made; it ends with MCM_E_TIMEOUT_POOL then;
 * - held_probes of the breaker is refused: its trials are requests of callers;
 * - idle_connections_min is at most `lanes`, and idle_connections_max must be 0, since no
 * connection is ever spare: anything else is refused;
 * - value_size_max 0 means 1 MiB: servers are not asked what they take; failure_deletes_max is not
 *   looked at; hooks run in mcm_loop_process() and in submissions, and may not use the loop;
 * - take_turns spreads requests over lanes that are equally busy, which else prefer the first.
 */
MCM_API MCM_MUST_USE struct mcm_loop *mcm_loop_new(const struct mcm_client_config *config,
                                                   char *error, size_t error_size);

/* Ends every request with MCM_E_SHUTDOWN, by its callback, and frees the loop. NULL is allowed. */
MCM_API void mcm_loop_free(struct mcm_loop *loop);

/*
 * Submit a request; arguments and outcomes are those of mcm_get(), mcm_set(), mcm_delete() and
 * mcm_increment(). MCM_OK: call->done will be called exactly once, from mcm_loop_process(),
 * mcm_loop_cancel() or mcm_loop_free(). Any other outcome says why the request was not taken, and
 * done will not be called: a bad argument, the circuit breaker, MCM_E_BACKOFF when no connection
 * may be tried before the deadline, no memory, or MCM_E_WAITERS when MCM_LOOP_QUEUE_MAX requests
 * wait for the server. With MCM_ON_FAILURE_MISS a fetch that was not taken because its server is
 * down gives MCM_MISS. Keys are copied; `buffer` and the value must live until done.
 */
MCM_API enum mcm_outcome mcm_loop_get(struct mcm_loop *loop, struct mcm_loop_call *call,
                                      struct mcm_slice key, void *buffer, size_t buffer_size);
MCM_API enum mcm_outcome mcm_loop_set(struct mcm_loop *loop, struct mcm_loop_call *call,
                                      struct mcm_slice key, struct mcm_slice value, uint32_t ttl);
MCM_API enum mcm_outcome mcm_loop_delete(struct mcm_loop *loop, struct mcm_loop_call *call,
                                         struct mcm_slice key);
MCM_API enum mcm_outcome mcm_loop_increment(struct mcm_loop *loop, struct mcm_loop_call *call,
                                            struct mcm_slice key,
                                            const struct mcm_increment *change);

/*
 * The same with options (NULL: the defaults), which makes every command on one key of commands.h
 * possible: what they mean and how they end is said there. Options are read during the submission
 * only, but the flags of a raw request must live until done. MCM_E_UNSUPPORTED for what servers
 * know from a certain version on only (enum mcm_capability): a loop does not ask for the version.
 */
MCM_API enum mcm_outcome mcm_loop_get_with(struct mcm_loop *loop, struct mcm_loop_call *call,
                                           struct mcm_slice key, void *buffer, size_t buffer_size,
                                           const struct mcm_get_options *options);
MCM_API enum mcm_outcome mcm_loop_store(struct mcm_loop *loop, struct mcm_loop_call *call,
                                        struct mcm_slice key, struct mcm_slice value,
                                        const struct mcm_store_options *options);
MCM_API enum mcm_outcome mcm_loop_delete_with(struct mcm_loop *loop, struct mcm_loop_call *call,
                                              struct mcm_slice key,
                                              const struct mcm_delete_options *options);
MCM_API enum mcm_outcome mcm_loop_raw(struct mcm_loop *loop, struct mcm_loop_call *call,
                                      const struct mcm_raw_request *raw, void *buffer,
                                      size_t buffer_size);

#define MCM_LOOP_QUEUE_MAX 65536

/* Ends request `id` with MCM_E_CANCELLED, by its callback, before this returns. False when it had
 * ended before. Its connection goes on; the late answer is thrown away. */
MCM_API bool mcm_loop_cancel(struct mcm_loop *loop, uint64_t id);

/* The descriptor to watch for reading. It belongs to the loop. */
MCM_API int mcm_loop_fd(const struct mcm_loop *loop);

/* When mcm_loop_process() must be called though the descriptor is silent: 0 for now,
 * MCM_NS_NEVER for not at all. */
MCM_API mcm_ns mcm_loop_deadline(const struct mcm_loop *loop);

/* Sends, receives, ends what is due, and calls back. Never blocks; spurious calls are harmless. */
MCM_API void mcm_loop_process(struct mcm_loop *loop);

/* Processes until no request is left or `deadline` has passed; how many are left. For programs
 * without a loop of their own, and for tests. */
MCM_API size_t mcm_loop_run(struct mcm_loop *loop, mcm_ns deadline);

/* Requests that were submitted and have not ended. */
MCM_API size_t mcm_loop_pending(const struct mcm_loop *loop);

/* As mcm_client_stats(). */
MCM_API int mcm_loop_stats(struct mcm_loop *loop, unsigned index, struct mcm_server_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
