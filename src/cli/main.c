/* SPDX-License-Identifier: MIT */
#include "cli/proxy_cmd.h"

int main(int argc, char **argv)
{
    return proxy_cmd_main(argc, argv);
}
