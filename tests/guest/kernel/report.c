/* SPDX-License-Identifier: MIT */
/* Lines on the console ring, which is the one thing that is trusted to be where start_info says. */
#include "core/base/text.h"
#include "tests/guest/kernel/kernel.h"

#include <xen/io/console.h>

#define WRONG_MAX  40      /* lines; more are only counted */
#define SAME_MAX   3       /* lines in a row about the same thing */
#define FLUSH_MAX  2000000 /* yields */
#define RING_BYTES ((uint32_t)sizeof(((struct xencons_interface *)0)->out))

static struct xencons_interface *ring;
static unsigned count;

void report_init(void)
{
    /* The builder's order: start_info, store, console. */
    ring = (struct xencons_interface *)((char *)(uintptr_t)si + 2 * PAGE_BYTES);
}

static void kick(void)
{
    struct evtchn_send op = {.port = si->console.domU.evtchn};

    if (hypercall_event_channel_op(EVTCHNOP_send, &op) != 0 || hypercall_sched_yield() != 0)
        return; /* nobody listens: nothing can be done about it here */
}

static void put(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        for (unsigned n = 0; n < FLUSH_MAX; n++) {
            if (ring->out_prod - XEN_READ_ONCE(ring->out_cons) < RING_BYTES)
                break;
            kick();
        }
        ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = s[i];
        xen_barrier_full();
        ring->out_prod++;
    }
    kick();
}

static void put_line(struct text *t)
{
    text_str(t, "\r\n");
    put(t->buf, t->len);
}

void say(const char *key, const char *text, uint64_t number)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "T: ");
    text_str(&t, key);
    text_char(&t, ' ');
    text_str(&t, text);
    /* A text that ends in a space, or none at all, is followed by its number. */
    if (text[0] == '\0' || text[strlen(text) - 1] == ' ')
        text_hex(&t, number);
    put_line(&t);
}

void wrong(const char *what, uint64_t got, uint64_t wanted)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));
    static const char *last;
    static unsigned nr_same;

    nr_same = what == last ? nr_same + 1 : 0;
    last = what;
    if (++count > WRONG_MAX || nr_same >= SAME_MAX)
        return;
    text_str(&t, "T: wrong ");
    text_str(&t, what);
    text_str(&t, ": ");
    text_hex(&t, got);
    text_str(&t, ", not ");
    text_hex(&t, wanted);
    put_line(&t);
}

void expect(const char *what, uint64_t got, uint64_t wanted)
{
    if (got != wanted)
        wrong(what, got, wanted);
}

unsigned nr_wrong(void)
{
    return count;
}

_Noreturn void stop(unsigned reason)
{
    for (unsigned n = 0; n < FLUSH_MAX && XEN_READ_ONCE(ring->out_cons) != ring->out_prod; n++)
        kick();
    for (;;) {
        if (hypercall_sched_shutdown(reason) != 0)
            continue;
    }
}
