# SPDX-License-Identifier: MIT
"""Puts a file system into a partition, with tables made by sfdisk, sgdisk and fdisk."""

import os
import subprocess

ENV = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
MIB = 1 << 20
FIRST_MIB = 8  # of the partition; what comes before has room for others


def tool(text, *words):
    r = subprocess.run([str(w) for w in words], input=text.encode(), env=ENV, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    if r.returncode:
        raise RuntimeError("%s failed: %s" % (words[0], r.stdout.decode("latin-1").strip()))


def mbr(out, size_mib):
    """(hd0,0)"""
    tool("label: dos\n1 : start=%dM, size=%dM, type=83, bootable\n" % (FIRST_MIB, size_mib),
         "sfdisk", "-q", "--no-reread", out)


def logical(out, size_mib):
    """(hd0,5): the second logical one"""
    tool("label: dos\n1 : start=1M, size=1M, type=83\n2 : start=2M, size=%dM, type=5\n"
         "5 : start=3M, size=1M, type=83\n6 : start=%dM, size=%dM, type=83\n"
         % (size_mib + 10, FIRST_MIB, size_mib), "sfdisk", "-q", "--no-reread", out)


def gpt(out, size_mib):
    """(hd0,2)"""
    tool("", "sgdisk", "-n", "1:1M:+2M", "-n", "3:%dM:+%dM" % (FIRST_MIB, size_mib), out)


def gpt_damaged(out, size_mib):
    gpt(out, size_mib)
    with open(out, "r+b") as f:
        f.seek(512)
        f.write(bytes(512))


def gpt_4096(out, size_mib):
    """(hd0,2), for sectors of 4096 bytes"""
    tool("g\nn\n3\n%d\n%d\nw\n" % (FIRST_MIB * 256, (FIRST_MIB + size_mib) * 256 - 1),
         "fdisk", "-b", "4096", "-w", "never", "-W", "never", out)


TABLES = {"mbr": mbr, "logical": logical, "gpt": gpt, "gpt-damaged": gpt_damaged,
          "gpt-4096": gpt_4096}


def around(part, out, table):
    """The image `out`: a disk with a table of that kind, and `part` as its partition."""
    size_mib = os.path.getsize(part) // MIB
    with open(out, "wb") as f:
        f.truncate((FIRST_MIB + size_mib + 8) * MIB)
    TABLES[table](out, size_mib)
    tool("", "dd", "if=%s" % part, "of=%s" % out, "bs=1M", "seek=%d" % FIRST_MIB,
         "conv=sparse,notrunc")
