/* SPDX-License-Identifier: MIT */
#include "rig/driver_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "report/human.h"
#include "report/verdict.h"

void driver_report_take(struct driver_report *report, const struct driver *driver, void *client)
{
    if (driver->findings != NULL)
        report->finding_count = driver->findings(client, report->findings);
    report->has_about = driver->about != NULL;
    if (report->has_about)
        driver->about(client, &report->about);
}

/* A client that crashes or hangs has failed, however little the run shows otherwise. */
static enum check_kind kind_of(enum driver_finding_kind kind)
{
    switch (kind) {
    case DRIVER_FINDING_CRASHED:
    case DRIVER_FINDING_EXITED:
    case DRIVER_FINDING_SILENT: return CHECK_HARD;
    case DRIVER_FINDING_NO_BYE:
    case DRIVER_FINDING_LATE:
    case DRIVER_FINDING_PROTOCOL:
    case DRIVER_FINDING_COUNT: break;
    }
    return CHECK_EXPECTED;
}

static int finding_check(const struct driver_finding *f, struct run_result *out)
{
    char text[DRIVER_FINDING_TEXT_SIZE + 64];
    if (f->count > 1)
        snprintf(text, sizeof text, "%" PRIu64 " times, first: %s", f->count, f->first_text);
    else
        snprintf(text, sizeof text, "%s", f->first_text);
    return verdict_check_add(out, kind_of(f->kind), driver_finding_name(f->kind), false,
                             driver_finding_text(f->kind), text);
}

/* Which client that was, and what it cost to talk to it: part of every latency. */
static int cost_check(const struct driver_about *about, struct run_result *out)
{
    char text[400], p50[HUMAN_SIZE], p99[HUMAN_SIZE], count[HUMAN_SIZE];
    if (about->cost.count == 0) /* nothing stands between */
        return verdict_check_add(out, CHECK_EXPECTED, "driver_client", true,
                                 "the client under test is known", about->client);
    snprintf(text, sizeof text, "%s%s%s: p50 %s, p99 %s of %s operations", about->client,
             about->runtime[0] != '\0' ? " on " : "", about->runtime,
             human_ns(about->cost.p50_ns, false, p50), human_ns(about->cost.p99_ns, false, p99),
             human_count(about->cost.count, count));
    return verdict_check_add(out, CHECK_EXPECTED, "driver_cost", true,
                             "latencies include what it costs to talk to the driver", text);
}

int driver_report_checks(const struct driver_report *report, struct run_result *out)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (finding_check(&report->findings[i], out) != 0)
            return -1;
    return report->has_about ? cost_check(&report->about, out) : 0;
}
