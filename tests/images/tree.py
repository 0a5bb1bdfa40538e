#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tree.py FOLDER [--triple | --small] - a tree of files that strains a reader: the same one every time.

--triple adds a file that needs all three levels of indirection with 1 KiB blocks, 70 MiB long.
--small is a tree that compresses to some kilobytes.
"""

import os
import random
import sys

rng = random.Random(20261)
POOL = rng.randbytes(2 << 20)


def put(root, path, data):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.write(data)


def sparse(root, path, size, pieces):
    """A file of `size` bytes with data only at `pieces`: (offset, length)."""
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as f:
        f.truncate(size)
        for off, length in pieces:
            f.seek(off)
            f.write(POOL[off % 65536:off % 65536 + length])


def link(root, target, path):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    os.symlink(target, full)


def small(root):
    put(root, "empty", b"")
    for size in (1, 100, 511, 4095, 4096, 4097, 65536, 200001):
        put(root, f"sizes/{size}", b"".join(b"%d %d\n" % (size, i) for i in range(size))[:size])
    sparse(root, "sparse/odd", 500001, [(i * 70001, 77) for i in range(7)])
    for i in range(150):
        put(root, f"many/entry-number-{i:05}", b"")
    for i in range(10):
        put(root, "long/" + f"{i:03}" + "n" * 252, b"a name of 255 bytes")
    put(root, "deep/" + "/".join(f"level-{i}" for i in range(20)) + "/bottom", b"deep down")
    for n in (1, 59, 60, 61, 100):
        link(root, "t" * n, f"links/len{n}")
    for mode in (0o400, 0o755, 0o4755):
        put(root, f"modes/{mode:04o}", b"mode")
        os.chmod(os.path.join(root, f"modes/{mode:04o}"), mode)


def main(root):
    put(root, "empty", b"")
    for bits in range(0, 19):
        for size in (1 << bits, (1 << bits) - 1, (1 << bits) + 1):
            put(root, f"sizes/{size}", POOL[bits:bits + size])
    put(root, "boot/vmlinuz-6.1", POOL)
    put(root, "boot/initrd.img-6.1", POOL + POOL[:777777])

    # Holes at the start, between, at the end.
    sparse(root, "sparse/start", 3 << 20, [((3 << 20) - 1, 1)])
    sparse(root, "sparse/end", 3 << 20, [(0, 1)])
    sparse(root, "sparse/none", 1 << 20, [])
    sparse(root, "sparse/every-other", 4 << 20, [(i * 8192, 4096) for i in range(512)])
    sparse(root, "sparse/odd", 5000001, [(i * 70001, 777) for i in range(70)])
    # The levels of indirection end at 12 KiB, 268 KiB and 64.3 MiB.
    if "--triple" in sys.argv:
        sparse(root, "sparse/triple", 70 << 20,
               [(0, 1), (12 << 10, 2000), (267 << 10, 3000), (1 << 20, 1024), (40 << 20, 5000),
                ((65 << 20) - 700, 1500), (66 << 20, 100000), ((70 << 20) - 3, 3)])

    for i in range(2000):
        put(root, f"many/entry-number-{i:05}", b"" if i % 10 else b"%d\n" % i)
    for i in range(40):
        put(root, "long/" + f"{i:03}" + "n" * 252, b"a name of 255 bytes")
    deep = "deep/" + "/".join(f"level-{i}" for i in range(120))
    put(root, deep + "/bottom", b"deep down")
    for i in range(100):
        os.makedirs(os.path.join(root, f"dirs/d{i}/e"))

    link(root, "boot/vmlinuz-6.1", "vmlinuz")
    link(root, "/boot/vmlinuz-6.1", "absolute")
    link(root, "../../boot", "links/a/up")
    link(root, "self", "links/self")
    link(root, "/nowhere/at/all", "links/dangling")
    for n in (1, 58, 59, 60, 61, 100, 255, 1000, 1023):
        link(root, "t" * n if n < 256 else ("d" * 99 + "/") * 10 + "t" * (n - 1000), f"links/len{n}")

    for name in ("two words", "quo'te\"d", "back\\slash", "new\nline", "tab\tbed", "-dash", "caf\u00e9",
                 "\u6f22\u5b57", "...", "..a", "$HOME", "esc\x1b[31m", "*", "%s%n"):
        put(root, "names/" + name, name.encode())
    for mode in (0o000, 0o400, 0o755, 0o777, 0o4755, 0o2755, 0o6711):
        put(root, f"modes/{mode:04o}", b"mode")
        os.chmod(os.path.join(root, f"modes/{mode:04o}"), mode)
    os.mkdir(os.path.join(root, "modes/sticky"))
    os.chmod(os.path.join(root, "modes/sticky"), 0o1777)
    os.mkfifo(os.path.join(root, "modes/fifo"))
    os.link(os.path.join(root, "sizes/65537"), os.path.join(root, "boot/hardlink"))


(small if "--small" in sys.argv else main)(sys.argv[1])
