/* SPDX-License-Identifier: MIT */
/*
 * The __xen_guest section: how a kernel introduced itself to Xen before there were notes, up to
 * about Xen 3.0.3 and Linux 2.6.18. One string, for example
 *
 *     GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,ELF_PADDR_OFFSET=0xC0000000,
 *     VIRT_ENTRY=0xC0100000,HYPERCALL_PAGE=0x2,FEATURES=writable_page_tables|...,PAE=yes,LOADER=generic
 *
 * Facts: the LEGACY remarks of xen/include/public/elfnote.h, and how xen/common/libelf reads it.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/image/notes.h"

#define PAGE_SHIFT        12
#define SECTION_BYTES_MAX 4096

struct piece {
    const char *s;
    size_t len;
};

static bool is(struct piece p, const char *word)
{
    return p.len == strlen(word) && memcmp(p.s, word, p.len) == 0;
}

static void log_piece(const struct log *log, const char *what, struct piece p)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, what);
    text_name(&t, p.s, p.len);
    log_line(log, line);
}

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* "0xC0000000" or "12", all of it. */
static bool get_number(struct piece p, uint64_t *v)
{
    bool hex = p.len > 2 && p.s[0] == '0' && (p.s[1] == 'x' || p.s[1] == 'X');
    unsigned base = hex ? 16 : 10;

    if (p.len == 0)
        return false;
    *v = 0;
    for (size_t i = hex ? 2 : 0; i < p.len; i++) {
        unsigned digit = digit_of(p.s[i]);

        if (digit >= base || !mul_u64(*v, base, v) || !add_u64(*v, digit, v))
            return false;
    }
    return true;
}

static void copy(char *dst, size_t cap, struct piece p)
{
    size_t n = (size_t)min_u64(p.len, cap - 1);

    memcpy(dst, p.s, n);
    dst[n] = '\0';
}

/* *known tells whether it was one of the keys that hold text. */
static struct err text_key(struct xen_notes *n, struct piece key, struct piece value,
                           const struct log *log, bool *known)
{
    const struct {
        const char *key;
        char *dst;
        size_t cap;
    } keys[] = {
        {"GUEST_OS", n->guest_os, sizeof(n->guest_os)},
        {"GUEST_VER", n->guest_version, sizeof(n->guest_version)},
        {"XEN_VER", n->xen_version, sizeof(n->xen_version)},
        {"LOADER", n->loader, sizeof(n->loader)},
        {"PAE", n->pae_mode, sizeof(n->pae_mode)},
        {"FEATURES", n->features, sizeof(n->features)},
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!is(key, keys[i].key))
            continue;
        copy(keys[i].dst, keys[i].cap, value);
        *known = true;
    }
    if (is(key, "FEATURES"))
        return notes_features(n, value.s, value.len, log);
    if (is(key, "BSD_SYMTAB"))
        *known = n->bsd_symtab = true;
    return OK;
}

static struct err number_key(struct xen_notes *n, struct piece key, struct piece value,
                             const struct log *log, bool *known)
{
    const struct {
        const char *key;
        bool *has;
        uint64_t *value;
        const char *refusal;
    } keys[] = {
#define KEY(name, field)                                                                           \
    {name, &n->has_##field, &n->field,                                                             \
     "its __xen_guest section is damaged: " name " is no number of 64 bits"}
        KEY("VIRT_BASE", virt_base),
        KEY("VIRT_ENTRY", entry),
        KEY("ELF_PADDR_OFFSET", paddr_offset),
        KEY("HYPERCALL_PAGE", hypercall_page),
#undef KEY
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!is(key, keys[i].key))
            continue;
        if (!get_number(value, keys[i].value)) {
            log_piece(log, "kernel: its __xen_guest section has a number that is none: ", value);
            return ERR(ERR_EXEC_FORMAT, keys[i].refusal);
        }
        *keys[i].has = *known = true;
    }
    return OK;
}

static struct err add_item(struct xen_notes *n, struct piece item, const struct log *log)
{
    const char *equals = memchr(item.s, '=', item.len);
    struct piece key = {item.s, equals != NULL ? (size_t)(equals - item.s) : item.len};
    struct piece value = {item.s + item.len, 0};
    bool known = item.len == 0;

    if (equals != NULL)
        value = (struct piece){equals + 1, item.len - key.len - 1};
    TRY(text_key(n, key, value, log, &known));
    if (!known)
        TRY(number_key(n, key, value, log, &known));
    if (!known && notes_may_say(n, log))
        log_piece(log, "kernel: passed over what its __xen_guest section says: ", item);
    return OK;
}

struct err guest_section_parse(struct xen_notes *n, const uint8_t *data, size_t len,
                               const struct log *log)
{
    const char *s = (const char *)data;
    const uint8_t *zero = memchr(data, 0, len);
    size_t end = zero != NULL ? (size_t)(zero - data) : len, start = 0;

    if (end > SECTION_BYTES_MAX)
        return ERR2(ERR_EXEC_FORMAT,
                    "its __xen_guest section holds a string of %a bytes; %b is the most", end,
                    SECTION_BYTES_MAX);
    n->found = n->guest_section = true;
    for (size_t i = 0; i <= end; i++) {
        if (i < end && s[i] != ',')
            continue;
        TRY(add_item(n, (struct piece){s + start, i - start}, log));
        start = i + 1;
    }
    if (!n->has_hypercall_page)
        return OK;
    /* It is the number of a page, and counts from VIRT_BASE. */
    if (n->hypercall_page > UINT64_MAX >> PAGE_SHIFT ||
        !add_u64(n->hypercall_page << PAGE_SHIFT, n->virt_base, &n->hypercall_page))
        return ERR1(ERR_EXEC_FORMAT,
                    "its __xen_guest section names hypercall page %A, which is no page",
                    n->hypercall_page);
    return OK;
}
