/* SPDX-License-Identifier: MIT */
#include "core/menu/saved.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/inplace.h"
#include "core/menu/lex.h"

#define LINE_BYTES 64 /* of the first line: a number and blanks */
#define TEXT_BYTES 16 /* "4294967295\n" */

struct err saved_default_path(const struct menu_file *menu, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);
    size_t folder_len = 0; /* with the slash at its end; 0: none */
    bool in_path = false;  /* a device's name may have a slash, too */

    for (size_t i = 0; menu->name[i] != '\0'; i++) {
        in_path = in_path || menu->name[i] == ')';
        if (in_path && menu->name[i] == '/')
            folder_len = i + 1;
    }
    if (folder_len == 0)
        return ERR(ERR_BAD_FILENAME, "a menu without a folder has no saved default");
    text_mem(&t, menu->name, folder_len);
    text_str(&t, "default");
    if (t.cut)
        return ERR1(ERR_LIMIT, "the saved default's path is longer than %a bytes", cap - 1);
    return OK;
}

static struct err parse(const char *line, size_t len, uint32_t *entry)
{
    const char *end = line;
    uint64_t v;

    while (end < line + len && *end != '\n' && *end != '\0')
        end++;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    if (end == line || !lex_number(line, (size_t)(end - line), &v) || v > UINT32_MAX)
        return ERR(ERR_NUMBER_PARSING, "its first line is to be the number of an entry");
    *entry = (uint32_t)v;
    return OK;
}

/* *path: its full name, in the arena. */
static struct err open_default(struct vols *v, const struct menu_file *menu, struct arena *a,
                               struct file *f, char **path, char *subject, size_t subject_cap)
{
    struct text t = text_on(subject, subject_cap);
    struct err e;

    *path = arena_alloc(a, FS_PATH_MAX);
    if (*path == NULL)
        return arena_exhausted("a path of %a bytes", FS_PATH_MAX);
    text_name(&t, menu->name, strlen(menu->name));
    TRY(saved_default_path(menu, *path, FS_PATH_MAX));
    e = vols_open(v, menu->vol, *path, a, f, subject, subject_cap);
    if (e.code == ERR_FILE_NOT_FOUND)
        e.msg = "nothing was saved yet; `grub-set-default 0' makes the file";
    TRY(e);
    t = text_on(subject, subject_cap);
    text_name(&t, *path, strlen(*path));
    text_str(&t, " (");
    text_str(&t, f->fs->describe);
    text_str(&t, ")");
    return OK;
}

static struct err read_entry(struct file *f, uint32_t *entry)
{
    char line[LINE_BYTES];
    size_t len = (size_t)min_u64(f->node.size_bytes, sizeof(line));

    if (len == 0)
        return ERR(ERR_NUMBER_PARSING, "the file is empty; `grub-set-default 0' makes it anew");
    TRY(file_read(f, 0, line, len));
    return parse(line, len, entry);
}

struct err saved_default_read(struct vols *v, const struct menu_file *menu, struct arena *a,
                              uint32_t *entry, char *subject, size_t subject_cap)
{
    struct file f;
    char *path;

    TRY(open_default(v, menu, a, &f, &path, subject, subject_cap));
    return read_entry(&f, entry);
}

static void say_saved(const struct log *log, const char *path, uint32_t was, uint32_t is)
{
    char line[FS_PATH_MAX / 4];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "saved default: entry ");
    text_u64(&t, is);
    text_str(&t, ", was ");
    text_u64(&t, was);
    text_str(&t, ", in ");
    text_name(&t, path, strlen(path));
    log_line(log, line);
}

struct err saved_default_write(struct vols *v, const struct menu_file *menu, struct arena *a,
                               uint32_t entry, const struct log *log, char *subject,
                               size_t subject_cap)
{
    char number[TEXT_BYTES];
    struct text t = text_on(number, sizeof(number));
    uint32_t was, is;
    struct file f;
    char *path;

    TRY(open_default(v, menu, a, &f, &path, subject, subject_cap));
    TRY(read_entry(&f, &was));
    if (was == entry)
        return OK;
    text_u64(&t, entry);
    text_char(&t, '\n');
    if (t.len > f.node.size_bytes)
        return ERR2(ERR_FILELENGTH,
                    "%a bytes have no room for a number of %b and a newline, and it cannot grow "
                    "here; `grub-set-default 0' makes it anew",
                    f.node.size_bytes, t.len - 1);
    TRY(file_overwrite(&f, 0, number, t.len));
    /* By name again, as the next start will. */
    TRY(saved_default_read(v, menu, a, &is, subject, subject_cap));
    if (is != entry)
        return ERR2(ERR_WRITE, "entry %a was written, and the file says %b", entry, is);
    say_saved(log, path, was, entry);
    return OK;
}
