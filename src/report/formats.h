/* SPDX-License-Identifier: MIT */
/* The formats of registry.c, one per file. */
#ifndef REPORT_FORMATS_H
#define REPORT_FORMATS_H

#include "report/registry.h"

extern const struct report_format report_format_csv;
extern const struct report_format report_format_hgrm;
extern const struct report_format report_format_hgrm_response;
extern const struct report_format report_format_hlog;
extern const struct report_format report_format_html;
extern const struct report_format report_format_junit;
extern const struct report_format report_format_markdown;
extern const struct report_format report_format_ndjson;
extern const struct report_format report_format_tap;

#endif
