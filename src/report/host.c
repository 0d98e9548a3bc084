/* SPDX-License-Identifier: MIT */
#include "report/result.h"

#include <sys/utsname.h>
#include <unistd.h>

int result_host_read(struct result *r)
{
    struct utsname name;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    r->host.cpus = cpus > 0 ? (unsigned)cpus : 0;
    if (uname(&name) < 0)
        return 0; /* the kernel stays unknown */
    const char *kernel = arena_format(&r->arena, "%s %s", name.sysname, name.release);
    if (!kernel)
        return -1;
    r->host.kernel = kernel;
    return 0;
}
