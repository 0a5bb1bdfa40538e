#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""volumes.py PVBOOT WORKFOLDER - logical volumes and RAID arrays read by pvboot, compared with Linux.

A Linux guest (volumes-init.sh) makes them with lvm and mdadm, fills them and reports what it sees;
`pvboot ls -R --json --sha256` must see the same, from all disks, and from some of them where that
must do. With --keep, the images of an earlier run are read again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from oracle import DISKS_A_SLOT, ENV, FIRST_SLOT, HERE, TRIES, command

GUEST_SECONDS = 500
MIB = 1 << 20
DISKS = {**{"v%d" % i: 96 for i in range(4)}, "v4": 40, **{"m%d" % i: 40 for i in range(10)},
         "m10": 12, "m11": 12}
PARTITIONED = {"v3": "8e", "m0": "fd", "m1": "fd"}
SECTOR = {"v4": 4096}
LVM = ("v0", "v1", "v2", "v3")


class Suite:
    def __init__(self, pvboot, work):
        self.pvboot, self.work = pvboot, work
        self.passed = self.failed = 0
        self.linux = {}

    def result(self, name, trouble):
        if trouble:
            self.failed += 1
            print("not ok %s: %s" % (name, trouble), flush=True)
        else:
            self.passed += 1
            print("ok %s" % name, flush=True)

    def image(self, disk):
        return self.work / (disk + ".img")

    # ---- Linux's side ------------------------------------------------------------------------

    def make_disks(self):
        for disk, size in DISKS.items():
            path = self.image(disk)
            path.unlink(missing_ok=True)
            with open(path, "wb") as f:
                f.truncate(size * MIB)
            if disk in PARTITIONED:
                subprocess.run(["sfdisk", "-q", path], env=ENV, check=True,
                               input=b"label: dos\n2048,,%s\n" % PARTITIONED[disk].encode())

    def run_guest(self):
        """Whether it came to its end."""
        report = self.work / "report.img"
        with open(report, "wb") as f:
            f.truncate(64 * MIB)
        args = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64", "-m", "512",
                "-display", "none", "-nodefaults", "-no-reboot",
                "-kernel", self.work / "d12/vmlinuz", "-initrd", self.work / "volumes.gz",
                "-append", "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init-volumes",
                "-serial", "file:%s" % (self.work / "console")]
        for i, (serial, path) in enumerate([("report", report)] +
                                           [(d, self.image(d)) for d in DISKS]):
            args += ["-drive", "if=none,id=d%d,format=raw,cache=unsafe,file=%s" % (i, path),
                     "-device", "virtio-blk-pci,drive=d%d,serial=%s,addr=0x%x.%x,multifunction=on,"
                     "logical_block_size=%d,physical_block_size=%d"
                     % (i, serial, FIRST_SLOT + i // DISKS_A_SLOT, i % DISKS_A_SLOT,
                        SECTOR.get(serial, 512), SECTOR.get(serial, 512))]
        try:
            subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, timeout=GUEST_SECONDS,
                           check=False)
        except subprocess.TimeoutExpired:
            pass
        text = report.read_bytes().rstrip(b"\0")
        (self.work / "report").write_bytes(text)
        return b"# end" in text.split(b"\n")

    def read_report(self):
        lines, ended = None, False
        for line in (self.work / "report").read_bytes().split(b"\n"):
            if line.startswith(b"# image "):
                lines = self.linux.setdefault(line[8:].decode(), [])
            elif line.startswith(b"# end"):
                ended = True
            elif line.startswith(b"# "):
                self.result("the guest", line[2:].decode())
            elif line and lines is not None:
                lines.append(line)
        if not ended:
            self.result("the guest", "it did not end; see %s" % (self.work / "console"))

    # ---- pvboot's ----------------------------------------------------------------------------

    def ls(self, disks, path, *options):
        args = [self.pvboot, "ls", *options]
        if disks[0] in SECTOR:
            args += ["--sector-size", SECTOR[disks[0]]]
        for d in disks[1:]:
            args += ["--disk", self.image(d)]
        r = subprocess.run([str(a) for a in args + [self.image(disks[0]), path]],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           check=False)
        return r.returncode, r.stdout, r.stderr.decode("utf-8", "replace").strip()

    def same(self, volume, disks, name=None, says=None):
        """The volume's content from these disks, under that name; stderr must have `says`."""
        title = "(%s) from %s" % (name or volume, " ".join(disks))
        want = sorted(self.linux.get(volume, []))
        status, out, err = self.ls(disks, "(%s)/" % (name or volume), "-R", "--json", "--sha256")
        got = sorted(out.splitlines())
        trouble = None
        if not want:
            trouble = "Linux reported nothing"
        elif status:
            trouble = "status %d: %s" % (status, err)
        elif got != want:
            trouble = "Linux and pvboot differ: %s" % sorted(set(got) ^ set(want))[:2]
        elif says and says not in err:
            trouble = "expected '%s', got '%s'" % (says, err)
        self.result(title, trouble)

    def refused(self, name, disks, sentence):
        status, _, err = self.ls(disks, "(%s)/" % name)
        self.result("(%s) from %s is refused" % (name, " ".join(disks)),
                    None if status == 2 and sentence in err else
                    "status %d, expected '%s', got '%s'" % (status, sentence, err))

    def lvm(self):
        for volume in sorted(v for v in self.linux if v.startswith("lvm/vg--a")):
            self.same(volume, LVM)
            self.same(volume, ("v3", "v1", "m2", "v0", "v2"))
        self.same("lvm/vg--a-root", LVM, name="lvm/vg-a-root")
        self.same("lvm/vg--a-str--2", LVM, name="lvm/vg-a-str-2")
        self.refused("lvm/vg--a-snap", LVM, "a snapshot")
        self.refused("lvm/vg--a-r5", LVM, "a volume of the type raid5")
        self.refused("lvm/vg--a-r1_rimage_0", LVM, "no logical volume has this name; there are (lvm/")
        self.refused("hd0", LVM, "an LVM physical volume of the group vg-a; its volumes: (lvm/vg--a-")
        self.refused("hd3,0", LVM, "an LVM physical volume of the group vg-a; its volumes: (lvm/vg--a-")
        # What lies on the disks that are here is read without the others.
        self.same("lvm/vg--a-root", ("v0", "v3"), says="is on none of the disks")
        self.refused("lvm/vg--a-str--2", ("v0", "v2", "v3"), "it lies on physical volume ")
        self.same("lvm/vg--a-mir", ("v1",))
        self.same("lvm/vg--a-mir", ("v2",), says="leg 0 is not used")
        self.same("lvm/vg--a-r1", ("v0",), says="leg 1 is not used")
        self.same("lvm/vg--a-r1", ("v2",), says="leg 0 is not used")
        self.same("lvm/vg--a-r3", ("v1",))
        self.same("lvm/big-data", ("v4",))
        self.damaged()

    def damaged(self):
        """The metadata of one disk is overwritten; the others have copies."""
        with open(self.image("v0"), "r+b") as f:
            f.seek(4096)
            header = f.read(512)
            f.seek(4096)
            f.write(bytes(512))
            f.flush()
            self.same("lvm/vg--a-root", LVM, says="no LVM metadata where it should begin")
            f.seek(4096)
            f.write(header)

    def md(self):
        self.same("md/0", ("m0", "m1"))
        self.same("md/0", ("m0",), says="1 of 2 members of this RAID1 are here and up to date")
        self.same("md/0", ("m1",), name="hd0,0", says="(hd0,0) is part of a RAID: (md/0) is read")
        self.same("md/one", ("m2", "m3"))
        self.same("md/one", ("m3",))
        self.same("md/one", ("m2", "m3"), name="hd1", says="(hd1) is part of a RAID: (md/one)")
        self.same("md/two", ("m4",))
        self.same("md/home", ("m5", "m6"), says="(hd1) is not used: it ")
        self.same("md/home", ("m6", "m5"), says="(hd0) is not used: it ")
        self.same("lvm/onmd-data", ("m7", "m8"))
        self.same("lvm/onmd-data", ("m8",))
        self.same("md/parts,0", ("m9",))
        self.same("md/parts,0", ("m9",), name="hd0,0")
        self.refused("md/zero", ("m10", "m11"), "a RAID0 (md): only RAID1 is read")
        self.refused("md/none", ("m4",), "no RAID array has this name; there are (md/two)")
        everything = LVM + tuple(d for d in DISKS if d[0] == "m" and d not in ("m10", "m11"))
        for volume in sorted(self.linux):
            if volume != "lvm/big-data":
                self.same(volume, everything)

    def report(self, *disks):
        args = [self.pvboot, "inspect", "--json"]
        return json.loads(subprocess.run(
            [str(a) for a in args + ["--disk=%s" % self.image(d) for d in disks[1:]] +
             [self.image(disks[0])]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            check=False).stdout)

    def inspect(self):
        report = self.report("v0", "v1", "v2", "m5", "m6")
        group, array = report["volume_groups"][0], report["arrays"][0]
        facts = {v["name"]: v for v in group["logical_volumes"]}
        checks = {
            "group": group["name"] == "vg-a" and len(group["physical_volumes"]) == 4,
            "missing": [p["device"] for p in group["physical_volumes"]].count(None) == 1,
            "volume": facts["(lvm/vg--a-str3)"]["volumes"][0]["file_system"] == "ext4",
            "unusable": "it lies on physical volume" in facts["(lvm/vg--a-root)"]["error"],
            "array": array["name"] == "(md/home)" and array["metadata"] == "1.2",
            "members": [m["used"] for m in array["members"]] == [True, False],
            "member": report["disks"][3]["volumes"][0]["member_of"] == "(md/home)",
        }
        checks["menu"] = report["menu"]["file"] == "(md/home)/boot/grub/menu.lst"
        report = self.report("v0", "v3")
        checks["menu on LVM"] = report["menu"]["file"] == "(lvm/vg--a-root)/boot/grub/menu.lst"
        checks["kernel on LVM"] = any("(lvm/vg--a-root)/random" in p["text"]
                                      for p in report["problems"])
        wrong = [k for k, good in checks.items() if not good]
        self.result("inspect", "wrong: %s" % wrong if wrong else None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pvboot", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    suite = Suite(args.pvboot.resolve(), args.work.resolve())
    if not args.keep:
        command(HERE / "volumes-guest.sh", suite.work)
        for left in reversed(range(TRIES)):
            suite.make_disks()
            if suite.run_guest():
                break
            if left:
                print("# the guest did not end, and is started again", flush=True)
    suite.read_report()
    suite.lvm()
    suite.md()
    suite.inspect()
    if not suite.failed and not args.keep:
        for disk in DISKS:
            os.unlink(suite.image(disk))
    print("%d passed, %d failed" % (suite.passed, suite.failed))
    sys.exit(1 if suite.failed else 0)


if __name__ == "__main__":
    main()
