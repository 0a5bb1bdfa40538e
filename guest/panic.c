/* SPDX-License-Identifier: MIT */
/* The domain's ends: a shutdown with a reason, and the panic that says why first. */
#include "guest/panic.h"

#include <string.h>

#include "core/base/text.h"
#include "guest/xen/clock.h"
#include "guest/xen/console.h"
#include "guest/xen/hypercall.h"

static _Noreturn void shut_down(unsigned reason)
{
    for (;;) {
        /* Refused, which Xen never does for one's own domain: nothing is left but to stop. */
        if (hypercall_sched_shutdown(reason) != 0 && hypercall_sched_block() != 0)
            continue;
    }
}

_Noreturn void guest_shutdown(unsigned reason)
{
    if (clock_ready())
        (void)xen_console_flush(clock_ns() + 2 * NS_PER_S);
    shut_down(reason);
}

_Noreturn void guest_panic(const char *what, uint64_t a, uint64_t b)
{
    static bool again;
    char line[384];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "pvboot: panic: ");
    text_str(&t, what);
    text_str(&t, " (");
    text_hex(&t, a);
    text_str(&t, ", ");
    text_hex(&t, b);
    text_str(&t, ")\n");
    /* The line for programs, as at the end of a session that failed. */
    text_str(&t, "pvboot-failed: error=panic entry=none line=none file=\"\"\n");
    /* A panic on the way out of a panic: what it used is broken, so use nothing. */
    if (again)
        shut_down(SHUTDOWN_crash);
    again = true;
    xen_console_panic_write(line, t.len);
    guest_shutdown(SHUTDOWN_crash);
}
