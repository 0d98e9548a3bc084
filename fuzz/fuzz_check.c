/* SPDX-License-Identifier: MIT */
/* Any text as a check: it is refused with a place inside the text, or its left side can be written
 * and read again as the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const phases[] = {"baseline", "fault", "slow-start", NULL};

static void check_round_trip(const struct check_rule *rule)
{
    struct check_rule again;
    struct err err;
    size_t at;
    char path[128], text[CHECK_TEXT_SIZE];
    check_ref_text(&rule->left, path, sizeof path);
    snprintf(text, sizeof text, "%s %s", path, rule->op == CHECK_OP_ONLY ? "only []" : "< 0");
    int rc = check_parse(text, phases, &again, &at, &err);
    assert(rc == 0);
    assert(again.left.metric == rule->left.metric && again.left.nodes == rule->left.nodes);
    assert(strcmp(again.left.phase, rule->left.phase) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[4096];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct check_rule rule;
    struct err err = {""};
    size_t at;
    if (check_parse(text, phases, &rule, &at, &err) != 0) {
        assert(err.text[0] != '\0' && at <= strlen(text));
        return 0;
    }
    assert(rule.op == CHECK_OP_ONLY || rule.term_count > 0);
    check_round_trip(&rule);
    return 0;
}
