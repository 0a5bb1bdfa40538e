/* SPDX-License-Identifier: MIT */
/*
 * upgrades FOLDER [NUMBER] - one kernel upgrade after the other, NUMBER of them or until the
 * machine is killed. Goes on from the newest kernel that is there. Runs in the crash test's guest;
 * statically linked.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/images/files.h"

#define MAX_KIB 600
#define KEPT    3

/* The newest kernel in the folder boot; what an upgrade that was cut off left behind goes. */
static uint32_t newest(void)
{
    uint32_t best = 0;

    for (int pass = 0; pass < 2; pass++) {
        DIR *boot = opendir("boot");

        for (struct dirent *e; boot != NULL && (e = readdir(boot)) != NULL;) {
            char path[300];
            unsigned n;

            if (sscanf(e->d_name, "vmlinuz-%u", &n) != 1 && sscanf(e->d_name, "initrd-%u", &n) != 1)
                continue;
            snprintf(path, sizeof(path), "boot/%s", e->d_name);
            if (pass == 0 && n > best)
                best = n;
            else if (pass == 1 && (n + KEPT <= best || strstr(path, ".dpkg-new") != NULL))
                must(unlink(path) == 0, path);
        }
        if (boot != NULL)
            closedir(boot);
    }
    return best;
}

int main(int argc, char **argv)
{
    uint32_t number = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : UINT32_MAX;

    must((argc == 2 || argc == 3) && chdir(argv[1]) == 0, "usage: upgrades FOLDER [NUMBER]");
    for (uint32_t n = newest() + 1; number > 0; n++, number--)
        upgrade(n, MAX_KIB, false);
}
