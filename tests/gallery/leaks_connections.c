/* SPDX-License-Identifier: MIT */
/*
 * Opens a new connection after a failure and forgets to close the old one. Nothing is wrong until
 * the descriptors, or the connections that the server allows, are used up.
 */
#include "core.h"

const struct defects defects = {.name = "leaks_connections", .forgets_connection = true};
