#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""proto.py FOLDER - a prototype file for mkfs.xfs -p that fills a file system with FOLDER.

Names with white space cannot be said in one (mkfs.xfs 6.1), and are left out; so are links that do not
fit an inode, which it writes without their header. A second name of a file becomes a second file.
"""

import os
import stat
import sys

INLINE_LINK = 100


def mode_field(st):
    kind = {stat.S_IFREG: "-", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p"}
    mode = stat.S_IMODE(st.st_mode)
    return (kind[stat.S_IFMT(st.st_mode)] + ("u" if mode & 0o4000 else "-")
            + ("g" if mode & 0o2000 else "-") + "%03o" % (mode & 0o777))


def walk(folder, out):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        st = os.lstat(path)
        if name.split() != [name]:
            continue
        if stat.S_ISLNK(st.st_mode) and len(os.readlink(path)) > INLINE_LINK:
            continue
        head = "%s %s 0 0" % (name, mode_field(st))
        if stat.S_ISDIR(st.st_mode):
            out.append(head)
            walk(path, out)
            out.append("$")
        elif stat.S_ISREG(st.st_mode):
            out.append("%s %s" % (head, path))
        elif stat.S_ISLNK(st.st_mode):
            out.append("%s %s" % (head, os.readlink(path)))
        else:
            out.append(head)


lines = ["/", "0 0", "d--755 0 0"]
walk(sys.argv[1], lines)
lines.append("$")
sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
