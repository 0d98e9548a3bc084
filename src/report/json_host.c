/* SPDX-License-Identifier: MIT */
/* What the machine did, as JSON. Unknown is null, never 0. */
#include "report/bottleneck.h"

#include "report/result.h"

#include <math.h>

static void key_number(struct jsonw *j, const char *key, uint64_t value)
{
    if (value == HOST_UNKNOWN)
        jsonw_key_null(j, key);
    else
        jsonw_key_uint(j, key, value);
}

static void key_share(struct jsonw *j, const char *key, double share)
{
    if (isnan(share))
        jsonw_key_null(j, key);
    else
        jsonw_key_double(j, key, share);
}

void host_use_write(struct jsonw *j, const char *key, const struct host_use *use)
{
    if (use->length_ns == 0) {
        jsonw_key_null(j, key);
        return;
    }
    jsonw_key_object(j, key);
    jsonw_key_int(j, "length_ns", use->length_ns);
    key_share(j, "cpu_busy_ratio", host_share(use->cpu_busy_ns, use->cpu_ns));
    key_share(j, "cpu_pressure_ratio", host_pressure(use, HOST_CPU));
    key_share(j, "memory_pressure_ratio", host_pressure(use, HOST_MEMORY));
    key_share(j, "io_pressure_ratio", host_pressure(use, HOST_IO));
#define X(name) key_number(j, #name, use->name);
    HOST_COUNTERS(X)
#undef X
    key_number(j, "memory_bytes", use->memory_bytes);
    key_number(j, "memory_available_min_bytes", use->memory_available_min_bytes);
    key_number(j, "generator_memory_max_bytes", use->generator_memory_max_bytes);
    jsonw_object_end(j);
}

void bottleneck_write(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_object(j, "bottleneck");
    jsonw_key_string(j, "kind", bottleneck_name(run->bottleneck));
    jsonw_key_string(j, "phase",
                     run->bottleneck != BOTTLENECK_NONE && run->bottleneck_phase < run->phase_count
                         ? run->phases[run->bottleneck_phase].name
                         : NULL);
    jsonw_key_string(j, "text", bottleneck_text(run->bottleneck));
    jsonw_object_end(j);
}
