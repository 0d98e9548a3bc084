/* SPDX-License-Identifier: MIT */
#include "proxy/env.h"

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    /* One thread at a time uses it: no locks. Changes of interest reach the kernel at once, not
     * gathered in a list, which would name descriptors that have been closed and belong to others
     * by then. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int env_init(struct proxy_env *env, const struct proxy_env_config *config)
{
    env->log = *config->log;
    env->seed = config->seed;
    env->fd_ceiling = config->fd_ceiling;
    env->thread = config->thread;
    env->timers.fd = -1;
    env->hangups.fd = -1;
    metrics_init(&env->metrics, config->threads);
    chunk_pool_init(&env->pool, CHUNK_POOL_SPARE_MAX);
    pipes_init(&env->pipes, env->fd_ceiling);
    env->base = make_base();
    if (!env->base || timers_init(&env->timers, env->base) < 0 ||
        hangups_init(&env->hangups, env->base) < 0)
        return -1;
    env->timers.must_yield = &env->must_yield;
    env->resolver = resolver_new(env->base);
    return env->resolver ? 0 : -1;
}

void env_deinit(struct proxy_env *env)
{
    if (!env->base)
        return;
    resolver_free(env->resolver);
    hangups_deinit(&env->hangups);
    timers_deinit(&env->timers);
    metrics_deinit(&env->metrics);
    chunk_pool_deinit(&env->pool);
    pipes_deinit(&env->pipes);
    event_base_free(env->base);
    env->base = NULL;
}
