/* SPDX-License-Identifier: MIT */
#include "report/human.h"

#include <stddef.h>
#include <stdio.h>

static const struct unit {
    ns_t ns;
    const char *name;
    const char *ascii_name;
} units[] = {
    {NS_PER_SEC, "s", "s"},
    {NS_PER_MS, "ms", "ms"},
    {NS_PER_US, "µs", "us"},
};

static const char *word(const char *text, char *buf)
{
    snprintf(buf, HUMAN_SIZE, "%s", text);
    return buf;
}

static void three_digits(double value, const char *unit, char *buf)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(buf, HUMAN_SIZE, "%.*f %s", decimals, value, unit);
}

const char *human_ns(ns_t value, bool ascii, char buf[static HUMAN_SIZE])
{
    if (value == NS_NEVER)
        return word("never", buf);
    if (value == 0)
        return word("0", buf);
    if (value >= 60 * NS_PER_SEC) {
        ns_t seconds = value / NS_PER_SEC;
        snprintf(buf, HUMAN_SIZE, "%lldm %02llds", (long long)(seconds / 60),
                 (long long)(seconds % 60));
        return buf;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (value < units[i].ns)
            continue;
        three_digits((double)value / (double)units[i].ns,
                     ascii ? units[i].ascii_name : units[i].name, buf);
        return buf;
    }
    snprintf(buf, HUMAN_SIZE, "%lld ns", (long long)value);
    return buf;
}

const char *human_count(uint64_t value, char buf[static HUMAN_SIZE])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    char *out = buf;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buf;
}

const char *human_rate(uint64_t count, ns_t length, char buf[static HUMAN_SIZE])
{
    if (length <= 0)
        return word("-", buf);
    double rate = (double)count * (double)NS_PER_SEC / (double)length;
    if (rate > 0 && rate < 9.95)
        snprintf(buf, HUMAN_SIZE, "%.1f", rate);
    else
        human_count((uint64_t)(rate + 0.5), buf);
    return buf;
}

/* Appends "N what" with a comma before all but the first; nothing when there is none. */
static size_t add_part(char *buf, size_t used, uint64_t value, const char *what)
{
    char count[HUMAN_SIZE];
    if (value == 0 || used >= HUMAN_VICTIMS_SIZE)
        return used;
    int n = snprintf(buf + used, HUMAN_VICTIMS_SIZE - used, "%s%s %s", used > 0 ? ", " : "",
                     human_count(value, count), what);
    return used + (n > 0 ? (size_t)n : 0);
}

const char *human_victims(const struct victims *v, char buf[static HUMAN_VICTIMS_SIZE])
{
    size_t used = 0;
    buf[0] = '\0';
    used = add_part(buf, used, v->connections_cut, "connections cut");
    used = add_part(buf, used, v->connections_refused, "connections refused");
    used = add_part(buf, used, v->connections, "connections hit");
    used = add_part(buf, used, v->items_lost, "items lost");
    used = add_part(buf, used, v->stores_refused, "stores refused");
    used = add_part(buf, used, v->packets, "packets");
    used = add_part(buf, used, v->chunks, "chunks");
    used = add_part(buf, used, v->delay_ms, "ms of delay");
    used = add_part(buf, used, v->bytes_dropped, "bytes dropped");
    used = add_part(buf, used, v->resets, "resets");
    if (used == 0)
        snprintf(buf, HUMAN_VICTIMS_SIZE, "none");
    return buf;
}
