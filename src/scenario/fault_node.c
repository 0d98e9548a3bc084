/* SPDX-License-Identifier: MIT */
#include "scenario/fault.h"

const struct fault_table fault_table_node = {NULL, 0};
