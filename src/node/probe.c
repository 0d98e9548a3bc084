/* SPDX-License-Identifier: MIT */
#include "node/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/dial.h"

int node_probe(const char *address, ns_t deadline, char *version, size_t version_size,
               struct err *err)
{
    static const char request[] = "version\r\nmn\r\n";
    int fd = dial_connect(address, deadline, err);
    if (fd < 0)
        return -1;
    char text[256] = "";
    int rc = 0;
    if (dial_send(fd, request, deadline) != 0 ||
        dial_read_until(fd, text, sizeof text, "MN\r\n", deadline) != 0)
        rc =
            err_set(err, "%s does not answer mn, the no-op of memcached's meta protocol: %s%s%.40s",
                    address, strerror(errno), text[0] ? "; it said: " : "", text);
    close(fd);
    char found[64] = "";
    if (rc == 0 && version != NULL && sscanf(text, "VERSION %63s", found) == 1)
        snprintf(version, version_size, "%s", found);
    return rc;
}
