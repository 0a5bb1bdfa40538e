/* SPDX-License-Identifier: MIT */
/*
 * Names of virtual devices, against xen-vbd-interface(7) and Linux's list of device numbers. The
 * source is compiled into this program: it belongs to the guest, but needs nothing of Xen.
 */
#include "tests/unit/test.h"

/* NOLINTNEXTLINE(bugprone-suspicious-include): not in core/, so nobody else compiles it here */
#include "guest/xen/vdev.c"

static const char *name_of(uint64_t vdev)
{
    static char buf[64];
    struct text t = text_on(buf, sizeof(buf));

    vdev_name(vdev, &t);
    return buf;
}

static uint64_t dev(unsigned major, unsigned minor)
{
    return (uint64_t)major << 8 | minor;
}

static uint64_t extended(uint64_t disk, uint64_t partition)
{
    return (uint64_t)1 << 28 | disk << 8 | partition;
}

static void names_xen_disks(void)
{
    CHECK_STR(name_of(51712), "xvda");
    CHECK_STR(name_of(51713), "xvda1");
    CHECK_STR(name_of(51728), "xvdb");
    CHECK_STR(name_of(dev(202, 15 << 4)), "xvdp");
    CHECK_STR(name_of(dev(202, 255)), "xvdp15");
}

static void names_scsi_disks(void)
{
    CHECK_STR(name_of(2048), "sda");
    CHECK_STR(name_of(2064), "sdb");
    CHECK_STR(name_of(dev(8, 255)), "sdp15");
    CHECK_STR(name_of(dev(65, 0)), "sdq");
    CHECK_STR(name_of(dev(65, 9 << 4)), "sdz");
    CHECK_STR(name_of(dev(65, 10 << 4)), "sdaa");
    CHECK_STR(name_of(dev(71, 0)), "sddi");
    CHECK_STR(name_of(dev(128, 0)), "sddy");
    CHECK_STR(name_of(dev(135, 15 << 4 | 3)), "sdiv3");
}

static void names_ide_disks(void)
{
    CHECK_STR(name_of(768), "hda");
    CHECK_STR(name_of(dev(3, 1)), "hda1");
    CHECK_STR(name_of(dev(3, 64)), "hdb");
    CHECK_STR(name_of(dev(3, 127)), "hdb63");
    CHECK_STR(name_of(dev(22, 0)), "hdc");
    CHECK_STR(name_of(dev(22, 64 | 5)), "hdd5");
    CHECK_STR(name_of(dev(91, 64)), "hdt");
}

static void names_extended_numbers(void)
{
    CHECK_STR(name_of(extended(0, 0)), "xvda");
    CHECK_STR(name_of(extended(16, 0)), "xvdq");
    CHECK_STR(name_of(extended(16, 255)), "xvdq255");
    CHECK_STR(name_of(extended(25, 1)), "xvdz1");
    CHECK_STR(name_of(extended(26, 0)), "xvdaa");
    CHECK_STR(name_of(extended(701, 0)), "xvdzz");
    CHECK_STR(name_of(extended(702, 0)), "xvdaaa");
    CHECK_STR(name_of(extended(0xfffff, 255)), "xvdbgqcv255");
}

static void gives_other_numbers_as_they_are(void)
{
    CHECK_STR(name_of(0), "vbd 0");
    CHECK_STR(name_of(dev(3, 128)), "vbd 896"); /* IDE: two disks a major */
    CHECK_STR(name_of(dev(9, 0)), "vbd 2304");
    CHECK_STR(name_of(dev(72, 0)), "vbd 18432"); /* between SCSI's majors */
    CHECK_STR(name_of(dev(202, 0) | (uint64_t)1 << 16), "vbd 117248");
    CHECK_STR(name_of((uint64_t)1 << 29), "vbd 536870912");
    CHECK_STR(name_of((uint64_t)1 << 32 | extended(0, 0)), "vbd 4563402752");
    CHECK_STR(name_of(UINT64_MAX), "vbd 18446744073709551615");
}

static void appends_and_is_cut(void)
{
    char buf[8];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "on ");
    vdev_name(51712, &t);
    CHECK_STR(buf, "on xvda");
    CHECK(!t.cut);
    vdev_name(51728, &t);
    CHECK_STR(buf, "on xvda");
    CHECK(t.cut);
}

int main(void)
{
    RUN(names_xen_disks);
    RUN(names_scsi_disks);
    RUN(names_ide_disks);
    RUN(names_extended_numbers);
    RUN(gives_other_numbers_as_they_are);
    RUN(appends_and_is_cut);
    return test_done();
}
