/* SPDX-License-Identifier: MIT */
#include "base/wrap.h"

#include <string.h>

void wrap_print(FILE *out, const char *text, size_t column, size_t indent, size_t width)
{
    size_t room = width > indent ? width - indent : 1;
    while (*text != '\0') {
        size_t length = strlen(text);
        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = room;
        }
        fprintf(out, "%*s%.*s\n", (int)(indent - column), "", (int)length, text);
        text += length + (text[length] == ' ');
        column = 0;
    }
}
