/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "example.h"
#include "report/file.h"
#include "report/outputs.h"

static char folder[] = "/tmp/memchaos-outputs-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static const char *content_of(const char *name)
{
    static char text[256];
    FILE *file = fopen(path_of(name), "r");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[length] = '\0';
    if (file)
        fclose(file);
    return file ? text : NULL;
}

static int write_arg(FILE *out, void *arg)
{
    fputs(arg, out);
    return 0;
}

static int write_half(FILE *out, void *arg)
{
    fputs(arg, out);
    return -1;
}

static void refuse(const char *text, const char *reason)
{
    struct outputs o = {.count = 0};
    struct err err = {""};
    assert_int_equal(outputs_add(&o, text, &err), -1);
    if (!strstr(err.text, reason))
        fail_msg("\"%s\" is refused with \"%s\", which lacks \"%s\"", text, err.text, reason);
    assert_int_equal(o.count, 0);
}

static void wrong_requests_say_what_is_wrong(void **state)
{
    (void)state;
    refuse("htlm=x", "did you mean \"html\"");
    refuse("pdf=x", "there are text, json, html");
    refuse("html", "write html=FILE, or html=-");
    refuse("html=", "names no file");
    refuse("html=/nowhere/at/all/x.html", "directory /nowhere/at/all: No such file");
    refuse("html=/", "is a directory");
}

static void two_reports_cannot_share_a_file_or_stdout(void **state)
{
    (void)state;
    struct outputs o = {.count = 0};
    struct err err;
    assert_int_equal(outputs_add(&o, "json=-", &err), 0);
    assert_true(outputs_use_stdout(&o));
    assert_int_equal(outputs_add(&o, "tap=-", &err), -1);
    assert_non_null(strstr(err.text, "standard output"));
    char text[160];
    snprintf(text, sizeof(text), "tap=%s", path_of("same"));
    assert_int_equal(outputs_add(&o, text, &err), 0);
    assert_int_equal(outputs_add(&o, text, &err), -1);
    assert_int_equal(o.count, 2);
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(
        report_file_write(path_of("f"), FILE_SURVIVES_POWER, write_arg, (char[]){"first"}, &err),
        0);
    assert_string_equal(content_of("f"), "first");
    assert_int_equal(
        report_file_write(path_of("f"), FILE_SURVIVES_US, write_half, (char[]){"second"}, &err),
        -1);
    assert_string_equal(content_of("f"), "first");
    assert_null(content_of("f.tmp"));
    assert_int_equal(
        report_file_write(path_of("f"), FILE_SURVIVES_US, write_arg, (char[]){"third"}, &err), 0);
    assert_string_equal(content_of("f"), "third");
    assert_null(content_of("f.tmp"));
}

static void a_full_disk_is_an_error_with_its_name(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(
        report_file_write("/dev/full", FILE_SURVIVES_POWER, write_arg, (char[]){"text"}, &err), -1);
    assert_string_equal(err.text, "cannot write /dev/full: No space left on device");
}

static void device_files_stay_what_they_are(void **state)
{
    (void)state;
    struct err err;
    struct stat st;
    assert_int_equal(report_file_check("/dev/null", &err), 0);
    assert_int_equal(
        report_file_write("/dev/null", FILE_SURVIVES_POWER, write_arg, (char[]){"text"}, &err), 0);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void note_failure(void *arg, const struct output *output, const struct err *err)
{
    assert_string_equal(output->path, "/dev/full");
    assert_non_null(strstr(err->text, "No space left"));
    ++*(int *)arg;
}

static void a_report_that_is_lost_does_not_take_the_others_with_it(void **state)
{
    (void)state;
    struct outputs o = {.count = 0};
    struct err err;
    struct result *r = example_result();
    int noted = 0;
    char text[160];
    assert_int_equal(outputs_add(&o, "html=/dev/full", &err), 0);
    snprintf(text, sizeof(text), "tap=%s", path_of("x.tap"));
    assert_int_equal(outputs_add(&o, text, &err), 0);
    assert_int_equal(outputs_write(&o, r, note_failure, &noted), 1);
    assert_int_equal(noted, 1);
    assert_non_null(strstr(content_of("x.tap"), "TAP version 14\n1..0\n"));
    result_free(r);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_of("f"));
    unlink(path_of("x.tap"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_requests_say_what_is_wrong),
        cmocka_unit_test(two_reports_cannot_share_a_file_or_stdout),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(a_full_disk_is_an_error_with_its_name),
        cmocka_unit_test(device_files_stay_what_they_are),
        cmocka_unit_test(a_report_that_is_lost_does_not_take_the_others_with_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
