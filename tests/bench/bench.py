#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long until a guest's kernel speaks: tests/bench/bench.py [--runs N]

Three ways to the same kernel, initrd and command line, on the same disks, in
one run on one Xen host: pvboot, GRUB's Xen image with menu.lst support, and
direct boot (xl reads kernel and initrd from dom0's memory, pvboot and GRUB
from the guest's disk). The ways take turns, so that a busy machine is busy
for all of them. Prints Markdown for docs/benchmarks.md.

  create     xl create begins -> the kernel's first line on the console
  unpause    xl unpause begins -> that line

Medians of --runs (default 5), and ratios. A way that does not get there is
reported with the loader's last words.
"""

import argparse
import gzip
import os
import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/guest"))

from images import KERNELS, Images, Missing, grub_image  # noqa: E402
from rig import Host, NoAnswer, Refused  # noqa: E402

XZ, LZ4, ZSTD = "debian12-amd64", "debian12-cloud-amd64", "debian13-cloud-amd64"
ARGS = "console=hvc0 earlyprintk=xen"
FIRST_LINE = "Linux version"
WAYS = ("pvboot", "GRUB", "direct")

# (title, kernel, MiB of random bytes in the initrd, guest's MiB)
CASES = [
    ("xz kernel, 32 MB initrd, 512 MiB guest", XZ, 30, 512),
    ("lz4 kernel, 32 MB initrd, 512 MiB guest", LZ4, 30, 512),
    ("zstd kernel, 32 MB initrd, 512 MiB guest", ZSTD, 30, 512),
    ("xz kernel, 32 MB initrd, 128 MiB guest", XZ, 30, 128),
    ("xz kernel, 32 MB initrd, 8 GiB guest", XZ, 30, 8192),
]


class Bench:
    def __init__(self, host, images, pvboot_image, grub):
        self.host = host
        self.images = images
        self.files = {"pvboot": pvboot_image, "GRUB": grub}

    def disk(self, kernel, initrd):
        menu = ("default 0\ntimeout 0\n\ntitle bench\nroot (hd0)\nkernel /boot/vmlinuz %s\n"
                "initrd /boot/initrd\n" % ARGS)
        return self.images.disk({"/boot/grub/menu.lst": menu.encode(),
                                 "/boot/vmlinuz": KERNELS.vmlinuz(kernel),
                                 "/boot/initrd": initrd})

    def once(self, way, kernel, initrd, memory):
        """Seconds (create, unpause) to the first line, or the reason why not."""
        config = {"memory": memory, "disk": "d0,xvda"}
        if way == "direct":
            self.host.file("kernel", KERNELS.vmlinuz(kernel))
            self.host.file("ramdisk", initrd)
            config.update(kernel="kernel", ramdisk="ramdisk", extra=ARGS)
        else:
            self.host.file(way, self.files[way])
            config.update(kernel=way)
        g = self.host.create("bench", **config)
        self.host.unpause(g)
        why = None
        try:
            self.host.wait_console(g, FIRST_LINE, 180)
        except NoAnswer:
            why = last_words(g)
        if not g.ended:
            try:
                self.host.command("destroy", g.name)
            except Refused:
                self.host.wait_end(g, 30)
        if why:
            return why
        line = g.time_of(FIRST_LINE)
        return line - g.t["creating"], line - g.t["unpausing"]

    def case(self, kernel, blob_mib, memory, runs):
        initrd = self.images.initrd(kernel, blob_mib)
        self.host.drive("d0", self.disk(kernel, initrd))
        result = {w: [] for w in WAYS}
        failed = {}
        try:
            for n in range(runs):
                for way in WAYS:
                    if way in failed or (way in self.files and not self.files[way]):
                        continue
                    r = self.once(way, kernel, initrd, memory)
                    if isinstance(r, str):
                        failed[way] = r
                        print("# %s: %s" % (way, r), file=sys.stderr)
                        continue
                    result[way].append(r)
                    print("# %d/%d %-6s create %.2f unpause %.2f" % (n + 1, runs, way, *r),
                          file=sys.stderr)
        finally:
            self.host.undrive("d0")
            self.host.forget_file("kernel")
            self.host.forget_file("ramdisk")
        return result, failed


def last_words(g):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", " ", g.console.replace("\r", "\n"))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return (errors or lines or ["nothing on the console"])[-1][:100]


def ratio(a, b):
    return "%.2f" % (a / b) if a and b else "-"


def medians(pairs):
    if not pairs:
        return None, None
    return tuple(statistics.median(p[i] for p in pairs) for i in (0, 1))


def print_case(title, result, failed, runs):
    print("\n### %s\n" % title)
    print("| way | create to first line | unpause to first line | unpause: ratio to GRUB "
          "| create: ratio to direct |")
    print("|---|---|---|---|---|")
    grub, direct = medians(result["GRUB"]), medians(result["direct"])
    for way in WAYS:
        create, unpause = medians(result[way])
        if create is None:
            print("| %s | - | - | - | %s |" % (way, failed.get(way, "not run")))
            continue
        print("| %s | %.2f s | %.2f s | %s | %s |" %
              (way, create, unpause, ratio(unpause, grub[1]), ratio(create, direct[0])))
    print("\nMedians of %d." % runs, flush=True)


def gzip_size(path):
    return len(gzip.compress(path.read_bytes(), 9, mtime=0))


def print_sizes(pvboot_image, grub):
    print("\n### Image size\n")
    print("| image | bytes | gzip -9 |\n|---|---|---|")
    for name, path in (("pvboot", pvboot_image), ("GRUB, only what menu.lst needs", grub)):
        if path:
            print("| %s | %d | %d |" % (name, path.stat().st_size, gzip_size(path)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--image", type=Path, default=ROOT / "build/images/pvboot-hd0-x86_64")
    p.add_argument("--pvboot", type=Path, default=ROOT / "build/pvboot")
    p.add_argument("--work", type=Path, default=ROOT / "build/guest-tests")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--case", type=int, action="append", help="only this one (from 0)")
    a = p.parse_args()
    images = Images(a.work)
    try:
        grub = grub_image(a.work)
    except Missing as e:
        print("# without GRUB: %s" % e, file=sys.stderr)
        grub = None
    image = a.image if a.image.exists() else None
    if not image:
        print("# without pvboot: %s is missing" % a.image, file=sys.stderr)
    cases = [c for i, c in enumerate(CASES) if not a.case or i in a.case]
    host = Host(a.pvboot, max(c[3] for c in cases) + 512)
    print("Accelerator: %s. Processors: %d. Load before: %.2f." %
          (host.accel, os.cpu_count(), os.getloadavg()[0]))
    bench = Bench(host, images, image, grub)
    for title, kernel, blob_mib, memory in cases:
        try:
            result, failed = bench.case(kernel, blob_mib, memory, a.runs)
            print_case(title, result, failed, a.runs)
        except Missing as e:
            print("\n### %s\n\nSkipped: %s" % (title, e))
    host.stop()
    print_sizes(image, grub)


if __name__ == "__main__":
    main()
