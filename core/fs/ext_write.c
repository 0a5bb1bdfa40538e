/* SPDX-License-Identifier: MIT */
/*
 * Which files of ext2/3/4 may be overwritten where they lie. Data blocks have no checksums and no
 * owners: metadata_csum covers what the file system writes about files, never what is in them. So a
 * block that belongs to one file, and is not in the journal, can be changed without a trace.
 */
#include "core/fs/ext.h"

/*
 * With these, data is overwritten in place. What is not known here forbids writing, by the meaning
 * of "compatible with reading only".
 */
#define RO_COMPAT_WRITABLE                                                                         \
    (EXT_RO_COMPAT_SPARSE_SUPER | EXT_RO_COMPAT_LARGE_FILE | EXT_RO_COMPAT_BTREE_DIR |             \
     EXT_RO_COMPAT_HUGE_FILE | EXT_RO_COMPAT_GDT_CSUM | EXT_RO_COMPAT_DIR_NLINK |                  \
     EXT_RO_COMPAT_EXTRA_ISIZE | EXT_RO_COMPAT_QUOTA | EXT_RO_COMPAT_BIGALLOC |                    \
     EXT_RO_COMPAT_METADATA_CSUM | EXT_RO_COMPAT_PROJECT | EXT_RO_COMPAT_VERITY |                  \
     EXT_RO_COMPAT_ORPHAN_PRESENT)

static struct err check_super(const struct ext *x)
{
    uint32_t rest = x->ro_compat & ~(uint32_t)RO_COMPAT_WRITABLE;

    if (x->has_errors)
        return ERR(ERR_REFUSED, "the file system is marked as having errors; run e2fsck on it");
    if (rest & EXT_RO_COMPAT_SHARED_BLOCKS)
        return ERR(ERR_REFUSED, "files share blocks (the ext feature shared_blocks)");
    if (rest & EXT_RO_COMPAT_READONLY)
        return ERR(ERR_REFUSED, "the file system is one that is only read (the ext feature "
                                "read-only)");
    if (rest & EXT_RO_COMPAT_HAS_SNAPSHOT)
        return ERR(ERR_REFUSED, "the file system has snapshots (the ext feature has_snapshot)");
    if (rest != 0)
        return ERR1(ERR_REFUSED,
                    "the file system has ext features (%A) with which it must not be written to",
                    rest);
    if (x->incompat & EXT_INCOMPAT_MMP)
        return ERR(ERR_REFUSED, "another machine may have the file system mounted (the ext feature "
                                "mmp)");
    return OK;
}

struct err ext_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes)
{
    static const struct {
        uint32_t bits;
        const char *sentence;
    } refused[] = {
        {EXT_INODE_INLINE_DATA, "the file lies in its inode (inline_data)"},
        {EXT_INODE_ENCRYPT, "the file is encrypted"},
        {EXT_INODE_VERITY, "the file is sealed (fs-verity)"},
        {EXT_INODE_COMPRESSED | EXT_INODE_COMPR_BLOCK, "the file is compressed"},
        {EXT_INODE_JOURNALLED, "the file's data goes through the journal (chattr +j)"},
        {EXT_INODE_IMMUTABLE | EXT_INODE_APPEND,
         "the file is protected against changes (chattr +i or +a)"},
    };

    (void)off_bytes;
    TRY(check_super(ext_of(fs)));
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (ext_node_of(n)->flags & refused[i].bits)
            return ERR(ERR_REFUSED, refused[i].sentence);
    }
    return OK;
}
