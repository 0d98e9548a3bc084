/* SPDX-License-Identifier: MIT */
/* Spawning memcached for tests. */
#include "memcached.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_FIRST 20000
#define PORT_COUNT 12000 /* all below the ephemeral ports, which a client's own end may take */
#define READY_TRIES 500
#define READY_PAUSE_NS 10000000

static void nap(void)
{
    struct timespec pause = {.tv_nsec = READY_PAUSE_NS};
    nanosleep(&pause, NULL);
}

bool memcached_is_installed(void)
{
    return system("command -v memcached >/dev/null 2>&1") == 0;
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int find_free_port(void)
{
    unsigned start = (unsigned)getpid() * 37u + (unsigned)time(NULL);
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        int port = PORT_FIRST + (int)((start + i * 7) % PORT_COUNT);
        struct sockaddr_in sa = loopback(port);
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        bool free_port = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
        close(fd);
        if (free_port)
            return port;
    }
    return -1;
}

static bool answers(const struct memcached *server)
{
    struct sockaddr_in in = loopback(server->port);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", server->path);
    bool is_unix = server->path[0] != '\0';
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    char answer[8] = "";
    bool ok = connect(fd, is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&in,
                      is_unix ? sizeof(un) : sizeof(in)) == 0;
    if (server->options[0] == NULL)
        ok = ok && send(fd, "mn\r\n", 4, MSG_NOSIGNAL) == 4 &&
             recv(fd, answer, 4, MSG_WAITALL) == 4 && strcmp(answer, "MN\r\n") == 0;
    close(fd);
    return ok;
}

static void run_server(const struct memcached *server, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    char port[16];
    snprintf(port, sizeof(port), "%d", server->port);
    const char *user = getuid() == 0 ? "root" : NULL;
    const char *arguments[24] = {"memcached", "-m", "64", "-t", "2"};
    int count = 5;
    const char *tcp[] = {"-l", "127.0.0.1", "-p", port, "-U", "0"};
    const char *unix_socket[] = {"-s", server->path};
    bool is_unix = server->path[0] != '\0';
    for (int i = 0; i < (is_unix ? 2 : 6); i++)
        arguments[count++] = is_unix ? unix_socket[i] : tcp[i];
    if (user != NULL) {
        arguments[count++] = "-u";
        arguments[count++] = user;
    }
    for (int i = 0; i < 8 && server->options[i] != NULL; i++)
        arguments[count++] = server->options[i];
    execvp("memcached", (char *const *)arguments);
    _exit(127);
}

bool memcached_restart(struct memcached *server)
{
    if (server->path[0] != '\0')
        unlink(server->path);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0)
        run_server(server, parent);
    for (int i = 0; i < READY_TRIES; i++) {
        if (answers(server))
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        nap();
    }
    memcached_kill(server);
    return false;
}

bool memcached_start(struct memcached *server)
{
    return memcached_start_with(server, (char *const[]){NULL});
}

bool memcached_start_with(struct memcached *server, char *const *options)
{
    /* Another program may take the port between the look and the start. */
    for (int i = 0; i < 10; i++) {
        memset(server, 0, sizeof(*server));
        server->port = find_free_port();
        for (int k = 0; k < 7 && options[k] != NULL; k++)
            server->options[k] = options[k];
        snprintf(server->address, sizeof(server->address), "127.0.0.1:%d", server->port);
        if (memcached_restart(server))
            return true;
    }
    return false;
}

bool memcached_start_unix(struct memcached *server)
{
    memset(server, 0, sizeof(*server));
    snprintf(server->path, sizeof(server->path), "/tmp/mcmeta-test-%d.sock", (int)getpid());
    snprintf(server->address, sizeof(server->address), "unix:%.50s", server->path);
    return memcached_restart(server);
}

void memcached_kill(struct memcached *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    if (server->path[0] != '\0')
        unlink(server->path);
}

void memcached_pause(const struct memcached *server)
{
    int status;
    kill(server->pid, SIGSTOP);
    waitpid(server->pid, &status, WUNTRACED);
}

void memcached_resume(const struct memcached *server)
{
    kill(server->pid, SIGCONT);
}
