#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pvboot inspect` says about kernels, configurations and initrds that do
not get on with Xen: tests/host/compat.py build/pvboot"""

import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from box import check, check_said, cpio, kernel, pvboot_argument, run_boxes  # noqa: E402

PVBOOT = pvboot_argument(__doc__)
RELEASE = "6.1.0-56-amd64"
BANNER = b"Linux version %s (%s)\0Linux version " + RELEASE.encode() + b" (debian)\0"
SETS = b"\x40\x80\xe7\x6f\x0f\x22\xe7\xc3"
CLEARS = b"\x48\x81\xe7\x6f\xff\xfb\xff\x0f\x22\xe7\xc3"


def inspect(box, menu, name="disk.img", options=(), **files):
    all_files = {"boot/grub/menu.lst": "timeout 0\n" + menu}
    all_files.update({"boot/" + n.replace("_", "-"): c for n, c in files.items()})
    r = subprocess.run([PVBOOT, "inspect", "--json", *options, str(box.image(all_files, name))],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(r.stderr, b"")
    return r.returncode, json.loads(r.stdout)


def config(**values):
    text = "#\n# Linux/x86 %s Kernel Configuration\n#\nCONFIG_64BIT=y\nCONFIG_HVC_XEN=y\n" % RELEASE
    for option, value in values.items():
        text += "CONFIG_%s=%s\n" % (option, value) if value != "n" else \
            "# CONFIG_%s is not set\n" % option
    return text


def said(report, severity=None):
    return [p["text"] for p in report["problems"] if severity in (None, p["severity"])]


ENTRY = "title x\nkernel /boot/k root=/dev/xvda\n"


def tells_what_the_kernel_is(box):
    files = {"k": kernel(content=BANNER, features="!writable_page_tables|pae_pgdir_above_4gb|"
                                                  "!auto_translated_physmap"),
             "config_" + RELEASE: config(XEN_PV="y", XEN_BLKDEV_FRONTEND="y")}
    _, r = inspect(box, ENTRY, **files)
    c = r["entries"][0]["kernel"]["compatibility"]
    check((c["release"], c["guests"], c["pv_ops"]), (RELEASE, ["PV64"], True))
    check(r["entries"][0]["kernel"]["xen"]["features_required"],
          ["writable_page_tables", "auto_translated_physmap"])
    check((c["config"], c["CONFIG_XEN_PV"], c["CONFIG_XEN_BLKDEV_FRONTEND"], c["CONFIG_HVC_XEN"]),
          ("(hd0)/boot/config-" + RELEASE, "y", "y", "y"))
    # Another kernel's configuration, and something else of that name.
    for name, text in (("config_6.1.0", config()), ("config_" + RELEASE, "hello\n"),
                       ("config_" + RELEASE, b"\0" * 5000)):
        _, r = inspect(box, ENTRY, "other.img", k=kernel(content=BANNER), **{name: text})
        c = r["entries"][0]["kernel"]["compatibility"]
        check((c["release"], c["config"], c["CONFIG_XEN_PV"]), (RELEASE, None, None))
    _, r = inspect(box, ENTRY, "unikernel.img", k=kernel(features=""))
    c = r["entries"][0]["kernel"]["compatibility"]
    check((c["release"], c["pv_ops"]), (None, False))
    check(said(r), [t for t in said(r) if "root=" in t])


def a_classic_kernel_says_which_xen_it_wants(box):
    old = "2.6.18-398.el5xen"
    text = config(XEN="y", XEN_BLKDEV_FRONTEND="y", XEN_COMPAT="0x030002").replace("HVC_XEN", "XEN_CONSOLE")
    status, r = inspect(box, ENTRY + "initrd /boot/i\n", i=cpio("init"),
                        k=kernel(content=b"Linux version " + old.encode() + b" (x)\0",
                                 features="writable_page_tables"), **{"config_" + old: text})
    c = r["entries"][0]["kernel"]["compatibility"]
    check((status, r["problems"], c["pv_ops"]), (0, [], False))
    check([c[k] for k in ("CONFIG_XEN_PV", "CONFIG_XEN_COMPAT", "CONFIG_HVC_XEN")],
          ["y", "0x30002", "y"])


def its_own_configuration_counts_first(box):
    own = BANNER + b"IKCFG_ST" + gzip.compress(config(XEN_BLKDEV_FRONTEND="y").encode()) + b"IKCFG_ED"
    _, r = inspect(box, ENTRY, k=kernel(content=own),
                   **{"config_" + RELEASE: config(XEN_BLKDEV_FRONTEND="n")})
    c = r["entries"][0]["kernel"]["compatibility"]
    check((c["config"], c["CONFIG_XEN_BLKDEV_FRONTEND"]), ("itself", "y"))


def the_xsave_hazard_is_told(box):
    for release, code, features, want in (
            ("2.6.32-5-amd64", SETS, "!writable_page_tables", "its code sets CR4.OSXSAVE"),
            ("2.6.35.14-106.fc14", SETS, "!writable_page_tables", "its code sets CR4.OSXSAVE"),
            ("2.6.33", b"", "!writable_page_tables", "its code was not recognised"),
            ("2.6.32-5-amd64", CLEARS, "!writable_page_tables", None),
            ("2.6.31-amd64", SETS, "!writable_page_tables", None),
            ("2.6.36", SETS, "!writable_page_tables", None),
            ("6.1.0", SETS, "!writable_page_tables", None),
            ("2.6.32.12-0.7-xen", SETS, "writable_page_tables", None)):
        body = b"Linux version " + release.encode() + b" (x)\0" + code
        status, r = inspect(box, ENTRY + "initrd /boot/i\n", "x.img", i=cpio("init"),
                            k=kernel(content=body, features=features))
        hits = [t for t in said(r, "doubt") if "OSXSAVE" in t]
        check((release, status, len(hits)), (release, 0, 1 if want else 0))
        if want:
            check_said(hits, want)
            check_said(hits, "cr4 &= ~X86_CR4_OSXSAVE")
            check_said(hits, "pv-ops kernel " + release)


def disk_drivers_are_looked_for(box):
    two = cpio("kernel/x86/microcode") + b"\0" * 512 + gzip.compress(
        cpio("init") + b"\0" * 100 + cpio("usr/lib/modules/x/xen-blkfront.ko.xz"))
    plain = gzip.compress(cpio("init", "lib/modules/x/ext4.ko"))
    initrds = {
        "with": cpio("lib/modules/x/kernel/drivers/block/xen-blkfront.ko"), "two": two,
        "classic": lzma.compress(cpio("xenblk.ko"), check=lzma.CHECK_CRC32),
        "nested": gzip.compress(cpio("init", "squash-root.img")), "words": "words\n",
        "plain": plain, "twice": cpio("init") + plain}
    for value, initrd, root, want in (
            ("y", None, "/dev/xvda", None), ("n", None, "/dev/xvda", "is not set in"),
            ("n", "with", "/dev/xvda1", "is not set in"), ("n", "with", "UUID=x", "is not set in"),
            ("m", None, "/dev/sda1", "there is no initrd"), ("m", "plain", "/dev/xvda", "has none"),
            ("m", "twice", "LABEL=x", "has none"), ("m", "with", "/dev/xvda", None),
            ("m", "two", "/dev/xvda", None), ("m", "classic", "/dev/xvda", None),
            ("m", "nested", "/dev/xvda", None), ("m", "words", "/dev/xvda", None)):
        entry = "title x\nkernel /boot/k root=%s\n" % root
        entry += "initrd /boot/%s\n" % initrd if initrd else ""
        status, r = inspect(box, "fallback 1\n" + entry + "title good\nkernel /boot/k2 root=/dev/xvda\n",
                            "x.img", k=kernel(content=BANNER), k2=kernel(),
                            **{"config_" + RELEASE: config(XEN_BLKDEV_FRONTEND=value)}, **initrds)
        stops = said(r, "stops")
        # pvboot starts it, so nothing falls back to the good one.
        check((value, initrd, status, r["boots"], len(stops)),
              (value, initrd, 1 if want else 0, not want, 1 if want else 0))
        check((r["entries"][0]["boots"], r["entries"][1]["boots"]), (not want, True))
        if want:
            check_said(stops, want)
            check_said(stops, "(hd0)/boot/config-" + RELEASE)
        if initrd and value != "n":
            check((initrd, r["entries"][0]["initrds"][0]["xen_block_driver"]),
                  (initrd, {"with": True, "two": True, "classic": True, "words": None}.get(
                      initrd, False)))
    # Without a root on a disk it may not want any.
    status, r = inspect(box, "title x\nkernel /boot/k root=/dev/nfs\n", "n.img",
                        k=kernel(content=BANNER),
                        **{"config_" + RELEASE: config(XEN_BLKDEV_FRONTEND="n")})
    check((status, r["boots"]), (0, True))
    check_said(said(r, "doubt"), "has no driver for Xen's disks")


def an_initrd_has_an_end(box):
    # 9 GiB of zeros in 300 kB: a zstd frame of blocks that repeat one byte.
    blocks = b"\x02\x00\x10\x00" * (9 * 8192 - 1) + b"\x03\x00\x10\x00"
    files = {"zeros": b"\x28\xb5\x2f\xfd\x00\x38" + blocks, "row": cpio() * 2000}
    for name, want in (("zeros", "it unpacks to 8 GiB or more"), ("row", "it is a row of more than 1024")):
        _, r = inspect(box, "title x\nkernel /boot/k root=/dev/xvda\ninitrd /boot/%s\n" % name,
                       k=kernel(), **files)
        check_said(said(r, "doubt"), "(hd0)/boot/%s: %s" % (name, want))
        got = r["entries"][0]["initrds"][0]
        check((got["xen_block_driver"], len(got["content"]) < 200), (None, True))


def other_options_are_told(box):
    off = {"config_" + RELEASE: config(XEN_PV="n", XEN_BLKDEV_FRONTEND="y").replace("HVC_XEN", "X")}
    status, r = inspect(box, ENTRY, k=kernel(content=BANNER), **off)
    check(status, 0)
    check_said(said(r, "doubt"), "no driver for Xen's console")
    status, r = inspect(box, ENTRY, "n.img", k=kernel(content=BANNER, notes=False), **off)
    check(status, 1)
    check_said(said(r, "doubt"), "CONFIG_XEN_PV is not set in (hd0)/boot/config-")
    check_said(said(r, "stops"), "no Xen notes")


def both_widths_are_judged(box):
    for options, k, boots, guests in (((), 32, False, "PV32"), (("--arch", "i386"), 32, True, "PV32"),
                                      ((), 64, True, "PV64"), (("--arch=i386",), 64, False, "PV64")):
        status, r = inspect(box, ENTRY, options=options, k=kernel(k))
        got = r["entries"][0]["kernel"]
        check((options, status, got["bits"], got["usable"], got["compatibility"]["guests"]),
              (options, 0 if boots else 1, k, boots, [guests]))
        check((options, r["arch"]), (options, "i386" if options else "x86_64"))
        if not boots:
            check_said([got["error"]], "a %d-bit kernel" % k)

run_boxes(globals())
