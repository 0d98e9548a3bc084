/* SPDX-License-Identifier: MIT */
/* Where every operation goes besides the recorder; each part may be NULL. */
#ifndef LOAD_OP_SINK_H
#define LOAD_OP_SINK_H

#include "metrics/flight.h"
#include "metrics/oplog.h"

struct op_sink {
    struct flight *flight;
    struct oplog *oplog;
    uint16_t run; /* of the session, from 1 */
};

#endif
