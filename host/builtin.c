/* SPDX-License-Identifier: MIT */
#include "host/builtin.h"

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "core/unpack/unpack.h"

static const char *partition_table(uint32_t n)
{
    static const char *const names[] = {"MBR", "GPT"};

    return n < ARRAY_LEN(names) ? names[n] : NULL;
}

static const char *volume(uint32_t n)
{
    static const char *const names[] = {"LVM2", "md RAID1"};

    return n < ARRAY_LEN(names) ? names[n] : NULL;
}

static const char *compression(uint32_t n)
{
    return n < UNPACK_ZSTD ? unpack_name((enum unpack_format)(UNPACK_GZIP + n)) : NULL;
}

const struct built_in built_in[] = {
    {"file_systems", fs_reader_name},
    {"partition_tables", partition_table},
    {"volumes", volume},
    {"compressions", compression},
    {NULL, NULL},
};
