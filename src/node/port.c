/* SPDX-License-Identifier: MIT */
#include "node/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_LOWEST \
    12000 /* leaves the well-known ports of servers, memcached's 11211 among them, alone */
#define PORT_HIGHEST 65535
#define PORT_TRIES 100

struct port_range {
    unsigned low, high; /* both included */
};

static struct port_range ephemeral_range(void)
{
    struct port_range range = {32768, 60999}; /* the kernel's default */
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file != NULL) {
        unsigned low, high;
        if (fscanf(file, "%u %u", &low, &high) == 2 && low <= high)
            range = (struct port_range){low, high};
        fclose(file);
    }
    return range;
}

static bool port_is_free(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    bool free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return free;
}

uint16_t node_free_port(struct rng *rng, struct err *err)
{
    struct port_range ephemeral = ephemeral_range();
    unsigned below = ephemeral.low > PORT_LOWEST ? ephemeral.low - PORT_LOWEST : 0;
    unsigned above = ephemeral.high < PORT_HIGHEST ? PORT_HIGHEST - ephemeral.high : 0;
    for (int i = 0; i < PORT_TRIES && below + above > 0; i++) {
        unsigned n = (unsigned)rng_below(rng, below + above);
        unsigned port = n < below ? PORT_LOWEST + n : ephemeral.high + 1 + (n - below);
        if (port_is_free((uint16_t)port))
            return (uint16_t)port;
    }
    err_set(err, "no free TCP port on 127.0.0.1 outside the kernel's ephemeral range %u-%u",
            ephemeral.low, ephemeral.high);
    return 0;
}
