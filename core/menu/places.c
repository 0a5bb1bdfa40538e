/* SPDX-License-Identifier: MIT */
#include "core/menu/places.h"

bool places_next(struct places *p, struct vols *v, struct vol_id *out)
{
    const struct part_table *table;

    for (;;) {
        if (p->part == UINT32_MAX) {
            p->disk = vols_next(v, p->disk);
            if (p->disk == UINT32_MAX)
                return false;
            *out = (struct vol_id){p->disk, VOL_WHOLE};
        } else if (!failed(vols_table(v, p->disk, &table)) && p->part < table->nr_parts) {
            *out = (struct vol_id){p->disk, table->parts[p->part].index};
        } else {
            p->part = UINT32_MAX;
            continue;
        }
        p->part++;
        if (vol_same(vols_resolve(v, *out), *out))
            return true;
    }
}
