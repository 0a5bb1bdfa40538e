/* SPDX-License-Identifier: MIT */
/* core/fs/blocklist: GRUB's "100+16,200+8". */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/blocklist.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define SIZE ((size_t)128 * 512)

static struct {
    uint8_t *data;
    struct mem_disk m;
    struct arena arena;
} b;

static void open_bench(uint32_t sector_bytes)
{
    b.data = aligned_alloc(4096, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        b.data[i] = (uint8_t)(i / 512 + i % 251);
    mem_disk_init(&b.m, b.data, SIZE, sector_bytes);
    arena_init(&b.arena, &test_memory);
}

static void close_bench(void)
{
    arena_reset(&b.arena);
    free(b.data);
}

static void reads_pieces_in_order(void)
{
    for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
        uint8_t *buf = aligned_alloc(4096, SIZE);
        struct file f;

        open_bench(sector);
        CHECK_OK(blocklist_open(&f, &b.m.disk, "100+3,5+1,+2", &b.arena));
        CHECK_U64(f.node.size_bytes, 6 * 512);
        CHECK_OK(file_read(&f, 0, buf, 6 * 512));
        CHECK(memcmp(buf, b.data + 51200, 1536) == 0);
        CHECK(memcmp(buf + 1536, b.data + 2560, 512) == 0);
        CHECK(memcmp(buf + 2048, b.data, 1024) == 0);
        CHECK_OK(blocklist_open(&f, &b.m.disk, "0+128", &b.arena));
        CHECK_OK(file_read(&f, 0, buf, SIZE));
        CHECK(memcmp(buf, b.data, SIZE) == 0);
        CHECK_ERR(file_read(&f, 1, buf, SIZE), ERR_FILELENGTH);
        close_bench();
        free(buf);
    }
}

static void refuses_what_is_none(void)
{
    static const char *const bad[] = {
        "",     "1",     "+",       "1+",   "1+0",   "a+1",   "1+1,",
        "1+1 ", "1+1,,", "/boot/x", "-1+1", "1++1,", "1+1/x", "99999999999999999999+1",
        "1+1+1"};
    char many[3000] = "1+1";
    struct file f;

    open_bench(512);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(blocklist_open(&f, &b.m.disk, bad[i], &b.arena), ERR_BAD_FILENAME);
    CHECK_ERR(blocklist_open(&f, &b.m.disk, "128+1", &b.arena), ERR_OUTSIDE_PART);
    CHECK_ERR(blocklist_open(&f, &b.m.disk, "1+128", &b.arena), ERR_OUTSIDE_PART);
    CHECK_ERR(blocklist_open(&f, &b.m.disk, "36028797018963967+2", &b.arena), ERR_OUTSIDE_PART);
    for (size_t i = 0; i < BLOCKLIST_PIECES_MAX; i++)
        strcat(many, ",1+1");
    CHECK_ERR(blocklist_open(&f, &b.m.disk, many, &b.arena), ERR_LIMIT);
    CHECK(blocklist_is("+1") && blocklist_is("0+1") && !blocklist_is("/0+1") && !blocklist_is(""));
    close_bench();
}

int main(void)
{
    RUN(reads_pieces_in_order);
    RUN(refuses_what_is_none);
    return test_done();
}
