#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""partitions.py PVBOOT WORKFOLDER - partition tables read by pvboot, compared with Linux.

The tables are made by sfdisk, sgdisk and fdisk; each partition holds a small ext file system with a
file `name`. A Linux guest says which partitions it finds, where, and what that file holds, and
`pvboot inspect` and `pvboot cat` must say the same. The guest's command line has the word gpt:
without it Linux reads no backup of a GPT.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from oracle import ENV, Failed, Guest, Job, Missing, command

MIB = 1 << 20
EXTENDED = (0x05, 0x0F, 0x85)


class Table:
    """A disk: `parts` are Linux's numbers with their first and last MiB."""

    def __init__(self, name, make, parts, sector=512, damage=(), says=None, also=None):
        self.name, self.make, self.parts, self.sector = name, make, parts, sector
        self.damage = damage  # byte ranges that are zeroed: (offset, length); < 0: from the end
        self.says = says      # the line that pvboot must write
        self.also = also      # read again with sectors of the other size, and what is said then
        self.size = 64 * MIB

    def build(self, work):
        self.path = work / (self.name + ".img")
        self.path.unlink(missing_ok=True)
        with open(self.path, "wb") as f:
            f.truncate(self.size)
        self.make(self)
        for number, first, last in self.parts:
            self.fill(work, number, first, last)
        with open(self.path, "r+b") as f:
            for off, length in self.damage:
                f.seek(off, os.SEEK_SET if off >= 0 else os.SEEK_END)
                f.write(bytes(length))

    def fill(self, work, number, first, last):
        tree, fs = work / "tree", work / "fs.img"
        tree.mkdir(exist_ok=True)
        (tree / "name").write_text("%s-%d" % (self.name, number))
        fs.unlink(missing_ok=True)
        command("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", tree, fs,
                "%dk" % ((last - first + 1) * 1024))
        command("dd", "if=%s" % fs, "of=%s" % self.path, "bs=1M", "seek=%d" % first, "conv=notrunc,sparse")


def feed(text, *words):
    r = subprocess.run([str(w) for w in words], input=text.encode(), env=ENV, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if r.returncode:
        raise Failed("%s: %s" % (words[0], r.stdout.decode("latin-1").strip()))


def sfdisk(*lines):
    """An MBR; lines of sfdisk's input, in MiB."""
    def make(table):
        text = "label: dos\nunit: sectors\n"
        for number, first, last, kind in lines:
            text += "%d : start=%d, size=%d, type=%s\n" % (number, first * 2048,
                                                           (last - first + 1) * 2048, kind)
        feed(text, "sfdisk", "-q", "--no-reread", table.path)
    return make


def sgdisk(*more):
    def make(table):
        words = []
        for number, first, last in table.parts:
            words += ["-n", "%d:%dM:%d" % (number, first, (last + 1) * 2048 - 1)]
        command("sgdisk", *more[:1], *words, *more[1:], table.path)
    return make


def fdisk(label, *extended):
    """For sectors of 4096 bytes. Logical partitions follow the extended one."""
    def make(table):
        text = label + "\n"
        for number, first, last in sorted(table.parts + list(extended)):
            kind = "" if label == "g" else "e\n" if (number, first, last) in extended else "p\n"
            text += "n\n" + (kind if number < 5 or label == "g" else "l\n")
            if number < 5 or label == "g":
                text += "%d\n" % number
            text += "%d\n%d\n" % (first * 256, (last + 1) * 256 - 1)
        feed(text + "w\n", "fdisk", "-b", "4096", "-w", "never", "-W", "never", table.path)
    return make


BACKUP = "the backup of the GPT is used"
OTHER_4096 = "the GPT was made for sectors of 4096 bytes"
OTHER_512 = "the GPT was made for sectors of 512 bytes"

# A logical partition needs room for its record in front of it.
TABLES = [
    Table("mbr-primaries", sfdisk((1, 1, 4, "83"), (2, 20, 24, "82"), (3, 10, 14, "7"), (4, 30, 39, "fd")),
          [(1, 1, 4), (2, 20, 24), (3, 10, 14), (4, 30, 39)]),
    Table("mbr-gaps", sfdisk((2, 4, 9, "83"), (4, 20, 29, "8e")), [(2, 4, 9), (4, 20, 29)]),
    Table("mbr-05", sfdisk((1, 1, 4, "83"), (2, 5, 49, "5"), (3, 50, 59, "83"), (5, 6, 9, "83"),
                           (6, 11, 14, "82"), (7, 20, 24, "8e")),
          [(1, 1, 4), (3, 50, 59), (5, 6, 9), (6, 11, 14), (7, 20, 24)]),
    Table("mbr-0f", sfdisk((4, 5, 63, "f"), (5, 40, 44, "83"), (6, 10, 14, "83"), (7, 20, 24, "83")),
          [(5, 40, 44), (6, 10, 14), (7, 20, 24)]),
    Table("mbr-85", sfdisk((1, 1, 60, "85"), *((5 + i, 2 + 3 * i, 3 + 3 * i, "83") for i in range(19))),
          [(5 + i, 2 + 3 * i, 3 + 3 * i) for i in range(19)]),
    Table("mbr-4096", fdisk("o", (2, 10, 49)),
          [(1, 1, 4), (3, 50, 59), (5, 11, 14), (6, 16, 24), (7, 30, 39)], sector=4096),
    Table("gpt", sgdisk(), [(1, 1, 4), (3, 20, 24), (9, 10, 14), (128, 30, 34)], also=OTHER_512),
    Table("gpt-256-slots", sgdisk("--resize-table=256"), [(1, 2, 4), (200, 20, 24)]),
    Table("gpt-no-header", sgdisk(), [(1, 1, 4), (2, 10, 14)], damage=[(512, 512)], says=BACKUP),
    Table("gpt-bad-header", sgdisk(), [(1, 1, 4), (2, 10, 14)], damage=[(512 + 48, 8)], says=BACKUP),
    Table("gpt-bad-entries", sgdisk(), [(1, 1, 4), (2, 10, 14)], damage=[(1024, 128)], says=BACKUP),
    Table("gpt-bad-backup", sgdisk(), [(1, 1, 4), (2, 10, 14)], damage=[(-512, 512)]),
    Table("gpt-hybrid", sgdisk("--set-alignment=2048", "--hybrid=2:3"),
          [(1, 1, 4), (2, 10, 14), (3, 20, 24)], says="the MBR's are ignored"),
    Table("gpt-4096", fdisk("g"), [(1, 1, 4), (2, 10, 14), (7, 20, 24)], sector=4096, also=OTHER_4096),
    Table("gpt-4096-bad-header", fdisk("g"), [(1, 1, 4), (2, 10, 14)], sector=4096,
          damage=[(4096 + 48, 8)], says=BACKUP, also=OTHER_4096),
]


def ours(pvboot, table, sector, says):
    """pvboot's partitions as the guest's lines: number, start, size (both in 512 bytes), content."""
    size = ["--sector-size", str(sector)]
    r = subprocess.run([str(pvboot), "inspect", "--json", *size, str(table.path)], stdout=subprocess.PIPE)
    seen = json.loads(r.stdout)
    lines = []
    for v in seen["disks"][0]["volumes"]:
        if "offset" not in v or v.get("mbr_type") in EXTENDED:
            continue
        content = command(pvboot, "cat", *size, table.path, v["name"] + "/name").decode()
        # What else is said is on standard error, which command() takes too.
        lines.append("%d %d %d %s" % (int(v["name"][5:-1]) + 1, v["offset"] // 512, v["size"] // 512,
                                      content.splitlines()[-1]))
    for want in says:
        if want not in " ".join(seen["log"]):
            raise Failed("not said: '%s'; but: %s" % (want, seen["log"]))
    if not says and seen["log"]:
        raise Failed("said: %s" % seen["log"])
    return lines


def compare(pvboot, table):
    if table.job.trouble:
        raise Failed(table.job.trouble)
    linux = sorted(line.decode() for line in table.job.lines)
    wanted = sorted(p[0] for p in table.parts)
    if sorted(int(line.split()[0]) for line in linux) != wanted:
        raise Failed("the table is not as intended; Linux sees: %s" % linux)
    says = [table.says] if table.says else []
    rounds = [(table.sector, says)]
    if table.also:
        rounds.append((4096 + 512 - table.sector, says + [table.also]))
    for sector, sentences in rounds:
        mine = sorted(ours(pvboot, table, sector, sentences))
        if linux != mine:
            raise Failed("Linux: %s; pvboot: %s" % (linux, mine))
    print("ok %s: %d partitions" % (table.name, len(linux)), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pvboot", type=Path)
    parser.add_argument("work", type=Path)
    args = parser.parse_args()
    pvboot, work = args.pvboot.resolve(), args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    failed = 0
    try:
        guest = Guest(work, "d12")
    except Missing as reason:
        print("ok partitions # skip %s\n0 passed, 0 failed, 1 skipped" % reason)
        return 0
    for table in TABLES:
        table.build(work)
        table.job = Job(table.path, "p", "ext4", sector=table.sector)
    guest.run("partitions", [t.job for t in TABLES], append="gpt")
    for table in TABLES:
        try:
            compare(pvboot, table)
        except Failed as reason:
            failed += 1
            print("not ok %s: %s" % (table.name, reason))
        else:
            table.path.unlink()
    print("%d passed, %d failed" % (len(TABLES) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
