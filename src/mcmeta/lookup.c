/* SPDX-License-Identifier: MIT */
#include "mcmeta/lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct mcm_lookup {
    atomic_int users; /* the thread and whoever started it; the last one frees */
    atomic_bool done;
    struct mcm_address address; /* once done */
    char text[];
};

static void leave(struct mcm_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->users, 1) == 1)
        free(lookup);
}

static void *run(void *arg)
{
    struct mcm_lookup *lookup = arg;
    mcm_address_resolve(&lookup->address, lookup->text);
    atomic_store(&lookup->done, true);
    leave(lookup);
    return NULL;
}

/* A detached thread that takes no signal of the program. */
static int start_thread(struct mcm_lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0 ? 0 : -1;
}

struct mcm_lookup *mcm_lookup_start(const char *address)
{
    size_t size = strlen(address) + 1;
    struct mcm_lookup *lookup = calloc(1, sizeof(*lookup) + size);
    if (lookup == NULL)
        return NULL;
    memcpy(lookup->text, address, size);
    atomic_init(&lookup->users, 2);
    atomic_init(&lookup->done, false);
    if (start_thread(lookup) == 0)
        return lookup;
    free(lookup);
    return NULL;
}

const struct mcm_address *mcm_lookup_result(const struct mcm_lookup *lookup)
{
    return atomic_load(&lookup->done) ? &lookup->address : NULL;
}

void mcm_lookup_free(struct mcm_lookup *lookup)
{
    if (lookup != NULL)
        leave(lookup);
}
