/* SPDX-License-Identifier: MIT */
#include "core/menu/entry.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/lex.h"

static void set_subject(struct attempt *a, const char *s, size_t len)
{
    struct text t = text_on(a->subject, a->subject_cap);

    text_name(&t, s, len);
}

/* ---- root ---------------------------------------------------------------------------------- */

/*
 * "/dev/sda1", "/dev/xvdb": the error for a Linux name where GRUB's is wanted, with GRUB's name for
 * it as far as it can be told.
 */
static struct err linux_name_hint(struct attempt *a, const char *word, size_t len)
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
    if (disk < vols_nr_disks(a->vols) && !failed(vols_table(a->vols, (uint32_t)disk, &table)) &&
        table->nr_parts == 0)
        return ERR1(ERR_DEV_FORMAT,
                    "Linux's name; (hd%a) has no partitions, so its name here may be (hd%a)", disk);
    return ERR2(ERR_DEV_FORMAT, "Linux's name; its name here may be (hd%a,%b)", disk, part - 1);
}

/* The device of a root command into a->root. */
static struct err set_root(struct attempt *a, const char *args)
{
    struct vol_id id;
    const char *word;
    size_t len, used;

    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "`root' wants a device: root (hd0)");
    set_subject(a, word, len);
    if (word[0] == '/')
        return linux_name_hint(a, word, len);
    TRY(vol_parse(a->vols, word, &id, &used));
    if (used != len)
        return ERR(ERR_DEV_FORMAT, "only a device is wanted here: root (hd0,0)");
    a->root = id;
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
static void say_type(struct attempt *a, const char *type)
{
    struct vol_id place = vols_resolve(a->vols, a->root);
    const struct part *part = find_part(a->vols, place);
    char buf[FS_DESCRIBE_MAX + 80];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, type != NULL ? " Filesystem type is " : " Filesystem type unknown");
    text_str(&t, type != NULL ? type : "");
    if (vols_kind(a->vols, place.disk) != VOL_DISK)
        text_str(&t, vols_kind(a->vols, place.disk) == VOL_ARRAY ? ", RAID1" : ", logical volume");
    else if (place.part == VOL_WHOLE)
        text_str(&t, ", using whole disk");
    if (part != NULL) {
        text_str(&t, ", partition type ");
        part_type(&t, part);
    }
    log_line(a->say, buf);
}

struct err entry_rootnoverify(struct attempt *a, const char *args)
{
    return set_root(a, args);
}

struct err entry_root(struct attempt *a, const char *args)
{
    struct fs *fs;
    struct err e;

    TRY(set_root(a, args));
    e = vols_mount(a->vols, a->root, &fs);
    /* As in GRUB: an unknown file system only matters to a command that needs a file of it. */
    if (e.code == ERR_FS_MOUNT) {
        say_type(a, NULL);
        return OK;
    }
    TRY(e);
    say_type(a, fs->describe);
    return OK;
}

/* ---- kernel, initrd, boot -------------------------------------------------------------------- */

/* "(hd0)/boot/x" for "/boot/x" on the root; cap counts the terminator. */
static struct err full_name(struct attempt *a, const char *word, size_t len, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);
    char device[VOL_NAME_MAX];

    if (word[0] != '(') {
        vol_format(a->vols, a->root, device, sizeof(device));
        text_str(&t, device);
    }
    text_mem(&t, word, len);
    if (!t.cut)
        return OK;
    set_subject(a, word, len);
    return ERR2(ERR_LIMIT, "a file name of %a bytes; with its device at most %b are possible", len,
                cap - 1);
}

/* Open the file and see that its first bytes can be read. */
static struct err open_readable(struct attempt *a, const char *word, size_t len, const char *name,
                                struct file *out)
{
    struct arena *arena = a->req->arena;
    char *path = arena_strndup(arena, word, len);
    uint8_t *probe = arena_alloc(arena, 4096);

    if (path == NULL || probe == NULL)
        return arena_exhausted("no memory to open a file (%a bytes asked)", 4096);
    /* vols_open sets the subject when it fails. */
    TRY(vols_open(a->vols, a->root, path, arena, out, a->subject, a->subject_cap));
    set_subject(a, name, strlen(name));
    if (out->node.size_bytes == 0)
        return ERR(ERR_FILELENGTH, "the file is empty; a crash may have cut it");
    return file_read(out, 0, probe, min_u64(out->node.size_bytes, 4096));
}

/* Skip `--type=linux` and the like; what a Xen guest cannot honour is an error. */
static struct err skip_options(struct attempt *a, const char **args)
{
    const char *rest = *args, *word;
    size_t len;

    while (lex_word(&rest, &word, &len) && len > 2 && memcmp(word, "--", 2) == 0) {
        if (!lex_is(word, len, "--no-mem-option") && !lex_is(word, len, "--type=linux") &&
            !lex_is(word, len, "--type=biglinux")) {
            set_subject(a, word, len);
            return ERR(ERR_BAD_ARGUMENT, "`kernel' knows --type=linux, --type=biglinux and "
                                         "--no-mem-option");
        }
        *args = rest;
    }
    return OK;
}

struct err entry_kernel(struct attempt *a, const char *args)
{
    struct boot_request *req = a->req;
    const char *word;
    size_t len, cmdline_len;

    a->has_kernel = false;
    req->nr_initrds = 0;
    TRY(skip_options(a, &args));
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`kernel' wants a file name: kernel /boot/vmlinuz root=...");
    while (*args == ' ')
        args++;
    cmdline_len = strlen(args);
    TRY(full_name(a, word, len, req->kernel_name, sizeof(req->kernel_name)));
    if (cmdline_len > SESSION_CMDLINE_MAX - 1) {
        set_subject(a, req->kernel_name, strlen(req->kernel_name));
        return ERR2(ERR_WONT_FIT, "a kernel command line of %a bytes; Xen passes at most %b",
                    cmdline_len, SESSION_CMDLINE_MAX - 1);
    }
    memcpy(req->cmdline, args, cmdline_len + 1);
    TRY(open_readable(a, word, len, req->kernel_name, &req->kernel));
    a->has_kernel = true;
    return OK;
}

static struct err add_initrd(struct attempt *a, const char *word, size_t len)
{
    struct boot_request *req = a->req;
    char *name;

    if (req->nr_initrds == SESSION_INITRD_MAX) {
        set_subject(a, word, len);
        return ERR1(ERR_LIMIT, "more than %a initrd files", SESSION_INITRD_MAX);
    }
    name = arena_alloc(req->arena, FS_PATH_MAX);
    if (name == NULL)
        return arena_exhausted("no memory for a file name (%a bytes asked)", FS_PATH_MAX);
    TRY(full_name(a, word, len, name, FS_PATH_MAX));
    TRY(open_readable(a, word, len, name, &req->initrds[req->nr_initrds]));
    req->initrd_names[req->nr_initrds++] = name;
    return OK;
}

/* Every file named, here and on further `initrd` lines, one behind the other. */
struct err entry_initrd(struct attempt *a, const char *args)
{
    const char *word;
    size_t len;

    if (!a->has_kernel)
        return ERR1(ERR_NEED_KERNEL, "put the `kernel' line above line %a", a->line_nr);
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`initrd' wants a file name: initrd /boot/initrd.img");
    do
        TRY(add_initrd(a, word, len));
    while (lex_word(&args, &word, &len));
    return OK;
}

struct err entry_boot(struct attempt *a, const char *args)
{
    (void)args;
    a->stop = true;
    return OK;
}
