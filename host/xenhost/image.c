/* SPDX-License-Identifier: MIT */
/*
 * What kind of image a file is. Raw images have no magic, so raw is what is left once the others
 * have been recognised: magics from the formats' own documents (qcow2: QEMU's docs/interop/qcow2;
 * VMDK, VHD, VHDX, VDI: their vendors' specifications).
 */
#include "host/xenhost/xenhost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VDI_MAGIC_OFF 64
#define HEAD_BYTES    512

static const struct {
    unsigned off_bytes;
    unsigned len;
    const char *magic;
    const char *what;
    const char *todo;
} foreign[] = {
    {0, 4, "KDMV", "a VMDK image", "convert it with qemu-img convert -O qcow2"},
    {0, 4, "COWD", "a VMDK image", "convert it with qemu-img convert -O qcow2"},
    {0, 21, "# Disk DescriptorFile", "a VMDK descriptor", "convert it with qemu-img convert"},
    {0, 8, "conectix", "a VHD image", "convert it with qemu-img convert -O qcow2"},
    {0, 8, "vhdxfile", "a VHDX image", "convert it with qemu-img convert -O qcow2"},
    {VDI_MAGIC_OFF, 4, "\x7f\x10\xda\xbe", "a VDI image",
     "convert it with qemu-img convert -O qcow2"},
    {0, 4, "QED", "a QED image", "convert it with qemu-img convert -O qcow2"},
    {0, 3, "\x1f\x8b\x08", "compressed with gzip", "unpack it first"},
    {0, 6,
     "\xfd"
     "7zXZ",
     "compressed with xz", "unpack it first"},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first"},
    {0, 4, "\x04\x22\x4d\x18", "compressed with lz4", "unpack it first"},
    {0, 4, "PK\x03\x04", "a zip archive", "unpack it first"},
    {0, 4,
     "\x7f"
     "ELF",
     "a program or kernel (ELF), not a disk", "name a disk image"},
};

int xh_image_open(const char *path, bool write, char *err, size_t err_size)
{
    struct stat st;
    int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == EISDIR) {
        snprintf(err, err_size, "%s is a folder; name a disk image", path);
        return -1;
    }
    if (fd < 0) {
        snprintf(err, err_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
        snprintf(err, err_size, "%s is a folder; name a disk image", path);
    else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        snprintf(err, err_size, "%s is neither a file nor a block device", path);
    else
        return fd;
    close(fd);
    return -1;
}

bool xh_image_format_of(int fd, const char *path, enum xh_format *format, char *err,
                        size_t err_size)
{
    unsigned char head[HEAD_BYTES];
    ssize_t got = pread(fd, head, sizeof(head), 0);

    if (got < 0) {
        snprintf(err, err_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (got != (ssize_t)sizeof(head)) {
        snprintf(err, err_size, "%s holds less than one sector, it cannot be a disk image", path);
        return false;
    }
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (memcmp(head + foreign[i].off_bytes, foreign[i].magic, foreign[i].len) != 0)
            continue;
        snprintf(err, err_size, "%s is %s; raw and qcow2 images can be used: %s", path,
                 foreign[i].what, foreign[i].todo);
        return false;
    }
    *format = memcmp(head, "QFI\xfb", 4) == 0 ? XH_QCOW2 : XH_RAW;
    return true;
}

bool xh_image_format(const char *path, bool write, enum xh_format *format, char *err,
                     size_t err_size)
{
    int fd = xh_image_open(path, write, err, err_size);
    bool ok = fd >= 0 && xh_image_format_of(fd, path, format, err, err_size);

    if (fd >= 0)
        close(fd);
    return ok;
}
