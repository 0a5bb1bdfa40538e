/* SPDX-License-Identifier: MIT */
#ifndef PVBOOT_GUEST_CONSTRUCTORS_H
#define PVBOOT_GUEST_CONSTRUCTORS_H

/* Run the libraries' constructors, once, before anything of theirs is called. */
void run_constructors(void);

#endif
