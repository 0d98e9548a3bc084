/* SPDX-License-Identifier: MIT */
/* Numbers as people write them: 20000, 20k, 1.5M. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

/*
 * Reads the whole of `text`: digits, perhaps a fraction, perhaps one of k, M, G (K, m and g are the
 * same for sizes, where `unit` is 1024; where it is 1000, m is refused because it may mean minutes
 * or milli). No sign. Returns 0 or -1.
 */
int number_parse(const char *text, unsigned unit, double *out);

#endif
