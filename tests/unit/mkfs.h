/* SPDX-License-Identifier: MIT */
/* File system images for unit tests, made by mke2fs (package e2fsprogs) when the test runs. */
#ifndef PVBOOT_TESTS_MKFS_H
#define PVBOOT_TESTS_MKFS_H

#include <stddef.h>
#include <stdint.h>

/* A new empty folder under $TMPDIR; gone, with all in it, when the program ends. */
const char *temp_dir(void);

/* Remove it now; the next call of temp_dir makes another. */
void drop_temp_dir(void);

/* Write a file below temp_dir(), making the folders on its way. */
void put_file(const char *path, const void *data, size_t len);

/* Run a shell command in temp_dir(); ends the program with a message when it fails. */
void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole file below temp_dir(), in aligned memory of its own. */
uint8_t *get_file(const char *path, size_t *len);

/*
 * An image filled from the folder `tree` below temp_dir(): `mke2fs OPTIONS -d tree IMAGE SIZE`.
 * The result is the caller's to free.
 */
uint8_t *make_ext(const char *options, const char *tree, const char *size, size_t *len);

#endif
