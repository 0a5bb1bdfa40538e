/* SPDX-License-Identifier: MIT */
/*
 * report FOLDER - what Linux sees below a mount point: the lines of `pvboot ls -R --json --sha256`,
 * in any order. Runs in the test's guest; statically linked.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "host/json.h"

static size_t root_len;

static const char *type_name(mode_t mode)
{
    if (S_ISREG(mode))
        return "file";
    if (S_ISDIR(mode))
        return "dir";
    return S_ISLNK(mode) ? "symlink" : "other";
}

/* "unreadable" instead of a hash, where Linux says so. */
static void hash(const char *path, char hex[65])
{
    static unsigned char buf[1 << 18];
    unsigned char digest[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    FILE *f = fopen(path, "rb");
    size_t n;

    strcpy(hex, "unreadable");
    if (f == NULL || md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
        return;
    setvbuf(f, NULL, _IONBF, 0);
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
        EVP_DigestUpdate(md, buf, n);
    if (!ferror(f)) {
        EVP_DigestFinal_ex(md, digest, NULL);
        for (size_t i = 0; i < sizeof(digest); i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    EVP_MD_CTX_free(md);
    fclose(f);
}

static int visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    char text[4097];
    struct json j;

    (void)flag;
    if (ftw->level == 0)
        return 0;
    json_init(&j, stdout);
    j.one_line = true;
    json_object(&j, NULL);
    json_str(&j, "path", path + root_len);
    json_str(&j, "type", type_name(st->st_mode));
    if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
        json_u64(&j, "size", (uint64_t)st->st_size);
    snprintf(text, sizeof(text), "%07o", (unsigned)st->st_mode);
    json_str(&j, "mode", text);
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlink(path, text, sizeof(text) - 1);

        text[n < 0 ? 0 : n] = '\0';
        json_str(&j, "target", text);
    }
    if (S_ISREG(st->st_mode)) {
        hash(path, text);
        json_str(&j, "sha256", text);
    }
    json_end_object(&j);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    root_len = strlen(argv[1]);
    return nftw(argv[1], visit, 100, FTW_PHYS) == 0 && fflush(stdout) == 0 ? 0 : 1;
}
