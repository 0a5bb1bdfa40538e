/* SPDX-License-Identifier: MIT */
/* kernel, initrd, module, chainloader, boot: what is booted. */
#include <string.h>

#include "core/base/bytes.h"
#include "core/menu/cmd.h"
#include "core/menu/lex.h"
#include "core/unpack/unpack.h"

struct err kernel_options(const char **args, const char **word, size_t *len)
{
    static const char *const known[] = {"--no-mem-option", "--type=linux",   "--type=biglinux",
                                        "--type=netbsd",   "--type=freebsd", "--type=openbsd",
                                        "--type=multiboot"};
    const char *rest = *args;

    while (lex_word(&rest, word, len) && *len > 2 && memcmp(*word, "--", 2) == 0) {
        bool found = false;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || lex_is(*word, *len, known[i]);
        if (!found)
            return ERR(ERR_BAD_ARGUMENT,
                       "`kernel' knows --no-mem-option and --type=linux, biglinux, netbsd, "
                       "freebsd, openbsd, multiboot");
        *args = rest;
    }
    return OK;
}

/* FILE and its arguments become the kernel and its command line. */
static struct err take_kernel(struct shell *sh, const char *args, const char *wanted)
{
    struct boot_request *req = sh->req;
    const char *word;
    size_t len, cmdline_len;

    sh->has_kernel = false;
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, wanted);
    while (*args == ' ')
        args++;
    cmdline_len = strlen(args);
    TRY(shell_full_name(sh, word, len, req->kernel_name, sizeof(req->kernel_name)));
    if (cmdline_len > SESSION_CMDLINE_MAX - 1) {
        shell_about(sh, req->kernel_name, strlen(req->kernel_name));
        return ERR2(ERR_WONT_FIT, "a kernel command line of %a bytes; Xen passes at most %b",
                    cmdline_len, SESSION_CMDLINE_MAX - 1);
    }
    memcpy(req->cmdline, args, cmdline_len + 1);
    TRY(shell_open_readable(sh, word, len, req->kernel_name, &req->kernel));
    sh->has_kernel = true;
    return OK;
}

struct err entry_kernel(struct shell *sh, const char *args)
{
    const char *word;
    size_t len;
    struct err e = kernel_options(&args, &word, &len);

    sh->req->nr_initrds = 0;
    sh->below_xen = false;
    if (failed(e)) {
        shell_about(sh, word, len);
        return e;
    }
    return take_kernel(sh, args, "`kernel' wants a file name: kernel /boot/vmlinuz root=...");
}

/* As a kernel: what is started is an image for a Xen guest, whatever it does then. */
struct err entry_chainloader(struct shell *sh, const char *args)
{
    const char *rest = args, *word;
    size_t len;

    sh->req->nr_initrds = 0;
    sh->below_xen = false;
    if (lex_word(&rest, &word, &len) && lex_is(word, len, "--force"))
        args = rest;
    rest = args;
    if (lex_word(&rest, &word, &len) && len > 0) {
        const char *list = memchr(word, ')', len);

        list = word[0] == '(' && list != NULL ? list + 1 : word;
        if (*list == '+') {
            shell_about(sh, word, len);
            return ERR(ERR_EXEC_FORMAT, "a boot sector needs a PC's BIOS; a PV guest starts the "
                                        "file of a Xen PV image: chainloader /boot/xen/grub.elf");
        }
    }
    return take_kernel(sh, args, "`chainloader' wants the file of a Xen PV image");
}

static struct err add_initrd(struct shell *sh, const char *word, size_t len)
{
    struct boot_request *req = sh->req;
    char *name;

    if (req->nr_initrds == SESSION_INITRD_MAX) {
        shell_about(sh, word, len);
        return ERR1(ERR_LIMIT, "more than %a initrd files", SESSION_INITRD_MAX);
    }
    name = arena_alloc(req->arena, FS_PATH_MAX);
    if (name == NULL)
        return arena_exhausted("no memory for a file name (%a bytes asked)", FS_PATH_MAX);
    TRY(shell_full_name(sh, word, len, name, FS_PATH_MAX));
    TRY(shell_open_readable(sh, word, len, name, &req->initrds[req->nr_initrds]));
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

/* ---- module ---------------------------------------------------------------------------------- */

#define MULTIBOOT_MAGIC 0x1badb002u
#define MULTIBOOT_BYTES 8192 /* its header lies in the first so many bytes, on a multiple of 4 */

struct packed_file {
    struct file_stream *stream;
};

static struct err packed_next(void *ctx, const uint8_t **data, size_t *len)
{
    struct packed_file *p = ctx;

    return file_stream_next(p->stream, data, len);
}

/* The first bytes of the file, unpacked. */
static struct err read_unpacked(struct file *f, struct arena *a, uint8_t *buf, size_t *len)
{
    uint64_t size = f->node.size_bytes;
    struct packed_file packed = {0};
    const struct unpack_source source = {.ctx = &packed, .next = packed_next};
    enum unpack_format format;
    struct unpack *u = NULL;
    struct err e;

    *len = (size_t)min_u64(size, MULTIBOOT_BYTES);
    TRY(file_read(f, 0, buf, *len));
    format = unpack_detect(buf, *len);
    if (format == UNPACK_NONE)
        return OK;
    TRY(file_stream_open(&packed.stream, f, a, 0, size));
    e = unpack_open(&u, a, format, &source);
    if (!failed(e))
        e = unpack_read(u, buf, MULTIBOOT_BYTES, len);
    unpack_close(u);
    file_stream_close(packed.stream);
    return e;
}

/*
 * Is the kernel a Multiboot kernel: the hypervisor itself? Source: Multiboot specification 0.6.96:
 * magic, flags and checksum add up to 0.
 */
static struct err is_multiboot(struct shell *sh, bool *yes)
{
    uint8_t *buf = arena_alloc(sh->req->arena, MULTIBOOT_BYTES);
    size_t len = 0;

    *yes = false;
    if (buf == NULL)
        return arena_exhausted("no memory to look into a kernel (%a bytes asked)", MULTIBOOT_BYTES);
    shell_about(sh, sh->req->kernel_name, strlen(sh->req->kernel_name));
    TRY(read_unpacked(&sh->req->kernel, sh->req->arena, buf, &len));
    for (size_t i = 0; i + 12 <= len && !*yes; i += 4) {
        uint32_t sum = le32(buf + i) + le32(buf + i + 4) + le32(buf + i + 8);

        *yes = le32(buf + i) == MULTIBOOT_MAGIC && sum == 0;
    }
    return OK;
}

static void say_what_the_module_is(struct shell *sh, const char *what)
{
    char buf[SHELL_OBJECT_MAX + 160];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, sh->object);
    text_str(&t, what);
    log_line(sh->say, buf);
}

/*
 * Entries for a Xen host: the kernel is Xen, the first module is Linux, the second its initrd. This
 * guest runs on Xen already, so what is booted is Linux. Elsewhere a module is another initrd.
 */
struct err entry_module(struct shell *sh, const char *args)
{
    const char *word;
    bool hypervisor = false;
    size_t len;

    if (!sh->has_kernel)
        return ERR1(ERR_NEED_MODULE_KERNEL, "put the `kernel' line above line %a", sh->line_nr);
    if (!sh->below_xen && sh->req->nr_initrds == 0)
        TRY(is_multiboot(sh, &hypervisor));
    if (hypervisor) {
        say_what_the_module_is(sh, " is a hypervisor, and this guest runs on one already: the "
                                   "first module is booted as the kernel, the next as its initrd");
        TRY(take_kernel(sh, args, "`module' wants a file name: module /boot/vmlinuz root=..."));
        sh->below_xen = true;
        return OK;
    }
    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_FILENAME, "`module' wants a file name: module /boot/initrd.img");
    TRY(add_initrd(sh, word, len));
    if (lex_word(&args, &word, &len))
        say_what_the_module_is(sh, " becomes an initrd: its arguments are for nobody");
    return OK;
}

struct err entry_boot(struct shell *sh, const char *args)
{
    (void)args;
    sh->next = SHELL_BOOT;
    return OK;
}
