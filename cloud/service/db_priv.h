/* SPDX-License-Identifier: MIT */
#ifndef PVBOOT_CLOUD_SERVICE_DB_PRIV_H
#define PVBOOT_CLOUD_SERVICE_DB_PRIV_H

#include "cloud/service/db.h"

/* Bring the tables up to date. */
bool db_migrate(sqlite3 *c, struct buf *why);

#endif
