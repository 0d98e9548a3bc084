/* SPDX-License-Identifier: MIT */
/* A shared object that is none of ours. */
int no_driver(void);
int no_driver(void)
{
    return 1;
}
