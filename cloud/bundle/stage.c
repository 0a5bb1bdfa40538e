/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/openat2.h>

#define MOUNTS_MAX 4096u

/* The part of an absolute path below a folder, "/x"; NULL: it is not below it. */
static const char *below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (strcmp(folder, "/") == 0)
        return path[1] != '\0' ? path : NULL;
    return strncmp(path, folder, len) == 0 && path[len] == '/' ? path + len : NULL;
}

int stage_open(const struct staging *s, const char *path, unsigned flags)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, s->root_fd, path, &how, sizeof(how));
}

static int open_in(const struct staging *s, const char *path)
{
    return stage_open(s, path, O_DIRECTORY);
}

/* What a kernel without a file system of its own for /dev needs to start init. */
static bool make_devices(int dir_fd)
{
    static const struct {
        const char *name;
        mode_t mode;
        unsigned major, minor;
    } nodes[] = {{"console", 0600, 5, 1}, {"null", 0666, 1, 3}, {"zero", 0666, 1, 5}};

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (mknodat(dir_fd, nodes[i].name, S_IFCHR | nodes[i].mode,
                    makedev(nodes[i].major, nodes[i].minor)) != 0 ||
            fchmodat(dir_fd, nodes[i].name, nodes[i].mode, 0) != 0)
            return false;
    }
    return true;
}

/* An empty file system that looks like the folder; a descriptor of its mount. */
static int empty_like(const struct stat *st, bool with_devices)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    char mode[16], uid[16], gid[16];
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount_fd = -1, dir;

    snprintf(mode, sizeof(mode), "%o", (unsigned)st->st_mode & 07777);
    snprintf(uid, sizeof(uid), "%u", st->st_uid);
    snprintf(gid, sizeof(gid), "%u", st->st_gid);
    if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "uid", uid, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "gid", gid, 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (fs >= 0)
        close(fs);
    if (mount_fd < 0)
        return -1;
    dir = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = dir >= 0 && (!with_devices || make_devices(dir)) && futimens(dir, times) == 0;

    if (dir >= 0)
        close(dir);
    if (good)
        return mount_fd;
    close(mount_fd);
    return -1;
}

/* Put the mount at what `over` is open on. */
static bool put_over(int mount_fd, int over)
{
    return move_mount(mount_fd, "", over, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
           0;
}

static bool gone_add(struct staging *s, const char *path, bool folder)
{
    struct volume_gone *g = &s->v->gone;

    if (g->nr == VOLUME_GONE_MAX) {
        snprintf(s->why, s->why_cap, "more than %u files are to be left out; leave out folders",
                 VOLUME_GONE_MAX);
        return false;
    }
    if (g->nr == g->room) {
        uint32_t room = g->room == 0 ? 64 : 2 * g->room;
        struct volume_path *paths = realloc(g->paths, room * sizeof(*paths));

        if (paths != NULL) {
            g->paths = paths;
            g->room = room;
        }
    }
    char *copy = g->nr < g->room ? strdup(path) : NULL;

    if (copy == NULL) {
        snprintf(s->why, s->why_cap, "out of memory");
        return false;
    }
    g->paths[g->nr++] = (struct volume_path){.path = copy, .folder = folder};
    return true;
}

void volume_gone_free(struct volume_gone *g)
{
    for (uint32_t i = 0; i < g->nr; i++)
        free(g->paths[i].path);
    free(g->paths);
    *g = (struct volume_gone){0};
}

/* The end of leaving a path out: says what failed, with errno, and closes both. */
static bool left_out(struct staging *s, const char *path, bool good, int empty, int over)
{
    if (!good)
        snprintf(s->why, s->why_cap, "%s%s cannot be left out: %s", s->v->real, path,
                 strerror(errno));
    if (empty >= 0)
        close(empty);
    if (over >= 0)
        close(over);
    return good;
}

bool stage_cover(struct staging *s, const char *path, bool *there)
{
    int over = open_in(s, path), empty = -1;
    struct stat st;

    *there = over >= 0;
    if (over < 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    bool good = over >= 0 && fstat(over, &st) == 0 &&
                (empty = empty_like(&st, strcmp(path, "/dev") == 0)) >= 0 && put_over(empty, over);

    return left_out(s, path, good, empty, over);
}

bool stage_remove(struct staging *s, const char *path)
{
    int over = stage_open(s, path, O_NOFOLLOW), empty = -1;
    struct stat st;
    bool good = over >= 0 && fstat(over, &st) == 0, there;

    if (over < 0 && errno == ENOENT)
        return true; /* somebody was faster */
    if (good && S_ISDIR(st.st_mode)) {
        close(over);
        return stage_cover(s, path, &there) && (!there || gone_add(s, path, true));
    }
    if (good && S_ISREG(st.st_mode)) { /* the bytes must never come into the image */
        empty = open_tree(AT_FDCWD, s->empty, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        good = empty >= 0 && put_over(empty, over);
    }
    return left_out(s, path, good, empty, over) && gone_add(s, path, false);
}

/* Show a file system that is mounted in the volume where it is mounted. */
static bool show(struct staging *s, const char *from, const char *path)
{
    int over = open_in(s, path);
    int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    bool good = over >= 0 && tree >= 0 && put_over(tree, over);

    if (!good)
        snprintf(s->why, s->why_cap, "what is mounted at %s cannot be taken in: %s", from,
                 strerror(errno));
    if (over >= 0)
        close(over);
    if (tree >= 0)
        close(tree);
    return good;
}

/* File systems that hold no files of the system, but what the kernel makes of itself. */
static bool is_kernels_own(const char *type)
{
    static const char *const types[] = {
        "proc",    "sysfs",    "devtmpfs", "devpts",   "tmpfs",      "ramfs",       "cgroup",
        "cgroup2", "mqueue",   "debugfs",  "tracefs",  "securityfs", "pstore",      "bpf",
        "autofs",  "configfs", "fusectl",  "efivarfs", "hugetlbfs",  "binfmt_misc", "xenfs"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static void note(const struct staging *s, const char *fmt, const char *a, const char *b)
{
    char line[2 * VOLUME_PATH_MAX];

    snprintf(line, sizeof(line), fmt, a, b); // NOLINT(clang-diagnostic-format-nonliteral)
    s->v->note(line);
}

static bool one_mount(struct staging *s, const char *dir, const char *type)
{
    const char *path = below(dir, s->v->real);
    bool there;

    if (path == NULL || strcmp(dir, s->at) == 0)
        return true;
    if (s->v->all && !is_kernels_own(type)) {
        int fd = open_in(s, path);

        if (fd < 0)
            return true; /* below one that is left out */
        close(fd);
        return show(s, dir, path);
    }
    if (!stage_cover(s, path, &there))
        return false;
    if (there && !is_kernels_own(type))
        note(s, "%s (%s) is left out: it is another file system; --all takes it in", dir, type);
    return true;
}

/* Once for the volume itself, then for what is mounted in it. */
static bool each_mount(struct staging *s, bool below_it)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct volume *v = s->v;
    struct mntent *m;
    bool good = f != NULL;

    if (!good)
        snprintf(s->why, s->why_cap, "/proc/self/mounts cannot be read: %s", strerror(errno));
    for (unsigned i = 0; good && i < MOUNTS_MAX && (m = getmntent(f)) != NULL; i++) {
        if (below_it) {
            good = one_mount(s, m->mnt_dir, m->mnt_type);
        } else if (strcmp(m->mnt_dir, v->real) == 0) {
            snprintf(v->fs_type, sizeof(v->fs_type), "%s", m->mnt_type);
            snprintf(v->device, sizeof(v->device), "%s", m->mnt_fsname);
        }
    }
    if (f != NULL)
        endmntent(f);
    return good;
}

/* One that is named without a pattern: a folder stays as an empty one, a file goes. */
static bool exclude(struct staging *s, const char *path, bool *there)
{
    if (!stage_cover(s, path, there))
        return false;
    if (*there)
        return true;
    int fd = stage_open(s, path, O_NOFOLLOW);

    *there = fd >= 0;
    if (fd < 0)
        return true;
    close(fd);
    return stage_remove(s, path);
}

static bool excludes(struct staging *s)
{
    struct volume *v = s->v;

    for (uint32_t i = 0; i < v->nr_excludes; i++) {
        const char *path = v->excludes[i], *inner = below(path, v->real);
        bool there;

        if (path[0] != '/' || strcmp(path, "/") == 0) {
            snprintf(s->why, s->why_cap, "--exclude takes absolute paths in the volume, not \"%s\"",
                     path);
            return false;
        }
        if (filter_is_pattern(path))
            continue;
        if (!exclude(s, path, &there))
            return false;
        if (!there && inner != NULL && !exclude(s, inner, &there))
            return false;
        if (!there)
            note(s, "there is nothing at %s in %s to leave out", path, v->real);
    }
    return true;
}

/* The image must not hold itself. */
static bool cover_folder(struct staging *s)
{
    char folder[VOLUME_PATH_MAX];
    const char *path;
    bool there;

    if (realpath(s->v->folder, folder) == NULL) {
        snprintf(s->why, s->why_cap, "the folder %s cannot be opened: %s", s->v->folder,
                 strerror(errno));
        return false;
    }
    if (strcmp(folder, s->v->real) == 0) {
        snprintf(s->why, s->why_cap,
                 "the bundle cannot lie at the top of the volume that it holds; name another "
                 "folder with -d");
        return false;
    }
    path = below(folder, s->v->real);
    return path == NULL || stage_cover(s, path, &there);
}

/* Who has the image would have the key that signs for its maker. */
static bool keeps_secret(struct staging *s)
{
    char real[VOLUME_PATH_MAX];
    const char *path = NULL;
    struct stat own, staged;

    if (s->v->secret != NULL && realpath(s->v->secret, real) != NULL && stat(real, &own) == 0)
        path = below(real, s->v->real);
    int fd = path != NULL ? stage_open(s, path, 0) : -1;

    if (fd < 0)
        return true;
    bool same =
        fstat(fd, &staged) != 0 || (own.st_dev == staged.st_dev && own.st_ino == staged.st_ino);

    close(fd);
    if (!same) /* something covers it */
        return true;
    snprintf(s->why, s->why_cap,
             "your private key %s would be in the image, for everybody who gets it; leave it out "
             "with -e, or say --no-filter",
             s->v->secret);
    return false;
}

bool stage_begin(struct volume *v, const char *at, const char *empty, char *why, size_t why_cap)
{
    struct staging s = {
        .v = v, .at = at, .empty = empty, .root_fd = -1, .why = why, .why_cap = why_cap};
    struct stat st;

    if (realpath(v->path, v->real) == NULL || stat(v->real, &st) != 0 || !S_ISDIR(st.st_mode)) {
        snprintf(why, why_cap, "the volume %s is no folder that can be read", v->path);
        return false;
    }
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        snprintf(why, why_cap,
                 "a volume is bundled by root, which may mount: %s; bundle an image that is there "
                 "with ec2-bundle-image",
                 strerror(errno));
        return false;
    }
    if (mount(v->real, at, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0) {
        snprintf(why, why_cap, "%s cannot be mounted on %s: %s", v->real, at, strerror(errno));
        return false;
    }
    s.root_fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool good = s.root_fd >= 0 && each_mount(&s, false) && each_mount(&s, true) && excludes(&s) &&
                cover_folder(&s) && filter_files(&s) && keeps_secret(&s);

    if (s.root_fd >= 0)
        close(s.root_fd);
    return good;
}

void stage_end(const char *at)
{
    (void)umount2(at, MNT_DETACH);
}
