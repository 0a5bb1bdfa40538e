#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pvboot inspect` says about disks that are made here.

    tests/host/inspect.py build/pvboot

File systems by mke2fs -d, initrds by cpio and the format's own tool, kernels as
the smallest ELF files that Xen's notes allow. Needs no root and no download.
"""

import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from box import (MIB, bzimage, check, check_said, cpio, kernel,  # noqa: E402
                 pvboot_argument, run_boxes, with_sections)

PVBOOT = pvboot_argument(__doc__)
MENU = "timeout 0\nfallback 1\n"


def inspect(*args):
    """(status, object, text on standard error)"""
    r = subprocess.run([PVBOOT, "inspect", "--json", *map(str, args)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    return r.returncode, json.loads(r.stdout) if r.stdout else None, r.stderr.decode()


def boot_files(menu, **more):
    files = {"boot/grub/menu.lst": menu, "boot/k": kernel(), "boot/k.gz": gzip.compress(kernel()),
             "boot/i": gzip.compress(cpio("init"))}
    files.update({"boot/" + name: content for name, content in more.items()})
    return files


def problems(report, severity=None):
    return [p["text"] for p in report["problems"] if severity in (None, p["severity"])]


def tells_everything_about_a_good_disk(box):
    image = box.image(boot_files("timeout 7\nhiddenmenu\ntitle One\nroot (hd0)\n"
                                 "kernel /boot/k.gz root=LABEL=root ro\ninitrd /boot/i\n"))
    status, r, err = inspect(image)
    check((status, err, r["boots"], r["entry"], r["problems"]), (0, "", True, 0, []))
    check(r["disks"][0]["partition_table"], "none")
    volume = r["disks"][0]["volumes"][0]
    check((volume["name"], volume["file_system"], volume["label"]), ("(hd0)", "ext4", "root"))
    check(len(volume["uuid"]), 36)
    check(r["menu"]["file"], "(hd0)/boot/grub/menu.lst")
    check((r["menu"]["timeout"], r["menu"]["hidden"]), (7, True))
    entry = r["entries"][0]
    check((entry["title"], entry["command_line"]), ("One", "root=LABEL=root ro"))
    k = entry["kernel"]
    check((k["file"], k["usable"], k["container"], k["compression"], k["bits"]),
          ("(hd0)/boot/k.gz", True, "ELF", "gzip", 64))
    check((k["load_address"], k["load_size"]), ("0x1000000", 4096))
    check((k["xen"]["guest_os"], k["xen"]["virt_base"], k["xen"]["entry"]),
          ("test", "0xffffffff80000000", "0xffffffff81000000"))
    i = entry["initrds"][0]
    check((i["content"], i["unpacked_size"]), ("gzip, cpio archive", len(cpio("init"))))
    check(r["built_in"], {
        "file_systems": ["ext2/3/4", "XFS", "ReiserFS"], "partition_tables": ["MBR", "GPT"],
        "volumes": ["LVM2", "md RAID1"],
        "compressions": ["gzip", "bzip2", "lzma", "xz", "lzop", "lz4", "zstd"]})


def people_read_the_same(box):
    image = box.image(boot_files(MENU + "title One\nkernel /boot/gone\ntitle Two\n"
                                 "kernel /boot/k root=/dev/xvda\ninitrd /boot/i\n"))
    r = subprocess.run([PVBOOT, "inspect", str(image)], stdout=subprocess.PIPE)
    lines = r.stdout.decode().splitlines()
    check(r.returncode, 0)
    check(lines[-1], "result    boots entry 1 (fallback), (hd0)/boot/k")
    check_said(lines, "  0 One: does not boot")
    check_said(lines, "> 1 Two: boots")
    check_said(lines, "! entry 0, line 4 of (hd0)/boot/grub/menu.lst: Error 15: File not found: "
                      "(hd0)/boot/gone (ext4); /boot holds: ")
    check_said(lines, "correct the name, or put the file back")
    check_said(lines, "reads ext2/3/4, XFS, ReiserFS; MBR, GPT; LVM2, md RAID1; gzip, ")


def names_what_keeps_an_entry_from_booting(box):
    cases = {
        "kernel /boot/cut root=/dev/sda": "Error 14",
        "kernel /boot/narrow": "32-bit kernel",
        "kernel /boot/plain": "no Xen notes",
        "kernel /boot/text": "not a kernel",
        "kernel /boot/dom0": "(hd0)/boot/dom0 (",
        "kernel /boot/empty": "the file is empty",
        "initrd /boot/i": "Error 19",
        "kernle /boot/k": "Error 27: Unrecognized command: kernle (line 3 of the menu)",
        "root (hd0,0)\nkernel /boot/k": "Error 22: No such partition",
        "root /dev/sda1\nkernel /boot/k": "its name here may be (hd0)",
        "kernel /boot/k\ninitrd /boot/gone": "/boot holds: ",
        "root (hd0)": "Error 8",
    }
    for lines, want in cases.items():
        image = box.image(boot_files(
            "timeout 0\ntitle x\n" + lines, cut=gzip.compress(kernel() + os.urandom(4000))[:-500],
            narrow=kernel(32), plain=kernel(notes=False), text="hello\n", empty="",
            dom0=kernel(features="!dom0")))
        status, r, _ = inspect(image)
        check((lines, status, r["boots"], r["entry"]), (lines, 1, False, None))
        check_said(problems(r, "stops"), want)


def a_fallback_is_followed_and_checked(box):
    image = box.image(boot_files("timeout 0\nfallback 9 0 1 2\ntitle a\nkernel /boot/gone\n"
                                 "title b\nkernel /boot/text\ntitle c\nkernel /boot/k root=/dev/a\n",
                                 text="#!/bin/sh\n"))
    status, r, _ = inspect(image)
    check((status, r["entry"]), (0, 2))
    check_said(problems(r, "doubt"), "fallback 9 points nowhere: the menu has entries 0 to 2")
    check_said(problems(r, "doubt"), "fallback 0 is the default entry itself")
    check([e["boots"] for e in r["entries"]], [False, False, True])


def a_good_entry_that_nothing_leads_to_does_not_count(box):
    image = box.image(boot_files("timeout 0\ntitle a\nkernel /boot/gone\ntitle b\n"
                                 "kernel /boot/k root=/dev/a\n"))
    status, r, _ = inspect(image)
    check((status, r["boots"], r["entries"][1]["boots"]), (1, False, True))


def commands_do_nothing_here(box):
    """What would end the machine or ask somebody is told, and nothing waits or is written."""
    image = box.image(boot_files("timeout 1\npassword x\ntitle off\npause\nsavedefault\nhalt\n"
                                 "title on\nmd5crypt\ndisplaymem\nreboot\n"
                                 "title other\nconfigfile /boot/x\n"
                                 "title locked\nlock\nkernel /boot/k\n"
                                 "title secret\npassword y\nkernel /boot/k\n", x="title x\n"))
    before = image.read_bytes()
    status, r, _ = inspect(image)
    check((status, r["boots"]), (1, False))
    check([e.get("does") for e in r["entries"]],
          ["powers the guest off", "starts the guest again",
           "goes on with the menu (hd0)/boot/x", None, None])
    check_said([e.get("error", "") for e in r["entries"]], "Error 32: Must be authenticated: the "
               "entry is locked")
    check_said([e.get("error", "") for e in r["entries"]], "a password is wanted, and nobody")
    check_said(problems(r, "doubt"), "entry 0, the default, boots nothing: it powers the guest off")
    check(image.read_bytes(), before)


def tells_how_a_kernel_introduces_itself(box):
    """A __xen_guest section, a symbol table, and a bzImage that was compressed once more."""
    guest = ("GUEST_OS=old,GUEST_VER=2,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,"
             "ELF_PADDR_OFFSET=0x0,FEATURES=writable_page_tables|dom0,LOADER=generic,BSD_SYMTAB=yes")
    old = with_sections(kernel(notes=False), guest, symbols=3)
    image = box.image(boot_files(
        "timeout 0\ntitle a\nkernel /boot/old root=/dev/a\ntitle b\nkernel /boot/twice root=/dev/a\n"
        "title c\nkernel /boot/ancient root=/dev/a\n", old=gzip.compress(old),
        twice=lzma.compress(bzimage(gzip.compress(kernel()))), ancient=bzimage(b"\x1f\x8b", 0x204)))
    status, r, _ = inspect(image)
    check((status, [e["boots"] for e in r["entries"]]), (0, [True, True, False]))
    first, second, third = (e["kernel"] for e in r["entries"])
    check([first["xen"][k] for k in ("interface", "guest_os", "paddr_offset", "features_supported",
                                     "features_required", "wants_symbols", "symbols_size")],
          ["__xen_guest", "old", "0x0", ["writable_page_tables", "dom0"], [], True, 264 + 72 + 8])
    check([second[k] for k in ("container", "compression", "packed_again_with", "boot_protocol")],
          ["bzImage", "gzip", "xz", "2.15"])
    check((second["xen"]["interface"], second["xen"]["features_required"],
           second["xen"]["symbols_size"]), ("notes", ["writable_page_tables"], 0))
    check_said([third["error"]], "a bzImage of boot protocol 0x204, too old")
    text = subprocess.run([PVBOOT, "inspect", str(image)], stdout=subprocess.PIPE).stdout.decode()
    for want in ("by a __xen_guest section", "344 B behind it, for its debugger",
                 "bzImage 2.15, 64-bit, gzip, all of it xz"):
        check_said([text], want)


def doubts_are_told(box):
    micro = cpio("kernel/x86/microcode") + b"\0" * 512
    packed = lzma.compress(cpio("init"), check=lzma.CHECK_CRC32)
    image = box.image(boot_files(
        "default 5\nsplashimage /x\ntimeuot 3\n"
        "title a\nkernel /boot/k console=hvc0 console=ttyS0 root=LABEL=other\n"
        "title b\nkernel /boot/k\n"
        "title c\nkernel /boot/k root=/dev/a\ninitrd /boot/micro /boot/torn /boot/words\n",
        micro=micro + packed, torn=packed[:-20], words="words\n"))
    status, r, _ = inspect(image)
    doubts = problems(r, "doubt")
    check((status, r["entry"], problems(r, "stops")), (0, 0, []))
    check_said(doubts, "menu: default 5, but the last entry is 2; entry 0 is the default")
    check_said(doubts, "menu line 3: `timeuot': unknown command")
    check_said(doubts, "menu line 2: `splashimage': no effect here")
    check_said(doubts, "no `timeout' line")
    check_said(doubts, "entry 0: root=LABEL=other is on none of these disks")
    check_said(doubts, "entry 0: root=LABEL=other needs an initrd")
    check_said(doubts, "entry 0: console=ttyS0 is the last one named")
    check_said(doubts, "entry 1: no `initrd' and no root=")
    check_said(doubts, "entry 2: (hd0)/boot/torn: Error 14")
    check_said(doubts, "entry 2: (hd0)/boot/words: it is neither a cpio archive nor compressed")
    check(r["entries"][2]["initrds"][0]["content"],
          "cpio archive of %d B, then xz, cpio archive" % len(cpio("kernel/x86/microcode")))
    check(len(doubts), 10)


def partitions_and_more_disks(box):
    fs = box.image(boot_files("timeout 0\ntitle x\nroot (hd1,0)\nkernel /boot/k root=/dev/a\n"),
                   "fs.img")
    part = box.partitioned(fs, "part.img")
    empty = box.path / "empty.img"
    empty.write_bytes(b"\0" * MIB)
    qcow2 = box.path / "part.qcow2"
    box.tool("qemu-img", "convert", "-O", "qcow2", part, qcow2)
    status, r, _ = inspect(empty, "--disk", qcow2)
    check((status, r["menu"]["file"], r["disks"][1]["format"]),
          (0, "(hd1,0)/boot/grub/menu.lst", "qcow2"))
    check(r["entries"][0]["kernel"]["file"], "(hd1,0)/boot/k")
    volumes = r["disks"][1]["volumes"]
    check([v["name"] for v in volumes], ["(hd1,0)", "(hd1,1)"])
    check((volumes[0]["offset"], volumes[0]["size"], volumes[0]["mbr_type"], volumes[0]["active"]),
          (MIB, 8 * MIB, 0x83, True))
    check(volumes[1]["file_system"], None)
    status, r, _ = inspect("--layout", "hd00", part)
    check((status, r["layout"], r["menu"]["file"]), (1, "hd00", "(hd0,0)/boot/grub/menu.lst"))
    check_said(problems(r), "Error 21: Selected disk does not exist: (hd1,0)")


def a_gpt_is_shown_with_its_names(box):
    guid = "9d0f3a41-6d2e-4c55-8b35-0f1e2d3c4b5a"
    menu = ("timeout 0\ntitle x\nroot (hd0,2)\nkernel /boot/k root=PARTUUID=%s\n"
            "title y\nroot (hd0,2)\nkernel /boot/k root=PARTUUID=%s\n"
            "title z\nroot (hd0,2)\nkernel /boot/k root=PARTLABEL=elsewhere\n"
            % (guid.upper(), guid.replace("9", "8")))
    fs = box.image(boot_files(menu), "fs.img")
    disk = box.path / "gpt.img"
    with open(disk, "wb") as f:
        f.truncate(16 * MIB)
    box.tool("sgdisk", "-n", "3:1M:+8M", "-c", "3:the root", "-u", "3:" + guid, "-t", "3:8304", disk)
    with open(disk, "r+b") as f:
        f.seek(MIB)
        f.write(fs.read_bytes())
    status, r, _ = inspect(disk)
    check((status, r["disks"][0]["partition_table"], r["log"]), (0, "gpt", []))
    volume = r["disks"][0]["volumes"][0]
    check([volume[k] for k in ("name", "offset", "size", "part_guid", "part_name", "type_guid")],
          ["(hd0,2)", MIB, 8 * MIB, guid, "the root", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"])
    doubts = " ".join(problems(r, "doubt"))
    check([("entry %d: root=PART" % n in doubts, "is on none of these" in doubts) for n in (0, 1, 2)],
          [(False, True), (True, True), (True, True)])
    text = subprocess.run([PVBOOT, "inspect", str(disk)], stdout=subprocess.PIPE).stdout.decode()
    check("(hd0,2) 8 MiB at 1 MiB, type Linux root (x86-64), name the root: ext4" in text, True)


def a_bad_partition_costs_only_itself(box):
    fs = box.image(boot_files("timeout 0\ntitle x\nroot (hd0,0)\nkernel /boot/k root=/dev/a\n"
                              "title y\nroot (hd0,1)\nkernel /boot/k\n"), "fs.img")
    part = box.partitioned(fs, "cut.img")
    os.truncate(part, 12 * MIB)
    reason = "partition 1 reaches past the end of the disk, which has %d bytes" % (12 * MIB)
    status, r, _ = inspect(part)
    volumes = r["disks"][0]["volumes"]
    check((status, r["entry"], r["disks"][0]["partition_table"]), (0, 0, "mbr"))
    check([v["file_system"] for v in volumes], ["ext4", None])
    check_said([volumes[1]["error"]], reason)
    check([reason in text for text in r["log"]], [True])
    check_said(problems(r, "doubt"), "(hd0,1): Error 5")
    check_said(problems(r, "stops"), reason)
    for path, status in (("/boot", 0), ("(hd0,0)/boot", 0), ("(hd0,1)/boot", 2)):
        r = subprocess.run([PVBOOT, "ls", str(part), path], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        check((path, r.returncode), (path, status))
        check((path, reason.encode() in r.stderr), (path, True))


def no_menu_says_where_it_was_sought(box):
    status, r, _ = inspect(box.image({"boot/grub/grub.cfg": "x"}))
    check((status, r["menu"], r["boots"]), (1, None, False))
    check_said(r["search"], "(hd0): no partitions; ext4, no menu.lst or grub.conf in /boot/grub")
    check_said(problems(r, "stops"), "No menu found")
    status, r, _ = inspect(box.image({"boot/grub/menu.lst": "timeout 3\n"}, "untitled.img"))
    check(status, 1)
    check_said(problems(r, "stops"), "no `title' line")
    status, r, _ = inspect(box.image({"xen/pvboot-x86_64.elf": kernel()}, "chained.img"))
    check(status, 1)
    check_said(problems(r, "doubt"), "without a menu a guest starts its own boot loader, "
               "(hd0)/xen/pvboot-x86_64.elf; what that would boot")


def a_dirty_journal_is_told(box):
    image = box.image(boot_files("timeout 0\ntitle x\nkernel /boot/k root=/dev/a\n"), "dirty.img",
                      ("-J", "size=1"))
    box.tool("debugfs", "-w", "-R", "feature +needs_recovery", image)
    _, r, _ = inspect(image)
    volume = r["disks"][0]["volumes"][0]
    check((volume["journal_dirty"], volume["journal_replayed"]), (True, True))
    check(volume["file_system"], "ext4, journal replayed")
    check(problems(r, "doubt"), [])


def any_byte_in_a_title_is_json(box):
    image = box.image(boot_files('timeout 0\ntitle \x1b[2J"\\ \xff\xfe \x01 end\n'
                                 "kernel /boot/k root=/dev/a\x1b\n"))
    status, r, _ = inspect(image)
    check((status, r["entries"][0]["title"]), (0, '\x1b[2J"\\ \ufffd\ufffd \x01 end'))
    text = subprocess.run([PVBOOT, "inspect", str(image)], stdout=subprocess.PIPE).stdout
    check(b"\x1b" in text, False)


def many_entries_are_all_looked_at(box):
    menu = "timeout 0\ndefault 1999\n"
    menu += "".join("title %d\nkernel /boot/k root=/dev/a %d\n" % (i, i) for i in range(2000))
    status, r, _ = inspect(box.image(boot_files(menu)))
    check((status, r["entry"], len(r["entries"])), (0, 1999, 2000))
    check(r["entries"][1999]["command_line"], "root=/dev/a 1999")


def the_menu_alone_is_its_lines(box):
    menu = ("timeout 3\nfallback 9 x\nsplashimage /s\nkernel /boot/lost\n"
            "title A\n root (hd7)\n kernel --type=linux /boot/gone  a=b  c\n initrd /i1 /i2\n"
            " initrd /i3\n quiet\n kernle /x\n timeout 1\n boot\n initrd /late\n"
            "title B\nkernel /xen.gz dom0_mem=1\nmodule /k  root=/dev/a\nmodule /i\n"
            "title C\nkernel /first\ninitrd /lost\nkernel /k %s\n"
            "title D\nkernel --no-mem-option --turbo /k\n" % ("x" * 4096))
    (box.path / "menu.lst").write_text(menu)
    status, r, err = inspect("--menu", box.path / "menu.lst")
    check((status, err, r["menu"]["file"], r["menu"]["timeout"], r["menu"]["fallback"]),
          (0, "", str(box.path / "menu.lst"), 3, []))
    check([(c["line"], c["command"], c["status"]) for c in r["settings"]],
          [(1, "timeout", "used"), (2, "fallback", "wrong"), (3, "splashimage", "ignored"),
           (4, "kernel", "misplaced")])
    check_said([r["settings"][1]["reason"]], "a list of entry numbers is wanted")
    a, b, c, _ = r["entries"]
    check([a[k] for k in ("number", "title", "line", "root", "kernel", "arguments", "initrds")],
          [0, "A", 5, "(hd7)", "/boot/gone", "a=b  c", ["/i1", "/i2", "/i3"]])
    check([(x["line"], x["command"], x["status"]) for x in a["commands"]],
          [(6, "root", "used"), (7, "kernel", "used"), (8, "initrd", "used"), (9, "initrd", "used"),
           (10, "quiet", "ignored"), (11, "kernle", "unknown"), (12, "timeout", "misplaced"),
           (13, "boot", "used"), (14, "initrd", "not reached")])
    check((b["kernel"], b["arguments"], b["modules"]),
          ("/xen.gz", "dom0_mem=1", [{"file": "/k", "arguments": "root=/dev/a"},
                                     {"file": "/i", "arguments": ""}]))
    check((c["kernel"], len(c["arguments"]), c["initrds"], c["root"]), ("/k", 4096, [], None))
    check_said(problems(r, "stops"), "entry 0, line 11: `kernle': unknown command; the entry fails")
    check_said(problems(r, "stops"), "entry 2: a kernel command line of 4096 bytes; Xen passes at "
                                     "most 1023")
    check_said(problems(r, "stops"), "entry 3: Error 30")
    check_said(problems(r, "stops"), "--turbo (`kernel' knows --no-mem-option")
    check_said(problems(r, "doubt"), "menu line 2: `fallback': Error")
    # The same, for people, and as the menu of a disk.
    text = subprocess.run([PVBOOT, "inspect", "--menu", str(box.path / "menu.lst")],
                          stdout=subprocess.PIPE).stdout.decode().splitlines()
    check_said(text, "splashimage /s  (line 3: ignored, ")
    check_said(text, "0 A  (line 5)")
    check_said(text, "initrd    /i3")
    check_said(text, "initrd /late  (line 14: not reached)")
    check_said(text, "- menu line 2: `fallback': Error")
    status, disk, _ = inspect("--menu", box.image({"boot/grub/menu.lst": menu}))
    check((status, disk["menu"]["file"]), (0, "(hd0)/boot/grub/menu.lst"))
    check([disk[k] for k in ("settings", "entries", "problems")],
          [r[k] for k in ("settings", "entries", "problems")])


def a_menu_on_no_disk_has_no_saved_default(box):
    (box.path / "(hd0)").mkdir()
    (box.path / "(hd0)/menu.lst").write_text("default saved\npassword x\ntitle a\nkernel /k\n")
    r = subprocess.run([PVBOOT, "inspect", "--menu", "--json", "(hd0)/menu.lst"], cwd=box.path,
                       stdout=subprocess.PIPE)
    menu = json.loads(r.stdout)["menu"]
    check((r.returncode, menu["default"], menu["default_saved"], menu["password"]),
          (0, 0, True, True))
    text = subprocess.run([PVBOOT, "inspect", "--menu", "(hd0)/menu.lst"], cwd=box.path,
                          stdout=subprocess.PIPE).stdout.decode()
    check_said(text.splitlines(), "1 entry, default saved, now 0, timeout 5, password")


def a_menu_file_is_told_from_a_disk(box):
    image = box.image({"boot/grub/menu.lst": "title disk\nkernel /k\n"})
    part = box.partitioned(image, "part.img")
    for name, content, status, titles in (
            ("bom", b"\xef\xbb\xbftitle \xc3\xa9\r\nkernel /k\r\n", 0, ["\u00e9"]),
            ("nuls", b"title x\nkernel /k\n" + bytes(5000), 0, ["x"]),
            ("escape", b"title \x1b[1mx\nkernel /k\n", 0, ["\x1b[1mx"]),
            ("untitled", b"timeout 3\n", 1, []),
            ("none", b"", 1, []),
            ("blank", bytes(1 << 20), 1, []),
            ("binary", b"title x\n\x01\x02" * 100, 1, []),
            ("large", b"title x\n" + b"#\n" * (2 << 20), 1, []),
            ("disk", image.read_bytes(), 0, ["disk"]),
            ("part", part.read_bytes(), 0, ["disk"])):
        (box.path / name).write_bytes(content)
        got, r, err = inspect("--menu", box.path / name)
        check((name, got, [e["title"] for e in r["entries"]], err), (name, status, titles, ""))
        check((name, r["menu"] is None), (name, name in ("blank", "binary")))
        if status:
            check_said(problems(r), {"large": "a menu of 4194312 bytes; at most 4194304 are read",
                                     "blank": "No menu found", "binary": "No menu found"}
                       .get(name, "no `title' line"))


def wrong_use_is_one_sentence(box):
    image = box.image({"x": "y"})
    (box.path / "menu.lst").write_text("title x\nkernel /k\n")
    for args in ([], ["--nonsense", image], ["--menu"], ["--menu", box.path / "absent"],
                 ["--menu", box.path], ["--menu", "--disk", image, box.path / "menu.lst"],
                 ["--menu", "--layout", "hd00", box.path / "menu.lst"], ["--menu=x", image],
                 [box.path / "menu.lst", image], ["--disk"], ["--layout", "hd1", image], [image, image],
                 [box.path / "absent"], [box.path], ["--disk", box.path / "absent", image]):
        status, r, err = inspect(*args)
        check((status, r, err.count("\n"), err.startswith("pvboot: ")), (2, None, 1, True))
    r = subprocess.run([PVBOOT, "inspect", "--help"], stdout=subprocess.PIPE)
    check((r.returncode, r.stdout.startswith(b"usage: pvboot inspect")), (0, True))


def ls_and_cat_take_options_as_run_does(box):
    fs = box.image({"x": "y"})
    for args, status, want in (
            (["ls", "--disk=%s" % fs, fs, "(hd1)/"], 0, b"x\n"),
            (["ls", fs, "/x", "-lR", "--disk", fs], 0, b" /x\n"),
            (["cat", "--disk=%s" % fs, fs, "(hd1)/x"], 0, b"y"),
            (["ls", fs, "/", "-xl"], 1, b"pvboot: ls: unknown option -x; "),
            (["cat", "-l", fs, "/"], 1, b"pvboot: cat: unknown option -l; "),
            (["ls", "--json=3", fs, "/"], 1, b"pvboot: ls: unknown option --json=3; "),
            (["cat", fs, "/x", "--disk"], 1, b"pvboot: cat: --disk needs a value\n"),
            (["cat", fs, "/x", "/y"], 1, b'pvboot: cat: "/y" is one argument too many\n')):
        r = subprocess.run([PVBOOT, *map(str, args)], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        check((args, r.returncode, want in r.stdout + r.stderr), (args, status, True))
        check((args, r.stderr.count(b"\n")), (args, 1 if status else r.stderr.count(b"using")))


def a_name_does_not_steer_the_terminal(box):
    name = "k\x1b]0;x\x07"
    image = box.image(boot_files("timeout 0\ntitle x\nkernel /boot/%s root=LABEL=\x1b[2J\n"
                                 "initrd /boot/\x1b[2J\n" % name,
                                 **{name: "no kernel", "\x1b[2J": "no initrd"}))
    # A name that stands for nothing: ls has to complain about it.
    box.tool("debugfs", "-w", "-R", "clri /boot/\x1b[2J", image)
    for args in (["inspect", image], ["inspect", "--json", image], ["inspect", "--menu", image],
                 ["ls", "-R", image, "/"],
                 ["cat", image, "/boot/" + name + "/x"], ["cat", image, "/boot/\x1b[2J"],
                 ["ls", box.path / "\x1b[2J", "/"]):
        r = subprocess.run([PVBOOT, *map(str, args)], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        out = r.stdout + r.stderr
        check((args, [c for c in out if c < 0x20 and c != 10]), (args, []))
        check((args, b"1b" in out), (args, True))
        if args[0] != "inspect":
            check((args, r.returncode, r.stderr[:8]), (args, 2, b"pvboot: "))


def a_failed_write_is_an_error(box):
    image = box.image(boot_files("timeout 0\ntitle x\nkernel /boot/k root=/dev/a\n"))
    for args in (["inspect", image], ["inspect", "--json", image], ["inspect", "--help"],
                 ["inspect", "--menu", image], ["inspect", "--menu", "--json", image],
                 ["ls", image, "/boot"], ["ls", "--help"], ["cat", image, "/boot/k"],
                 ["cat", "--help"]):
        with open("/dev/full", "wb") as full:
            r = subprocess.run([PVBOOT, *map(str, args)], stdout=full, stderr=subprocess.PIPE)
        check((args, r.returncode), (args, 2))
        check_said([r.stderr.decode()], "pvboot: writing to standard output failed: ")

run_boxes(globals())
