/* SPDX-License-Identifier: MIT */
/* `pvboot`: finds the sub-command and hands over. */
#include "host/cmd.h"
#include "host/extract.h"
#include "host/fence.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"run", cmd_run, "boot a disk image in a Xen guest and join its console"},
    {"inspect", cmd_inspect, "tell what an image would boot, and why"},
    {"ls", cmd_ls, "list files in a disk image"},
    {"cat", cmd_cat, "write a file of a disk image to standard output"},
    {"extract", cmd_extract, "write the kernel, initrd and command line that would boot"},
    {"aki", cmd_aki, "tell which kernel image (AKI) of a cloud an image needs"},
    {"host", cmd_host, "start the Xen host and take commands (for tests and tools)"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(FILE *f)
{
    fputs("usage: pvboot COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Boots the kernel that lies in a Xen guest's own disk.\n\n"
          "commands:\n",
          f);
    for (size_t i = 0; i < NR_COMMANDS; i++)
        fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].what);
    fputs(
        "\npvboot COMMAND --help tells more about a command; pvboot --version names the version.\n",
        f);
    return f == stdout && flush_stdout() ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argc > 0 ? argv[0] : "", '/');

    fence_standard_files();
    /* Under this name it is a boot loader program of a toolstack. */
    if (argc > 0 && strcmp(slash != NULL ? slash + 1 : argv[0], "pvboot-extract") == 0)
        return extract_pygrub(argc, argv);
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("pvboot " PVBOOT_VERSION);
        return flush_stdout() ? EXIT_OK : EXIT_USAGE;
    }
    for (size_t i = 0; i < NR_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return usage_error("there is no command \"%s\"; pvboot --help lists them", argv[1]);
}
