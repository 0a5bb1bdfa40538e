/* SPDX-License-Identifier: MIT */
/*
 * The one error type of core/.
 *
 * An error is a value of 40 bytes (32 in a 32-bit build): a code, where it happened, and a sentence
 * that describes what was found, with at most two numbers in it. It owns no memory, so it can be
 * returned from anywhere and kept for any time. Names that only the caller knows (the file, the
 * disk) are added by the layer that knows them, when the error is shown.
 *
 * Three things are never mixed:
 *   ERR_NOT_MINE      the bytes are not in this format; try the next reader
 *   ERR_FS_DAMAGED, ERR_BAD_PART_TABLE, ERR_BAD_GZIP_DATA, ERR_EXEC_FORMAT
 *                     this format, but damaged; stop and say so
 *   ERR_REFUSED       this format, undamaged, with a feature that we do not read; name the feature
 *
 * Codes below 100 are GRUB 0.97's, number and text, because people search for them.
 */
#ifndef PVBOOT_BASE_ERR_H
#define PVBOOT_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum err_code {
    ERR_NONE = 0,
    ERR_BAD_FILENAME = 1,    /* neither absolute nor a block list */
    ERR_BAD_FILETYPE = 2,    /* a directory where a file is wanted, or the reverse */
    ERR_BAD_GZIP_DATA = 3,   /* bad or corrupt data while decompressing */
    ERR_BAD_GZIP_HEADER = 4, /* bad or incompatible header in compressed file */
    ERR_BAD_PART_TABLE = 5,  /* partition table damaged */
    ERR_BOOT_COMMAND = 8,    /* boot without a kernel */
    ERR_BOOT_FAILURE = 9,    /* anything that the hand-over refused */
    ERR_DEV_FORMAT = 11,     /* a device name that cannot be read */
    ERR_EXEC_FORMAT = 13,    /* not a kernel, or one that this guest cannot run */
    ERR_FILELENGTH = 14,     /* the file is shorter than it says */
    ERR_FILE_NOT_FOUND = 15,
    ERR_FS_DAMAGED = 16,         /* inconsistent file system structure */
    ERR_FS_MOUNT = 17,           /* no reader knows what lies in the partition */
    ERR_NEED_KERNEL = 19,        /* initrd before kernel */
    ERR_NEED_MODULE_KERNEL = 20, /* module before kernel */
    ERR_NO_DISK = 21,
    ERR_NO_PART = 22,
    ERR_NUMBER_PARSING = 23,
    ERR_OUTSIDE_PART = 24, /* a block number past the end of the partition or disk */
    ERR_READ = 25,
    ERR_SYMLINK_LOOP = 26,
    ERR_UNRECOGNIZED = 27, /* unknown command */
    ERR_WONT_FIT = 28,     /* not enough memory for what was selected */
    ERR_WRITE = 29,
    ERR_BAD_ARGUMENT = 30,
    ERR_PRIVILEGED = 32, /* a password is needed first */

    ERR_NOT_MINE = 100, /* a probe's "no"; never shown to a person */
    ERR_REFUSED,        /* a feature that we refuse; `msg` names it */
    ERR_NO_MEMORY,      /* the arena is exhausted */
    ERR_TIMEOUT,        /* the other side did not answer in the stated time */
    ERR_PEER,           /* the other end of a ring or of xenstore said something unexpected */
    ERR_HYPERCALL,      /* a hypercall failed; a = its number, b = its result */
    ERR_NO_MENU,        /* no menu.lst anywhere */
    ERR_LIMIT,          /* a named cap of ours was reached; `msg` names it */
};

/* `where` when the place is not known or means nothing. */
#define ERR_NOWHERE UINT64_MAX

struct err {
    enum err_code code;
    const char *msg; /* static text; may hold %a and %b (decimal), %A and %B (hex) for the numbers,
                        or %U for both as the 16 bytes of a UUID */
    uint64_t a, b;
    uint64_t where; /* byte offset on the disk (or in the file, as msg says), or ERR_NOWHERE */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* The value that means success. */
#define OK ((struct err){.code = ERR_NONE, .where = ERR_NOWHERE})

/* An error with its sentence and up to two numbers; where = place on disk or ERR_NOWHERE. */
#define ERR_AT(code_, where_, msg_, a_, b_)                                                        \
    ((struct err){(code_), (msg_), (uint64_t)(a_), (uint64_t)(b_), (where_)})
#define ERR(code_, msg_)          ERR_AT(code_, ERR_NOWHERE, msg_, 0, 0)
#define ERR1(code_, msg_, a_)     ERR_AT(code_, ERR_NOWHERE, msg_, a_, 0)
#define ERR2(code_, msg_, a_, b_) ERR_AT(code_, ERR_NOWHERE, msg_, a_, b_)

static inline bool failed(struct err e)
{
    return e.code != ERR_NONE;
}

/* Return the error of EXPR to the caller if it has one. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        struct err try_err_ = (expr);                                                              \
        if (failed(try_err_))                                                                      \
            return try_err_;                                                                       \
    } while (0)

/* GRUB 0.97's text of a code below 100, our own short text of the others; never NULL. */
const char *err_title(enum err_code code);

/* A word for programs, of a code of 100 and more: "no-menu". "error" for any other. */
const char *err_name(enum err_code code);

/*
 * Write "Error 15: File not found: <subject> (<sentence>, at byte N)" into buf (always terminated;
 * cut at cap). `subject` is the file or device that it is about, or NULL. Codes of 100 and more
 * have no number of GRUB's and begin "Error: ". Returns the length written.
 */
size_t err_format(struct err e, const char *subject, char *buf, size_t cap);

#endif
