/* SPDX-License-Identifier: MIT */
/*
 * The fence: a disk image is hostile, so what it holds is only looked at in a child process that
 * can do nothing but read the images and write the output that were opened for it.
 *
 *     options -> open images and outputs -> fence_run(work) -> what has to be done with the result
 *
 * The child has no privileges (no_new_privs, another user when started as root, no capabilities),
 * sees no descriptor that it does not need, may use only so much memory and time, and may make only
 * the system calls of a short list (seccomp): it cannot open a file, make a socket, start a program
 * or touch another process. Landlock says the same once more where the kernel has it.
 *
 * The parent never looks at a byte of an image. What it needs to know the child leaves in memory
 * from fence_share, which is read when the child is gone, and is as hostile as the image.
 */
#ifndef PVBOOT_HOST_FENCE_H
#define PVBOOT_HOST_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FENCE_FAILED    2 /* the status when work did not come to its end */
#define FENCE_FILES_MAX 64
#define FENCE_MEMORY    ((uint64_t)4 << 30)

struct fence {
    int keep[FENCE_FILES_MAX]; /* the descriptors that work needs, beside stdout and stderr */
    size_t nr_keep;
    uint32_t uid;          /* whom to become when started as root; 0: nobody */
    uint64_t memory_bytes; /* address space; 0: no limit, as with the two below */
    uint64_t file_bytes;   /* of each file that is written */
    uint32_t cpu_s;
    bool verbose; /* say on standard error what the fence is made of */
    /*
     * NULL, or called here with work's ctx once the child exists. Threads that shall run beside it
     * begin here and not before: a lock that one of them holds while this process forks stays held
     * in the child for ever.
     */
    void (*begun)(void *ctx);
};

struct fence_end {
    int status;    /* what work returned, or FENCE_FAILED: then a sentence was written */
    int signal_nr; /* this process was told to end, or the child had nobody to write to; else 0 */
};

/* Run work(ctx) behind the fence. Its return value is 0 to 255. */
struct fence_end fence_run(const struct fence *f, int (*work)(void *ctx), void *ctx);

/* The status of the command; does not come back when a signal has to end it. */
int fence_status(struct fence_end end);

/* Zeroed memory that the child writes and the parent sees; NULL: none left, said. */
void *fence_share(size_t nr_bytes);

/*
 * Before the first file is opened: where standard descriptors are closed, something that cannot be
 * used takes their places, so that no image and no output gets their numbers.
 */
void fence_standard_files(void);

/*
 * For fence.c: build the fence around this process. `made` tells what it consists of. False: `why`
 * is the sentence, and nothing may be read.
 */
bool fence_enter(const struct fence *f, pid_t parent, char *made, size_t made_cap, char *why,
                 size_t why_cap);

#endif
