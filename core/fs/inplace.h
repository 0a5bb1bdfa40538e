/* SPDX-License-Identifier: MIT */
/*
 * Changing bytes of a file where they lie: the only thing that pvboot ever writes to a disk.
 *
 * One sector is written, which the file owns already, and then the disk's cache is flushed. Nothing
 * of the file system changes: no size, no time, no block, no checksum of metadata. A power cut
 * leaves the old sector or the new one, because a sector is the unit that a disk writes.
 *
 * It is only done where it is safe, and refused with a reason everywhere else:
 *   - the reader says that this file's data may be overwritten (fs_ops.may_overwrite);
 *   - the bytes lie in one sector, in a block that has been written before;
 *   - no journal holds the block: its replay would put the old one back (overlay.h);
 *   - every disk on the way down holds the sector in one place only (disk_place);
 *   - the device itself can be written to, and its sector holds what the file says.
 */
#ifndef PVBOOT_FS_INPLACE_H
#define PVBOOT_FS_INPLACE_H

#include "core/fs/fs.h"

/*
 * Would file_overwrite refuse? OK; ERR_FILELENGTH past the end of the file; ERR_REFUSED with the
 * reason. Nothing is written, and whether the device is read-only is not looked at.
 */
struct err file_may_overwrite(struct file *f, uint64_t off_bytes, size_t len);

/*
 * Replace [off_bytes, off_bytes + len) of the file by bytes, len > 0. Once it returns OK, the disk
 * has them for good: they were read back after the flush. On ERR_WRITE with a `where`, and on an
 * error of the device, the sector is the old or the new one. A journal that was replayed for this
 * mount is one line on the log.
 */
struct err file_overwrite(struct file *f, uint64_t off_bytes, const void *bytes, size_t len);

#endif
