/* SPDX-License-Identifier: MIT */
#include "driver/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_PERIOD_MS 100      /* between two looks whether it lives */
#define CLOSED_GRACE NS_PER_SEC /* to end after standard output was closed */
#define READ_SIZE ((size_t)64 << 10)
#define READS_MAX 16 /* in a row, also to empty the pipe of a program that has ended */
#define WORDS_SIZE 200
#define STACK_BYTES (256 * 1024)

/* What has been read of a stream and is no whole line yet. */
struct lines {
    char *data;
    size_t size, cap;
    bool skip; /* the rest of a line that was cut */
};

struct program {
    struct program_config config;
    char command[1024];
    char label[40];
    int in_fd, out_fd, err_fd; /* of the pipes, our ends; -1 once closed */
    int wake_fd;
    pthread_t thread;
    bool has_thread;
    struct lines out, err;
    char last_words[WORDS_SIZE];

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    pid_t pid;     /* 0 once reaped */
    bool killed;   /* by program_kill() */
    bool close_in; /* once nothing is left to send */
    bool ended;    /* the callback has returned */
    char *unsent;  /* what the pipe did not take */
    size_t unsent_size, unsent_cap;
};

/* ---- start ---- */

/* In the child, between fork and exec: async-signal-safe calls only. */
static void child_exec(const char *command, const int fds[3], pid_t parent)
{
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(126);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct program *p, struct err *err)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    pid_t pid = -1, parent = getpid();
    bool made = true;
    for (int i = 0; i < 3; i++)
        made = made && pipe2(pipes[i], O_CLOEXEC) == 0;
    if (made)
        pid = fork();
    if (pid == 0)
        child_exec(p->command, (int[]){pipes[0][0], pipes[1][1], pipes[2][1]}, parent);
    if (pid < 0)
        err_set(err, "cannot start a process: %s", strerror(errno));
    else
        setpgid(pid, pid); /* whoever is first: a kill must find the group */
    close_fd(&pipes[0][0]);
    close_fd(&pipes[1][1]);
    close_fd(&pipes[2][1]);
    p->in_fd = pipes[0][1];
    p->out_fd = pipes[1][0];
    p->err_fd = pipes[2][0];
    if (pid < 0)
        return -1;
    p->pid = pid;
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? p->in_fd : i == 1 ? p->out_fd : p->err_fd;
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    return 0;
}

/* ---- lines ---- */

static int lines_room(struct lines *l)
{
    if (l->cap - l->size > READ_SIZE)
        return 0;
    size_t cap = l->cap > 0 ? 2 * l->cap : 2 * READ_SIZE;
    char *grown = realloc(l->data, cap);
    if (grown == NULL)
        return -1;
    l->data = grown;
    l->cap = cap;
    return 0;
}

static void said(struct program *p, struct lines *l, char *line, size_t size)
{
    line[size] = '\0';
    if (l == &p->out) {
        p->config.line(p->config.arg, line, size);
        return;
    }
    if (size == 0)
        return;
    snprintf(p->last_words, sizeof p->last_words, "%s", line);
    log_info(p->config.log, "%s: %s", p->label, line);
}

/* Passes on the whole lines; `all`: also what has no newline. */
static void pass_lines(struct program *p, struct lines *l, size_t from, bool all)
{
    size_t start = 0;
    char *newline;
    while (from < l->size && (newline = memchr(l->data + from, '\n', l->size - from)) != NULL) {
        size_t end = (size_t)(newline - l->data);
        if (!l->skip)
            said(p, l, l->data + start, end - start);
        l->skip = false;
        start = from = end + 1;
    }
    bool cut = l->size - start >= PROGRAM_LINE_MAX;
    if ((all || cut) && start < l->size) {
        if (!l->skip)
            said(p, l, l->data + start, l->size - start); /* there is room for the NUL */
        l->skip = cut;
        start = l->size;
    }
    l->size -= start;
    if (start > 0 && l->size > 0)
        memmove(l->data, l->data + start, l->size);
}

/* Reads what there is. Closes the stream at its end. */
static void read_stream(struct program *p, int *fd, struct lines *l)
{
    for (int i = 0; i < READS_MAX && *fd >= 0 && lines_room(l) == 0; i++) {
        size_t from = l->size;
        ssize_t n = read(*fd, l->data + l->size, l->cap - l->size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0)
            l->size += (size_t)n;
        else
            close_fd(fd);
        pass_lines(p, l, from, n <= 0);
    }
}

/* ---- sending ---- */

/* Writes what the pipe takes of `data`; returns how much that was, all of it when nobody reads. */
static size_t write_some(struct program *p, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size && p->in_fd >= 0) {
        ssize_t n = write(p->in_fd, data + done, size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            return done;
        else if (errno != EINTR)
            close_fd(&p->in_fd);
    }
    return p->in_fd >= 0 ? done : size;
}

static void send_rest(struct program *p)
{
    size_t done = write_some(p, p->unsent, p->unsent_size);
    p->unsent_size -= done;
    if (p->unsent_size > 0 && done > 0)
        memmove(p->unsent, p->unsent + done, p->unsent_size);
    if (p->unsent_size == 0 && p->close_in)
        close_fd(&p->in_fd);
}

static void wake(struct program *p)
{
    uint64_t one = 1;
    ssize_t n = write(p->wake_fd, &one, sizeof one);
    (void)n; /* cannot fail but by overflow, and then it is readable */
}

static void keep(struct program *p, const char *data, size_t size)
{
    if (p->unsent_cap - p->unsent_size < size) {
        size_t cap = p->unsent_cap > 0 ? p->unsent_cap : READ_SIZE;
        while (cap - p->unsent_size < size)
            cap *= 2;
        char *grown = realloc(p->unsent, cap);
        if (grown == NULL) { /* half a line would spoil all that follow */
            close_fd(&p->in_fd);
            return;
        }
        p->unsent = grown;
        p->unsent_cap = cap;
    }
    memcpy(p->unsent + p->unsent_size, data, size);
    p->unsent_size += size;
}

void program_send(struct program *p, const void *data, size_t size)
{
    pthread_mutex_lock(&p->lock);
    if (p->in_fd >= 0 && !p->close_in) {
        size_t done = p->unsent_size == 0 ? write_some(p, data, size) : 0;
        if (done < size) {
            keep(p, (const char *)data + done, size - done);
            wake(p);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void program_send_end(struct program *p)
{
    pthread_mutex_lock(&p->lock);
    p->close_in = true;
    if (p->unsent_size == 0)
        close_fd(&p->in_fd);
    pthread_mutex_unlock(&p->lock);
}

/* ---- end ---- */

static void kill_group(struct program *p)
{
    if (p->pid > 0)
        kill(-p->pid, SIGKILL);
}

void program_kill(struct program *p)
{
    pthread_mutex_lock(&p->lock);
    p->killed = true;
    kill_group(p);
    pthread_mutex_unlock(&p->lock);
}

/* Whether it has ended; then nothing of its group is left. */
static bool reap(struct program *p, struct program_end *end)
{
    siginfo_t info = {0};
    pthread_mutex_lock(&p->lock);
    bool over = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                info.si_pid == p->pid;
    if (over) {
        int status = 0;
        kill_group(p); /* the group's number is taken as long as we have not reaped its leader */
        waitpid(p->pid, &status, 0);
        p->pid = 0;
        end->by_us = p->killed;
        end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        end->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    pthread_mutex_unlock(&p->lock);
    return over;
}

static void wait_and_move(struct program *p)
{
    pthread_mutex_lock(&p->lock);
    int in_fd = p->unsent_size > 0 ? p->in_fd : -1;
    pthread_mutex_unlock(&p->lock);
    struct pollfd pfds[] = {
        {.fd = p->wake_fd, .events = POLLIN},
        {.fd = p->out_fd, .events = POLLIN},
        {.fd = p->err_fd, .events = POLLIN},
        {.fd = in_fd, .events = POLLOUT},
    };
    int n = poll(pfds, 4, p->out_fd < 0 ? 1 : LOOK_PERIOD_MS);
    if (n <= 0)
        return;
    uint64_t count;
    if (pfds[0].revents != 0 && read(p->wake_fd, &count, sizeof count) < 0)
        return;
    if (pfds[1].revents != 0)
        read_stream(p, &p->out_fd, &p->out);
    if (pfds[2].revents != 0)
        read_stream(p, &p->err_fd, &p->err);
    if (pfds[3].revents != 0) {
        pthread_mutex_lock(&p->lock);
        send_rest(p);
        pthread_mutex_unlock(&p->lock);
    }
}

static void *program_main(void *arg)
{
    struct program *p = arg;
    struct program_end end = {0};
    ns_t closed_ns = NS_NEVER, looked_ns = ns_now();
    for (;;) {
        wait_and_move(p);
        ns_t now = ns_now();
        if (p->out_fd >= 0 && now - looked_ns < LOOK_PERIOD_MS * NS_PER_MS)
            continue;
        looked_ns = now;
        if (reap(p, &end))
            break;
        if (p->out_fd < 0 && closed_ns == NS_NEVER)
            closed_ns = now;
        if (closed_ns != NS_NEVER && now - closed_ns > CLOSED_GRACE && !end.output_closed) {
            pthread_mutex_lock(&p->lock);
            end.output_closed = true;
            kill_group(p);
            pthread_mutex_unlock(&p->lock);
        }
    }
    read_stream(p, &p->err_fd, &p->err);
    read_stream(p, &p->out_fd, &p->out);
    pass_lines(p, &p->out, 0, true);
    end.last_words = p->last_words;
    p->config.ended(p->config.arg, &end);
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

bool program_wait(struct program *p, ns_t deadline)
{
    struct timespec until = ns_to_timespec(deadline);
    pthread_mutex_lock(&p->lock);
    int rc = 0;
    while (!p->ended && rc == 0)
        rc = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    bool ended = p->ended;
    pthread_mutex_unlock(&p->lock);
    return ended;
}

/* ---- all of it ---- */

static int start_thread(struct program *p, struct err *err)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = pthread_create(&p->thread, &attr, program_main, p);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return err_set(err, "cannot start a thread: %s", strerror(rc));
    p->has_thread = true;
    return 0;
}

int program_start(const struct program_config *config, struct program **out, struct err *err)
{
    struct program *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, "out of memory");
    p->config = *config;
    p->in_fd = p->out_fd = p->err_fd = -1;
    snprintf(p->label, sizeof p->label, "%s", config->label);
    int n = snprintf(p->command, sizeof p->command, "exec %s", config->command);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = 0;
    if (n < 0 || (size_t)n >= sizeof p->command)
        rc = err_set(err, "the command is too long");
    else if (p->wake_fd < 0)
        rc = err_set(err, "cannot create an eventfd: %s", strerror(errno));
    if (rc != 0 || spawn(p, err) != 0 || start_thread(p, err) != 0) {
        program_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

void program_free(struct program *p)
{
    if (p == NULL)
        return;
    program_kill(p);
    if (p->has_thread)
        pthread_join(p->thread, NULL);
    else if (p->pid > 0)
        waitpid(p->pid, NULL, 0);
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    close_fd(&p->err_fd);
    close_fd(&p->wake_fd);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p->out.data);
    free(p->err.data);
    free(p->unsent);
    free(p);
}
