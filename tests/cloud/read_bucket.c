/* SPDX-License-Identifier: MIT */
/*
 * Reads an object as the service reads a bundle, for the tests of cloud/service/bucket_source.h:
 *
 *     read_bucket CONFIG ACCOUNT LOCATION BYTES_MAX
 *
 * copies it to standard output, by both ways of reading one, which must agree; or ends with the
 * number of the result and its sentence on standard error. No pvbootd may use the state meanwhile.
 */
#include "cloud/service/bucket_source.h"
#include "cloud/service/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct account *find_account(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->nr_accounts; i++)
        if (strcmp(c->accounts[i].id, id) == 0)
            return &c->accounts[i];
    return NULL;
}

static bool same_bytes(int fd, const struct buf *want)
{
    struct buf got = {0};
    char piece[65536];
    ssize_t n;
    bool same;

    buf_clear(&got);
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        buf_add(&got, piece, (size_t)n);
    same = n == 0 && got.len == want->len && memcmp(got.text, want->text, got.len) == 0;
    buf_free(&got);
    return same;
}

static int read_object(struct service *svc, const struct account *account, const char *location,
                       uint64_t bytes_max, struct buf *why)
{
    const char *slash = strrchr(location, '/'), *name = slash ? slash + 1 : location;
    uint64_t listed_bytes = 0, open_bytes = 0;
    const struct bucket_use use = {.svc = svc, .account = account};
    struct buf folder = {0};
    struct buf whole = {0};
    enum bucket_result result;
    int fd = -1;

    buf_clear(&folder);
    buf_add(&folder, location, (size_t)(name - location));
    result = bucket_sizes(&use, folder.text, &name, 1, &listed_bytes, why);
    buf_free(&folder);
    if (result == BUCKET_GOOD)
        result = bucket_open(&use, location, bytes_max, &fd, &open_bytes, why);
    if (result == BUCKET_GOOD)
        result = bucket_get(&use, location, bytes_max, &whole, why);
    if (result == BUCKET_GOOD &&
        (listed_bytes != whole.len || open_bytes != whole.len || !same_bytes(fd, &whole))) {
        buf_puts(why, "the ways of reading do not agree");
        result = BUCKET_FAILED;
    }
    if (result == BUCKET_GOOD && fwrite(whole.text, 1, whole.len, stdout) != whole.len)
        result = BUCKET_FAILED;
    if (fd >= 0)
        close(fd);
    buf_free(&whole);
    return (int)result;
}

int main(int argc, char **argv)
{
    struct service *svc = xalloc(sizeof(*svc));
    struct buf why = {0};
    int status = 99;

    buf_clear(&why);
    if (argc == 5 && config_read(argv[1], NULL, &svc->config, &why) &&
        files_prepare(svc->config.state_dir, &why) &&
        (svc->db = db_open(svc->config.state_dir, &why))) {
        status = read_object(svc, find_account(&svc->config, argv[2]), argv[3],
                             strtoull(argv[4], NULL, 10), &why);
        db_close(svc->db);
    }
    if (status != 0)
        fprintf(stderr, "%s\n", why.text);
    config_free(&svc->config);
    buf_free(&why);
    free(svc);
    return status;
}
