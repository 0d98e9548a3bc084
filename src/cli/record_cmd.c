/* SPDX-License-Identifier: MIT */
#include "cli/record_cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/flag.h"
#include "cli/exit_code.h"
#include "metrics/op_reader.h"
#include "report/op_writer.h"

#define LAST_MAX 1000000
#define ENOUGH 1 /* what a callback returns when stdout was closed */

struct options {
    const char *name; /* of the command */
    int worker, run, connection;
    const char *node, *op, *outcome, *key;
    int last;
    int format;
};

struct view {
    const struct options *o;
    struct op_writer writer;
    int node, op, outcome; /* -1 = all */
    bool failed_only;
    struct op_record *last; /* ring of the last ones, when only those are wanted */
    uint64_t matched;
    struct err err;
};

/* ---- which records ---- */

static int choose(struct view *v)
{
    const struct options *o = v->o;
    v->node = o->node[0] != '\0' ? op_writer_node(&v->writer, o->node) : -1;
    if (o->node[0] != '\0' && v->node < 0)
        return err_set(&v->err, "-node: the file knows no node \"%.40s\"", o->node);
    return 0;
}

/* Those that do not depend on the file: a mistake in them is one of usage. */
static int choose_names(struct view *v)
{
    const struct options *o = v->o;
    v->op = o->op[0] != '\0' ? op_by_name(o->op) : -1;
    v->failed_only = strcmp(o->outcome, "failed") == 0;
    v->outcome = o->outcome[0] != '\0' && !v->failed_only ? outcome_by_name(o->outcome) : -1;
    if (o->op[0] != '\0' && v->op < 0)
        return err_set(&v->err, "-op: there is no operation \"%.40s\"", o->op);
    if (o->outcome[0] != '\0' && !v->failed_only && v->outcome < 0)
        return err_set(&v->err, "-outcome: there is no outcome \"%.40s\"", o->outcome);
    return 0;
}

static bool has_key(const struct op_record *r, const char *prefix)
{
    size_t size = strlen(prefix), kept = r->key_size < OP_RECORD_KEY ? r->key_size : OP_RECORD_KEY;
    size_t compared = size < OP_RECORD_KEY ? size : OP_RECORD_KEY;
    return size <= r->key_size && compared <= kept && memcmp(r->key, prefix, compared) == 0;
}

static bool matches(const struct view *v, const struct op_record *r)
{
    const struct options *o = v->o;
    bool ended = r->duration_ns != OP_RECORD_IN_FLIGHT;
    return (o->worker < 0 || r->worker == (unsigned)o->worker) &&
           (o->run < 0 || r->run == (unsigned)o->run) &&
           (o->connection < 0 || r->connection == (unsigned)o->connection) &&
           (v->node < 0 || r->node == (unsigned)v->node) &&
           (v->op < 0 || r->op == (unsigned)v->op) &&
           (v->outcome < 0 || (ended && r->outcome == (unsigned)v->outcome)) &&
           (!v->failed_only || !ended || outcome_is_failure(r->outcome)) && has_key(r, o->key);
}

/* ---- reading ---- */

static int take_head(void *arg, const struct op_file_header *header, const char *text)
{
    struct view *v = arg;
    op_writer_init(&v->writer, stdout, (enum op_format)v->o->format, header, text);
    if (choose(v) != 0)
        return -1;
    op_writer_begin(&v->writer, text);
    return 0;
}

static int take_record(void *arg, const struct op_record *r)
{
    struct view *v = arg;
    if (!matches(v, r))
        return 0;
    uint64_t index = v->matched++;
    if (v->last != NULL)
        v->last[index % (unsigned)v->o->last] = *r;
    else
        op_writer_record(&v->writer, r);
    return ferror(stdout) ? ENOUGH : 0;
}

static void write_last(const struct view *v)
{
    unsigned size = (unsigned)v->o->last;
    uint64_t from = v->matched > size ? v->matched - size : 0;
    for (uint64_t i = from; v->last != NULL && i < v->matched; i++)
        op_writer_record(&v->writer, &v->last[i % size]);
}

static int read_file(int fd, struct op_reader *reader, struct err *err)
{
    static const size_t size = (size_t)64 << 10;
    char *data = malloc(size);
    int rc = data != NULL ? 0 : err_set(err, "out of memory");
    while (rc == 0) {
        ssize_t n = read(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set(err, "%s", strerror(errno));
        if (n <= 0)
            break;
        rc = op_reader_feed(reader, data, (size_t)n, err);
    }
    free(data);
    return rc == 0 ? op_reader_end(reader, err) : rc;
}

static int show_open(struct view *v, int fd, struct err *err)
{
    const struct op_reader_config config = {.head = take_head, .record = take_record, .arg = v};
    struct op_reader *reader = op_reader_new(&config, err);
    if (reader == NULL)
        return -1;
    v->err.text[0] = '\0';
    int rc = read_file(fd, reader, err);
    if (v->err.text[0] != '\0')
        *err = v->err;
    op_reader_free(reader);
    write_last(v);
    return rc;
}

static int show(const struct options *o, struct view *v, const char *path)
{
    struct err err = {""};
    if (o->last > 0)
        v->last = calloc((size_t)o->last, sizeof *v->last);
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int rc = -1;
    if (o->last > 0 && v->last == NULL)
        err_set(&err, "out of memory");
    else if (fd < 0)
        err_set(&err, "%s", strerror(errno));
    else
        rc = show_open(v, fd, &err);
    if (fd > STDIN_FILENO)
        close(fd);
    free(v->last);
    if (fflush(stdout) != 0 && errno != EPIPE)
        rc = err_set(&err, "cannot write: %s", strerror(errno));
    if (rc >= 0 || err.text[0] == '\0')
        return EXIT_CODE_PASSED;
    fprintf(stderr, "memchaos %s: %s: %s\n", o->name, path, err.text);
    return EXIT_CODE_INTERNAL;
}

/* ---- the commands ---- */

static int usage_error(const struct options *o, const char *text)
{
    fprintf(stderr, "memchaos %s: %s\nSee memchaos %s -help\n", o->name, text, o->name);
    return EXIT_CODE_USAGE;
}

static int command(struct options *o, const struct flag_help *help, int argc, char **argv)
{
    const struct flag flags[] = {
        {"worker", FLAG_INT, &o->worker, "n", "-1", .min = -1, .group = "Which operations",
         .help = "of this worker, from 0; -1 = of all, as for the next two"},
        {"run", FLAG_INT, &o->run, "n", "-1", .min = -1, .help = "of this run, from 1"},
        {"connection", FLAG_INT, &o->connection, "n", "-1", .min = -1,
         .help = "over this connection, as the client numbers those of a node; 0 = not told"},
        {"node", FLAG_STRING, &o->node, "name", "", .help = "of this node: node1, or 1"},
        {"op", FLAG_STRING, &o->op, "name", "", .help = "get, set, delete, ..."},
        {"outcome", FLAG_STRING, &o->outcome, "name", "",
         .help = "with this outcome: failed (or not ended yet), hit, io_timeout, ..."},
        {"key", FLAG_STRING, &o->key, "prefix", "", .help = "on keys that begin like this"},
        {"last", FLAG_INT, &o->last, "n", "0", .max = LAST_MAX,
         .help = "only the last n of these; 0 = all"},
        {"format", FLAG_CHOICE, &o->format, .default_text = "text", .choices = op_format_names,
         .group = "Output", .help = "how to write them"},
        {.name = NULL},
    };
    struct view v = {.o = o};
    int operand = argc;
    flag_defaults(flags);
    switch (flag_parse(flags, argc, argv, &operand, &v.err)) {
    case FLAG_HELP: flag_print_help(stdout, flags, help); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error(o, v.err.text);
    case FLAG_OK: break;
    }
    /* Flags may also come after the file. */
    const char *path = operand < argc ? argv[operand] : NULL;
    if (path != NULL && operand + 1 < argc) {
        int next = argc - operand;
        if (flag_parse(flags, argc - operand, argv + operand, &next, &v.err) != FLAG_OK)
            return usage_error(o, v.err.text);
        operand += next - 1;
    }
    if (path == NULL || operand + 1 != argc)
        return usage_error(o, "one file is needed, or - for the standard input");
    if (choose_names(&v) != 0)
        return usage_error(o, v.err.text);
    return show(o, &v, path);
}

int flight_cmd_main(int argc, char **argv)
{
    static const struct flag_example examples[] = {
        {"memchaos flight FILE.mcf", "everything that the flight recorder had"},
        {"memchaos flight FILE.mcf -outcome failed -last 100", "the last failures"},
        {"memchaos flight FILE.mcf -node node1 -connection 7", "one connection"},
        {"memchaos flight FILE.mcf -key stress:12", "some keys"},
        {"kill -USR1 $(pidof memchaos)", "asks a session for a recording"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos flight [flags] FILE",
        .about = "Shows a flight recording: the last operations of every worker and connection.\n"
                 "Exit codes: 0 shown, 1 the file cannot be read or is damaged, 2 wrong usage.",
        .examples = examples,
    };
    return command(&(struct options){.name = "flight"}, &help, argc, argv);
}

int oplog_cmd_main(int argc, char **argv)
{
    static const struct flag_example examples[] = {
        {"memchaos -scenario latency -runs 1 -oplog ops.zst", "record all operations"},
        {"memchaos oplog ops.zst -outcome failed", "show those that failed"},
        {"memchaos oplog ops.zst -format csv > ops.csv", "for a spreadsheet or a script"},
        {"memchaos oplog ops.zst -format ndjson | jq ...", "one JSON object per line"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos oplog [flags] FILE",
        .about = "Shows an operation log, also one that is still being written or was cut off.\n"
                 "Exit codes: 0 shown, 1 the file cannot be read, is damaged or was cut off, 2\n"
                 "wrong usage.",
        .examples = examples,
    };
    return command(&(struct options){.name = "oplog"}, &help, argc, argv);
}
