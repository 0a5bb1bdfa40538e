#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reiser35.py IMAGE - makes an empty ReiserFS of format 3.5 one that today's Linux mounts.

mkreiserfs gives the root directory an item of 35 bytes: two entries of 16, and their names. Since
5.11 Linux demands 24 bytes an entry of every directory item. The names get the padding that format
3.6 gives them: 48 bytes.
"""

import struct
import sys

BLOCK = 4096
SUPERBLOCK = 16 * BLOCK
ITEM_HEADS = 24  # behind the block's head; each 24 bytes
OLD, NEW = 35, 48

with open(sys.argv[1], "r+b") as f:
    f.seek(SUPERBLOCK)
    root = struct.unpack_from("<I", f.read(64), 8)[0]
    f.seek(root * BLOCK)
    node = bytearray(f.read(BLOCK))
    level, nr_items, free = struct.unpack_from("<HHH", node, 0)
    length, place = struct.unpack_from("<HH", node, ITEM_HEADS + 24 + 18)
    if (level, nr_items, length) != (1, 2, OLD):
        sys.exit("reiser35.py: not an empty root directory of format 3.5")
    start = place + OLD - NEW
    node[start:place + OLD] = node[place:place + 32] + b"..".ljust(8, b"\0") + b".".ljust(8, b"\0")
    for entry, where in ((0, 40), (1, 32)):
        struct.pack_into("<H", node, start + entry * 16 + 12, where)
    struct.pack_into("<HH", node, ITEM_HEADS + 24 + 18, NEW, start)
    struct.pack_into("<H", node, 4, free - (NEW - OLD))
    # The size in the directory's stat data: mode, links, uid, gid (2 bytes each), size.
    stat = struct.unpack_from("<H", node, ITEM_HEADS + 20)[0]
    struct.pack_into("<I", node, stat + 8, NEW)
    f.seek(root * BLOCK)
    f.write(node)
