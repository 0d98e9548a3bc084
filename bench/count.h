/* SPDX-License-Identifier: MIT */
/* Counters of system calls and allocations, by functions put before those of libc. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

/* Of the whole process, libraries included. Calls are send, sendmsg, recv, recvmsg, poll, ppoll,
 * and futex waits and wakes made through syscall(). */
extern atomic_uint_least64_t count_calls;
extern atomic_uint_least64_t count_allocations;

#endif
