/* SPDX-License-Identifier: MIT */
/*
 * Grants: letting another domain use a page of ours. Grant table version 1; entries 0 to 7 belong
 * to the toolstack (console, xenstore) and are never touched. The table grows as it is used, up
 * to Xen's limit for this domain. Every open grant is in the ledger.
 */
#ifndef PVBOOT_XEN_GRANTS_H
#define PVBOOT_XEN_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "guest/mm.h"
#include "guest/xen/xen.h"

/* Map the table. Needs mm. */
MUST_CHECK struct err grants_init(void);

/*
 * Leave the table as the domain builder did and unmap it. While another domain still has a page,
 * nothing happens: the grants stay in the ledger, and so do the table's frames.
 */
void grants_fini(void);

/* How many more grants are possible now. */
uint32_t grants_nr_free(void);

/* Allow `remote` to map the frame. ERR_LIMIT when the table is full. */
MUST_CHECK struct err grants_allow(domid_t remote, mfn_t mfn, bool read_only, grant_ref_t *ref);

/*
 * Take the permission back. ERR_PEER when the other side still has the page mapped: then the
 * grant stays open and the page must not be used for anything else.
 */
MUST_CHECK struct err grants_end(grant_ref_t ref);

#endif
