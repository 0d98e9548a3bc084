/* SPDX-License-Identifier: MIT */
#include "load/load.h"

#include <stdlib.h>
#include <string.h>

#include "load/words.h"
#include "load/workload.h"

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static struct load_text effective(const struct load_text *given, const struct workload *workload)
{
    struct load_text text = {
        .workload = workload->name,
        .rate = or_else(given->rate, workload->rate),
        .arrival = or_else(given->arrival, workload->arrival),
        .keys = or_else(given->keys, workload->keys),
        .values = or_else(given->values, workload->values),
        .hit_ratio = or_else(given->hit_ratio, ""),
        .prefill = or_else(given->prefill, "auto"),
    };
    text.rate = or_else(text.rate, LOAD_RATE_DEFAULT);
    text.arrival = or_else(text.arrival, "constant");
    return text;
}

static int parse_arrival(struct load_spec *spec, struct err *err)
{
    double rate;
    struct words words = words_start(spec->text.rate), at = words;
    if (!words_take_number(&words, 1000, &rate) || !words_end(&words) || rate > ARRIVAL_RATE_MAX) {
        words_error(&at, err, "a number of operations per second up to %.0f is needed",
                    ARRIVAL_RATE_MAX);
        return err_prefix(err, "rate");
    }
    if (arrival_parse(spec->text.arrival, rate, &spec->arrival, err) != 0)
        return err_prefix(err, "arrival");
    return 0;
}

static int parse_hit_ratio(struct load_spec *spec, struct err *err)
{
    double share = 1;
    struct words words = words_start(spec->text.hit_ratio);
    if (words_end(&words))
        return 0;
    if (!words_take_percent(&words, &share) || !words_end(&words)) {
        words_error(&words, err, "a share is needed, such as 90%%");
        return err_prefix(err, "hit-ratio");
    }
    spec->absent_share = 1 - share;
    return 0;
}

static int parse_prefill(struct load_spec *spec, struct err *err)
{
    const char *text = spec->text.prefill;
    spec->prefill = spec->workload->prefill || spec->text.hit_ratio[0] != '\0';
    if (strcmp(text, "auto") == 0)
        return 0;
    spec->prefill = strcmp(text, "on") == 0;
    if (!spec->prefill && strcmp(text, "off") != 0)
        return err_set(err, "prefill: \"%.40s\" is none of on, off, auto", text);
    return 0;
}

int load_spec_parse(const struct load_text *text, struct load_spec *out, struct err *err)
{
    *out = (struct load_spec){.workload = workloads[0]};
    const char *name = or_else(text->workload, NULL);
    if (name != NULL)
        out->workload = workload_by_name(name, err);
    if (out->workload == NULL)
        return -1;
    out->text = effective(text, out->workload);
    if (parse_arrival(out, err) != 0 || parse_hit_ratio(out, err) != 0 ||
        parse_prefill(out, err) != 0)
        return -1;
    if (keyspace_parse(out->text.keys, &out->keys, err) != 0)
        return err_prefix(err, "keys");
    if (value_sizes_parse(out->text.values, &out->values, err) != 0)
        return err_prefix(err, "value-size");
    return 0;
}

struct load *load_new(const struct load_spec *spec, unsigned workers, uint64_t seed, uint32_t run)
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL)
        return NULL;
    const struct workload *workload = spec->workload;
    load->spec = spec;
    load->run = run;
    value_filler(load->filler);
    keyspace_init(&load->keys, &spec->keys, or_else(workload->key_prefix, ""), workers);
    load->keys.counters = workload->counters + workload->counters_of_worker * workers;
    load->keys.run = (uint32_t)seed;
    load->oracle = oracle_new(load->keys.stored);
    load->tally = tally_new(load->keys.counters);
    if (load->oracle == NULL || load->tally == NULL) {
        load_free(load);
        return NULL;
    }
    return load;
}

void load_free(struct load *load)
{
    if (load == NULL)
        return;
    oracle_free(load->oracle);
    tally_free(load->tally);
    free(load);
}
