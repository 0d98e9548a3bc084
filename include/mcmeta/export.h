/* SPDX-License-Identifier: MIT */
/* What the shared library exports, and attributes of its functions. */
#ifndef MCMETA_EXPORT_H
#define MCMETA_EXPORT_H

#if defined(__GNUC__)
#define MCM_API __attribute__((visibility("default")))
#define MCM_MUST_USE __attribute__((warn_unused_result))
#else
#define MCM_API
#define MCM_MUST_USE
#endif

#endif
