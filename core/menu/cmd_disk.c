/* SPDX-License-Identifier: MIT */
/* root and its kin: disks and partitions by name. */
#include <string.h>

#include "core/menu/cmd.h"
#include "core/menu/lex.h"

/*
 * "/dev/sda1", "/dev/xvdb": the error for a Linux name where GRUB's is wanted, with GRUB's name for
 * it as far as it can be told.
 */
static struct err linux_name_hint(struct shell *sh, const char *word, size_t len)
{
    const struct part_table *table = NULL;
    uint64_t disk, part;
    size_t skip;

    if (len > 7 && (memcmp(word, "/dev/sd", 7) == 0 || memcmp(word, "/dev/hd", 7) == 0))
        skip = 7;
    else if (len > 8 && (memcmp(word, "/dev/xvd", 8) == 0))
        skip = 8;
    else if (len > 12 && memcmp(word, "/dev/mapper/", 12) == 0)
        return ERR(ERR_DEV_FORMAT, "Linux's name; logical volumes are (lvm/VG-LV) here");
    else if (len > 7 && memcmp(word, "/dev/md", 7) == 0)
        return ERR(ERR_DEV_FORMAT, "Linux's name; RAID arrays are (md/0), (md/NAME) here");
    else
        return ERR(ERR_DEV_FORMAT, "disks are (hd0), (hd1), ...; partitions (hd0,0), (hd0,1), ...");
    if (word[skip] < 'a' || word[skip] > 'z')
        return ERR(ERR_DEV_FORMAT, "Linux's name; here disks are (hd0), partitions (hd0,0), ...");
    disk = (uint64_t)(word[skip] - 'a');
    if (len == skip + 1)
        return ERR1(ERR_DEV_FORMAT, "Linux's name; its name here may be (hd%a)", disk);
    if (!text_parse_u64(word + skip + 1, len - skip - 1, &part) || part == 0)
        return ERR(ERR_DEV_FORMAT, "Linux's name; here disks are (hd0), partitions (hd0,0), ...");
    if (disk < vols_nr_disks(sh->vols) && !failed(vols_table(sh->vols, (uint32_t)disk, &table)) &&
        table->nr_parts == 0)
        return ERR1(ERR_DEV_FORMAT,
                    "Linux's name; (hd%a) has no partitions, so its name here may be (hd%a)", disk);
    return ERR2(ERR_DEV_FORMAT, "Linux's name; its name here may be (hd%a,%b)", disk, part - 1);
}

/* The device of a root command into sh->root. */
static struct err set_root(struct shell *sh, const char *args)
{
    struct vol_id id;
    const char *word;
    size_t len, used;

    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "`root' wants a device: root (hd0)");
    shell_about(sh, word, len);
    if (word[0] == '/')
        return linux_name_hint(sh, word, len);
    TRY(vol_parse(sh->vols, word, &id, &used));
    if (used != len)
        return ERR(ERR_DEV_FORMAT, "only a device is wanted here: root (hd0,0)");
    sh->root = id;
    return OK;
}

static const struct part *find_part(struct vols *v, struct vol_id id)
{
    const struct part_table *table = NULL;

    if (id.part == VOL_WHOLE || failed(vols_table(v, id.disk, &table)))
        return NULL;
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        if (table->parts[i].index == id.part)
            return &table->parts[i];
    }
    return NULL;
}

/* " Filesystem type is ext4, partition type 0x83", as GRUB says it. */
static void say_type(struct shell *sh, const char *type)
{
    struct vol_id place = vols_resolve(sh->vols, sh->root);
    const struct part *part = find_part(sh->vols, place);
    char buf[FS_DESCRIBE_MAX + 80];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, type != NULL ? " Filesystem type is " : " Filesystem type unknown");
    text_str(&t, type != NULL ? type : "");
    if (vols_kind(sh->vols, place.disk) != VOL_DISK)
        text_str(&t, vols_kind(sh->vols, place.disk) == VOL_ARRAY ? ", RAID1" : ", logical volume");
    else if (place.part == VOL_WHOLE)
        text_str(&t, ", using whole disk");
    if (part != NULL) {
        text_str(&t, ", partition type ");
        part_type(&t, part);
    }
    log_line(sh->say, buf);
}

struct err entry_rootnoverify(struct shell *sh, const char *args)
{
    return set_root(sh, args);
}

struct err entry_root(struct shell *sh, const char *args)
{
    struct fs *fs;
    struct err e;

    TRY(set_root(sh, args));
    e = vols_mount(sh->vols, sh->root, &fs);
    /* As in GRUB: an unknown file system only matters to a command that needs a file of it. */
    if (e.code == ERR_FS_MOUNT) {
        say_type(sh, NULL);
        return OK;
    }
    TRY(e);
    say_type(sh, fs->describe);
    return OK;
}

/* ---- geometry -------------------------------------------------------------------------------- */

static void say_disk(struct shell *sh, struct vol_id id, const struct disk *d)
{
    char device[VOL_NAME_MAX], buf[DISK_NAME_MAX + VOL_NAME_MAX + 96];
    struct text t = text_on(buf, sizeof(buf));

    vol_format(sh->vols, (struct vol_id){id.disk, VOL_WHOLE}, device, sizeof(device));
    text_str(&t, device);
    text_str(&t, " = ");
    disk_describe(d, &t);
    log_line(sh->say, buf);
}

static void say_part(struct shell *sh, uint32_t disk, const struct part *p)
{
    char buf[FS_DESCRIBE_MAX + 192];
    struct text t = text_on(buf, sizeof(buf));
    struct fs *fs;

    text_str(&t, "   Partition num: ");
    text_u64(&t, p->index);
    text_str(&t, ", ");
    text_size(&t, p->len_bytes);
    if (failed(vols_mount(sh->vols, (struct vol_id){disk, p->index}, &fs))) {
        text_str(&t, ", Filesystem type unknown");
    } else {
        text_str(&t, ", Filesystem type is ");
        text_str(&t, fs->describe);
    }
    text_str(&t, ", partition type ");
    part_type(&t, p);
    log_line(sh->say, buf);
}

/* Cylinders and heads are a BIOS's; sectors are real. */
struct err entry_geometry(struct shell *sh, const char *args)
{
    const struct part_table *table = NULL;
    struct vol_id id;
    const char *word;
    size_t len, used;
    struct fs *fs;

    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "`geometry' wants a device: geometry (hd0)");
    shell_about(sh, word, len);
    TRY(vol_parse(sh->vols, word, &id, &used));
    if (used != len)
        return ERR(ERR_DEV_FORMAT, "only a device is wanted here: geometry (hd0)");
    TRY(vols_usable(sh->vols, id.disk));
    say_disk(sh, id, vols_disk(sh->vols, id.disk));
    TRY(vols_table(sh->vols, id.disk, &table));
    for (uint32_t i = 0; i < table->nr_parts; i++)
        say_part(sh, id.disk, &table->parts[i]);
    if (table->nr_parts == 0 &&
        !failed(vols_mount(sh->vols, (struct vol_id){id.disk, VOL_WHOLE}, &fs))) {
        char buf[FS_DESCRIBE_MAX + 64];
        struct text t = text_on(buf, sizeof(buf));

        text_str(&t, "   No partitions: Filesystem type is ");
        text_str(&t, fs->describe);
        text_str(&t, ", using whole disk");
        log_line(sh->say, buf);
    }
    return OK;
}
