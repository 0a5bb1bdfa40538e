/* SPDX-License-Identifier: MIT */
/* What a kernel's bytes tell: its release, how it sets CR4, its configuration. */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "host/compat.h"
#include "tests/unit/packed.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define TEXT(s) (const uint8_t *)(s), sizeof(s) - 1

static void finds_the_release(void)
{
    char release[COMPAT_RELEASE_MAX];

    CHECK(compat_release(TEXT("xx Linux version %s (%s)\0Linux version 2.6.32-5-xen-amd64 (D)"),
                         release));
    CHECK_STR(release, "2.6.32-5-xen-amd64");
    CHECK(compat_release(TEXT("Linux version 6.1"), release));
    CHECK_STR(release, "6.1");
    CHECK(!compat_release(TEXT("Linux version "), release));
    CHECK(!compat_release(TEXT("MirageOS"), release));
    CHECK_STR(release, "");
}

static void orders_versions(void)
{
    CHECK_U64(compat_version("2.6.32-5-xen-amd64"), COMPAT_VERSION(2, 6, 32));
    CHECK_U64(compat_version("2.6.35.14-106.fc14"), COMPAT_VERSION(2, 6, 35));
    CHECK_U64(compat_version("3.0-rc1"), COMPAT_VERSION(3, 0, 0));
    CHECK_U64(compat_version("6.1"), COMPAT_VERSION(6, 1, 0));
    CHECK_U64(compat_version("5.4.302"), COMPAT_VERSION(5, 4, 255));
    CHECK_U64(compat_version("99999999999999999999.1.1"), COMPAT_VERSION(255, 1, 1));
    CHECK_U64(compat_version("6"), 0);
    CHECK_U64(compat_version(""), 0);
    CHECK_U64(compat_version("next"), 0);
}

static enum compat_cr4 cr4(const char *code, size_t len)
{
    uint8_t kernel[64];

    /* At its end, so that reading on would be noticed, and with much else around it. */
    memset(kernel, 0x90, sizeof(kernel));
    memcpy(kernel + sizeof(kernel) - len, code, len);
    uint8_t *exact = malloc(sizeof(kernel));

    memcpy(exact, kernel, sizeof(kernel));
    enum compat_cr4 got = compat_cr4(exact, sizeof(kernel));

    free(exact);
    return got;
}

#define CODE(s) cr4(s, sizeof(s) - 1)

/* As gcc compiles it with and without the patch, for both widths. */
static void sees_how_cr4_is_set(void)
{
    CHECK_U64(CODE("\x48\x81\xe7\x6f\xff\xff\xff\x0f\x22\xe7\xc3"), CR4_SETS_OSXSAVE);
    CHECK_U64(CODE("\x40\x80\xe7\x6f\x0f\x22\xe7"), CR4_SETS_OSXSAVE);
    CHECK_U64(CODE("\x24\x6f\x0f\x22\xe0\xc3"), CR4_SETS_OSXSAVE);
    CHECK_U64(CODE("\x25\x6f\xff\xff\xff\x0f\x22\xe0"), CR4_SETS_OSXSAVE);
    CHECK_U64(CODE("\x81\xe1\x6f\xff\xff\xff\x0f\x22\xe1"), CR4_SETS_OSXSAVE);
    CHECK_U64(CODE("\x48\x81\xe7\x6f\xff\xfb\xff\x0f\x22\xe7\xc3"), CR4_CLEARS_OSXSAVE);
    CHECK_U64(CODE("\x25\x6f\xff\xfb\xff\x0f\x22\xe0"), CR4_CLEARS_OSXSAVE);
    CHECK_U64(CODE("\x48\x25\x6f\xff\xfb\xff\x0f\x22\xe0"), CR4_CLEARS_OSXSAVE);
    /* Another register, another mask, another control register, nothing. */
    CHECK_U64(CODE("\x48\x81\xe7\x6f\xff\xff\xff\x0f\x22\xe0"), CR4_NOT_SEEN);
    CHECK_U64(CODE("\x48\x81\xe7\x7f\xff\xff\xff\x0f\x22\xe7"), CR4_NOT_SEEN);
    CHECK_U64(CODE("\x48\x81\xe7\x6f\xff\xff\xff\x0f\x22\xdf"), CR4_NOT_SEEN);
    CHECK_U64(CODE("\x0f\x22\xe0"), CR4_NOT_SEEN);
    CHECK_U64(CODE("\x0f\x22"), CR4_NOT_SEEN);
    CHECK_U64(compat_cr4((const uint8_t *)"", 0), CR4_NOT_SEEN);
}

static const char config[] = "#\n# Linux/x86 6.1 Kernel Configuration\n#\nCONFIG_XEN=y\n"
                             "# CONFIG_XEN_PV is not set\nCONFIG_XEN_BLKDEV_FRONTEND=m\n"
                             "CONFIG_XEN_PVHVM_SMP=y\nCONFIG_LOCALVERSION=\"CONFIG_X=m\"\n"
                             "CONFIG_XEN_COMPAT=0x030002\nCONFIG_BIG=0x123456789\n"
                             "CONFIG_LAST=y";

static enum compat_value value(const char *option)
{
    return compat_config(config, sizeof(config) - 1, option);
}

static void reads_a_configuration(void)
{
    CHECK(compat_is_config(config, sizeof(config) - 1));
    CHECK(!compat_is_config(config, sizeof(config))); /* with its zero byte */
    CHECK(!compat_is_config("hello\n", 6));
    CHECK_U64(value("CONFIG_XEN"), CONFIG_YES);
    CHECK_U64(value("CONFIG_XEN_PV"), CONFIG_NO);
    CHECK_U64(value("CONFIG_XEN_BLKDEV_FRONTEND"), CONFIG_MODULE);
    CHECK_U64(value("CONFIG_XEN_PVHVM"), CONFIG_NO);
    CHECK_U64(value("CONFIG_X"), CONFIG_NO);
    CHECK_U64(value("CONFIG_LAST"), CONFIG_YES);
    CHECK_U64(value("CONFIG_LOCALVERSION"), CONFIG_YES);
    CHECK_U64(compat_config_number(config, sizeof(config) - 1, "CONFIG_XEN_COMPAT"), 0x030002);
    CHECK_U64(compat_config_number(config, sizeof(config) - 1, "CONFIG_BIG"), 0);
    CHECK_U64(compat_config_number(config, sizeof(config) - 1, "CONFIG_XEN"), 0);
    CHECK_U64(compat_config_number(config, sizeof(config) - 1, "CONFIG_NONE"), 0);
    CHECK_U64(compat_config("", 0, "CONFIG_XEN"), CONFIG_NO);
    CHECK_U64(compat_config("CONFIG_XEN", 10, "CONFIG_XEN"), CONFIG_NO);
    CHECK_U64(compat_config("CONFIG_XEN=", 11, "CONFIG_XEN"), CONFIG_NO);
}

static void finds_the_configuration_in_a_kernel(void)
{
    static const uint8_t start[8] = "IKCFG_ST", end[8] = "IKCFG_ED";
    struct bytes text = {.data = (uint8_t *)(uintptr_t)config, .len = sizeof(config) - 1};

    struct bytes packed = through_command("gzip -9nc", text);
    size_t len = 100 + 8 + packed.len + 8, got = 0;
    uint8_t *kernel = calloc(1, len);
    struct arena a;

    memcpy(kernel + 100, start, sizeof(start));
    memcpy(kernel + 108, packed.data, packed.len);
    memcpy(kernel + len - sizeof(end), end, sizeof(end));
    arena_init(&a, &test_memory);
    const char *found = compat_built_in_config(kernel, len, &a, &got);

    CHECK(found != NULL && got == text.len && memcmp(found, text.data, got) == 0);
    /* Damaged, cut, and none. */
    kernel[108 + packed.len / 2] ^= 0x55;
    CHECK(compat_built_in_config(kernel, len, &a, &got) == NULL);
    CHECK(compat_built_in_config(kernel, 108 + packed.len / 2, &a, &got) == NULL);
    CHECK(compat_built_in_config(kernel, 108, &a, &got) == NULL);
    CHECK(compat_built_in_config(kernel, 100, &a, &got) == NULL);
    arena_reset(&a);
    free(kernel);
    bytes_free(&packed);
}

int main(void)
{
    RUN(finds_the_release);
    RUN(orders_versions);
    RUN(sees_how_cr4_is_set);
    RUN(reads_a_configuration);
    RUN(finds_the_configuration_in_a_kernel);
    return test_done();
}
