/* SPDX-License-Identifier: MIT */
#include "proxy/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
    struct name *next;
    struct names *owner;
    struct address_hostport hostport;
    struct address_list list; /* empty once answered = no such host */
    char why[ADDRESS_HOST_MAX + 64];
    struct lookup *lookup; /* NULL = answered */
};

struct names {
    struct resolver *resolver;
    names_ready_fn ready;
    void *arg;
    struct name *first;
    size_t pending;
};

struct names *names_new(struct resolver *resolver, names_ready_fn ready, void *arg)
{
    struct names *n = calloc(1, sizeof *n);
    if (n)
        *n = (struct names){.resolver = resolver, .ready = ready, .arg = arg};
    return n;
}

void names_free(struct names *names)
{
    if (!names)
        return;
    for (struct name *n = names->first, *next; n; n = next) {
        next = n->next;
        if (n->lookup)
            resolver_cancel(names->resolver, n->lookup);
        free(n);
    }
    free(names);
}

static struct name *find(const struct names *names, const char *host)
{
    for (struct name *n = names->first; n; n = n->next)
        if (strcmp(n->hostport.host, host) == 0)
            return n;
    return NULL;
}

static void answered(void *arg, const struct address_list *list, const char *why)
{
    struct name *n = arg;
    struct names *owner = n->owner;
    n->lookup = NULL;
    n->list = *list;
    memcpy(n->why, why, strlen(why) + 1);
    if (--owner->pending == 0)
        owner->ready(owner->arg);
}

void names_want(struct names *names, const char *text)
{
    struct address_hostport hostport;
    struct address_list known;
    if (address_is_unix(text) || address_split(text, &hostport, NULL) < 0 ||
        address_known(&hostport, &known) || find(names, hostport.host))
        return;
    struct name *n = calloc(1, sizeof *n);
    if (!n)
        return;
    n->owner = names;
    n->hostport = hostport;
    n->next = names->first;
    names->first = n;
    if (!names->resolver) {
        resolver_lookup_now(&hostport, &n->list, n->why, sizeof n->why);
        return;
    }
    n->lookup = resolver_lookup(names->resolver, &hostport, answered, n);
    if (n->lookup)
        names->pending++;
    else
        snprintf(n->why, sizeof n->why, "too many lookups are waiting");
}

bool names_are_pending(const struct names *names)
{
    return names->pending > 0;
}

int names_find(const struct names *names, const char *text, struct address_list *out,
               struct err *err)
{
    struct address_hostport hostport;
    if (address_is_unix(text))
        return address_parse_unix(text, out, err);
    if (address_split(text, &hostport, err) < 0)
        return -1;
    if (address_known(&hostport, out))
        return 0;
    const struct name *n = find(names, hostport.host);
    if (!n || n->list.count == 0)
        return err_set(err, "%s", n ? n->why : "out of memory");
    *out = n->list;
    for (size_t i = 0; i < out->count; i++)
        address_set_port(&out->items[i], hostport.port);
    return 0;
}
