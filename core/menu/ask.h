/* SPDX-License-Identifier: MIT */
/* Asking somebody for a password. */
#ifndef PVBOOT_MENU_ASK_H
#define PVBOOT_MENU_ASK_H

#include "core/menu/password.h"
#include "core/menu/screen.h"

/*
 * Ask once. ERR_PRIVILEGED: it was another one, or somebody cancelled, or nobody is there; then it
 * does not wait. A screen of NULL is nobody.
 */
struct err ask_password(struct screen *sc, const struct password *p);

/* Ask for any text that must not be seen, in buf (terminated; cap at most PASSWORD_TYPED_MAX + 1).
 * False when there is none: cancelled, or nobody is there. */
bool ask_secret(struct screen *sc, const char *prompt, char *buf, size_t cap);

#endif
