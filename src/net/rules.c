/* SPDX-License-Identifier: MIT */
#include "net/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "net/tool.h"

#define SCRIPT_MAX 1024
#define LISTING_MAX (16u * 1024)
#define SHARE_UNITS 1000000 /* a share is so many millionths */

/* ---- nftables: a table per set of rules, so that taking it off is one command ---- */

static int rule_text(const struct rules *rules, const char *field, double share, char *text,
                     size_t size)
{
    long units = lround(share * SHARE_UNITS);
    if (units >= SHARE_UNITS)
        return snprintf(text, size,
                        "add rule inet memchaos_%u in tcp %s %u counter name lost drop\n",
                        rules->id, field, rules->port);
    return snprintf(text, size,
                    "add rule inet memchaos_%u in tcp %s %u numgen random mod %d < %ld "
                    "counter name lost drop\n",
                    rules->id, field, rules->port, SHARE_UNITS, units);
}

int rules_drop_text(const struct rules *rules, double share, char *text, size_t size)
{
    int n = 0;
    text[0] = '\0';
    if (rules->upstream)
        n += rule_text(rules, "dport", share, text, size);
    if (rules->downstream && (size_t)n < size)
        n += rule_text(rules, "sport", share, text + n, size - (size_t)n);
    return n;
}

static int nft_run(const char *script, struct err *err)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    return tool_run(argv, script, NULL, 0, err);
}

int rules_drop_on(const struct rules *rules, double share, struct err *err)
{
    char script[SCRIPT_MAX];
    int n = snprintf(script, sizeof script,
                     "add table inet memchaos_%u\n"
                     "add counter inet memchaos_%u lost\n"
                     "add chain inet memchaos_%u in { type filter hook input priority -300; }\n",
                     rules->id, rules->id, rules->id);
    rules_drop_text(rules, share, script + n, sizeof script - (size_t)n);
    return nft_run(script, err);
}

int rules_drop_change(const struct rules *rules, double share, struct err *err)
{
    char script[SCRIPT_MAX];
    int n = snprintf(script, sizeof script, "flush chain inet memchaos_%u in\n", rules->id);
    rules_drop_text(rules, share, script + n, sizeof script - (size_t)n);
    return nft_run(script, err);
}

int rules_drop_off(const struct rules *rules, struct rules_hits *hits, struct err *err)
{
    char table[32], listing[LISTING_MAX], script[SCRIPT_MAX];
    snprintf(table, sizeof table, "memchaos_%u", rules->id);
    const char *const list[] = {"nft", "list", "counters", "table", "inet", table, NULL};
    *hits = (struct rules_hits){0};
    if (tool_run(list, NULL, listing, sizeof listing, err) != 0)
        return strstr(err->text, "No such file") != NULL ? 0 : -1;
    const char *found = strstr(listing, "packets");
    unsigned long long packets = 0, bytes = 0;
    if (found == NULL || sscanf(found, "packets %llu bytes %llu", &packets, &bytes) != 2)
        return err_set(err, "nft lists its counters in an unknown way");
    *hits = (struct rules_hits){.packets = packets, .bytes = bytes};
    snprintf(script, sizeof script, "delete table inet %s\n", table);
    return nft_run(script, err);
}

int rules_try_loss(struct err *err)
{
    const struct rules rules = {.id = 0, .port = 1, .upstream = true, .downstream = true};
    struct rules_hits hits;
    if (rules_drop_on(&rules, 0.5, err) != 0 || rules_drop_change(&rules, 1, err) != 0)
        return -1;
    return rules_drop_off(&rules, &hits, err);
}

/* ---- netem: a band of a scheduler that all of loopback goes through ---- */

int rules_netem_text(const struct netem *netem, char *text, size_t size)
{
    int n = snprintf(text, size, "netem limit 100000");
    if (netem->delay_ms > 0 || netem->reorder_share > 0)
        n += snprintf(text + n, size - (size_t)n, " delay %gms %gms", netem->delay_ms,
                      netem->jitter_ms);
    if (netem->reorder_share > 0)
        n += snprintf(text + n, size - (size_t)n, " reorder %g%%", 100 * netem->reorder_share);
    if (netem->duplicate_share > 0)
        n += snprintf(text + n, size - (size_t)n, " duplicate %g%%", 100 * netem->duplicate_share);
    return n;
}

static int tc_run(const char *script, struct err *err)
{
    static const char *const argv[] = {"tc", "-batch", "-", NULL};
    return tool_run(argv, script, NULL, 0, err);
}

/* Bands are counted from 1; the first has the traffic that no filter sends elsewhere. */
static unsigned band_of(const struct rules *rules)
{
    return rules->id % RULES_NETEM_MAX + 2;
}

static int filter_text(unsigned band, const char *field, unsigned port, char *text, size_t size)
{
    return snprintf(text, size,
                    "filter add dev lo parent 1: protocol ip prio %u u32 match ip protocol 6 0xff "
                    "match ip %s %u 0xffff flowid 1:%x\n",
                    band, field, port, band);
}

/* The scheduler stays once it is there: replacing it would let go of what waits in its bands. */
static void scheduler_ensure(void)
{
    static const char *const argv[] = {
        "tc", "qdisc",   "add", "dev", "lo", "root", "handle", "1:", "prio", "bands",
        "16", "priomap", "0",   "0",   "0",  "0",    "0",      "0",  "0",    "0",
        "0",  "0",       "0",   "0",   "0",  "0",    "0",      "0",  NULL};
    tool_run(argv, NULL, NULL, 0, NULL); /* fails when it is there; what needs it then says why */
}

int rules_netem_on(const struct rules *rules, const struct netem *netem, struct err *err)
{
    unsigned band = band_of(rules);
    char script[SCRIPT_MAX], words[256];
    scheduler_ensure();
    rules_netem_text(netem, words, sizeof words);
    int n = snprintf(script, sizeof script, "qdisc add dev lo parent 1:%x handle %x: %s\n", band,
                     band + 0x10, words);
    if (rules->upstream)
        n += filter_text(band, "dport", rules->port, script + n, sizeof script - (size_t)n);
    if (rules->downstream)
        filter_text(band, "sport", rules->port, script + n, sizeof script - (size_t)n);
    return tc_run(script, err);
}

int rules_netem_change(const struct rules *rules, const struct netem *netem, struct err *err)
{
    unsigned band = band_of(rules);
    char script[SCRIPT_MAX], words[256];
    rules_netem_text(netem, words, sizeof words);
    snprintf(script, sizeof script, "qdisc change dev lo parent 1:%x handle %x: %s\n", band,
             band + 0x10, words);
    return tc_run(script, err);
}

/* "qdisc netem 12: parent 1:2 ..." and below it " Sent 100 bytes 2 pkt ..." */
static void read_netem_hits(unsigned band, struct rules_hits *hits)
{
    static const char *const list[] = {"tc", "-s", "qdisc", "show", "dev", "lo", NULL};
    char listing[LISTING_MAX], head[64];
    unsigned long long packets, bytes;
    snprintf(head, sizeof head, "qdisc netem %x:", band + 0x10);
    *hits = (struct rules_hits){0};
    if (tool_run(list, NULL, listing, sizeof listing, NULL) != 0)
        return;
    const char *found = strstr(listing, head);
    found = found != NULL ? strstr(found, "Sent ") : NULL;
    if (found != NULL && sscanf(found, "Sent %llu bytes %llu", &bytes, &packets) == 2)
        *hits = (struct rules_hits){.packets = packets, .bytes = bytes};
}

int rules_netem_off(const struct rules *rules, struct rules_hits *hits, struct err *err)
{
    unsigned band = band_of(rules);
    char script[SCRIPT_MAX];
    read_netem_hits(band, hits);
    snprintf(script, sizeof script,
             "filter del dev lo parent 1: prio %u\n"
             "qdisc del dev lo parent 1:%x handle %x:\n",
             band, band, band + 0x10);
    return tc_run(script, err);
}

int rules_try_netem(struct err *err)
{
    const struct rules rules = {.id = 0, .port = 1, .upstream = true, .downstream = true};
    const struct netem netem = {
        .delay_ms = 1, .jitter_ms = 1, .reorder_share = 0.1, .duplicate_share = 0.1};
    struct rules_hits hits;
    if (rules_netem_on(&rules, &netem, err) != 0)
        return err_prefix(err, "this kernel has no netem for us");
    if (rules_netem_change(&rules, &netem, err) != 0)
        return -1;
    return rules_netem_off(&rules, &hits, err);
}
