/* SPDX-License-Identifier: MIT */
/* Numbers as people read them in the text report. The machine formats never use these. */
#ifndef REPORT_HUMAN_H
#define REPORT_HUMAN_H

#include "base/time.h"
#include "scenario/victims.h"

#include <stdbool.h>
#include <stdint.h>

#define HUMAN_SIZE 32

/* Three significant digits with the fitting unit: "850 ns", "12.3 µs", "1.24 ms", "1m 05s";
 * NS_NEVER is "never". `ascii` writes "us". All return `buf`. */
const char *human_ns(ns_t value, bool ascii, char buf[static HUMAN_SIZE]);
/* "1,234,567" */
const char *human_count(uint64_t value, char buf[static HUMAN_SIZE]);
/* Rate per second of `count` in `length`: "9,812", "3.2"; "-" when length is 0. */
const char *human_rate(uint64_t count, ns_t length, char buf[static HUMAN_SIZE]);

#define HUMAN_VICTIMS_SIZE 160

/* What is not zero, the most telling first: "10 connections hit, 420 chunks"; "none". */
const char *human_victims(const struct victims *victims, char buf[static HUMAN_VICTIMS_SIZE]);

#endif
