/* SPDX-License-Identifier: MIT */
/* All of libmcmeta. */
#ifndef MCMETA_MCMETA_H
#define MCMETA_MCMETA_H

#include <mcmeta/batch.h>
#include <mcmeta/breaker.h>
#include <mcmeta/cancel.h>
#include <mcmeta/client.h>
#include <mcmeta/commands.h>
#include <mcmeta/export.h>
#include <mcmeta/loop.h>
#include <mcmeta/lease.h>
#include <mcmeta/observe.h>
#include <mcmeta/selector.h>
#include <mcmeta/ttl.h>
#include <mcmeta/tls.h>
#include <mcmeta/types.h>

#endif
