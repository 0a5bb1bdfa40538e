/* SPDX-License-Identifier: MIT */
/*
 * The person's terminal: raw while it is the guest's, and restored however the program ends.
 */
#ifndef PVBOOT_HOST_RUN_TTY_H
#define PVBOOT_HOST_RUN_TTY_H

#include <stdbool.h>

/* Installs the handlers. The returned descriptor becomes readable when a signal asks the program
 * to end (INT, TERM, HUP, QUIT); -1 on failure. Signals that mean a bug restore the terminal and
 * then do what they always do. */
int tty_signals(void);

/* Standard input raw; false when it is not a terminal. */
bool tty_raw(void);
void tty_restore(void);

#endif
