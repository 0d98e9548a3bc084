/* SPDX-License-Identifier: MIT */
#include "tls_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include <mcmeta/mcmeta.h>

static char directory[] = "/tmp/mcmeta-tls-XXXXXX";
static bool has_tls;

static const char make_certificates[] =
    "cd %s && K='ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && {"
    " openssl req -x509 -newkey $K -days 2 -subj /CN=ca -keyout ca.key -out ca.pem &&"
    " openssl req -x509 -newkey $K -days 2 -subj /CN=x -keyout x.key -out other.pem &&"
    " echo 'subjectAltName=DNS:cache.test,IP:127.0.0.1' >ext &&"
    " for n in server client expired; do"
    "  D='-days 2'; [ $n = expired ] && D='-days -1';"
    "  openssl req -newkey $K -subj /CN=$n -keyout $n.key -out $n.csr &&"
    "  openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial $D"
    "   -extfile ext -out $n.pem || exit 1; done;"
    " } >/dev/null 2>&1";

const char *tls_fixture_file(const char *name)
{
    static char paths[8][64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static bool write_users(void)
{
    FILE *users = fopen(tls_fixture_file("users"), "w");
    if (users == NULL)
        return false;
    fputs("user:secret\n", users);
    return fclose(users) == 0;
}

bool tls_fixture_make(void)
{
    char command[1024];
    if (mkdtemp(directory) == NULL || !write_users())
        return false;
    snprintf(command, sizeof(command), make_certificates, directory);
    has_tls = mcm_tls_is_supported() && system(command) == 0;
    return true;
}

void tls_fixture_remove(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (system(command) != 0)
        perror(directory);
}

bool tls_fixture_is_usable(void)
{
    return has_tls;
}

static const char *tls_options(const char *name, const char *more)
{
    static char options[512];
    snprintf(options, sizeof(options),
             "ssl_chain_cert=%s/%s.pem,ssl_key=%s/%s.key,ssl_ca_cert=%s%s", directory, name,
             directory, name, tls_fixture_file("ca.pem"), more);
    return options;
}

static const char *users_file(void)
{
    static char path[64];
    snprintf(path, sizeof(path), "%s", tls_fixture_file("users"));
    return path;
}

bool tls_fixture_start(struct memcached *server, const char *name, const char *more)
{
    char *const arguments[] = {(char *)"-Z", (char *)"-o", (char *)tls_options(name, more), NULL};
    return memcached_start_with(server, arguments);
}

bool tls_fixture_start_locked(struct memcached *server)
{
    char *const arguments[] = {
        (char *)"-Z", (char *)"-o",         (char *)tls_options("server", ""),
        (char *)"-Y", (char *)users_file(), NULL};
    return memcached_start_with(server, arguments);
}

bool tls_fixture_start_plain_locked(struct memcached *server)
{
    char *const arguments[] = {(char *)"-Y", (char *)users_file(), NULL};
    return memcached_start_with(server, arguments);
}
