/* SPDX-License-Identifier: MIT */
/*
 * Xen's notes. Numbers and meaning: Xen, xen/include/public/elfnote.h and features.h. Defaults and
 * checks: what xen/common/libelf/libelf-dominfo.c does for a PV guest, so that a kernel which the
 * toolstack would start is started, and one which it would refuse is refused with a sentence.
 */
#include "core/image/notes.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

enum {
    NOTE_INFO = 0,
    NOTE_ENTRY = 1,
    NOTE_HYPERCALL_PAGE = 2,
    NOTE_VIRT_BASE = 3,
    NOTE_PADDR_OFFSET = 4,
    NOTE_XEN_VERSION = 5,
    NOTE_GUEST_OS = 6,
    NOTE_GUEST_VERSION = 7,
    NOTE_LOADER = 8,
    NOTE_PAE_MODE = 9,
    NOTE_FEATURES = 10,
    NOTE_BSD_SYMTAB = 11,
    NOTE_HV_START_LOW = 12,
    NOTE_L1_MFN_VALID = 13,
    NOTE_SUSPEND_CANCEL = 14,
    NOTE_INIT_P2M = 15,
    NOTE_MOD_START_PFN = 16,
    NOTE_SUPPORTED_FEATURES = 17,
    NOTE_PHYS32_ENTRY = 18,
    NOTE_PHYS32_RELOC = 19,
};

#define NOTE_HEADER_BYTES 12
#define NOTES_PER_RANGE   1000 /* of any kind */
#define PAGE_BYTES        4096u

/* Addresses that belong to Xen: arch-x86/xen-x86_64.h. */
#define HV_END_64    0xffff880000000000u
#define CANONICAL_LO 0x0000800000000000u /* end of the lower half */

#define REQUIRES(name)                                                                             \
    name, "it requires the Xen feature \"" name "\", which a PV guest does not have here"

/*
 * Features by bit. `granted`: a kernel may require it although the hypervisor does not list it.
 * Linux has always required writable_page_tables, meaning that Xen traps and emulates its writes
 * to page tables (VMASST_TYPE_writable_pagetables), while Xen offers the bit only to guests whose
 * page tables need no protection. The same goes for descriptor tables, and for page directories
 * above 4 GiB, which every 64-bit Xen can use.
 */
static const struct {
    uint8_t bit;
    bool granted;
    const char *name, *refusal;
} features[] = {
    {0, true, REQUIRES("writable_page_tables")},
    {1, true, REQUIRES("writable_descriptor_tables")},
    {2, false, REQUIRES("auto_translated_physmap")},
    {3, false, REQUIRES("supervisor_mode_kernel")},
    {4, true, REQUIRES("pae_pgdir_above_4gb")},
    {5, false, REQUIRES("mmu_pt_update_preserve_ad")},
    {6, false, REQUIRES("highmem_assist")},
    {7, false, REQUIRES("gnttab_map_avail_bits")},
    {8, false, REQUIRES("hvm_callback_vector")},
    {9, false, REQUIRES("hvm_safe_pvclock")},
    {10, false, REQUIRES("hvm_pirqs")},
    {11, false, REQUIRES("dom0")},
    {13, false, REQUIRES("memory_op_vnode_supported")},
    {15, false, REQUIRES("linux_rsdp_unrestricted")},
};

const char *image_feature_name(unsigned bit)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        if (features[i].bit == bit)
            return features[i].name;
    }
    return NULL;
}

static bool name_is(const char *s, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(s, name, len) == 0;
}

/* One name of the FEATURES string, without the '!'. */
static struct err add_feature(struct xen_notes *n, const char *s, size_t len, bool required,
                              const struct log *log)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        if (name_is(s, len, features[i].name)) {
            n->features_supported |= (uint32_t)1 << features[i].bit;
            n->features_required |= required ? (uint32_t)1 << features[i].bit : 0;
            return OK;
        }
    }
    if (!required || len == 0)
        return OK; /* it can use something that nobody offers it */
    char line[128];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "the kernel requires an unknown Xen feature: ");
    text_name(&t, s, len);
    log_line(log, line);
    return ERR(ERR_EXEC_FORMAT, "its FEATURES require a Xen feature that is not known here");
}

/* Names between bars, '!' before a required one. */
struct err notes_features(struct xen_notes *n, const char *s, size_t len, const struct log *log)
{
    size_t start = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && s[i] != '|')
            continue;
        bool required = start < i && s[start] == '!';

        TRY(add_feature(n, s + start + required, i - start - required, required, log));
        start = i + 1;
    }
    return OK;
}

/* A note's text up to its terminator, cut to what fits. */
static void copy_text(char *dst, size_t cap, const uint8_t *desc, size_t len)
{
    size_t n = 0;

    while (n < len && n < cap - 1 && desc[n] != 0)
        n++;
    memcpy(dst, desc, n);
    dst[n] = '\0';
}

bool notes_may_say(struct xen_notes *n, const struct log *log)
{
    if (n->nr_passed_over == NOTES_SAID_MAX)
        log_line(log, "kernel: more of the kind was passed over");
    if (n->nr_passed_over <= NOTES_SAID_MAX)
        n->nr_passed_over++;
    return n->nr_passed_over <= NOTES_SAID_MAX;
}

/* Numbers are as wide as the kernel's assembler made them. */
static bool get_number(const uint8_t *desc, size_t len, uint64_t *v)
{
    switch (len) {
    case 1:
        *v = desc[0];
        return true;
    case 2:
        *v = le16(desc);
        return true;
    case 4:
        *v = le32(desc);
        return true;
    case 8:
        *v = le64(desc);
        return true;
    default:
        return false;
    }
}

#define COPY_TEXT(field) copy_text(n->field, sizeof(n->field), desc, len)

/* True when it was one of the notes that hold text. */
static bool text_note(struct xen_notes *n, uint32_t type, const uint8_t *desc, size_t len)
{
    switch (type) {
    case NOTE_XEN_VERSION:
        COPY_TEXT(xen_version);
        return true;
    case NOTE_GUEST_OS:
        COPY_TEXT(guest_os);
        return true;
    case NOTE_GUEST_VERSION:
        COPY_TEXT(guest_version);
        return true;
    case NOTE_LOADER:
        COPY_TEXT(loader);
        return true;
    case NOTE_PAE_MODE:
        COPY_TEXT(pae_mode);
        return true;
    case NOTE_FEATURES:
        COPY_TEXT(features);
        return true;
    default:
        return false;
    }
}

/* One line a note that is passed over, so that nobody has to guess. */
static void log_passed_over(struct xen_notes *n, const struct log *log, const char *what,
                            uint64_t number)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    if (!notes_may_say(n, log))
        return;
    text_str(&t, "kernel: passed over ");
    text_str(&t, what);
    text_u64(&t, number);
    log_line(log, line);
}

/* False when a note of this type is not known. */
static bool number_note(struct xen_notes *n, uint32_t type, uint64_t v)
{
    switch (type) {
    case NOTE_ENTRY:
        n->has_entry = true;
        n->entry = v;
        break;
    case NOTE_HYPERCALL_PAGE:
        n->has_hypercall_page = true;
        n->hypercall_page = v;
        break;
    case NOTE_VIRT_BASE:
        n->has_virt_base = true;
        n->virt_base = v;
        break;
    case NOTE_PADDR_OFFSET:
        n->has_paddr_offset = true;
        n->paddr_offset = v;
        break;
    case NOTE_HV_START_LOW:
        n->has_hv_start_low = true;
        n->hv_start_low = v;
        break;
    case NOTE_SUSPEND_CANCEL:
        n->suspend_cancel = v != 0;
        break;
    case NOTE_INIT_P2M:
        n->has_init_p2m = true;
        n->init_p2m = v;
        break;
    case NOTE_MOD_START_PFN:
        n->mod_start_pfn = v != 0;
        break;
    case NOTE_PHYS32_ENTRY:
        n->pvh = true;
        n->phys32_entry = v;
        break;
    default:
        return false;
    }
    return true;
}

static size_t text_length(const uint8_t *desc, size_t len)
{
    size_t n = 0;

    while (n < len && desc[n] != 0)
        n++;
    return n;
}

/* Pairs of mask and value, as wide as the kernel's page-table entries; all have one pair. */
static void l1_mfn_valid(struct xen_notes *n, const uint8_t *desc, size_t len)
{
    size_t half = len >= 16 ? 8 : 4;

    if (len < 8)
        return;
    n->has_l1_mfn_valid = true;
    n->l1_mfn_mask = half == 8 ? le64(desc) : le32(desc);
    n->l1_mfn_value = half == 8 ? le64(desc + half) : le32(desc + half);
}

static struct err add_note(struct xen_notes *n, uint32_t type, const uint8_t *desc, size_t len,
                           const struct log *log)
{
    uint64_t v = 0;

    n->found = true;
    if (type == NOTE_FEATURES)
        TRY(notes_features(n, (const char *)desc, text_length(desc, len), log));
    if (text_note(n, type, desc, len))
        return OK;
    if (type == NOTE_INFO || type == NOTE_PHYS32_RELOC)
        return OK; /* words for people, PVH: nothing that a PV start needs */
    if (type == NOTE_BSD_SYMTAB) {
        n->bsd_symtab = name_is((const char *)desc, text_length(desc, len), "yes");
        return OK;
    }
    if (type == NOTE_L1_MFN_VALID) {
        l1_mfn_valid(n, desc, len);
        return OK;
    }
    /* An array with an entry a submap of features; there is one submap so far. */
    if (type == NOTE_SUPPORTED_FEATURES && len >= 4) {
        n->features_supported |= le32(desc);
        return OK;
    }
    if (!get_number(desc, len, &v))
        log_passed_over(n, log, "a Xen note whose number has no size that is known: type ", type);
    else if (!number_note(n, type, v))
        log_passed_over(n, log, "a Xen note of a type that is not known: ", type);
    return OK;
}

struct err notes_parse(struct xen_notes *n, const uint8_t *data, size_t len, const struct log *log)
{
    size_t off = 0;

    for (unsigned i = 0; len - off >= NOTE_HEADER_BYTES; i++) {
        if (i == NOTES_PER_RANGE) {
            log_line(log,
                     "kernel: more than 1000 ELF notes in one place; the others were left out");
            break;
        }
        uint64_t name_bytes = le32(data + off), desc_bytes = le32(data + off + 4);
        uint32_t type = le32(data + off + 8);
        size_t name = off + NOTE_HEADER_BYTES;

        if (!in_range(name, align_up(name_bytes, 4), len))
            break;
        size_t desc = name + (size_t)align_up(name_bytes, 4);

        if (desc_bytes > len - desc)
            break;
        if (name_bytes == 4 && memcmp(data + name, "Xen", 4) == 0)
            TRY(add_note(n, type, data + desc, (size_t)desc_bytes, log));
        off = desc + (size_t)min_u64(align_up(desc_bytes, 4), len - desc);
    }
    return OK;
}

/* ---- checks
 * -------------------------------------------------------------------------------------- */

static struct err check_kind(const struct xen_notes *n, enum image_width width)
{
    bool generic = strncmp(n->loader, "generic", 7) == 0;
    bool linux_guest = strncmp(n->guest_os, "linux", 5) == 0;

    if (!n->found)
        return ERR(ERR_EXEC_FORMAT, "no Xen notes: not built as a Xen PV kernel (Linux: "
                                    "CONFIG_XEN_PV)");
    if (n->pvh && n->loader[0] == '\0' && n->guest_os[0] == '\0')
        return ERR(ERR_EXEC_FORMAT, "a kernel that starts under PVH only; this is a PV guest "
                                    "(Linux: CONFIG_XEN_PV is not set)");
    if (!generic && !linux_guest)
        return ERR(ERR_EXEC_FORMAT, "its Xen notes ask for neither the generic loader nor Linux's");
    if (strncmp(n->xen_version, "xen-3.0", 7) != 0)
        return ERR(ERR_EXEC_FORMAT,
                   n->guest_section ? "its __xen_guest section says that it was made for another "
                                      "interface than xen-3.0, that of every Xen since 3.0"
                                    : "its XEN_VERSION note is not xen-3.0, the interface of "
                                      "every Xen since 3.0");
    if (width == IMAGE_32 && strncmp(n->pae_mode, "yes", 3) != 0 &&
        strncmp(n->pae_mode, "bimodal", 7) != 0)
        return ERR(ERR_EXEC_FORMAT,
                   "a 32-bit kernel without PAE, which Xen cannot run: install one that is "
                   "built with it (Linux: CONFIG_X86_PAE)");
    return OK;
}

static struct err check_features(const struct xen_notes *n, uint32_t offered)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        uint32_t bit = (uint32_t)1 << features[i].bit;

        if ((n->features_required & bit) != 0 && (offered & bit) == 0 && !features[i].granted)
            return ERR(ERR_EXEC_FORMAT, features[i].refusal);
    }
    return OK;
}

bool image_va_is_guests(enum image_width width, uint64_t va, uint64_t nr_bytes)
{
    uint64_t last;

    if (!add_u64(va, nr_bytes == 0 ? 0 : nr_bytes - 1, &last))
        return false;
    if (width == IMAGE_32)
        return last < IMAGE_32_VA_END;
    return last < CANONICAL_LO || va >= HV_END_64;
}

static struct err check_addresses(struct image *img)
{
    struct xen_notes *n = &img->notes;
    /* The offset may be negative: it wraps, and adding it wraps back. */
    uint64_t start = img->pstart + (n->virt_base - n->paddr_offset);
    uint64_t end = img->pend + (n->virt_base - n->paddr_offset);
    uint64_t stop = img->symtab.bytes != 0
                        ? img->symtab.paddr + img->symtab.bytes + (n->virt_base - n->paddr_offset)
                        : end;

    if (n->has_paddr_offset && !n->has_virt_base)
        return ERR(ERR_EXEC_FORMAT, "it tells its PADDR_OFFSET, but no VIRT_BASE");
    if (n->paddr_offset % PAGE_BYTES != 0)
        return ERR1(ERR_EXEC_FORMAT,
                    "its PADDR_OFFSET %A is not on a page boundary: no page of it could be "
                    "mapped",
                    n->paddr_offset);
    if (end <= start || stop < end || start < n->virt_base)
        return ERR2(ERR_EXEC_FORMAT,
                    "its segments do not fit its VIRT_BASE: they would lie "
                    "at %A, the base is %B",
                    start, n->virt_base);
    if (!image_va_is_guests(img->width, start, stop - start))
        return ERR2(ERR_EXEC_FORMAT,
                    "its segments would lie at %A to %B, which is not the guest's "
                    "to use",
                    start, stop);
    if (n->entry < start || n->entry >= end)
        return ERR2(ERR_EXEC_FORMAT,
                    "its entry point %A lies outside of the kernel, which begins "
                    "at %B",
                    n->entry, start);
    if (n->has_hypercall_page &&
        (n->hypercall_page < start || n->hypercall_page >= end ||
         end - n->hypercall_page < PAGE_BYTES || n->hypercall_page % PAGE_BYTES != 0))
        return ERR2(ERR_EXEC_FORMAT,
                    "its hypercall page %A is no page of the kernel, which begins "
                    "at %B",
                    n->hypercall_page, start);
    if (n->has_init_p2m && n->init_p2m >= start && n->init_p2m < stop)
        return ERR2(ERR_EXEC_FORMAT,
                    "its INIT_P2M note %A lies inside of the kernel, which begins "
                    "at %B",
                    n->init_p2m, start);
    /* How long the list is depends on the guest's memory: whoever places it checks all of it. */
    if (n->has_init_p2m && !image_va_is_guests(img->width, n->init_p2m, PAGE_BYTES))
        return ERR1(ERR_EXEC_FORMAT,
                    "its INIT_P2M note asks for the page list at %A, which is not the guest's to "
                    "use",
                    n->init_p2m);
    if (img->width == IMAGE_64 && n->has_init_p2m && n->init_p2m % PAGE_BYTES != 0)
        return ERR1(ERR_EXEC_FORMAT,
                    "its INIT_P2M note asks for the page list at %A, which is not on a page "
                    "boundary",
                    n->init_p2m);
    /* Xen of a 32-bit guest begins where it begins: public/arch-x86/xen-x86_32.h. */
    if (img->width == IMAGE_32 && n->has_hv_start_low && n->hv_start_low > IMAGE_32_VA_END)
        return ERR2(ERR_EXEC_FORMAT,
                    "its HV_START_LOW note leaves Xen the addresses from %A on; Xen needs them "
                    "from %B on",
                    n->hv_start_low, IMAGE_32_VA_END);
    return OK;
}

struct err notes_check(struct image *img, uint32_t offered_features)
{
    struct xen_notes *n = &img->notes;

    if (!n->has_entry)
        n->entry = img->entry;
    /* In those days p_paddr held virtual addresses. */
    if (!n->has_paddr_offset && n->guest_section)
        n->paddr_offset = n->virt_base;
    TRY(check_kind(n, img->width));
    TRY(check_features(n, offered_features));
    return check_addresses(img);
}
