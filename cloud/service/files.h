/* SPDX-License-Identifier: MIT */
/*
 * Files of the state's directory that hold objects and parts.
 *
 * A file has a random name and is written once: into tmp/, then made durable and moved to files/,
 * and only then does the database tell of it. What a crash leaves is a file that nothing tells of,
 * and files_sweep removes it at the next start.
 */
#ifndef PVBOOT_CLOUD_SERVICE_FILES_H
#define PVBOOT_CLOUD_SERVICE_FILES_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/service/db.h"

#define FILE_NAME_BYTES 33
#define FILE_MD5_HEX    33
#define FILE_SHA256_HEX 65

struct file_in {
    const char *dir;
    int fd;
    char name[FILE_NAME_BYTES];
    uint64_t size;
    EVP_MD_CTX *md5, *sha256;
    bool full; /* the disk was full */
    unsigned char md5_raw[16];
    char md5_hex[FILE_MD5_HEX], sha256_hex[FILE_SHA256_HEX]; /* after file_end */
};

/* The folders; false: `why` holds one sentence. */
bool files_prepare(const char *dir, struct buf *why);

/* Remove what no table tells of. Call before the first request. */
void files_sweep(const char *dir, struct db *db);

/* A file to read and write that goes away when it is closed; -1: errno tells. */
int files_nameless(const char *dir);

/* NULL: cannot be made; errno tells why. */
struct file_in *file_begin(const char *dir);
bool file_add(struct file_in *f, const void *bytes, size_t len);

/* Add another file's content, sharing its blocks where the file system can. No digests. */
bool file_append(struct file_in *f, const char *name, uint64_t size);

void file_end(struct file_in *f); /* the digests are known now */

/* Make it durable under its name; the caller frees with file_free. */
bool file_keep(struct file_in *f);

/* A file that was not kept is removed. */
void file_free(struct file_in *f);

/* A name as the database has it, checked for its form; "" when it has another one. */
void file_name_copy(char out[FILE_NAME_BYTES], const char *name);

int stored_open(const char *dir, const char *name);
void stored_remove(const char *dir, const char *name);

#endif
