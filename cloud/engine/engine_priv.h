/* SPDX-License-Identifier: MIT */
/* What engine.c knows of each engine. */
#ifndef PVBOOT_CLOUD_ENGINE_PRIV_H
#define PVBOOT_CLOUD_ENGINE_PRIV_H

#include "cloud/engine/engine.h"

struct engine *embedded_open(const struct engine_setup *setup, struct buf *why);

/* Whether a program can be found on PATH. False: `why` names the package that holds it. */
bool engine_needs(const char *program, const char *package, struct buf *why);

/* An instance's id: "i-" and hexadecimal digits. What it is put into needs no quoting. */
bool engine_id_good(const char *id);

#endif
