/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18

/* The power of the unit that a suffix stands for, or -1. */
static int power_of(const char *suffix, unsigned unit)
{
    static const char exact[] = "kMG", loose[] = "kmg";
    if (suffix[0] == '\0')
        return 0;
    if (suffix[1] != '\0')
        return -1;
    const char *found =
        unit == 1024 ? strchr(loose, tolower((unsigned char)suffix[0])) : strchr(exact, suffix[0]);
    return found != NULL ? (int)(found - (unit == 1024 ? loose : exact)) + 1 : -1;
}

int number_parse(const char *text, unsigned unit, double *out)
{
    size_t length = strspn(text, "0123456789.");
    char digits[DIGITS_MAX + 1];
    if (length == 0 || length > DIGITS_MAX || text[0] == '.' || text[length - 1] == '.')
        return -1;
    memcpy(digits, text, length);
    digits[length] = '\0';
    char *end;
    double value = strtod(digits, &end);
    int power = power_of(text + length, unit);
    if (*end != '\0' || power < 0)
        return -1;
    *out = value * pow(unit, power);
    return 0;
}
