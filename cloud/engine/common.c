/* SPDX-License-Identifier: MIT */
/* Sentences, pauses and consoles of the engines; see engine_priv.h. */
#include "cloud/engine/engine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void engine_words(struct buf *to, const char *said)
{
    char before = ' ';

    for (const char *p = said; *p; p++) {
        if (*p == '/' && !((before >= 'a' && before <= 'z') || before == '/')) {
            buf_puts(to, "(a file)");
            p += strcspn(p, " '\",;\n\r\t");
            if (!*p)
                break;
        }
        before = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
        if (before != ' ' || p[1])
            buf_add(to, &before, 1);
    }
}

bool engine_vdev_good(const char *vdev, struct buf *why)
{
    size_t len = strspn(vdev, "abcdefghijklmnopqrstuvwxyz0123456789");

    if (len > 0 && len <= 16 && vdev[len] == 0)
        return true;
    buf_printf(why, "\"%s\" is not the name of a disk, as sda1 or xvdf", vdev);
    return false;
}

bool engine_guest_good(const struct engine_guest *g, struct buf *why)
{
    for (const char *p = g->cmdline; p && *p; p++) {
        if (*p >= ' ' && *p <= '~')
            continue;
        buf_printf(why,
                   "the kernel's command line holds the byte 0x%02x; it may hold printable ASCII "
                   "alone",
                   (unsigned char)*p);
        return false;
    }
    for (size_t i = 0; i < g->nr_disks; i++)
        if (!engine_vdev_good(g->disks[i].vdev, why))
            return false;
    return true;
}

/* A hypervisor that is another user goes through it, whatever umask the service has. */
static bool make_passage(const char *dir)
{
    return mkdir(dir, 0711) == 0 ? chmod(dir, 0711) == 0 : errno == EEXIST;
}

bool engine_make_dir(const char *dir, struct buf *why)
{
    struct buf up = {0};
    bool good;

    buf_add(&up, dir, (size_t)(strrchr(dir, '/') - dir));
    good = make_passage(up.text) && make_passage(dir);
    if (!good)
        buf_printf(why, "nothing can be written for the instance: %s", strerror(errno));
    buf_free(&up);
    return good;
}

char *engine_path(const char *dir, const char *id, const char *suffix)
{
    struct buf path = {0};

    buf_printf(&path, "%s/%s%s", dir, id, suffix);
    return path.text;
}

/* ---- pauses ------------------------------------------------------------------------------------
 */

#define PAUSED ".paused"

void engine_pauses_init(struct engine_pauses *p, const char *dir)
{
    memset(p, 0, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    p->dir = dir;
}

/* The place of the id, or of "": a free one. NULL: there is none. The lock is held. */
static char *place_of(struct engine_pauses *p, const char *id)
{
    for (size_t i = 0; i < ENGINE_PAUSES_MAX; i++)
        if (strcmp(p->ids[i], id) == 0)
            return p->ids[i];
    return NULL;
}

bool engine_pause_begins(struct engine_pauses *p, const char *id, struct buf *why)
{
    char *path = engine_path(p->dir, id, PAUSED), *place = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        buf_printf(why, "nothing can be written for the instance: %s", strerror(errno));
    } else {
        close(fd);
        pthread_mutex_lock(&p->lock);
        place = place_of(p, "");
        if (place)
            snprintf(place, sizeof(p->ids[0]), "%s", id);
        pthread_mutex_unlock(&p->lock);
        if (!place) {
            unlink(path);
            buf_puts(why, "too many instances are being started or copied; try again");
        }
    }
    free(path);
    return place != NULL;
}

void engine_pause_ended(struct engine_pauses *p, const char *id, bool over)
{
    char *path = engine_path(p->dir, id, PAUSED), *place;

    if (over)
        unlink(path);
    free(path);
    pthread_mutex_lock(&p->lock);
    place = place_of(p, id);
    if (place)
        *place = 0;
    pthread_mutex_unlock(&p->lock);
}

bool engine_pause_left(struct engine_pauses *p, const char *id)
{
    char *path = engine_path(p->dir, id, PAUSED);
    bool left;

    pthread_mutex_lock(&p->lock);
    left = place_of(p, id) == NULL && access(path, F_OK) == 0;
    pthread_mutex_unlock(&p->lock);
    free(path);
    return left;
}

/* ---- consoles ----------------------------------------------------------------------------------
 */

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* A new file takes the place of the long one, so that a crash leaves one of the two. */
static bool cut(const char *path)
{
    struct buf tail = {0}, fresh = {0};
    bool good;
    int fd;

    buf_printf(&fresh, "%s.new", path);
    good = console_tail(path, &tail);
    fd = good ? open(fresh.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    good = fd >= 0 && write_all(fd, tail.text, tail.len);
    if (fd >= 0)
        close(fd);
    good = good && rename(fresh.text, path) == 0;
    if (!good)
        unlink(fresh.text);
    buf_free(&tail);
    buf_free(&fresh);
    return good;
}

bool console_append(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    bool good;

    if (fd < 0)
        return false;
    good = write_all(fd, bytes, len) && fstat(fd, &st) == 0;
    close(fd);
    if (good && st.st_size > 2 * ENGINE_CONSOLE_BYTES)
        good = cut(path);
    return good;
}

bool console_tail(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char piece[8192];
    off_t at = 0;
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT;
    if (fstat(fd, &st) == 0 && st.st_size > ENGINE_CONSOLE_BYTES)
        at = st.st_size - ENGINE_CONSOLE_BYTES;
    while ((n = pread(fd, piece, sizeof(piece), at)) > 0) {
        buf_add(out, piece, (size_t)n);
        at += n;
    }
    close(fd);
    return n == 0;
}
