#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""crash.py PVBOOT WORKFOLDER ROUNDS - kernel upgrades, cut off at random moments.

A guest (Debian 12) runs upgrades on a disk of each file system at once, each ending as dpkg ends
them. Its disks are copied while it runs, as a snapshot copies them, and then it is killed: each
is a round, and gives a sample of each file system. Then Linux mounts a copy of each
image writable, which recovers it, and reports; pvboot reads the image as it is, and must see the
same tree: every file's type, size, mode, target and SHA-256. Beside it GRUB's reader (grub-fstest)
is asked for the same. The disks go on from one kill to the next, so that they age.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "images"))

from oracle import ENV, Failed, Guest, Job, command  # noqa: E402

LANES = 2  # guests at a time, each with disks of its own
BATCH = 10  # rounds whose images one oracle guest reads; it takes about 100 disks
START_SECONDS = 300
RUN_SECONDS = (0.3, 5.0)
A_LIFE = int(os.environ.get("CRASH_LIFE", "2"))  # rounds from one start of a guest
MENU = "/boot/grub/menu.lst"

# name, file system, mount options, how it is made
DISKS = [
    ("ext3", "ext4", "-", "mke2fs -q -F -t ext3 -b 1024 $IMG 64M"),
    ("ext4", "ext4", "-", "mke2fs -q -F -t ext4 -b 4096 $IMG 64M"),
    ("ext4, data=journal", "ext4", "data=journal", "mke2fs -q -F -t ext4 -b 4096 $IMG 64M"),
    ("ext4, fast_commit", "ext4", "-", "mke2fs -q -F -t ext4 -b 4096 -O fast_commit $IMG 64M"),
    ("XFS v5", "xfs", "-", "truncate -s 96M $IMG; mkfs.xfs -q -f --unsupported $IMG"),
    ("XFS v4", "xfs", "-", "truncate -s 96M $IMG; mkfs.xfs -q -f --unsupported -m crc=0 $IMG"),
    ("ReiserFS", "reiserfs", "-", "truncate -s 96M $IMG; mkreiserfs -q -ff $IMG"),
]


class Monitor:
    """QEMU's machine protocol, as far as it is needed."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(str(path))
        self.f = self.s.makefile("rw")
        self.f.readline()
        self.ask("qmp_capabilities")

    def ask(self, what):
        self.f.write(json.dumps({"execute": what}) + "\n")
        self.f.flush()
        while "return" not in json.loads(self.f.readline()):
            pass

    def close(self):
        self.f.close()
        self.s.close()


class Lane:
    """A set of disks that ages from one round to the next."""

    def __init__(self, work, guest, nr):
        self.work, self.guest, self.nr = work, guest, nr
        self.images = [work / ("lane%d-%d.img" % (nr, i)) for i in range(len(DISKS))]
        for image, disk in zip(self.images, DISKS):
            image.unlink(missing_ok=True)
            command("sh", "-ec", disk[3], env=dict(IMG=str(image)))

    def start(self, tag):
        jobs = [Job(image, "c", disk[1], disk[2]) for image, disk in zip(self.images, DISKS)]
        console = self.work / (tag + ".console")
        console.unlink(missing_ok=True)
        qmp = self.work / (tag + ".qmp")
        qmp.unlink(missing_ok=True)
        qemu = subprocess.Popen(self.guest.arguments(tag, jobs)
                                + ["-qmp", "unix:%s,server=on,wait=off" % qmp],
                                stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and qemu.poll() is None:
            if console.exists() and b"# running" in console.read_bytes():
                return qemu, qmp
            time.sleep(0.05)
        qemu.kill()
        qemu.wait()
        raise Failed("the guest did not start; see %s" % console)

    def rounds(self, numbers, rng):
        """One life of the guest: all rounds but the last copy its disks, the last kills it."""
        tag = "lane%d" % self.nr
        qemu, qmp = self.start(tag)
        samples = []
        try:
            for nr in numbers:
                taken = [self.work / ("round%d-%d.img" % (nr, i)) for i in range(len(DISKS))]
                time.sleep(rng.uniform(*RUN_SECONDS))
                if nr != numbers[-1]:
                    monitor = Monitor(qmp)
                    monitor.ask("stop")
                    self.copy(taken)
                    monitor.ask("cont")
                    monitor.close()
                samples.append((nr, taken))
        finally:
            qemu.kill()
            qemu.wait()
        self.copy(samples[-1][1])
        failed = [s for s in (self.work / (tag + ".console")).read_text(errors="replace").splitlines()
                  if s.startswith("# failed")]
        if failed:
            raise Failed("in the guest: " + failed[0])
        return samples

    def copy(self, taken):
        for image, to in zip(self.images, taken):
            command("cp", "--sparse=always", image, to)


class Grub:
    """What grub-fstest sees; one program a file."""

    def __init__(self, image):
        self.image = image

    def ask(self, what, path):
        r = subprocess.run(["grub-fstest", str(self.image), what, "(loop0)" + path], env=ENV,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        return r.stdout if r.returncode == 0 else None

    def same(self, tree):
        """tree: path -> (type, sha256). Folders are asked for their names, files for their bytes."""
        folders = {"": set()}
        for path, (kind, _) in tree.items():
            parent, _, name = path.rpartition("/")
            folders.setdefault(parent, set()).add(name + ("/" if kind == "dir" else ""))
            if kind == "dir":
                folders.setdefault(path, set())
        for path, names in folders.items():
            if path == "/lost+found":
                continue
            out = self.ask("ls", path + "/")
            if out is None or set(out.decode("utf-8", "replace").split()) != names:
                return False
        for path, (kind, digest) in tree.items():
            if kind == "file":
                out = self.ask("cat", path)
                if out is None or hashlib.sha256(out).hexdigest() != digest:
                    return False
        return True

    def current(self, tree):
        """Whether the newest kernel of menu.lst would be booted."""
        menu = self.ask("cat", MENU)
        if menu is None or hashlib.sha256(menu).hexdigest() != tree.get(MENU, (None, None))[1]:
            return False
        words = [line.split() for line in menu.decode().splitlines()]
        for what in ("kernel", "initrd"):
            path = next((w[1] for w in words if w[:1] == [what]), "/none")
            out = self.ask("cat", path)
            if out is None or hashlib.sha256(out).hexdigest() != tree.get(path, (None, None))[1]:
                return False
        return True


class Tally:
    """
    replayed: pvboot found a journal to replay. GRUB current: GRUB saw the menu.lst that Linux saw,
    and the kernel and initrd of its first entry. GRUB, recovered: GRUB saw Linux's tree on the copy
    that Linux had recovered and unmounted; what is missing there is not the journal's fault.
    """

    def __init__(self):
        self.rounds = [0] * len(DISKS)
        self.replayed = [0] * len(DISKS)
        self.pvboot = [0] * len(DISKS)
        self.grub = [0] * len(DISKS)
        self.grub_boots = [0] * len(DISKS)
        self.grub_clean = [0] * len(DISKS)
        self.failed = 0

    def table(self):
        row = "%-20s %7s %9s %12s %10s %12s %15s"
        print(row % ("file system", "samples", "replayed", "pvboot same", "GRUB same", "GRUB current",
                     "GRUB, recovered"))
        for i, disk in enumerate(DISKS):
            print(row % (disk[0], self.rounds[i], self.replayed[i], self.pvboot[i], self.grub[i],
                         self.grub_boots[i], self.grub_clean[i]))


def pvboot_tree(pvboot, image):
    r = subprocess.run([str(pvboot), "ls", "-R", "--json", "--sha256", str(image), "(hd0)/"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = r.stderr.decode("utf-8", "replace")
    if r.returncode:
        raise Failed("status %d: %s" % (r.returncode, said.strip().replace("\n", " / ")))
    return r.stdout.splitlines(), said


def judge(work, pvboot, nr, i, image, job, tally):
    """One image; returns what went wrong."""
    tally.rounds[i] += 1
    if job.trouble:
        return job.trouble
    names = {}
    for line in job.lines:
        entry = json.loads(line)
        names[entry["path"]] = (entry["type"], entry.get("sha256"))
    tally.grub[i] += Grub(image).same(names)
    tally.grub_boots[i] += Grub(image).current(names)
    tally.grub_clean[i] += Grub(job.image).same(names)
    ours, said = pvboot_tree(pvboot, image)
    tally.replayed[i] += "replay" in said
    if not any(path.startswith("/boot/vmlinuz-") for path in names):
        return "Linux found no kernel on it"
    if sorted(ours) != sorted(job.lines):
        base = work / ("wrong-round%d-%d" % (nr, i))
        Path(str(base) + ".linux").write_bytes(b"\n".join(sorted(job.lines)) + b"\n")
        Path(str(base) + ".pvboot").write_bytes(b"\n".join(sorted(ours)) + b"\n")
        return "Linux sees another tree: diff %s.linux %s.pvboot" % (base, base)
    tally.pvboot[i] += 1
    return None


def read_batch(work, pvboot, guest, batch, tally):
    """batch: (round, images). Linux recovers copies; then all are compared."""
    jobs = []
    for nr, taken in batch:
        for image, disk in zip(taken, DISKS):
            copy = Path(str(image) + ".linux")
            command("cp", "--sparse=always", image, copy)
            jobs.append(Job(copy, "rw", disk[1], disk[2]))
    guest.run("oracle%d" % batch[0][0], jobs)
    todo = iter(jobs)
    for nr, taken in batch:
        for i, image in enumerate(taken):
            job = next(todo)
            try:
                wrong = judge(work, pvboot, nr, i, image, job, tally)
            except Failed as reason:
                wrong = str(reason)
            if wrong:
                tally.failed += 1
                print("not ok round %d, %s: %s (kept: %s)" % (nr, DISKS[i][0], wrong, image))
            else:
                image.unlink()
            job.image.unlink()
    print("%d rounds, %d samples the same" % (tally.rounds[0], sum(tally.pvboot)), flush=True)


def read_all(parts, how, tally):
    """Reads the images of the rounds as they come, a batch at a time."""
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        readings, batch = [], []
        for part in parts:
            try:
                batch += part.result()
            except Failed as reason:
                tally.failed += 1
                print("not ok %s" % reason, flush=True)
            while len(batch) >= BATCH or (batch and part is parts[-1]):
                readings.append(reader.submit(read_batch, *how, batch[:BATCH], tally))
                batch = batch[BATCH:]
        for reading in readings:
            reading.result()


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: CRASH_LIFE=8 "
                                     "tests/crash/crash.py build/pvboot build/crash 200",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pvboot", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("rounds", type=int)
    args = parser.parse_args()
    pvboot, work, rounds = args.pvboot.resolve(), args.work, args.rounds
    if not pvboot.is_file() or rounds < 1:
        parser.error("PVBOOT is the command that `make host` builds, ROUNDS a number from 1 on")
    work.mkdir(parents=True, exist_ok=True)
    work = work.resolve()
    for old in work.glob("*.img*"):
        old.unlink()
    shutil.rmtree(work / "bin", ignore_errors=True)
    seed = int(os.environ.get("CRASH_SEED", time.time_ns()))
    print("%d rounds, CRASH_SEED=%d" % (rounds, seed), flush=True)
    rng = random.Random(seed)
    guest = Guest(work, "d12")
    lanes = [Lane(work, guest, nr) for nr in range(LANES)]
    tally = Tally()
    lives = [list(range(first, min(first + A_LIFE, rounds))) for first in range(0, rounds, A_LIFE)]
    pools = [concurrent.futures.ThreadPoolExecutor(1) for _ in lanes]
    parts = [pools[i % LANES].submit(lanes[i % LANES].rounds, life, random.Random(rng.random()))
             for i, life in enumerate(lives)]
    try:
        read_all(parts, (work, pvboot, guest), tally)
    except KeyboardInterrupt:
        tally.table()
        print("interrupted: the table holds what had been read until then", flush=True)
        subprocess.run(["pkill", "-KILL", "-P", str(os.getpid())], check=False)
        os._exit(130)  # not waiting for the rounds under way
    tally.table()
    print("%d passed, %d failed" % (sum(tally.pvboot), tally.failed))
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
