/* SPDX-License-Identifier: MIT */
/* A bundle that would not boot is not made. */
#include "cloud/tools/tools.h"

#include <string.h>

#include "host/aki.h"

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
        tool_say("the architecture is %s, but the image boots %s, a kernel for %s" ANYWAY, arch,
                 image.kernel, aki_arch(image.narrow));
        return false;
    }
    if (aki_fits(t, a, NULL, image.narrow, image.hd00, why, sizeof(why)))
        return true;
    tool_say("%s" ANYWAY, why);
    return false;
}

bool tool_check_image(const char *image, const char *aki, const char *arch)
{
    struct aki_table t = {0};
    char why[AKI_WHY_MAX];
    bool good = aki_table_load(&t, why, sizeof(why));
    const struct aki *a = good ? aki_find(&t, aki) : NULL;

    if (!good)
        tool_say("%s", why);
    else if (a == NULL)
        tool_say(
            "%s is not in the catalogue of pvboot aki list, so whether the image boots with it "
            "was not checked",
            aki);
    else
        good = judge(&t, image, a, arch);
    aki_table_free(&t);
    return good;
}
