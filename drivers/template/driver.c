/* SPDX-License-Identifier: MIT */
/*
 * A driver in C to start from: docs/writing-a-driver.md. As it is it knows no server: all reads are
 * misses, and what it says to have stored is gone. It measures what the protocol costs.
 *
 *   cc -Idrivers/c -o driver drivers/template/driver.c -ljansson && memchaos driver-check ./driver
 */
#include "driver.h"

/* HERE: make your client, with servers (a list of "host:port") and timeout_ms of the request. */
static void *hello(json_t *ask)
{
    static char client[1];
    (void)ask;
    driver_say(json_pack("{s:i,s:s,s:s,s:[ssss]}", "hello", 1, "client", "nothing 1.0", "processes",
                         "per_worker", "operations", "get", "set", "add", "delete"));
    return client;
}

/* HERE: one operation, and its outcome in the words of docs/driver-protocol.md. A hit needs
 * driver_encode() of its value, a set gets its value from driver_decode(); "node" is the index of
 * the server that the key belongs to. */
static json_t *call(void *client, const char *op, const char *key, json_t *ask)
{
    (void)client;
    (void)key;
    (void)ask;
    const char *word = strcmp(op, "get") == 0      ? "miss"
                       : strcmp(op, "delete") == 0 ? "not_found"
                                                   : "stored";
    return json_pack("{s:s,s:i}", "outcome", word, "node", 0);
}

int main(void)
{
    return driver_run(hello, call);
}
