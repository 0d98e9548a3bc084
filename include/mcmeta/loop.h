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
 * Requests to a server share `lanes` connections, whatever the mode of the configuration says. All
 * of them are verified by tokens. The circuit breakers are those of the blocking client. Large
 * values delay the requests behind them on their connection. Host names are resolved once, in
 * mcm_loop_new(), which may block; numeric addresses never do.
 *
 * Threads: a loop belongs to one thread at a time. It starts none and waits for no lock.
 */
#ifndef MCMETA_LOOP_H
#define MCMETA_LOOP_H

#include <mcmeta/client.h>

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
 * A loop with a copy of `config`, of which it uses the servers, the selector, the seed, lanes,
 * lane_in_flight_max, connect_timeout, idle_check, value_size_max and the breaker. On failure NULL
 * and a sentence, as mcm_client_new().
 */
MCM_API MCM_MUST_USE struct mcm_loop *mcm_loop_new(const struct mcm_client_config *config,
                                                   char *error, size_t error_size);

/* Ends every request with MCM_E_SHUTDOWN, by its callback, and frees the loop. NULL is allowed. */
MCM_API void mcm_loop_free(struct mcm_loop *loop);

/*
 * Submit a request; arguments and outcomes are those of mcm_get(), mcm_set(), mcm_delete() and
 * mcm_increment(). MCM_OK: call->done will be called exactly once, from mcm_loop_process(),
 * mcm_loop_cancel() or mcm_loop_free(). Any other outcome says why the request was not taken, and
 * done will not be called: a bad argument, the circuit breaker, no memory, or MCM_E_WAITERS when
 * MCM_LOOP_QUEUE_MAX requests wait for the server. Keys are copied; `buffer` and the value must
 * live until done.
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
