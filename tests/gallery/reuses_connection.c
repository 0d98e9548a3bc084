/* SPDX-License-Identifier: MIT */
/*
 * Gives a connection back after a timeout, and believes whatever comes out of it next. The answer
 * to the first question arrives late and is handed to whoever asks the second: values of other
 * keys.
 */
#include "core.h"

const struct defects defects = {.name = "reuses_connection", .keeps_late_connection = true};
