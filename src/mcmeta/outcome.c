/* SPDX-License-Identifier: MIT */
/* Names and rules of outcomes, generated from the list in types.h. */
#include <mcmeta/types.h>

static const struct {
    const char *name;
    const char *text;
    enum mcm_class class_;
    enum mcm_count count;
} outcomes[MCM_OUTCOME_COUNT] = {
#define OUTCOME_ROW(id, word, domain, counted, sentence) \
    [MCM_##id] = {word, sentence, MCM_CLASS_##domain, MCM_COUNT_##counted},
    MCM_OUTCOMES(OUTCOME_ROW)
#undef OUTCOME_ROW
};

static bool is_known(enum mcm_outcome outcome)
{
    return (unsigned)outcome < MCM_OUTCOME_COUNT;
}

const char *mcm_outcome_name(enum mcm_outcome outcome)
{
    return is_known(outcome) ? outcomes[outcome].name : "unknown";
}

const char *mcm_outcome_text(enum mcm_outcome outcome)
{
    return is_known(outcome) ? outcomes[outcome].text : "unknown outcome";
}

enum mcm_class mcm_outcome_class(enum mcm_outcome outcome)
{
    return is_known(outcome) ? outcomes[outcome].class_ : MCM_CLASS_LOCAL;
}

enum mcm_count mcm_outcome_count(enum mcm_outcome outcome)
{
    return is_known(outcome) ? outcomes[outcome].count : MCM_COUNT_NONE;
}
