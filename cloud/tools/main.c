/* SPDX-License-Identifier: MIT */
/* Finds the command by the program's name, or else by the first argument. */
#include "cloud/tools/tools.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "host/fence.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} tools[] = {
    {"ec2-bundle-vol", tool_bundle_vol, "make a bundle of a running system"},
    {"ec2-bundle-image", tool_bundle_image, "make a bundle of an image"},
    {"ec2-unbundle", tool_unbundle, "make an image of a bundle"},
    {"ec2-upload-bundle", tool_upload_bundle, "put a bundle into a bucket"},
    {"ec2-download-bundle", tool_download_bundle, "fetch a bundle from a bucket"},
    {"ec2-delete-bundle", tool_delete_bundle, "remove a bundle from a bucket"},
    {"ec2-register", tool_register, "make an image of a bundle in a bucket, or of a snapshot"},
    {"ec2-run-instances", tool_run_instances, "start instances of an image"},
};

#define NR_TOOLS (sizeof(tools) / sizeof(tools[0]))

static int help(FILE *f)
{
    fputs("usage: pvboot-ec2 COMMAND [OPTION]...\n"
          "or under the name of a command: COMMAND [OPTION]...\n\ncommands:\n",
          f);
    for (size_t i = 0; i < NR_TOOLS; i++)
        fprintf(f, "  %-20s %s\n", tools[i].name, tools[i].what);
    fputs("\nCOMMAND --help tells more about a command.\n", f);
    if (f != stdout)
        return TOOL_USAGE;
    return tool_flush() ? TOOL_DONE : TOOL_FAILED;
}

/* -1: no tool has this name. */
static int run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < NR_TOOLS; i++) {
        if (strcmp(tools[i].name, name) != 0)
            continue;
        tool_name_is(tools[i].name);
        return tools[i].run(argc, argv);
    }
    return -1;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argc > 0 ? argv[0] : "", '/');
    fence_standard_files();
    /* Private keys and secrets are in the memory and the environment: no core holds them, and
     * nobody but root looks at them. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int status = argc > 0 ? run(slash != NULL ? slash + 1 : argv[0], argc, argv) : -1;

    if (status >= 0)
        return status;
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("pvboot-ec2 " PVBOOT_VERSION);
        return tool_flush() ? TOOL_DONE : TOOL_FAILED;
    }
    status = run(argv[1], argc - 1, argv + 1);
    if (status >= 0)
        return status;
    tool_say("there is no command \"%s\"; pvboot-ec2 --help lists them", argv[1]);
    return TOOL_USAGE;
}
