/* SPDX-License-Identifier: MIT */
/* What a loader may have left behind: grants, ports, upcalls, half a conversation with xenstore. */
#include "core/base/bytes.h"
#include "tests/guest/kernel/kernel.h"

#include <xen/io/xs_wire.h>

#define PORTS         1024
#define FRAMES_MAX    64
#define CONSOLE_GRANT 0 /* what the toolstack lends to those who serve console and xenstore */
#define STORE_GRANT   1

static void check_grant(uint32_t ref, const struct grant_entry_v1 *e)
{
    uint64_t frame = ref == CONSOLE_GRANT ? si->console.domU.mfn : si->store_mfn;

    if (ref == CONSOLE_GRANT || ref == STORE_GRANT) {
        expect("kind of the grant of console or xenstore", e->flags & GTF_type_mask,
               GTF_permit_access);
        expect("frame of the grant of console or xenstore", e->frame, frame);
    } else if (e->flags != 0) {
        wrong("flags of a grant that is left", e->flags, ref);
    }
}

static void check_grants(void)
{
    xen_pfn_t frames[FRAMES_MAX];
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_setup_table op = {.dom = DOMID_SELF};

    if (hypercall_grant_table_op(GNTTABOP_query_size, &size, 1) != 0 || size.status != 0 ||
        size.nr_frames > FRAMES_MAX) {
        wrong("result of asking for the grant table's size", (uint64_t)size.status, 0);
        return;
    }
    op.nr_frames = size.nr_frames;
    set_xen_guest_handle(op.frame_list, frames);
    if (hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1) != 0 || op.status != 0) {
        wrong("result of asking for the grant table", (uint64_t)op.status, 0);
        return;
    }
    for (uint32_t f = 0; f < size.nr_frames; f++) {
        const struct grant_entry_v1 *e = window_open(frames[f], true);
        const uint32_t per_frame = PAGE_BYTES / sizeof(*e);

        if (e == NULL) {
            wrong("a frame of the grant table that cannot be mapped", f, 0);
            continue;
        }
        for (uint32_t i = 0; i < per_frame; i++)
            check_grant(f * per_frame + i, &e[i]);
        window_close();
    }
    say("grant-frames", "", size.nr_frames);
}

static void check_ports(void)
{
    for (evtchn_port_t port = 1; port < PORTS; port++) {
        struct evtchn_status s = {.dom = DOMID_SELF, .port = port};
        bool known = port == si->store_evtchn || port == si->console.domU.evtchn;

        if (hypercall_event_channel_op(EVTCHNOP_status, &s) != 0)
            break; /* past the last that Xen has room for */
        if (known)
            expect("status of the port of console or xenstore", s.status, EVTCHNSTAT_interdomain);
        else if (s.status != EVTCHNSTAT_closed)
            wrong("status of a port that is left", s.status, port);
    }
}

static void check_shared_page(void)
{
    const struct shared_info *shared = window_open(si->shared_info >> PAGE_SHIFT, true);

    if (shared == NULL) {
        wrong("shared_info, which cannot be mapped", si->shared_info, 0);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(shared->vcpu_info); i++)
        expect("upcall mask of a processor", shared->vcpu_info[i].evtchn_upcall_mask, 1);
    for (size_t i = 0; i < ARRAY_LEN(shared->evtchn_mask); i++)
        expect("masked ports", shared->evtchn_mask[i], 0);
    expect("the list of P2M frames", shared->arch.pfn_to_mfn_frame_list_list, 0);
    expect("max_pfn", shared->arch.max_pfn, 0);
    window_close();
}

static void check_store(void)
{
    const struct xenstore_domain_interface *ring = window_open(si->store_mfn, true);

    if (ring == NULL) {
        wrong("xenstore's page, which cannot be mapped", si->store_mfn, 0);
        return;
    }
    expect("requests that xenstore has not read", ring->req_prod, ring->req_cons);
    expect("answers of xenstore's that nobody has read", ring->rsp_prod, ring->rsp_cons);
    window_close();
}

void check_left_over(void)
{
    check_grants();
    check_ports();
    check_shared_page();
    check_store();
}
