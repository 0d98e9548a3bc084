/* SPDX-License-Identifier: MIT */
#include "driver/plugin_load.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/plugin.h"

#define ENTRY "memchaos_driver_entry"
#define SUFFIX ".so"
#define PATH_VARIABLE "MEMCHAOS_DRIVER_PATH"

const struct plugin_shipped plugins_shipped[] = {
    {"libmemcached", "libmemcached: text protocol, a handle per worker", "libmemcached11"},
    {"libmemcached-pool", "libmemcached with its own pool of handles", "libmemcachedutil2"},
    {NULL, NULL, NULL},
};

typedef const struct memchaos_driver *entry_fn(void);

static const struct plugin_shipped *shipped_by_name(const char *name)
{
    for (const struct plugin_shipped *p = plugins_shipped; p->name != NULL; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool is_path(const char *text)
{
    size_t length = strlen(text), suffix = sizeof SUFFIX - 1;
    return length > suffix && strcmp(text + length - suffix, SUFFIX) == 0 &&
           strchr(text, ' ') == NULL;
}

/* ---- where drivers are ---- */

static bool is_file(char *path, const char *dir, size_t dir_size, const char *below,
                    const char *name)
{
    int n = snprintf(path, PATH_MAX, "%.*s%s/driver-%s" SUFFIX, (int)dir_size, dir, below, name);
    return n > 0 && n < PATH_MAX && access(path, R_OK) == 0;
}

/* In a directory as seen from that of this program: of the build tree, or of an installation. */
static bool is_beside_us(char *path, const char *name)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    while (n > 0 && self[n - 1] != '/')
        n--;
    return n > 0 && (is_file(path, self, (size_t)n, "../../drivers/c", name) ||
                     is_file(path, self, (size_t)n, "../" MEMCHAOS_LIBDIR "/memchaos", name));
}

static bool find_named(char *path, const char *name)
{
    const char *list = getenv(PATH_VARIABLE);
    if (name[0] == '\0' || strchr(name, '/') != NULL)
        return false;
    for (const char *p = list != NULL ? list : ""; *p != '\0';) {
        size_t length = strcspn(p, ":");
        if (length > 0 && is_file(path, p, length, "", name))
            return true;
        p += length + (p[length] == ':');
    }
    return is_beside_us(path, name) ||
           is_file(path, MEMCHAOS_DRIVER_DIR, sizeof MEMCHAOS_DRIVER_DIR - 1, "", name);
}

bool plugin_is_meant(const char *text)
{
    char path[PATH_MAX];
    return is_path(text) || shipped_by_name(text) != NULL || find_named(path, text);
}

/* A path has a slash, without which dlopen() would look in the directories of the system. */
static int find(const char *text, char *path, struct err *err)
{
    if (is_path(text)) {
        int n = snprintf(path, PATH_MAX, "%s%s", strchr(text, '/') != NULL ? "" : "./", text);
        if (n < 0 || n >= PATH_MAX)
            return err_set(err, "the name of the driver is too long");
        return access(path, R_OK) == 0 ? 0 : err_set(err, "there is no readable file %.300s", path);
    }
    if (find_named(path, text))
        return 0;
    const struct plugin_shipped *shipped = shipped_by_name(text);
    return err_set(err,
                   "driver-%.80s" SUFFIX " is not here: it is built when libmemcached-dev is "
                   "installed, and needs %s to run; " PATH_VARIABLE
                   " may name the directory it is in",
                   text, shipped != NULL ? shipped->package : "its library");
}

/* ---- what is in it ---- */

/* The first function that is not there and should be. */
static const char *missing_function(const struct memchaos_driver *d)
{
    const struct {
        const char *name;
        bool there;
    } functions[] = {
        {"open", d->open != NULL},
        {"close", d->close != NULL},
        {"worker_open", d->worker_open != NULL},
        {"worker_close", d->worker_close != NULL},
        {"get", d->get != NULL},
        {"set", d->set != NULL},
        {"add", d->add != NULL},
        {"remove", d->remove != NULL},
        {"increment", d->increment != NULL},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (!functions[i].there)
            return functions[i].name;
    return NULL;
}

static int check(const char *path, const struct memchaos_driver *d, struct err *err)
{
    if (d == NULL)
        return err_set(err, "%.300s: " ENTRY "() returned no driver", path);
    if (d->abi != MEMCHAOS_DRIVER_ABI)
        return err_set(err,
                       "%.300s was built for version %u of the driver interface, and this memchaos "
                       "has version %d: build it again with its memchaos/driver.h",
                       path, d->abi, MEMCHAOS_DRIVER_ABI);
    if (d->size < sizeof *d)
        return err_set(err,
                       "%.300s: its table of functions has %u bytes, and not the %zu of the "
                       "driver interface, version %d",
                       path, d->size, sizeof *d, MEMCHAOS_DRIVER_ABI);
    if (d->name == NULL || d->client == NULL)
        return err_set(err, "%.300s: the driver does not tell its name and its client", path);
    const char *missing = missing_function(d);
    return missing == NULL
               ? 0
               : err_set(err, "%.300s: the driver has no function \"%s\"", path, missing);
}

const struct memchaos_driver *plugin_load(const char *text, struct err *err)
{
    char path[PATH_MAX];
    if (find(text, path, err) != 0)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        const struct plugin_shipped *shipped = shipped_by_name(text);
        err_set(err, "cannot load the driver: %.350s%s%s", dlerror(),
                shipped != NULL ? "; is this package installed: " : "",
                shipped != NULL ? shipped->package : "");
        return NULL;
    }
    /* POSIX lets a pointer to data be one to a function, C has no conversion for it. */
    union {
        void *data;
        entry_fn *function;
    } entry = {.data = dlsym(library, ENTRY)};
    const struct memchaos_driver *driver = entry.data != NULL ? entry.function() : NULL;
    if (entry.data == NULL)
        err_set(err, "%.300s is no driver: it has no function " ENTRY "()", path);
    else if (check(path, driver, err) != 0)
        driver = NULL;
    dlclose(library); /* only the reference */
    return driver;
}
