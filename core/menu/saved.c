/* SPDX-License-Identifier: MIT */
#include "core/menu/saved.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/inplace.h"
#include "core/menu/lex.h"

#define LINE_BYTES 64 /* of the first line: a number and blanks */
#define TEXT_BYTES 16 /* "4294967295\n" */

/* GRUB 2's grub-set-default makes another file, so it is not named. */
#define HOW_TO_MAKE "make it with: printf '0\\n#\\n#\\n#\\n#\\n#\\n#\\n#\\n' >default"

#define SUBJECT_BYTES 512
#define LOG_BYTES     1024

/* What is to be written into the file. */
struct change {
    struct file file;
    char *path; /* in full */
    uint32_t was;
    char text[TEXT_BYTES];
    size_t text_len;
};

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
        e.msg = "nothing was saved yet; " HOW_TO_MAKE;
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
        return ERR(ERR_NUMBER_PARSING, "the file is empty; " HOW_TO_MAKE);
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
    char line[LOG_BYTES];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "saved default: entry ");
    text_u64(&t, is);
    text_str(&t, ", was ");
    text_u64(&t, was);
    text_str(&t, ", in ");
    text_name(&t, path, strlen(path));
    log_line(log, line);
}

bool saved_default_choose(struct vols *v, const struct menu_file *menu, uint32_t nr_entries,
                          struct arena *a, const struct log *log, uint32_t *entry)
{
    char line[LOG_BYTES], subject[SUBJECT_BYTES] = "";
    struct text t = text_on(line, sizeof(line));
    struct err e = saved_default_read(v, menu, a, entry, subject, sizeof(subject));

    if (!failed(e) && *entry < nr_entries)
        return true;
    text_str(&t, "menu: `default saved': ");
    if (failed(e)) {
        t.len += err_format(e, subject, line + t.len, sizeof(line) - t.len);
    } else {
        text_str(&t, "entry ");
        text_u64(&t, *entry);
        text_str(&t, " is saved, but the last one is ");
        text_u64(&t, nr_entries == 0 ? 0 : nr_entries - 1);
    }
    text_str(&t, "; entry 0 is the default");
    log_line(log, line);
    *entry = 0;
    return false;
}

/* Open the file and see what it holds, and whether the new number fits. */
static struct err prepare(struct vols *v, const struct menu_file *menu, struct arena *a,
                          uint32_t entry, struct change *c, char *subject, size_t subject_cap)
{
    struct text t = text_on(c->text, sizeof(c->text));

    TRY(open_default(v, menu, a, &c->file, &c->path, subject, subject_cap));
    TRY(read_entry(&c->file, &c->was));
    text_u64(&t, entry);
    text_char(&t, '\n');
    c->text_len = t.len;
    if (t.len > c->file.node.size_bytes)
        return ERR2(ERR_FILELENGTH,
                    "%a bytes have no room for a number of %b and a newline, and it cannot grow "
                    "here; " HOW_TO_MAKE,
                    c->file.node.size_bytes, t.len - 1);
    return OK;
}

struct err saved_default_check(struct vols *v, const struct menu_file *menu, struct arena *a,
                               uint32_t entry, char *subject, size_t subject_cap)
{
    struct change c;

    TRY(prepare(v, menu, a, entry, &c, subject, subject_cap));
    return file_may_overwrite(&c.file, 0, c.text_len);
}

struct err saved_default_write(struct vols *v, const struct menu_file *menu, struct arena *a,
                               uint32_t entry, const struct log *log, char *subject,
                               size_t subject_cap)
{
    struct change c;
    uint32_t is;

    TRY(prepare(v, menu, a, entry, &c, subject, subject_cap));
    if (c.was == entry)
        return OK;
    TRY(file_overwrite(&c.file, 0, c.text, c.text_len));
    /* By name again, as the next start will. */
    TRY(saved_default_read(v, menu, a, &is, subject, subject_cap));
    if (is != entry)
        return ERR2(ERR_WRITE, "entry %a was written, and the file says %b", entry, is);
    say_saved(log, c.path, c.was, entry);
    return OK;
}
