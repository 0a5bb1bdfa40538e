/* SPDX-License-Identifier: MIT */
/*
 * The words of errors: each code's title (below 100 GRUB 0.97's, stage2/common.c, because people
 * search for them) and the one line that a person sees.
 */
#include "core/base/err.h"
#include "core/base/text.h"

const char *err_title(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return "No error";
    case ERR_BAD_FILENAME:
        return "Filename must be either an absolute pathname or blocklist";
    case ERR_BAD_FILETYPE:
        return "Bad file or directory type";
    case ERR_BAD_GZIP_DATA:
        return "Bad or corrupt data while decompressing file";
    case ERR_BAD_GZIP_HEADER:
        return "Bad or incompatible header in compressed file";
    case ERR_BAD_PART_TABLE:
        return "Partition table invalid or corrupt";
    case ERR_BOOT_COMMAND:
        return "Kernel must be loaded before booting";
    case ERR_BOOT_FAILURE:
        return "Unknown boot failure";
    case ERR_DEV_FORMAT:
        return "Unrecognized device string, or you omitted the required DEVICE part which should "
               "lead the filename";
    case ERR_EXEC_FORMAT:
        return "Invalid or unsupported executable format";
    case ERR_FILELENGTH:
        return "Filesystem compatibility error, cannot read whole file";
    case ERR_FILE_NOT_FOUND:
        return "File not found";
    case ERR_FS_DAMAGED:
        return "Inconsistent filesystem structure";
    case ERR_FS_MOUNT:
        return "Cannot mount selected partition";
    case ERR_NEED_KERNEL:
        return "Linux kernel must be loaded before initrd";
    case ERR_NEED_MODULE_KERNEL:
        return "Multiboot kernel must be loaded before modules";
    case ERR_NO_DISK:
        return "Selected disk does not exist";
    case ERR_NO_PART:
        return "No such partition";
    case ERR_NUMBER_PARSING:
        return "Error while parsing number";
    case ERR_OUTSIDE_PART:
        return "Attempt to access block outside partition";
    case ERR_READ:
        return "Disk read error";
    case ERR_SYMLINK_LOOP:
        return "Too many symbolic links";
    case ERR_UNRECOGNIZED:
        return "Unrecognized command";
    case ERR_WONT_FIT:
        return "Selected item cannot fit into memory";
    case ERR_WRITE:
        return "Disk write error";
    case ERR_BAD_ARGUMENT:
        return "Invalid argument";
    case ERR_PRIVILEGED:
        return "Must be authenticated";
    case ERR_NOT_MINE:
        return "Not in this format";
    case ERR_REFUSED:
        return "Feature not supported";
    case ERR_NO_MEMORY:
        return "Out of memory";
    case ERR_TIMEOUT:
        return "No answer in time";
    case ERR_PEER:
        return "Unexpected answer from the other side";
    case ERR_HYPERCALL:
        return "Hypercall failed";
    case ERR_NO_MENU:
        return "No menu found";
    case ERR_LIMIT:
        return "Limit reached";
    }
    return "Unknown error";
}

const char *err_name(enum err_code code)
{
    switch (code) {
    case ERR_NOT_MINE:
        return "not-mine";
    case ERR_REFUSED:
        return "refused";
    case ERR_NO_MEMORY:
        return "no-memory";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_PEER:
        return "peer";
    case ERR_HYPERCALL:
        return "hypercall";
    case ERR_NO_MENU:
        return "no-menu";
    case ERR_LIMIT:
        return "limit";
    default:
        return "error";
    }
}

static void put_sentence(struct text *t, struct err e)
{
    for (const char *p = e.msg; *p != '\0'; p++) {
        if (*p != '%' || p[1] == '\0') {
            text_char(t, *p);
            continue;
        }
        p++;
        switch (*p) {
        case 'a':
            text_u64(t, e.a);
            break;
        case 'b':
            text_u64(t, e.b);
            break;
        case 'A':
            text_hex(t, e.a);
            break;
        case 'B':
            text_hex(t, e.b);
            break;
        case 'U':
            text_uuid(t, e.a, e.b);
            break;
        default:
            text_char(t, *p);
            break;
        }
    }
}

size_t err_format(struct err e, const char *subject, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);

    text_str(&t, "Error");
    if (e.code < ERR_NOT_MINE) {
        text_char(&t, ' ');
        text_u64(&t, (uint64_t)e.code);
    }
    text_str(&t, ": ");
    text_str(&t, err_title(e.code));
    if (subject != NULL && *subject != '\0') {
        text_str(&t, ": ");
        text_str(&t, subject);
    }
    if (e.msg != NULL && *e.msg != '\0') {
        text_str(&t, subject != NULL && *subject != '\0' ? " (" : ": ");
        put_sentence(&t, e);
        if (e.where != ERR_NOWHERE) {
            text_str(&t, ", at byte ");
            text_u64(&t, e.where);
        }
        if (subject != NULL && *subject != '\0')
            text_char(&t, ')');
    }
    return text_len(&t);
}
