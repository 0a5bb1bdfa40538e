/* SPDX-License-Identifier: MIT */
/* The Xen devices as one thing: opened by platform_init and platform_disks, closed here. */
#ifndef PVBOOT_PV_DEVICES_H
#define PVBOOT_PV_DEVICES_H

#include "core/base/log.h"

/*
 * Close every front end, xenstore and the grant table, flush the console. What
 * could not be closed stays open in the ledger and is said in the log.
 */
void devices_close(const struct log *log);

#endif
