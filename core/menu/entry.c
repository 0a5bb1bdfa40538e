/* SPDX-License-Identifier: MIT */
#include "core/menu/entry.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/lex.h"

static void set_subject(struct shell *sh, const char *s, size_t len)
{
    struct text t = text_on(sh->subject, sh->subject_cap);

    text_name(&t, s, len);
}

/* ---- root ---------------------------------------------------------------------------------- */

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
    set_subject(sh, word, len);
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

/* ---- kernel, initrd, boot -------------------------------------------------------------------- */

/* "(hd0)/boot/x" for "/boot/x" on the root; cap counts the terminator. */
static struct err full_name(struct shell *sh, const char *word, size_t len, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);
    char device[VOL_NAME_MAX];

    if (word[0] != '(') {
        vol_format(sh->vols, sh->root, device, sizeof(device));
        text_str(&t, device);
    }
    text_mem(&t, word, len);
    if (!t.cut)
        return OK;
    set_subject(sh, word, len);
    return ERR2(ERR_LIMIT, "a file name of %a bytes; with its device at most %b are possible", len,
                cap - 1);
}

/* Open the file and see that its first bytes can be read. */
static struct err open_readable(struct shell *sh, const char *word, size_t len, const char *name,
                                struct file *out)
{
    struct arena *arena = sh->req->arena;
    char *path = arena_strndup(arena, word, len);
    uint8_t *probe = arena_alloc(arena, 4096);

    if (path == NULL || probe == NULL)
        return arena_exhausted("no memory to open a file (%a bytes asked)", 4096);
    /* vols_open sets the subject when it fails. */
    TRY(vols_open(sh->vols, sh->root, path, arena, out, sh->subject, sh->subject_cap));
    set_subject(sh, name, strlen(name));
    if (out->node.size_bytes == 0)
        return ERR(ERR_FILELENGTH, "the file is empty; a crash may have cut it");
    return file_read(out, 0, probe, min_u64(out->node.size_bytes, 4096));
}

/* Skip `--type=linux` and the like; what a Xen guest cannot honour is an error. */
static struct err skip_options(struct shell *sh, const char **args)
{
    const char *rest = *args, *word;
    size_t len;

    while (lex_word(&rest, &word, &len) && len > 2 && memcmp(word, "--", 2) == 0) {
        if (!lex_is(word, len, "--no-mem-option") && !lex_is(word, len, "--type=linux") &&
            !lex_is(word, len, "--type=biglinux")) {
            set_subject(sh, word, len);
            return ERR(ERR_BAD_ARGUMENT, "`kernel' knows --type=linux, --type=biglinux and "
                                         "--no-mem-option");
        }
        *args = rest;
    }
    return OK;
}

struct err entry_kernel(struct shell *sh, const char *args)
{
    struct boot_request *req = sh->req;
    const char *word;
    size_t len, cmdline_len;

    sh->has_kernel = false;
    req->nr_initrds = 0;
    TRY(skip_options(sh, &args));
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`kernel' wants a file name: kernel /boot/vmlinuz root=...");
    while (*args == ' ')
        args++;
    cmdline_len = strlen(args);
    TRY(full_name(sh, word, len, req->kernel_name, sizeof(req->kernel_name)));
    if (cmdline_len > SESSION_CMDLINE_MAX - 1) {
        set_subject(sh, req->kernel_name, strlen(req->kernel_name));
        return ERR2(ERR_WONT_FIT, "a kernel command line of %a bytes; Xen passes at most %b",
                    cmdline_len, SESSION_CMDLINE_MAX - 1);
    }
    memcpy(req->cmdline, args, cmdline_len + 1);
    TRY(open_readable(sh, word, len, req->kernel_name, &req->kernel));
    sh->has_kernel = true;
    return OK;
}

static struct err add_initrd(struct shell *sh, const char *word, size_t len)
{
    struct boot_request *req = sh->req;
    char *name;

    if (req->nr_initrds == SESSION_INITRD_MAX) {
        set_subject(sh, word, len);
        return ERR1(ERR_LIMIT, "more than %a initrd files", SESSION_INITRD_MAX);
    }
    name = arena_alloc(req->arena, FS_PATH_MAX);
    if (name == NULL)
        return arena_exhausted("no memory for a file name (%a bytes asked)", FS_PATH_MAX);
    TRY(full_name(sh, word, len, name, FS_PATH_MAX));
    TRY(open_readable(sh, word, len, name, &req->initrds[req->nr_initrds]));
    req->initrd_names[req->nr_initrds++] = name;
    return OK;
}

/* Every file named, here and on further `initrd` lines, one behind the other. */
struct err entry_initrd(struct shell *sh, const char *args)
{
    const char *word;
    size_t len;

    if (!sh->has_kernel)
        return ERR1(ERR_NEED_KERNEL, "put the `kernel' line above line %a", sh->line_nr);
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`initrd' wants a file name: initrd /boot/initrd.img");
    do
        TRY(add_initrd(sh, word, len));
    while (lex_word(&args, &word, &len));
    return OK;
}

struct err entry_boot(struct shell *sh, const char *args)
{
    (void)args;
    sh->next = SHELL_BOOT;
    return OK;
}
