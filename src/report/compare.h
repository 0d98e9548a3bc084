/* SPDX-License-Identifier: MIT */
/*
 * Do two sessions, A and B, differ beyond their noise? Scenario by scenario and figure by figure,
 * from the runs of each that passed or failed.
 *
 * A figure differs when both hold: the rank test finds it less probable than `alpha` by chance, and
 * the medians are at least `threshold` apart, as a share of A's. When even the clearest difference
 * between so few runs would not be less probable than `alpha`, they are too few to tell.
 * docs/checks.md says it for people.
 */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include "base/err.h"
#include "report/figures.h"
#include "report/report.h"
#include "report/result.h"

#include <stdio.h>

#define COMPARE_SCENARIOS_MAX 128
#define COMPARE_FILE_BYTES_MAX (256u << 20)

struct compare_config {
    double alpha;     /* 0.01 */
    double threshold; /* 0.10 */
};

#define COMPARE_CONFIG_DEFAULT ((struct compare_config){.alpha = 0.01, .threshold = 0.10})

enum compare_word {
    COMPARE_SAME, /* no difference beyond the noise */
    COMPARE_BETTER,
    COMPARE_WORSE,
    COMPARE_TOO_FEW,
    COMPARE_WORD_COUNT,
};

/* "same", "better", "worse", "too_few_runs" */
const char *compare_word_name(enum compare_word word);

/* The runs of one scenario in one session. */
struct compare_sample {
    double values[RESULT_RUNS_MAX];
    size_t count;
    double median; /* NAN without values */
};

struct compare_row {
    char name[FIGURE_NAME_SIZE];
    enum check_unit unit;
    bool more_is_better;
    struct compare_sample a, b;
    double change; /* of the median, as a share of A's; INFINITY from 0 or to never */
    double p;
    enum compare_word word;
};

struct compare_scenario {
    char name[64];
    uint64_t verdicts[2][VERDICT_COUNT]; /* of A and B */
    struct compare_row *rows;            /* FIGURES_MAX of them */
    size_t row_count;
};

/* What is known of a session beside its runs. */
struct compare_session {
    const char *path;
    char version[64];
    char host[160];
    char command[512];
};

#define COMPARE_OPTIONS_MAX 32

struct comparison {
    struct compare_config config;
    struct compare_session sessions[2];
    struct {
        char name[64], values[2][128];
    } options[COMPARE_OPTIONS_MAX]; /* that differ, the first of them */
    size_t option_count;
    struct compare_scenario *scenarios[COMPARE_SCENARIOS_MAX]; /* owned */
    size_t scenario_count;
};

/* Reads the results of two sessions and compares them. Returns NULL with a reason that names the
 * file. */
struct comparison *comparison_read(const char *a_path, const char *b_path,
                                   const struct compare_config *config, struct err *err);
void comparison_free(struct comparison *c);

/* Judges a row whose samples are filled. */
void compare_row_judge(struct compare_row *row, const struct compare_config *config);

/* Rows in all with that word. */
size_t comparison_count(const struct comparison *c, enum compare_word word);

/* 99 when anything is worse, 98 when nothing could be told, else 0. */
int comparison_exit_code(const struct comparison *c);

int comparison_text(FILE *out, const struct comparison *c, struct report_style style);
int comparison_json(FILE *out, const struct comparison *c);

#endif
