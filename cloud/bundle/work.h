/* SPDX-License-Identifier: MIT */
/*
 * What is made beside its place until it is whole: a hidden file or folder .NAME.PID, locked as
 * long as its maker lives. What a maker left that was killed is removed by the next one of that
 * name.
 *
 * Where two of one name may not be made at once, a lock .NAME comes first. It is a hidden file,
 * which nobody waits for: it is gone when its holder is done, and free when that was killed.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_WORK_H
#define PVBOOT_CLOUD_BUNDLE_WORK_H

#include <stdbool.h>
#include <stddef.h>

#define WORK_NAME_MAX 300

struct work {
    int dir_fd;               /* the folder that it lies in; the caller's */
    int fd;                   /* open on it, and locked */
    char name[WORK_NAME_MAX]; /* empty: there is none */
};

struct work_lock {
    int dir_fd; /* the folder that it lies in; the caller's */
    int fd;     /* open on it, and locked; -1: there is none */
    char name[WORK_NAME_MAX];
};

/*
 * Only one at a time makes what is to be called `made`. What is there already is looked for behind
 * the lock. `what` begins with a dot. False: `why` is the sentence.
 */
bool work_lock(struct work_lock *l, int dir_fd, const char *what, const char *made, char *why,
               size_t why_cap);
/* Also when there is none. */
void work_unlock(struct work_lock *l);

/* `what` begins with a dot. False: `why` is the sentence. */
bool work_folder(struct work *w, int dir_fd, const char *what, char *why, size_t why_cap);
bool work_file(struct work *w, int dir_fd, const char *what, char *why, size_t why_cap);

/* It has got its place: nothing is to be removed any more. */
void work_keep(struct work *w);

/* Remove it with all in it, and close it. Also when there is none. */
void work_end(struct work *w);

#endif
