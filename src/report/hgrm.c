/* SPDX-License-Identifier: MIT */
/* Percentile distributions as HdrHistogram's plotting tools read them, in milliseconds. All runs
 * together: their histograms are added up. */
#include "report/formats.h"
#include "report/percentiles.h"

#include <math.h>

/* Of the buckets: the histogram keeps no sum of squares. */
static double deviation(const struct hist *h, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < h->counts_len; i++) {
        uint64_t n = hist_bucket_count(h, i);
        double middle = ((double)hist_bucket_low(h, i) + (double)hist_bucket_high(h, i)) / 2;
        sum += (double)n * (middle - mean) * (middle - mean);
    }
    return hist_count(h) > 0 ? sqrt(sum / (double)hist_count(h)) : 0;
}

static void write_distribution(FILE *out, const struct hist *h)
{
    const double ms = (double)NS_PER_MS;
    struct percentile points[PERCENTILES_MAX];
    size_t count = percentiles_of(h, points);
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    for (size_t i = 0; i < count; i++) {
        const struct percentile *p = &points[i];
        fprintf(out, "%12.6f %2.12f %10llu", (double)p->value_ns / ms, p->share,
                (unsigned long long)p->count);
        if (p->share < 1)
            fprintf(out, " %14.2f", 1 / (1 - p->share));
        fputc('\n', out);
    }
    double mean = hist_mean(h);
    fprintf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", mean / ms,
            deviation(h, mean) / ms);
    fprintf(out, "#[Max     = %12.6f, Total count    = %12llu]\n", (double)hist_max(h) / ms,
            (unsigned long long)hist_count(h));
}

static int write_time(FILE *out, const struct result *r, enum percentiles_time time)
{
    struct hist h;
    if (hist_init(&h, &LATENCY_HIST_CONFIG, NULL) < 0)
        return -1;
    for (size_t i = 0; i < r->run_count; i++)
        percentiles_add_run(r->runs[i], time, &h);
    write_distribution(out, &h);
    hist_deinit(&h);
    return ferror(out) ? -1 : 0;
}

static int write_service(FILE *out, const struct result *r)
{
    return write_time(out, r, PERCENTILES_SERVICE);
}

static int write_response(FILE *out, const struct result *r)
{
    return write_time(out, r, PERCENTILES_RESPONSE);
}

const struct report_format report_format_hgrm = {
    .name = "hgrm",
    .extension = ".hgrm",
    .help = "percentiles of the service time in ms, for HdrHistogram's plots",
    .write = write_service};

const struct report_format report_format_hgrm_response = {
    .name = "hgrm-response",
    .extension = ".hgrm",
    .help = "the same of the response time, from the intended start",
    .write = write_response};
