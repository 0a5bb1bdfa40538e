/* SPDX-License-Identifier: MIT */
/* core/disk/lvm: labels, the ring of text, and the text's syntax. */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/disk/lvm.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"
#include "tests/unit/volgen.h"

#define DISK_BYTES ((size_t)1 << 20)

static const char id[] = "AAAAAAaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void labels_are_read(void)
{
    uint8_t *disk = calloc(1, DISK_BYTES), *copy = calloc(1, DISK_BYTES);
    struct lvm_label label;

    CHECK_ERR(lvm_label_read(disk, &label), ERR_NOT_MINE);
    gen_pv(disk, id, NULL, 0);
    CHECK_OK(lvm_label_read(disk, &label));
    CHECK(memcmp(label.id, id, 32) == 0);
    CHECK_U64(label.nr_areas, 1);
    CHECK_U64(label.areas[0].off_bytes, GEN_AREA_OFF);
    CHECK_U64(label.areas[0].len_bytes, GEN_AREA_BYTES);
    for (size_t sector = 0; sector < 5; sector++) {
        memset(copy, 0, DISK_BYTES);
        memcpy(copy + sector * 512, disk + 512, 512);
        gen_le64(copy + sector * 512 + 8, sector);
        gen_label_sum(copy, sector);
        CHECK_ERR(lvm_label_read(copy, &label), sector < 4 ? ERR_NONE : ERR_NOT_MINE);
    }
    for (size_t i = 20; i < 512; i += 5) {
        disk[512 + i] ^= 1;
        CHECK(failed(lvm_label_read(disk, &label)));
        disk[512 + i] ^= 1;
    }
    gen_le64(disk + 512 + 8, 2); /* a copy of another sector's */
    CHECK_ERR(lvm_label_read(disk, &label), ERR_NOT_MINE);
    gen_le64(disk + 512 + 8, 1);
    static const uint32_t headers[] = {0, 31, 473, 512, 600, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        gen_le32(disk + 512 + 20, headers[i]);
        gen_label_sum(disk, 1);
        CHECK_ERR(lvm_label_read(disk, &label), ERR_FS_DAMAGED);
    }
    gen_le32(disk + 512 + 20, 32);
    memset(disk + 512 + 72, 1, 440); /* a list without an end */
    gen_label_sum(disk, 1);
    CHECK_ERR(lvm_label_read(disk, &label), ERR_FS_DAMAGED);
    memset(disk + 512 + 88, 0, 16);
    gen_label_sum(disk, 1);
    CHECK_ERR(lvm_label_read(disk, &label), ERR_LIMIT);
    free(disk);
    free(copy);
}

static void the_ring_of_text_is_read(void)
{
    static const size_t places[] = {512, 1000, GEN_AREA_BYTES - 1, GEN_AREA_BYTES - 5,
                                    GEN_AREA_BYTES - 13};
    struct lvm_range area = {GEN_AREA_OFF, GEN_AREA_BYTES};
    struct lvm_text text;
    uint8_t *data = aligned_alloc(4096, DISK_BYTES);
    struct mem_disk disk;
    struct arena arena;

    memset(data, 0, DISK_BYTES);
    mem_disk_init(&disk, data, DISK_BYTES, 512);
    arena_init(&arena, &test_memory);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        gen_pv(data, id, "vg { a = 1 }", places[i]);
        CHECK_OK(lvm_area_read(&disk.disk, area, &arena, &text));
        CHECK_U64(text.len_bytes, 13);
        CHECK_STR(text.bytes, "vg { a = 1 }");
    }
    uint8_t *header = data + GEN_AREA_OFF;
    static const struct {
        size_t at;
        uint64_t value;
        enum err_code code;
    } bad[] = {
        {40, 511, ERR_FS_DAMAGED},        {40, GEN_AREA_BYTES, ERR_FS_DAMAGED},
        {48, 0, ERR_FS_DAMAGED},          {48, GEN_AREA_BYTES - 511, ERR_FS_DAMAGED},
        {48, UINT64_MAX, ERR_LIMIT},      {48, 12, ERR_FS_DAMAGED}, /* the checksum of the text */
        {24, 512, ERR_FS_DAMAGED},        {40, 0, ERR_NONE},
        {56, (uint64_t)1 << 32, ERR_NONE}}; /* "ignored": no text */

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        gen_pv(data, id, "vg { a = 1 }", 600);
        gen_le64(header + bad[i].at, bad[i].value);
        CHECK_ERR(lvm_area_read(&disk.disk, area, &arena, &text), ERR_FS_DAMAGED);
        gen_area_sum(data);
        CHECK_ERR(lvm_area_read(&disk.disk, area, &arena, &text), bad[i].code);
    }
    area.len_bytes = DISK_BYTES;
    CHECK_ERR(lvm_area_read(&disk.disk, area, &arena, &text), ERR_FS_DAMAGED);
    area.len_bytes = 512;
    CHECK_ERR(lvm_area_read(&disk.disk, area, &arena, &text), ERR_FS_DAMAGED);
    arena_reset(&arena);
    free(data);
}

static struct err parse(const char *text, struct arena *a, struct lvm_node **root)
{
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1); /* the sanitizer sees a read past it */
    struct err e;

    for (size_t i = 0; i < len; i++)
        exact[i] = text[i];
    e = lvm_text_parse(exact, len, a, root);
    free(exact);
    return e;
}

static void the_text_is_parsed(void)
{
    static const char *const broken[] = {"a",           "a =",      "a = ]",     "a = [",
                                         "a = [1",      "a = [1,",  "a = [1 2]", "a = \"",
                                         "a = \"x\\",   "a {",      "}",         "a { } }",
                                         "= 1",         "a = 1 =",  "{ }",       "a { b { } ",
                                         "a = \"x\\\"", "a = [\"]", "a { b = }", "@"};
    struct lvm_node *root;
    struct arena a;

    arena_init(&a, &test_memory);
    CHECK_OK(lvm_text_parse("v{x=1 y=\"a\\\"b\"#c}\nz=[1,\"q\" , -5,]w{}}u=[]", 44, &a, &root));
    const struct lvm_node *v = lvm_child(root, "v");

    CHECK_U64(lvm_child(v, "x")->number, 1);
    CHECK(lvm_is(lvm_child(v, "y"), "a\\\"b"));
    CHECK_U64(lvm_child(v, "z")->child->number, 1);
    CHECK(lvm_is(lvm_child(v, "z")->child->next, "q"));
    CHECK(lvm_is(lvm_child(v, "z")->child->next->next, "-5"));
    CHECK(lvm_child(v, "z")->child->next->next->next == NULL);
    CHECK(lvm_child(v, "w")->kind == LVM_SECTION);
    CHECK(lvm_child(root, "u")->child == NULL);
    CHECK(lvm_child(root, "x") == NULL);
    CHECK_OK(lvm_text_parse("a = 1\n\0 }}", 10, &a, &root)); /* ends with its NUL */
    CHECK_OK(parse("", &a, &root));
    CHECK_OK(parse("# only", &a, &root));
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        CHECK_ERR(parse(broken[i], &a, &root), ERR_FS_DAMAGED);
    CHECK_OK(parse("a{a{a{a{a{a{a{a{}}}}}}}}", &a, &root));
    CHECK_ERR(parse("a{a{a{a{a{a{a{a{a{}}}}}}}}}", &a, &root), ERR_LIMIT);
    arena_reset(&a);
}
int main(void)
{
    RUN(labels_are_read);
    RUN(the_ring_of_text_is_read);
    RUN(the_text_is_parsed);
    return test_done();
}
