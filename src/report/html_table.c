/* SPDX-License-Identifier: MIT */
#include "report/escape.h"
#include "report/html.h"
#include "report/human.h"

static void element(const struct html *h, const char *open, const char *text, const char *close)
{
    fputs(open, h->out);
    escape_markup(h->out, text);
    fputs(close, h->out);
}

void html_head(const struct html *h, const char *text)
{
    element(h, "<th scope=\"col\">", text, "</th>");
}

void html_head_number(const struct html *h, const char *text)
{
    element(h, "<th scope=\"col\" class=\"n\">", text, "</th>");
}

void html_cell(const struct html *h, const char *text)
{
    element(h, "<td>", text, "</td>");
}

void html_cell_number(const struct html *h, const char *text)
{
    element(h, "<td class=\"n\">", text, "</td>");
}

void html_cell_count(const struct html *h, uint64_t value)
{
    char text[HUMAN_SIZE];
    html_cell_number(h, human_count(value, text));
}

void html_cell_ns(const struct html *h, ns_t value)
{
    char text[HUMAN_SIZE];
    human_ns(value, false, text);
    element(h, value == NS_NEVER ? "<td class=\"n never\">" : "<td class=\"n\">", text, "</td>");
}

void html_cell_latency(const struct html *h, const struct latency *l, ns_t value)
{
    if (l->count == 0)
        html_cell_number(h, "–");
    else
        html_cell_ns(h, value);
}

void html_table_begin(const struct html *h, const char *title, const char *note,
                      const char *const *heads)
{
    element(h, "<section class=\"card\"><h3>", title, "</h3>");
    if (note)
        element(h, "<p class=\"soft\">", note, "</p>");
    fputs("<div class=\"scroll\"><table><thead><tr>", h->out);
    for (; *heads; heads++) {
        if (**heads == '#')
            html_head_number(h, *heads + 1);
        else
            html_head(h, *heads);
    }
    fputs("</tr></thead><tbody>\n", h->out);
}

void html_table_end(const struct html *h)
{
    fputs("</tbody></table></div></section>\n", h->out);
}
