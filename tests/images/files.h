/* SPDX-License-Identifier: MIT */
/*
 * What the guest's programs share: files with known bytes, names, and a kernel upgrade.
 *
 * Any failure ends the program with a message. Bytes and names are functions of their arguments, so
 * that a run can be repeated.
 */
#ifndef TESTS_IMAGES_FILES_H
#define TESTS_IMAGES_FILES_H

#include <stdbool.h>
#include <stdint.h>

void must(int good, const char *what);

/* The same numbers in every run, until the seed is changed. */
void rnd_seed(uint64_t seed);
uint32_t rnd(uint32_t below);

int create(const char *path);
/* Writes len bytes (at most 64 KiB) that are a function of their offset and of `salt`. */
void put_salted(int fd, uint64_t off, uint32_t len, uint32_t salt);
void put(int fd, uint64_t off, uint32_t len);
void close_synced(int fd);
/*
 * A folder with one long name in it: since 5.11 Linux finds fault with ReiserFS directories whose
 * names are short on average, when they are of format 3.5.
 */
void make_folder(const char *path);
/* Puts a folder's entries on the disk. */
void sync_folder(const char *path);

/* Name number i, of 8 to max_len bytes. */
void entry_name(char name[256], uint32_t i, uint32_t max_len);
/* A folder of nr links to few files, a third of them deleted again. */
void directory(const char *dir, uint32_t nr, uint32_t max_len);

/*
 * Kernel number n (from 1) comes into the folder boot below the current one, as a package manager
 * ends it: each file is written beside, synced, renamed, and the folder synced; then menu.lst the
 * same way; then kernel n - 3 goes. max_kib: the largest file. `flat`: all in the current folder.
 */
void upgrade(uint32_t n, uint32_t max_kib, bool flat);

#endif
