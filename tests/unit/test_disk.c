/* SPDX-License-Identifier: MIT */
/* core/disk: checked requests, byte-wise reads with and without a cache, windows. */
#include <stdlib.h>

#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define SIZE ((size_t)256 * 1024)

static uint8_t *pattern(void)
{
    uint8_t *p = aligned_alloc(4096, SIZE);

    for (size_t i = 0; i < SIZE; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    return p;
}

static struct err request(struct disk *d, enum disk_op op, uint64_t off, void *buf, uint64_t len)
{
    struct disk_req req = {.op = op, .off_bytes = off, .buf = buf, .len_bytes = len};

    disk_submit(d, &req);
    return disk_wait(d, &req);
}

static void requests_are_checked(void)
{
    uint8_t *data = pattern(), *buf = aligned_alloc(4096, 8192);
    struct mem_disk m;

    mem_disk_init(&m, data, SIZE, 512);
    CHECK_OK(request(&m.disk, DISK_READ, 512, buf, 1024));
    CHECK(memcmp(buf, data + 512, 1024) == 0);
    CHECK_OK(request(&m.disk, DISK_READ, SIZE - 512, buf, 512));
    CHECK_OK(request(&m.disk, DISK_READ, SIZE, buf, 0));
    CHECK_ERR(request(&m.disk, DISK_READ, SIZE - 512, buf, 1024), ERR_OUTSIDE_PART);
    CHECK_ERR(request(&m.disk, DISK_READ, SIZE + 512, buf, 0), ERR_OUTSIDE_PART);
    CHECK_ERR(request(&m.disk, DISK_READ, UINT64_MAX - 511, buf, 512), ERR_OUTSIDE_PART);
    CHECK_ERR(request(&m.disk, DISK_READ, 512, buf, UINT64_MAX - 511), ERR_OUTSIDE_PART);
    CHECK_ERR(request(&m.disk, DISK_READ, 100, buf, 512), ERR_BAD_ARGUMENT);
    CHECK_ERR(request(&m.disk, DISK_READ, 512, buf, 100), ERR_BAD_ARGUMENT);
    CHECK_ERR(request(&m.disk, DISK_READ, 512, buf + 1, 512), ERR_BAD_ARGUMENT);
    m.disk.read_only = true;
    CHECK_ERR(request(&m.disk, DISK_WRITE, 512, buf, 512), ERR_WRITE);
    CHECK_ERR(request(&m.disk, DISK_FLUSH, 0, NULL, 0), ERR_WRITE);
    free(data);
    free(buf);
}

/* Any offset, length and alignment gives the same bytes. */
static void read_everywhere(struct disk *d, const uint8_t *data, size_t size)
{
    uint8_t *buf = malloc(20000);

    for (size_t off = 0; off < size; off += 997) {
        for (size_t len = 0; len < 20000 - 1; len = len * 3 + 1) {
            if (len > size - off)
                break;
            memset(buf, 0xee, 20000);
            CHECK_OK(disk_read(d, off, buf + off % 2, len));
            CHECK(memcmp(buf + off % 2, data + off, len) == 0);
            CHECK_U64(buf[off % 2 + len], 0xee);
        }
    }
    CHECK_ERR(disk_read(d, size, buf, 1), ERR_OUTSIDE_PART);
    CHECK_ERR(disk_read(d, size - 10, buf, 11), ERR_OUTSIDE_PART);
    CHECK_ERR(disk_read(d, UINT64_MAX, buf, 2), ERR_OUTSIDE_PART);
    CHECK_OK(disk_read(d, size, buf, 0));
    free(buf);
}

static void bytes_are_read(void)
{
    uint8_t *data = pattern();
    static const uint32_t sectors[] = {512, 4096};

    for (size_t i = 0; i < 2; i++) {
        struct mem_disk m;
        struct disk window;
        struct arena a;

        arena_init(&a, &test_memory);
        mem_disk_init(&m, data, SIZE, sectors[i]);
        read_everywhere(&m.disk, data, SIZE);
        CHECK_OK(disk_window(&window, &m.disk, 12288, 99 * 1024, "(hd0,0)"));
        CHECK_U64(window.size_bytes, 99 * 1024 / sectors[i] * sectors[i]);
        read_everywhere(&window, data + 12288, (size_t)window.size_bytes);
        CHECK_OK(disk_cache_attach(&window, &a, 5));
        read_everywhere(&window, data + 12288, (size_t)window.size_bytes);
        CHECK_OK(disk_cache_attach(&m.disk, &a, 64));
        read_everywhere(&m.disk, data, SIZE);
        arena_reset(&a);
    }
    free(data);
}

static void cache_saves_requests(void)
{
    uint8_t *data = pattern(), buf[8192];
    struct mem_disk m;
    struct arena a;

    arena_init(&a, &test_memory);
    mem_disk_init(&m, data, SIZE, 512);
    CHECK_OK(disk_cache_attach(&m.disk, &a, 8));
    CHECK_OK(disk_read(&m.disk, 100, buf, 200));
    CHECK_OK(disk_read(&m.disk, 4000, buf, 200));
    CHECK_OK(disk_read(&m.disk, 0, buf, 8192));
    CHECK_U64(m.nr_reads, 2);
    for (uint32_t i = 2; i < 8; i++)
        CHECK_OK(disk_read(&m.disk, i * 4096, buf, 1));
    CHECK_U64(m.nr_reads, 8);
    /* Block 0 was used before block 1, but is used again; then one more pushes out block 1. */
    CHECK_OK(disk_read(&m.disk, 0, buf, 1));
    CHECK_OK(disk_read(&m.disk, 8 * 4096, buf, 1));
    CHECK_U64(m.nr_reads, 9);
    CHECK_OK(disk_read(&m.disk, 0, buf, 1));
    CHECK_U64(m.nr_reads, 9);
    CHECK_OK(disk_read(&m.disk, 4096, buf, 1));
    CHECK_U64(m.nr_reads, 10);
    arena_reset(&a);
    free(data);
}

static void writes_reach_the_cache(void)
{
    uint8_t *data = pattern(), *buf = aligned_alloc(4096, 4096), byte = 0;
    struct mem_disk m;
    struct arena a;

    arena_init(&a, &test_memory);
    mem_disk_init(&m, data, SIZE, 512);
    CHECK_OK(disk_cache_attach(&m.disk, &a, 8));
    CHECK_OK(disk_read(&m.disk, 5000, &byte, 1));
    memset(buf, 0x5a, 4096);
    CHECK_OK(request(&m.disk, DISK_WRITE, 4608, buf, 512));
    CHECK_OK(disk_read(&m.disk, 5000, &byte, 1));
    CHECK_U64(byte, 0x5a);
    CHECK_OK(disk_read(&m.disk, 5120, &byte, 1));
    CHECK_U64(byte, data[5120]);
    arena_reset(&a);
    free(data);
    free(buf);
}

static void errors_name_the_place(void)
{
    uint8_t *data = pattern(), buf[64 * 1024];
    struct mem_disk m;
    struct disk outer, inner;
    struct arena a;
    struct err e;

    arena_init(&a, &test_memory);
    mem_disk_init(&m, data, SIZE, 512);
    m.fail_off_bytes = 50000;
    CHECK_OK(disk_window(&outer, &m.disk, 10240, 200 * 1024, "outer"));
    CHECK_OK(disk_window(&inner, &outer, 1024, 100 * 1024, "inner"));
    e = disk_read(&inner, 30000, buf, 20000);
    CHECK_U64(e.code, ERR_READ);
    CHECK_U64(e.where, 50000 - 10240 - 1024);
    CHECK_OK(disk_cache_attach(&inner, &a, 16));
    for (int i = 0; i < 2; i++) { /* a failed block is not kept */
        e = disk_read(&inner, 30000, buf, 20000);
        CHECK_U64(e.code, ERR_READ);
        CHECK_U64(e.where, 50000 - 10240 - 1024);
    }
    m.fail_off_bytes = UINT64_MAX;
    CHECK_OK(disk_read(&inner, 30000, buf, 20000));
    CHECK(memcmp(buf, data + 10240 + 1024 + 30000, 20000) == 0);
    e = request(&inner, DISK_READ, 100 * 1024, buf, 512);
    CHECK_U64(e.code, ERR_OUTSIDE_PART);
    CHECK_U64(e.where, 100 * 1024);
    arena_reset(&a);
    free(data);
}

static void windows_are_checked(void)
{
    uint8_t *data = pattern();
    struct mem_disk m;
    struct disk w;
    char name[2 * DISK_NAME_MAX];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    mem_disk_init(&m, data, SIZE, 512);
    CHECK_ERR(disk_window(&w, &m.disk, SIZE - 512, 1024, "w"), ERR_OUTSIDE_PART);
    CHECK_ERR(disk_window(&w, &m.disk, 512, UINT64_MAX, "w"), ERR_OUTSIDE_PART);
    CHECK_ERR(disk_window(&w, &m.disk, 100, 1024, "w"), ERR_BAD_ARGUMENT);
    CHECK_OK(disk_window(&w, &m.disk, 512, 1000, name));
    CHECK_U64(w.size_bytes, 512);
    CHECK_U64(strlen(w.name), DISK_NAME_MAX - 1);
    free(data);
}

int main(void)
{
    RUN(requests_are_checked);
    RUN(bytes_are_read);
    RUN(cache_saves_requests);
    RUN(writes_reach_the_cache);
    RUN(errors_name_the_place);
    RUN(windows_are_checked);
    return test_done();
}
