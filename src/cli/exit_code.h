/* SPDX-License-Identifier: MIT */
/* How memchaos ends; the numbers above 2 are those k6 uses for the same meanings. */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

enum exit_code {
    EXIT_CODE_PASSED = 0,
    EXIT_CODE_INTERNAL = 1, /* could not set up, or an error of our own */
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_INVALID = 98, /* the run says nothing */
    EXIT_CODE_FAILED = 99,  /* a check failed, wrong data included */
    EXIT_CODE_BAD_SCENARIO = 104,
    EXIT_CODE_INTERRUPTED = 105, /* before there was a verdict */
};

#endif
