/* SPDX-License-Identifier: MIT */
/*
 * Kernel images: from a file's bytes to a load plan.
 *
 * Understood: bzImage (setup header 2.08 and later, which tells where the payload lies), plain ELF,
 * and either of them compressed (.gz and every other format of unpack.h). The ELF inside is a Xen
 * PV kernel if it carries Xen's notes, or the __xen_guest section of the time before them.
 *
 * An image is read once, front to back: image_open reads the headers, image_load streams the
 * segments to their place and then finds the notes, which in Linux lie deep inside a segment. So
 * the place of the segments (physical addresses) is known before the virtual layout is; the caller
 * chooses pages only after image_load, because under PV a page's pfn is the caller's to choose.
 *
 * Sources: Linux Documentation/arch/x86/boot.rst (setup header); System V ABI, ELF-64; Xen
 * xen/include/public/elfnote.h.
 */
#ifndef PVBOOT_IMAGE_IMAGE_H
#define PVBOOT_IMAGE_IMAGE_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/log.h"
#include "core/fs/fs.h"
#include "core/unpack/unpack.h"

#define IMAGE_SEGMENT_MAX  64
#define IMAGE_UNPACKED_MAX ((uint64_t)1 << 30) /* of the memory that segments span */
#define IMAGE_TEXT_MAX     128

enum image_container { IMAGE_ELF, IMAGE_BZIMAGE };
enum image_width { IMAGE_32, IMAGE_64 };

/* One PT_LOAD segment. paddr is p_paddr as it stands; [paddr, paddr + memsz) is inside the span. */
struct image_segment {
    uint64_t file_off_bytes; /* in the unpacked ELF */
    uint64_t file_bytes;
    uint64_t paddr;
    uint64_t mem_bytes;
};

/*
 * What the kernel tells Xen: by notes, xen/include/public/elfnote.h, or, before there were notes,
 * by the string of a __xen_guest section. A has_ flag says that it was told.
 */
struct xen_notes {
    bool found;         /* one or the other was there */
    bool guest_section; /* the section it was */
    char guest_os[32], guest_version[32], xen_version[32], loader[32];
    char features[512];    /* the FEATURES string as it stands */
    char pae_mode[48];     /* "yes", "yes,extended-cr3", "bimodal", "no" */
    uint64_t entry;        /* ENTRY; the ELF header's e_entry when there is no note */
    uint64_t virt_base;    /* VIRT_BASE; 0 when there is none */
    uint64_t paddr_offset; /* PADDR_OFFSET; without one 0, and virt_base in a section */
    bool has_entry, has_virt_base, has_paddr_offset;
    bool has_hypercall_page, has_init_p2m, has_hv_start_low;
    uint64_t hypercall_page, init_p2m, hv_start_low;
    bool mod_start_pfn;                             /* the initrd may lie by pfn, unmapped */
    uint32_t features_supported, features_required; /* bits XENFEAT_*, submap 0 */
    bool suspend_cancel;   /* it can take back a suspend; the toolstack's affair */
    bool bsd_symtab;       /* it wants its symbol table behind itself: struct image_symtab */
    bool pvh;              /* PHYS32_ENTRY: could also start as PVH */
    uint64_t phys32_entry; /* if pvh */
    bool has_l1_mfn_valid; /* which entries of its page tables name a page; used by save and */
    uint64_t l1_mfn_mask, l1_mfn_value; /* restore of toolstacks before Xen 3.1 */
    uint32_t nr_passed_over;            /* what was told and is not known here */
};

/*
 * The symbol table of a kernel that asks for it (BSD_SYMTAB), as Xen's libelf lays it out behind
 * the kernel: the length 4, an ELF header and three section headers, symbols, strings.
 */
struct image_symtab {
    uint64_t paddr; /* of the length; the first aligned address behind the last segment */
    uint64_t bytes; /* of it all; 0: it does not ask, or the file has none */
};

struct image_stream;

struct image {
    /* from image_open */
    enum image_container container;
    enum unpack_format compression;
    enum unpack_format wrapping; /* of a whole bzImage that was compressed once more */
    enum image_width width;
    uint16_t machine;                          /* ELF e_machine */
    uint16_t boot_protocol;                    /* bzImage: 0x020f; else 0 */
    char version[IMAGE_TEXT_MAX];              /* bzImage's kernel_version string, "" if none */
    uint64_t payload_off_bytes, payload_bytes; /* in the file; in what is wrapped */
    uint64_t unpacked_bytes;                   /* as the payload's trailer says; 0 if it does not */
    uint64_t entry;                            /* e_entry */
    uint32_t nr_segments;                      /* none is empty; ascending file offset */
    struct image_segment segments[IMAGE_SEGMENT_MAX];
    uint64_t pstart, pend; /* the span of all segments; pend exclusive, neither is rounded */
    /* from image_load */
    struct xen_notes notes;
    struct image_symtab symtab;

    struct image_stream *stream; /* between image_open and image_close */
};

/*
 * Read the headers of the open file and start the stream. f and a must live until image_close.
 * Errors: ERR_EXEC_FORMAT with a sentence that says what was found ("not a kernel: the file is a
 * script", "a bzImage of boot protocol 0x205, too old to tell where its payload lies", "a 32-bit
 * kernel; this is a 64-bit guest: start it with pvboot's i386 image" (when want differs from the
 * ELF's width)), ERR_FILELENGTH for a truncated file, ERR_BAD_GZIP_... for damaged compressed data.
 * After an error nothing is open.
 */
struct err image_open(struct image *img, struct file *f, struct arena *a, enum image_width want,
                      const struct log *log);

/*
 * Stream all segments to dst, which stands for physical address img->pstart and has room for
 * pend - pstart bytes (zeroed or not: gaps and bss are zeroed here), and go on to the end of the
 * compressed data, so that its checksum is checked. Then parse the notes and refuse what cannot
 * run: no Xen notes, PVH only, another loader's kernel, required features outside `offered` (bits
 * XENFEAT_* of submap 0) by name, addresses that contradict each other or that belong to Xen.
 * img->notes is filled in even then, as far as it goes. To look without loading, dst may point to
 * ordinary memory of that size.
 */
struct err image_load(struct image *img, void *dst, uint32_t offered_features);

/*
 * After image_load, when img->symtab.bytes is not 0: put the symbol table behind the kernel. dst
 * stands for pstart, as there, with room up to symtab.paddr + symtab.bytes, which pend then is.
 */
struct err image_load_symtab(struct image *img, void *dst);

/*
 * The ELF file itself, unpacked, instead of image_load: begin at its first byte, then the next len
 * bytes; *got < len only at the end.
 */
struct err image_rewind(struct image *img);
struct err image_read(struct image *img, void *buf, size_t len, size_t *got);

/* Xen's name of a feature's bit in submap 0; NULL when it is not known. */
const char *image_feature_name(unsigned bit);

/* Ends the stream of an image that will not be loaded (or was). More than once is allowed. */
void image_close(struct image *img);

/*
 * Do the nr_bytes (0 counts as 1) of virtual memory at va belong to a PV guest of this width? In a
 * 64-bit one they do when the range does not wrap, and lies wholly in one canonical half, and not
 * in Xen's own part of the upper half, 0xffff800000000000 to 0xffff87ffffffffff: slots 256 to 271
 * of the level-4 table. In a 32-bit one Xen has the top of the address space, from 0xf5800000 on.
 * Source: Xen, xen/include/public/arch-x86/xen-x86_64.h (__HYPERVISOR_VIRT_START and _END) and
 * xen-x86_32.h (__HYPERVISOR_VIRT_START_PAE).
 */
#define IMAGE_32_VA_END ((uint64_t)0xf5800000)

bool image_va_is_guests(enum image_width width, uint64_t va, uint64_t nr_bytes);

#endif
