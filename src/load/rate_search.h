/* SPDX-License-Identifier: MIT */
/*
 * Looks for the highest rate that holds: doubles until one does not, then halves the distance, by
 * ratio, until the two are close. No clock: the caller makes the trials.
 */
#ifndef LOAD_RATE_SEARCH_H
#define LOAD_RATE_SEARCH_H

#include <stdbool.h>

#define RATE_SEARCH_FIRST 1000.0
#define RATE_SEARCH_MIN 10.0 /* below this nothing holds */
#define RATE_SEARCH_TRIALS_MAX 24

struct rate_search {
    double max;
    double close; /* stop at this ratio of the two, above 1 */
    double holds; /* the highest that did; 0 = none yet */
    double fails; /* the lowest that did not; 0 = none yet */
    unsigned trials;
};

void rate_search_init(struct rate_search *search, double max, double close);

/* The rate to try next; 0 when the search is over. */
double rate_search_next(const struct rate_search *search);
void rate_search_tell(struct rate_search *search, double rate, bool held);

#endif
