/* SPDX-License-Identifier: MIT */
#include "core/menu/chain.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/places.h"

#define PATH_BYTES 64

static bool try_place(struct vols *v, struct vol_id id, const char *arch, struct arena *a,
                      struct file *out, char *name, size_t cap)
{
    static const char *const folders[] = {"/boot/xen/pvboot-", "/xen/pvboot-"};
    struct fs *fs;

    if (failed(vols_mount(v, id, &fs)))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char path[PATH_BYTES], device[VOL_NAME_MAX];
        struct text t = text_on(path, sizeof(path));

        text_str(&t, folders[i]);
        text_str(&t, arch);
        text_str(&t, ".elf");
        if (t.cut || failed(vols_open(v, id, path, a, out, NULL, 0)))
            continue;
        vol_format(v, id, device, sizeof(device));
        t = text_on(name, cap);
        text_str(&t, device);
        text_str(&t, path);
        return true;
    }
    return false;
}

bool chain_find(struct vols *v, const char *arch, struct arena *a, struct file *out, char *name,
                size_t cap)
{
    struct places places = PLACES_START;
    struct vol_id id;

    while (places_next(&places, v, &id)) {
        if (try_place(v, id, arch, a, out, name, cap))
            return true;
    }
    return false;
}
