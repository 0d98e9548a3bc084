/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "load/workload.h"

const struct workload *const workloads[] = {&workload_mixed, NULL};
