/* SPDX-License-Identifier: MIT */
#include "report/op_writer.h"

#include "base/jsonw.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const op_format_names[OP_FORMAT_COUNT + 1] = {"text", "csv", "ndjson", NULL};

/* ---- names ---- */

/* The words of the line "key: word word ...". */
static void names_read(struct op_names *names, const char *text, const char *key)
{
    const char *line = text;
    size_t size = strlen(key);
    names->count = 0;
    while (line != NULL && (strncmp(line, key, size) != 0 || line[size] != ':')) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return;
    for (line += size + 1; names->count < OP_WRITER_NAMES_MAX;) {
        line += strspn(line, " ");
        size_t word = strcspn(line, " \n");
        if (word == 0)
            return;
        snprintf(names->names[names->count++], OP_WRITER_NAME_SIZE, "%.*s", (int)word, line);
        line += word;
    }
}

void op_writer_init(struct op_writer *w, FILE *out, enum op_format format,
                    const struct op_file_header *header, const char *text)
{
    w->out = out;
    w->format = format;
    w->header = *header;
    names_read(&w->nodes, text, "nodes");
    names_read(&w->phases, text, "phases");
}

int op_writer_node(const struct op_writer *w, const char *name)
{
    for (size_t i = 0; i < w->nodes.count; i++)
        if (strcmp(w->nodes.names[i], name) == 0)
            return (int)i;
    char *end;
    long number = strtol(name, &end, 10);
    return *end == '\0' && number >= 1 && number <= OP_WRITER_NAMES_MAX ? (int)number - 1 : -1;
}

/* A name, or the number when there is none. */
static const char *name_of(const struct op_names *names, unsigned index, unsigned first,
                           char buf[static OP_WRITER_NAME_SIZE])
{
    if (index < names->count)
        return names->names[index];
    snprintf(buf, OP_WRITER_NAME_SIZE, "%u", index + first);
    return buf;
}

/* ---- one record ---- */

struct texts {
    char key[OP_RECORD_KEY + 4];
    char node_buf[OP_WRITER_NAME_SIZE], phase_buf[OP_WRITER_NAME_SIZE];
    const char *node; /* "-": not known */
    const char *phase;
    const char *outcome;
    double time_s;
};

/* What a file says is a key may hold anything: only what every output can show is let through. */
static void key_text(const struct op_record *r, char *text)
{
    size_t kept = r->key_size < OP_RECORD_KEY ? r->key_size : OP_RECORD_KEY;
    for (size_t i = 0; i < kept; i++) {
        char c = r->key[i];
        bool is_plain = c > ' ' && c < 127 && c != '"' && c != ',' && c != '\\';
        text[i] = is_plain ? c : '?';
    }
    memcpy(text + kept, r->key_size > OP_RECORD_KEY ? "..." : "\0\0\0", 4);
}

static void texts_of(const struct op_writer *w, const struct op_record *r, struct texts *t)
{
    key_text(r, t->key);
    t->node = r->node == OP_RECORD_NODE_UNKNOWN ? "-" : name_of(&w->nodes, r->node, 1, t->node_buf);
    t->phase = name_of(&w->phases, r->phase, 0, t->phase_buf);
    t->outcome = r->duration_ns == OP_RECORD_IN_FLIGHT ? "in_flight" : outcome_name(r->outcome);
    t->time_s = (double)(r->start_ns - w->header.start_ns) / (double)NS_PER_SEC;
}

static void write_text(const struct op_writer *w, const struct op_record *r, const struct texts *t)
{
    char duration[32] = "-";
    if (r->duration_ns != OP_RECORD_IN_FLIGHT)
        snprintf(duration, sizeof duration, "%.3f", (double)r->duration_ns / (double)NS_PER_MS);
    fprintf(w->out,
            "%14.6f  %4u  %-10s %6" PRIu32 "  %-9s  %-8s %5" PRIu32 "  %-15s %12s %10.3f"
            " %8" PRIu32 "  %s",
            t->time_s, r->run, t->phase, r->worker, op_name(r->op), t->node, r->connection,
            t->outcome, duration, (double)r->late_ns / (double)NS_PER_MS, r->bytes, t->key);
    if (r->items != 1)
        fprintf(w->out, " and %u more", r->items > 0 ? r->items - 1u : 0);
    fputc('\n', w->out);
}

static void write_csv(const struct op_writer *w, const struct op_record *r, const struct texts *t)
{
    fprintf(w->out, "%.9f,%u,%s,%" PRIu32 ",%s,%s,%" PRIu32 ",%s,", t->time_s, r->run, t->phase,
            r->worker, op_name(r->op), r->node == OP_RECORD_NODE_UNKNOWN ? "" : t->node,
            r->connection, t->outcome);
    if (r->duration_ns != OP_RECORD_IN_FLIGHT)
        fprintf(w->out, "%" PRId64, (int64_t)r->duration_ns);
    fprintf(w->out, ",%" PRId64 ",%" PRIu32 ",%u,%s,%08" PRIx32 "\n", (int64_t)r->late_ns, r->bytes,
            r->items, t->key, r->key_hash);
}

static void write_ndjson(const struct op_writer *w, const struct op_record *r,
                         const struct texts *t)
{
    char hash[16];
    struct jsonw j;
    jsonw_init(&j, w->out, JSONW_COMPACT);
    jsonw_object(&j);
    jsonw_key_int(&j, "start_ns", r->start_ns - w->header.start_ns);
    jsonw_key_uint(&j, "run", r->run);
    jsonw_key_string(&j, "phase", t->phase);
    jsonw_key_uint(&j, "worker", r->worker);
    jsonw_key_string(&j, "operation", op_name(r->op));
    jsonw_key_string(&j, "node", r->node == OP_RECORD_NODE_UNKNOWN ? NULL : t->node);
    jsonw_key_uint(&j, "connection", r->connection);
    jsonw_key_string(&j, "outcome", t->outcome);
    if (r->duration_ns == OP_RECORD_IN_FLIGHT)
        jsonw_key_null(&j, "duration_ns");
    else
        jsonw_key_int(&j, "duration_ns", r->duration_ns);
    jsonw_key_int(&j, "late_ns", r->late_ns);
    jsonw_key_uint(&j, "value_bytes", r->bytes);
    jsonw_key_uint(&j, "items", r->items);
    jsonw_key_string(&j, "key", t->key);
    snprintf(hash, sizeof hash, "%08" PRIx32, r->key_hash);
    jsonw_key_string(&j, "key_hash", hash);
    jsonw_object_end(&j);
    jsonw_finish(&j);
}

void op_writer_begin(const struct op_writer *w, const char *text)
{
    if (w->format == OP_FORMAT_CSV)
        fputs("time_s,run,phase,worker,operation,node,connection,outcome,duration_ns,late_ns,"
              "value_bytes,items,key,key_hash\n",
              w->out);
    if (w->format != OP_FORMAT_TEXT)
        return;
    for (const char *at = text; *at != '\0'; at++)
        fputc(*at == '\n' || (*at >= ' ' && *at != 127) || (unsigned char)*at >= 128 ? *at : '?',
              w->out);
    fprintf(w->out, "\n%14s  %4s  %-10s %6s  %-9s  %-8s %5s  %-15s %12s %10s %8s  %s\n", "time s",
            "run", "phase", "worker", "operation", "node", "conn", "outcome", "took ms", "late ms",
            "bytes", "key");
}

void op_writer_record(const struct op_writer *w, const struct op_record *r)
{
    struct texts t;
    texts_of(w, r, &t);
    switch (w->format) {
    case OP_FORMAT_CSV: write_csv(w, r, &t); break;
    case OP_FORMAT_NDJSON: write_ndjson(w, r, &t); break;
    case OP_FORMAT_TEXT:
    case OP_FORMAT_COUNT: write_text(w, r, &t); break;
    }
}
