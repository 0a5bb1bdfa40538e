/* SPDX-License-Identifier: MIT */
/*
 * What a session of the menu needs beside disks, for tests: a terminal with a script of keys, a
 * clock that only waiting moves, and a boot function that writes down what it was asked to boot.
 */
#ifndef PVBOOT_TESTS_TERM_H
#define PVBOOT_TESTS_TERM_H

#include <stdbool.h>

#include "core/menu/session.h"
#include "tests/unit/grid.h"
#include "tests/unit/support.h"

#define TERM_SILENT UINT32_MAX

struct key {
    uint32_t at_ms;    /* when it is typed */
    const char *bytes; /* NULL ends the list */
};

#define KEYS_THEN_SILENCE UINT32_MAX /* at_ms of the list's end: the terminal stays */

struct term {
    const struct key *keys;
    size_t nr_bytes_read; /* of the current key */
    uint64_t now_ms;
    bool gone_at_end; /* after the last key the terminal is gone, else silent for ever */
    char out[131072]; /* with a grid: at least the last 32768 bytes */
    uint64_t nr_out;  /* bytes written in all */
    char log[8192];
    char booted[16384]; /* one line a boot: "(hd0)/k [command line] (hd0)/initrd"; "reboot" */
    const char *works;  /* only a kernel whose file holds this boots; NULL: each does */
    size_t nr_held;     /* bytes that arenas of the session held when it had ended */
    struct log log_sink;
    struct mem_source memory;
    /* The caller may set these before; term_env keeps them. */
    struct grid *grid;       /* what is written is shown here too; it answers; NULL: no answers */
    uint32_t answer_ms;      /* so long an answer takes; TERM_SILENT: none comes */
    void (*waits)(void *of); /* called when a key is waited for, not the rest of one */
    void *waits_of;
    /* The answer that is on its way, as bytes. */
    char answer[32];
    size_t nr_answered;
    uint64_t answer_at_ms;
};

/*
 * Begin: *t is empty but for its keys and the options at its end, and everything of the environment
 * but the disks leads to it. keys NULL: nobody is there.
 */
struct session_env term_env(struct term *t, const struct key *keys);

/*
 * Run a session over the disks (the list ends with NULL). keys NULL: nobody is there. What happened
 * is in *t. A session that waits for ever ends the program.
 */
struct err term_session(struct term *t, struct mem_disk *const *disks, const struct key *keys,
                        const char *works, const char *menu_arg, bool hd00);

/* Was s written to the terminal, to the log? Prints everything if it was not. */
bool term_said(const struct term *t, const char *s);
bool term_logged(const struct term *t, const char *s);

#endif
