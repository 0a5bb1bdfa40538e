/* SPDX-License-Identifier: MIT */
/* A bundle that would not boot is not made. */
#include "cloud/tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/aki.h"
#include "host/kernel_look.h"

/* What is said of no_check is the way out, where the user knows better. */
#define ANYWAY "; --no-check makes the bundle all the same"

static bool judge(const struct aki_table *t, const char *path, const struct aki *a,
                  const char *arch)
{
    struct aki_image image;
    char why[AKI_WHY_MAX];
    int status;

    if (!aki_image_look(path, arch, &image, &status))
        return false;
    if (!image.boots) {
        tool_say("the image would not boot with %s: %s" ANYWAY, a->id, image.reason);
        return false;
    }
    if (strcmp(aki_arch(image.narrow), arch) != 0) {
        const struct aki *right =
            aki_select(t, a->region, image.narrow, image.hd00, why, sizeof(why));

        tool_say(
            "the architecture is %s, but the image boots %s, a kernel for %s; use -r %s%s%s" ANYWAY,
            arch, image.kernel, aki_arch(image.narrow), aki_arch(image.narrow),
            right != NULL ? " --kernel " : "", right != NULL ? right->id : "");
        return false;
    }
    if (aki_fits(t, a, NULL, image.narrow, image.hd00, why, sizeof(why)))
        return true;
    tool_say("%s" ANYWAY, why);
    return false;
}

static struct aki_table catalogue;

bool tool_check_begin(void)
{
    char why[AKI_WHY_MAX];

    if (catalogue.nr > 0 || aki_table_load(&catalogue, why, sizeof(why)))
        return true;
    tool_say("%s", why);
    return false;
}

bool tool_check_image(const char *image, const char *aki, const char *arch)
{
    const struct aki *a = tool_check_begin() ? aki_find(&catalogue, aki) : NULL;
    bool good = catalogue.nr > 0;

    if (good && a == NULL)
        tool_say(
            "%s is not in the catalogue of pvboot aki list, so whether the image boots with it "
            "was not checked",
            aki);
    else if (good)
        good = judge(&catalogue, image, a, arch);
    aki_table_free(&catalogue);
    return good;
}

bool tool_check_kernel(const char *image, const char *arch)
{
    int fd = open(image, O_RDONLY | O_CLOEXEC);
    struct aki_image found = {.boots = true};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        tool_say("%s cannot be opened: %s", image, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    /* What can be bundled has content; of the rest the bundler tells. */
    bool good = (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) ||
                kernel_look(fd, strcmp(arch, "i386") == 0, &found);

    close(fd);
    if (good && !found.boots)
        tool_say("no instance would start with %s: %s" ANYWAY, image, found.reason);
    return good && found.boots;
}
