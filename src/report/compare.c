/* SPDX-License-Identifier: MIT */
#include "report/compare.h"

#include "report/rank_test.h"
#include "report/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *compare_word_name(enum compare_word word)
{
    static const char *const names[COMPARE_WORD_COUNT] = {
        [COMPARE_SAME] = "same",
        [COMPARE_BETTER] = "better",
        [COMPARE_WORSE] = "worse",
        [COMPARE_TOO_FEW] = "too_few_runs",
    };
    return names[word];
}

/* Leaves the order of the values as it was. */
static double median_of(const struct compare_sample *s)
{
    double sorted[RESULT_RUNS_MAX];
    memcpy(sorted, s->values, s->count * sizeof(*sorted));
    return spread_median(sorted, s->count);
}

static double change_of(double a, double b)
{
    if (!(a < b) && !(a > b))
        return 0; /* two times never, too */
    if (isinf(b) || a == 0)
        return b > a ? INFINITY : -INFINITY;
    return isinf(a) ? -INFINITY : b / a - 1;
}

void compare_row_judge(struct compare_row *row, const struct compare_config *config)
{
    row->a.median = median_of(&row->a);
    row->b.median = median_of(&row->b);
    row->change = change_of(row->a.median, row->b.median);
    row->p = rank_test(row->a.values, row->a.count, row->b.values, row->b.count);
    if (rank_test_least(row->a.count, row->b.count) > config->alpha) {
        row->word = COMPARE_TOO_FEW;
        return;
    }
    bool differs = row->p <= config->alpha && fabs(row->change) >= config->threshold;
    bool more = row->change > 0;
    row->word = !differs                      ? COMPARE_SAME
                : more == row->more_is_better ? COMPARE_BETTER
                                              : COMPARE_WORSE;
}

size_t comparison_count(const struct comparison *c, enum compare_word word)
{
    size_t count = 0;
    for (size_t i = 0; i < c->scenario_count; i++) {
        for (size_t k = 0; k < c->scenarios[i]->row_count; k++)
            count += c->scenarios[i]->rows[k].word == word;
    }
    return count;
}

int comparison_exit_code(const struct comparison *c)
{
    if (comparison_count(c, COMPARE_WORSE) > 0)
        return verdict_exit_code(VERDICT_FAILED);
    if (comparison_count(c, COMPARE_SAME) + comparison_count(c, COMPARE_BETTER) == 0)
        return verdict_exit_code(VERDICT_INVALID);
    return verdict_exit_code(VERDICT_PASSED);
}

void comparison_free(struct comparison *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->scenario_count; i++) {
        free(c->scenarios[i]->rows);
        free(c->scenarios[i]);
    }
    free(c);
}
