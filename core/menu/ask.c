/* SPDX-License-Identifier: MIT */
#include "core/menu/ask.h"

#include <string.h>

#include "core/menu/edit.h"

bool ask_secret(struct screen *sc, const char *prompt, char *buf, size_t cap)
{
    const struct edit_options options = {.prompt = prompt, .secret = true};
    enum edit_end end;

    buf[0] = '\0';
    if (sc == NULL || !sc->somebody)
        return false;
    end = edit_line(sc, &options, buf, cap);
    if (end == EDIT_DONE)
        return true;
    edit_wipe(buf, cap);
    return false;
}

struct err ask_password(struct screen *sc, const struct password *p)
{
    char typed[PASSWORD_TYPED_MAX + 1];
    bool right = false;
    struct err e;

    if (sc == NULL || !sc->somebody)
        return ERR(ERR_PRIVILEGED, "a password is wanted, and nobody is at the console");
    if (!ask_secret(sc, "Password: ", typed, sizeof(typed)))
        return ERR(ERR_PRIVILEGED, "no password was given");
    e = password_matches(p, typed, strlen(typed), &right);
    edit_wipe(typed, sizeof(typed));
    TRY(e);
    return right ? OK : ERR(ERR_PRIVILEGED, "that was another password");
}
