/* SPDX-License-Identifier: MIT */
/* Runs another program to its end. */
#ifndef PVBOOT_CLOUD_BUNDLE_PROGRAM_H
#define PVBOOT_CLOUD_BUNDLE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "host/stop.h"

/*
 * Run a program to its end, found in PATH and in the folders of root's programs. What it says on
 * standard output goes to out[0..out_cap) when that is not NULL. *stop becoming not 0 ends it.
 * False: it failed, or was stopped; `why` holds what it said.
 */
bool program_run(const char *const *argv, const stop_flag *stop, char *out, size_t out_cap,
                 char *why, size_t why_cap);

/* As program_run, but it is ended after so many seconds, too, with all that it started. */
bool program_run_within(const char *const *argv, unsigned limit_s, const stop_flag *stop, char *out,
                        size_t out_cap, char *why, size_t why_cap);

#endif
