/* SPDX-License-Identifier: MIT */
/* noop: passes everything. */
#include "toxic/stage.h"

const struct toxic_ops toxic_noop = {
    .type = "noop",
    .help = "Does nothing.",
};
