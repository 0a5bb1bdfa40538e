#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What large menus cost: processor time of `pvboot inspect`, whose parser is the guest's.

    tests/bench/menus.py build/pvboot [--runs N]

Each table doubles something; "ratio" is the time over that of the half, less the time of
a menu with one entry. Linear is 2. Nothing is judged: the figures belong to the machine.
"""

import argparse
import os
import resource
import subprocess
import tempfile
from pathlib import Path


def seconds(args, runs, statuses=(0,)):
    """The least processor time of the runs."""
    least = None
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        r = subprocess.run([str(a) for a in args], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if r.returncode not in statuses:
            raise RuntimeError("%s: %s" % (args, r.stderr.decode()))
        took = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        least = took if least is None else min(least, took)
    return least


def entries(nr, kernel="/boot/k"):
    return b"timeout 0\n" + b"".join(
        b"title Entry %d\nroot (hd0)\nkernel %s root=/dev/xvda1 ro %d\ninitrd /boot/i\n"
        % (i, (kernel % i if "%" in kernel else kernel).encode(), i) for i in range(nr))


def one(title=b"x", arguments=b"ro"):
    return b"timeout 0\ntitle " + title + b"\nkernel /boot/k " + arguments + b"\n"


def table(what, sizes, cost):
    print("\n| %s | processor time | ratio |\n|---|---|---|" % what)
    base, before = cost(0), None
    for size in sizes:
        took = cost(size) - base
        ratio = "-" if not before else "%.2f" % (took / before)
        print("| %s | %.3f s | %s |" % (format(size, ","), took, ratio), flush=True)
        before = took


def image(folder, menu):
    """An ext4 with the menu, and files that are no kernels: the reading of the menu is the cost."""
    root, out = folder / "root", folder / "disk.img"
    (root / "boot/grub").mkdir(parents=True, exist_ok=True)
    (root / "boot/k").write_bytes(b"no kernel\n")
    (root / "boot/i").write_bytes(b"no initrd\n")
    (root / "boot/grub/menu.lst").write_bytes(menu)
    out.write_bytes(b"")
    os.truncate(out, 32 << 20)
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, out], env=env, check=True)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("pvboot")
    p.add_argument("--runs", type=int, default=5)
    o = p.parse_args()
    if not os.access(o.pvboot, os.X_OK):
        p.error("%s is no program; `make host` builds build/pvboot" % o.pvboot)
    with tempfile.TemporaryDirectory(prefix="pvboot-bench-") as tmp:
        folder = Path(tmp)

        def menu(content):
            (folder / "menu.lst").write_bytes(content)
            return seconds([o.pvboot, "inspect", "--menu", "--json", folder / "menu.lst"], o.runs)

        def disk(content):
            return seconds([o.pvboot, "inspect", "--json", image(folder, content)], o.runs,
                           (0, 1))

        table("entries, `inspect --menu`", [4096, 8192, 16384, 32768],
              lambda n: menu(entries(n or 1)))
        table("characters of a title", [1 << 18, 1 << 19, 1 << 20, 1 << 21],
              lambda n: menu(one(title=b"t" * (n or 1))))
        table("bytes of a kernel line", [1 << 18, 1 << 19, 1 << 20, 1 << 21],
              lambda n: menu(one(arguments=b"a " * (n // 2 or 1))))
        table("lines that are joined", [1 << 17, 1 << 18, 1 << 19, 1 << 20],
              lambda n: menu(one(arguments=b"a\\\n" * (n or 1))))
        table("wrong lines before the first title", [1 << 15, 1 << 16, 1 << 17, 262140],
              lambda n: menu(b"timeuot 3\n" * (n or 1) + one()))
        table("initrds of an entry", [1 << 14, 1 << 15, 1 << 16, 1 << 17],
              lambda n: menu(one() + b"initrd /i\n" * (n or 1)))
        table("entries of one kernel, `inspect`", [4096, 8192, 16384, 32768],
              lambda n: disk(entries(n or 1)))
        table("entries of a missing kernel each, `inspect`", [4096, 8192, 16384, 32768],
              lambda n: disk(entries(n or 1, "/boot/gone-%d")))


if __name__ == "__main__":
    main()
