/* SPDX-License-Identifier: MIT */
/*
 * An HDR histogram log, version 1.3: a line per interval with its whole histogram, for the tools of
 * the HdrHistogram family. Values are nanoseconds, which is what those tools expect. Lines without
 * a tag are service times, those with the tag "response" response times; successes only.
 */
#include "base/hist_packed.h"
#include "report/formats.h"

#include <stdlib.h>
#include <time.h>

static void write_head(FILE *out, const struct result *r)
{
    time_t seconds = (time_t)(r->start_unix_ns / NS_PER_SEC);
    int64_t start_ms = r->start_unix_ns / NS_PER_MS;
    struct tm tm;
    char text[40] = "";
    if (gmtime_r(&seconds, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(out, "#[Logged by memchaos %s, values in nanoseconds]\n", r->version);
    fputs("#[Histogram log format version 1.3]\n", out);
    fprintf(out, "#[StartTime: %.3f (seconds since epoch), %s]\n", (double)start_ms / 1e3, text);
    fputs("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
          "\"Interval_Compressed_Histogram\"\n",
          out);
}

static int write_line(FILE *out, const char *tag, ns_t start, ns_t length,
                      const struct hist_packed *packed)
{
    if (!packed || packed->total == 0)
        return 0;
    char *text = hist_packed_encode(packed, NULL);
    if (!text)
        return -1;
    fprintf(out, "%s%.3f,%.3f,%.6f,%s\n", tag, (double)start / (double)NS_PER_SEC,
            (double)length / (double)NS_PER_SEC, (double)packed->max / (double)NS_PER_MS, text);
    free(text);
    return 0;
}

static int write_hlog(FILE *out, const struct result *r)
{
    write_head(out, r);
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run_result *run = r->runs[i];
        for (size_t k = 0; k < run->interval_count; k++) {
            const struct interval *e = &run->intervals[k];
            ns_t start = e->start_ns - r->start_ns, length = e->end_ns - e->start_ns;
            if (write_line(out, "", start, length, e->service_hist) < 0 ||
                write_line(out, "Tag=response,", start, length, e->response_hist) < 0)
                return -1;
        }
    }
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_hlog = {
    .name = "hlog",
    .extension = ".hlog",
    .help = "HDR histogram log 1.3: a histogram per interval, in ns",
    .write = write_hlog};
