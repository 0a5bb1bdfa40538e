#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py [--overwrite PROGRAM] PVBOOT WORKFOLDER [NAME]... - file systems read by pvboot, compared
with Linux.

The images stand in the lists ext.list, xfs.list, reiserfs.list (README.md says what the columns
mean). Each is made by its own mkfs, written or only read by a Linux guest, and its listing (type,
size, mode, target and SHA-256 of each file) compared with `pvboot ls -R --json --sha256`. With
NAMEs (shell patterns), only these images.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import re
import shutil
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

from oracle import HERE, Failed, Guest, Job, Missing, command

SIZES = {"ext": "160M", "xfs": "320M", "reiserfs": "128M"}
MOUNT_AS = {"ext": "ext4", "xfs": "xfs", "reiserfs": "reiserfs"}
GUESTS_AT_A_TIME = 2
LOOK_UPS = 12
CHUNK_WEIGHT = 24


class Image:
    """A line of a list."""

    def __init__(self, family, line):
        words = line.split(None, 4)
        self.family = family
        self.name, kind, self.kernel, self.mount = words[:4]
        self.options = words[4] if len(words) > 4 else ""
        kind, _, sector = kind.partition("/")
        self.sector = 4096 if sector == "4k" else 512
        self.kind, _, number = kind.partition("-")
        self.number = number or "0"
        self.size = SIZES[family]
        self.env = {}
        self.job = None
        self.skip = self.wrong = None
        self.in_place = ""

    def weight(self):
        return 3 if self.mode() in "wd" else 1

    def mode(self):
        """What the guest does with it; as init.sh names it."""
        return self.kind[-1] if self.kind[-1] in "wd" else "r"

    def make(self, work, trees):
        """Makes work/NAME.img."""
        self.path = work / (self.name + ".img")
        self.path.unlink(missing_ok=True)
        if self.kind[0] == "f":
            command("sh", "-ec", "xz -dc $HERE/%s.img.xz | cp --sparse=always /dev/stdin $IMG"
                    % self.options, env=dict(IMG=str(self.path), HERE=str(HERE)))
            return
        options, _, then = (" " + self.options.rpartition(" | ")[0] if self.kind == "x"
                            else " " + self.options).partition(" && ")
        words = options.split()
        prefix = "%s." % (work / self.name)
        while words and words[0].startswith(("SIZE=", "FILE=")):
            what, _, value = words.pop(0).partition("=")
            if what == "SIZE":
                self.size = value
            else:
                command("truncate", "-s", value.split(":")[1], prefix + value.split(":")[0])
        options = " ".join(words).replace("@", prefix)
        tree = trees["triple" if self.kind == "r3" else "plain"] if self.kind[0] in "rgx" else None
        script = MKFS[self.family](self, options, tree)
        command("sh", "-ec", script + (" && " + then if then else ""),
                env=dict(IMG=str(self.path), HERE=str(HERE), TREE=str(tree or "")))


def mke2fs(image, options, tree):
    nr_inodes = "" if " -N " in " " + options else "-N 12000 "
    return "mke2fs -q -F %s %s-E lazy_itable_init=0,root_owner=0:0 %s $IMG %s" % (
        options, nr_inodes, "-d %s" % tree if tree else "", image.size)


def mkfs_xfs(image, options, tree):
    proto = "-p %s.proto" % tree if tree else ""
    return ("truncate -s %s $IMG; mkfs.xfs -q -f --unsupported %s %s $IMG"
            % (image.size, options, proto))


def mkreiserfs(image, options, _tree):
    return "truncate -s %s $IMG; mkreiserfs -q -ff %s $IMG" % (image.size, options)


MKFS = {"ext": mke2fs, "xfs": mkfs_xfs, "reiserfs": mkreiserfs}


def read_lists(names):
    images = []
    for family in MKFS:
        for line in (HERE / (family + ".list")).read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                images.append(Image(family, line))
    for a, b in zip(sorted(i.name for i in images), sorted(i.name for i in images)[1:]):
        if a == b:
            raise Failed("two images are named " + a)
    return [i for i in images if not names or any(fnmatch.fnmatch(i.name, n) for n in names)]


def chunks(images):
    """Images in parts that share a kernel and take a guest about as long."""
    by_kernel = {}
    for image in images:
        by_kernel.setdefault(image.kernel, []).append(image)
    for kernel, members in by_kernel.items():
        nr = 1 + sum(i.weight() for i in members) // CHUNK_WEIGHT
        for part in range(nr):
            if members[part::nr]:
                yield kernel, members[part::nr]


class Run:
    def __init__(self, pvboot, work, overwrite=None):
        self.pvboot, self.work, self.overwrite = pvboot, work, overwrite
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()
        self.guests = {}
        self.trees = {}

    def say(self, image, trouble=None, note="", skip=False):
        with self.lock:
            if trouble is None:
                self.passed += 1
                print("ok %s: %s" % (image.name, note), flush=True)
            elif skip:
                self.skipped += 1
                print("ok %s # skip %s" % (image.name, trouble), flush=True)
            else:
                self.failed += 1
                print("not ok %s: %s" % (image.name, trouble), flush=True)

    def prepare(self, images):
        for name, *options in (("plain",), ("triple", "--triple")):
            tree = self.work / ("tree-" + name)
            shutil.rmtree(tree, ignore_errors=True)
            command("python3", HERE / "tree.py", tree, *options)
            (self.work / ("tree-%s.proto" % name)).write_bytes(
                command("python3", HERE / "proto.py", tree))
            self.trees[name] = tree
        shutil.rmtree(self.work / "bin", ignore_errors=True)
        kernels = {i.kernel for i in images if i.kernel != "-"}
        for kernel in sorted(kernels) or ["d12"]:
            try:
                self.guests[kernel] = Guest(self.work, kernel)
            except Missing as reason:
                for image in images:
                    if image.kernel == kernel:
                        image.skip = str(reason)

    def chunk(self, tag, kernel, images):
        """Makes the images, runs the guests, compares."""
        ready = []
        for image in images:
            try:
                image.make(self.work, self.trees)
                ready.append(image)
            except Failed as reason:
                self.say(image, str(reason))
        if kernel != "-":
            self.ask(tag, self.guests[kernel], ready)
        for image in ready:
            try:
                COMPARE.get(image.kind, compare)(self, image)
            except Failed as reason:
                self.say(image, str(reason))
            else:
                for path in self.work.glob(image.name + ".*"):
                    path.unlink()

    def ask(self, tag, guest, images):
        for image in images:
            image.job = Job(image.path, image.mode(), MOUNT_AS[image.family], image.mount, image.number,
                            image.sector)

        def remake():
            for image in images:
                image.make(self.work, self.trees)

        guest.run(tag, [i.job for i in images], remake=remake)
        again = []
        for image in images:
            if image.mode() == "d" and not image.job.trouble:
                write_in_place(self, image)
                copy = self.work / (image.name + ".linux.img")
                command("cp", "--sparse=always", image.path, copy)
                image.job = Job(copy, "rw", MOUNT_AS[image.family], image.mount, 0, image.sector)
                again.append(image.job)
        if again:
            guest.run(tag + ".recovery", again)

    def listing(self, image, path):
        with open(self.work / (image.name + ".err"), "wb") as err:
            r = subprocess.run([str(self.pvboot), "ls", "-R", "--json", "--sha256", str(path), "(hd0)/"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        if r.returncode:
            text = (self.work / (image.name + ".err")).read_text(errors="replace")
            raise Failed("status %d: %s" % (r.returncode, " / ".join(text.splitlines()[:3])))
        return r.stdout


def same(run, image, linux, ours):
    linux, ours = sorted(linux), sorted(ours)
    if linux == ours:
        return
    (run.work / (image.name + ".linux.txt")).write_bytes(b"\n".join(linux) + b"\n")
    (run.work / (image.name + ".pvboot.txt")).write_bytes(b"\n".join(ours) + b"\n")
    missing, extra = sorted(set(linux) - set(ours)), sorted(set(ours) - set(linux))
    for sign, lines in (("<", missing), (">", extra)):
        for line in lines[:5]:
            print("# %s %s" % (sign, line.decode("utf-8", "replace")[:300]))
    raise Failed("Linux (<, %d) and pvboot (>, %d) differ" % (len(missing), len(extra)))


def in_other_case(path):
    """The same name where there is no case."""
    return unicodedata.normalize("NFD", path.replace("\u00df", "ss").swapcase())


def look_up(run, image):
    """Some of the names one by one: through the directory's index, where there is one."""
    paths = [json.loads(line)["path"] for line in image.job.lines if b'"symlink"' not in line]
    paths.sort()
    wanted = paths[::max(1, len(paths) // LOOK_UPS)]
    for path in [p for p in paths if "/without-case/" in p][::200]:
        folder, _, name = path.rpartition("/")
        wanted.append(folder + "/" + in_other_case(name))
    for path in wanted:
        r = subprocess.run([str(run.pvboot), "ls", str(image.path), "(hd0)" + path],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if r.returncode or b"index" in r.stderr:
            raise Failed("looking for %s: %s" % (path, r.stderr.decode("utf-8", "replace").strip()))


def compare(run, image):
    if image.job.trouble:
        raise Failed(image.job.trouble)
    same(run, image, image.job.lines, run.listing(image, image.path).splitlines())
    if not image.job.lines:
        raise Failed("nothing was compared")
    if image.wrong:
        raise Failed(image.wrong)
    if image.in_place:
        fsck(run, image)
    if image.kind == "w":
        look_up(run, image)
    run.say(image, note="%d files%s" % (len(image.job.lines), image.in_place))


def write_in_place(run, image):
    """Changes some files of a dirty image as pvboot would. Linux must come to the same after its
    recovery, and fsck must find nothing."""
    if not run.overwrite:
        return
    r = subprocess.run([str(run.overwrite), str(image.path), str(image.sector)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = r.stdout.decode("utf-8", "replace").splitlines()
    written = [s for s in lines if s.startswith("written ")]
    image.in_place = ", %d overwritten, %d not" % (len(written), len(lines) - len(written))
    journalled = "data=journal" in image.mount
    if r.returncode or not (written or journalled):
        image.wrong = "overwriting files: status %d: %s" % (
            r.returncode, " / ".join([s for s in lines if not s.startswith(("written", "refused"))][:3]))
    elif journalled and not any("the journal holds" in s for s in lines):
        image.wrong = "no file was refused because of the journal"


def fsck(run, image):
    recovered = run.work / (image.name + ".linux.img")
    try:
        command(*FSCK[image.family], recovered)
    except Failed as reason:
        if TOO_NEW not in str(reason):
            raise Failed("after Linux's recovery: %s" % reason) from None
        image.in_place += ", too new for this fsck"


TOO_NEW = "Found unsupported filesystem features"  # Debian 12's xfs_repair
FSCK = {"ext": ("e2fsck", "-fn"), "xfs": ("xfs_repair", "-n"), "reiserfs": ("reiserfsck", "-y", "-q")}


def refused(run, image):
    """Not to be read: options | sentence that must be said."""
    _, _, sentence = image.options.rpartition(" | ")
    try:
        run.listing(image, image.path)
    except Failed as reason:
        if sentence not in str(reason):
            raise Failed("expected '%s', got '%s'" % (sentence, reason)) from None
        run.say(image, note="refused: " + sentence)
        return
    raise Failed("not refused; expected: " + sentence)


def plain_modes(lines):
    """debugfs dumps no fifo, and set-id bits are lost when it gives a file its owner."""
    return [re.sub(rb'"mode": "(...).', rb'"mode": "\g<1>0', s) for s in lines
            if b'"type": "other"' not in s]


def debugfs(run, image):
    """What Linux may not be able to mount (blocks larger than a page): the second oracle."""
    out = run.work / (image.name + ".rdump")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    command("debugfs", "-R", "rdump / %s" % out, image.path)
    lines = command(run.work / "bin/report", out).splitlines()
    shutil.rmtree(out)
    same(run, image, plain_modes(lines), plain_modes(run.listing(image, image.path).splitlines()))
    run.say(image, note="%d files, by debugfs" % len(lines))


COMPARE = {"x": refused, "g": debugfs}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--overwrite", type=Path, help="writes into dirty images, in place")
    parser.add_argument("pvboot", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    run = Run(args.pvboot.resolve(), args.work.resolve(),
              args.overwrite.resolve() if args.overwrite else None)
    images = read_lists(args.names)
    for old in run.work.glob("*.img"):
        old.unlink()
    run.prepare(images)
    for image in images:
        if image.skip:
            run.say(image, image.skip, skip=True)
    parts = list(chunks([i for i in images if not i.skip]))
    with concurrent.futures.ThreadPoolExecutor(GUESTS_AT_A_TIME) as pool:
        for done in [pool.submit(run.chunk, "part%d" % nr, kernel, members)
                     for nr, (kernel, members) in enumerate(parts)]:
            done.result()
    print("%d passed, %d failed, %d skipped" % (run.passed, run.failed, run.skipped))
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
