/* SPDX-License-Identifier: MIT */
/*
 * User data on its way into the guest: a small ISO 9660 file system with the label "cidata", as the
 * NoCloud source of cloud-init reads it. A guest without cloud-init mounts it and reads user-data.
 */
#include "cloud/service/instance.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "seeds"

/* Base64 without spaces, as it is stored. */
static bool decode(const char *text, struct buf *out)
{
    size_t len = strlen(text), padding = 0;
    int got;

    if (len == 0 || len % 4 != 0)
        return len == 0;
    while (padding < 2 && text[len - 1 - padding] == '=')
        padding++;
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") !=
        len - padding)
        return false;
    for (size_t at = 0; at < len; at += 4) {
        unsigned char piece[3];

        got = EVP_DecodeBlock(piece, (const unsigned char *)text + at, 4);
        if (got != 3)
            return false;
        buf_add(out, piece, at + 4 < len ? 3 : 3 - padding);
    }
    return true;
}

bool instance_take_user_data(struct ec2_call *call, const char *text, struct buf *out)
{
    struct buf raw = {0};
    bool good;

    buf_clear(out);
    buf_clear(&raw);
    for (; *text; text++)
        if (strchr(" \t\r\n", *text) == NULL)
            buf_add(out, text, 1);
    good = decode(out->text, &raw);
    if (!good)
        reply_error(call->r, 400, "InvalidUserData.Malformed",
                    "The user data is not Base64; clients encode it by themselves, unless they are "
                    "told that it is encoded already.");
    else if (raw.len > USER_DATA_BYTES_MAX)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "The user data is %zu bytes; the limit is %d. Let it fetch the rest from a "
                    "bucket.",
                    raw.len, USER_DATA_BYTES_MAX);
    buf_free(&raw);
    return call->r->status == 0;
}

static bool add_file(struct archive *a, const char *name, const void *bytes, size_t len)
{
    struct archive_entry *e = archive_entry_new();
    bool good;

    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0444);
    archive_entry_set_size(e, (int64_t)len);
    good = archive_write_header(a, e) == ARCHIVE_OK &&
           archive_write_data(a, bytes, len) == (la_ssize_t)len;
    archive_entry_free(e);
    return good;
}

static void seed_path(const struct service *svc, const char *id, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s/" FOLDER "/%s", svc->config.state_dir, id);
}

void instance_remove_seed(const struct service *svc, const char *id)
{
    struct buf path = {0};

    seed_path(svc, id, &path);
    unlink(path.text);
    buf_free(&path);
}

static bool write_image(const char *path, const char *id, const struct buf *data)
{
    struct archive *a = archive_write_new();
    struct buf meta = {0};
    bool good;

    buf_printf(&meta, "instance-id: %s\nlocal-hostname: %s\n", id, id);
    good = archive_write_set_format_iso9660(a) == ARCHIVE_OK &&
           archive_write_set_options(a, "volume-id=cidata,rockridge=useful,joliet") == ARCHIVE_OK &&
           archive_write_open_filename(a, path) == ARCHIVE_OK &&
           add_file(a, "meta-data", meta.text, meta.len) &&
           add_file(a, "user-data", data->text, data->len) && archive_write_close(a) == ARCHIVE_OK;
    if (!good)
        fprintf(stderr, "pvbootd: %s: %s\n", path,
                archive_error_string(a) ? archive_error_string(a) : "cannot be written");
    archive_write_free(a);
    buf_free(&meta);
    return good;
}

bool instance_write_seed(const struct service *svc, const char *id, const char *user_data,
                         struct buf *path, struct buf *why)
{
    struct buf data = {0}, whole = {0};
    bool good;

    seed_path(svc, "", path);
    good = mkdir(path->text, 0700) == 0 || errno == EEXIST;
    seed_path(svc, id, path);
    buf_printf(&whole, "%s.new", path->text);
    buf_clear(&data);
    good = good && decode(user_data, &data) && write_image(whole.text, id, &data) &&
           rename(whole.text, path->text) == 0;
    if (!good) {
        unlink(whole.text);
        buf_puts(why, "The disk with the user data could not be made.");
    }
    buf_free(&data);
    buf_free(&whole);
    return good;
}
