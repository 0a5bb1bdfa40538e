#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What reading through a file system costs: tests/bench/reading.py [--runs N]

One Xen host, one guest size. Prints Markdown for docs/benchmarks.md.

Load     a 32 MB initrd from a clean ext4 and a clean XFS, against the same
         sectors named by a block list (no file system at all): the time
         between the line about the kernel and the one about the initrd.
Replay   a journal that a crashed Linux left nearly full, 64 MiB: the time
         from the list of disks to the menu, less that of the clean disks.

Time is the processor time of the emulator, which executes every instruction
of Xen, dom0 and the guest. What else the machine does can only add to it, so
the least of --runs (default 5) counts. The two ways take turns.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/guest"))

import written  # noqa: E402
from images import KERNELS, MIB, Images, random_bytes, run  # noqa: E402
from rig import Host  # noqa: E402

KERNEL = "debian12-cloud-amd64"
MEMORY = 768
BLOCK = 4096
XFS = ("mkfs.xfs", "-q", "-f")
EXT4 = ("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK))
LOADS = [("ext4", EXT4), ("XFS", XFS)]
FULL = [
    written.System("ext4-full", "flooded ext4-full DISK ext4 data=journal 56",
                   mkfs=EXT4 + ("-J", "size=64"), sizes=(512,)),
    written.System("xfs-full", "flooded xfs-full DISK xfs defaults 50000",
                   mkfs=XFS + ("-i", "size=2048", "-l", "size=64m"), sizes=(640,)),
]


class CpuHost(Host):
    """A Host whose events carry the processor time that QEMU has had, in seconds."""

    qemu = None

    def _read(self):
        for line in self.proc.stdout:
            event = json.loads(line)
            event["t"] = self.cpu_seconds()
            self.events.put(event)
        self.events.put(None)

    def cpu_seconds(self):
        if not self.qemu:
            r = subprocess.run(["pgrep", "-P", str(self.proc.pid)], stdout=subprocess.PIPE)
            self.qemu = r.stdout.decode().split()[:1]
        try:
            return sum(int(p.read_text().split()[0])
                       for p in Path("/proc", self.qemu[0], "task").glob("*/schedstat")) / 1e9
        except (OSError, IndexError):
            return 0.0


def flood(work):
    out = work / "flood"
    run("gcc", "-std=c11", "-O2", "-static", "-o", out, ROOT / "tests/bench/flood.c")
    return out


def filled(work, name, mkfs, initrd):
    """An image with the kernel and the initrd, in /boot; nothing is mounted."""
    tree, image = work / ("reading-%s.tree" % name), work / ("reading-%s.img" % name)
    boot = tree / "boot"
    boot.mkdir(parents=True, exist_ok=True)
    (boot / "vmlinuz").write_bytes(KERNELS.vmlinuz(KERNEL).read_bytes())
    (boot / "initrd").write_bytes(initrd)
    with open(image, "wb") as f:
        f.truncate(400 * MIB)
    if "ext" in name:
        run(*mkfs, "-d", tree, image)
    else:
        proto = work / "reading.proto"
        proto.write_bytes(run(sys.executable, "-B", ROOT / "tests/images/proto.py", tree))
        run(*mkfs, "-p", proto, image)
    return image


def block_list(image, data):
    """Where the blocks of `data` lie on the image, as GRUB's block list."""
    where = {}
    with open(image, "rb") as f:
        n = 0
        while True:
            block = f.read(BLOCK)
            if not block:
                break
            where.setdefault(hash(block), n)
            n += 1
    runs = []
    for at in range(0, len(data), BLOCK):
        n = where[hash(data[at:at + BLOCK])]
        if runs and runs[-1][0] + runs[-1][1] == n:
            runs[-1][1] += 1
        else:
            runs.append([n, 1])
    sectors = BLOCK // 512
    return ",".join("%d+%d" % (n * sectors, count * sectors) for n, count in runs), len(runs)


def menu(initrd):
    return ("default 0\ntimeout 0\ntitle bench\nroot (hd0)\nkernel /boot/vmlinuz console=hvc0\n"
            "initrd %s\n" % initrd).encode()


def boot(host, image, drives, extra, until):
    """A guest until it has written the pattern; then it is destroyed."""
    config = {"memory": MEMORY, "kernel": "pvboot", "disk": ["%s,%s" % d for d in drives]}
    if extra:
        config["extra"] = extra
    host.file("pvboot", image)
    g = host.create("bench", **config)
    host.unpause(g)
    host.wait_console(g, until, 240)
    if "No menu" in g.console:
        host.wait_end(g, 60)  # it ends by itself
    elif not g.ended:
        host.command("destroy", g.name)
    return g


def span(g, first, last):
    return g.time_of(last) - g.time_of(first)


def loads(host, image, images, runs):
    print("\n### A 32 MB initrd, clean file system, against the same sectors by a block list\n")
    print("| file system | pieces | through it | block list | ratio |\n|---|---|---|---|---|")
    initrd = random_bytes(32 * MIB, "initrd")  # the kernel never sees it
    for name, mkfs in LOADS:
        disk = filled(images.work, name, mkfs, initrd)
        blocks, pieces = block_list(disk, initrd)
        menus = images.disk({"/fs.lst": menu("/boot/initrd"), "/raw.lst": menu(blocks)})
        times = {"fs": [], "raw": []}
        host.drive("d0", disk)
        host.drive("d1", menus)
        for n in range(runs):
            for way in times:
                g = boot(host, image, [("d0", "xvda"), ("d1", "xvdb")], "(hd1)/%s.lst" % way,
                         "starting the kernel")
                times[way].append(span(g, "pvboot: kernel:", "pvboot: initrd:"))
                print("# %s %d/%d %s %.3f" % (name, n + 1, runs, way, times[way][-1]), file=sys.stderr)
        host.undrive("d0")
        host.undrive("d1")
        fs, raw = (min(times[w]) for w in ("fs", "raw"))
        print("| %s | %d | %.3f s | %.3f s | %.2f |" % (name, pieces, fs, raw, fs / raw), flush=True)


def replays(host, image, images, runs):
    print("\n### Replay of a nearly full journal of 64 MiB\n")
    print("| file system | said | disks to menu, full | the same, clean | replay |\n|---|---|---|---|---|")
    programs = {"flood": flood(images.work)}
    written.SYSTEMS += FULL
    missing = [s for s in FULL if not all(p.exists() for p in written.paths(images, s))]
    if missing:
        written.make(images, missing, programs)
    for system, (clean, mkfs) in zip(FULL, LOADS):
        base = filled(images.work, clean, mkfs, b"")
        full = written.disks(images, system.name)[0]
        times = {"full": [], "clean": []}
        said = ""
        for n in range(runs):
            for way, disk in (("full", full), ("clean", base)):
                host.drive("d0", disk)
                g = boot(host, image, [("d0", "xvda")], None, "Linux version|No menu")
                times[way].append(span(g, "pvboot: (hd0) =", "menu"))
                m = re.search(r"(\d+ records?.*|journal replayed: .*)", g.console)
                said = m.group(1).strip() if m and way == "full" else said
                host.undrive("d0")
                print("# %s %d/%d %s %.3f" % (system.name, n + 1, runs, way, times[way][-1]),
                      file=sys.stderr)
        slow, quick = (min(times[w]) for w in ("full", "clean"))
        print("| %s | %s | %.2f s | %.2f s | %.2f s |" % (system.name, said, slow, quick, slow - quick),
              flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--image", type=Path, default=ROOT / "build/images/pvboot-hd0-x86_64")
    p.add_argument("--pvboot", type=Path, default=ROOT / "build/pvboot")
    p.add_argument("--work", type=Path, default=ROOT / "build/guest-tests")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--only", choices=("loads", "replays"))
    a = p.parse_args()
    images = Images(a.work)
    host = CpuHost(a.pvboot, MEMORY + 512)
    try:
        if a.only != "replays":
            loads(host, a.image, images, a.runs)
        if a.only != "loads":
            replays(host, a.image, images, a.runs)
    finally:
        host.stop()


if __name__ == "__main__":
    main()
