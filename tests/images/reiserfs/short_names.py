#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""short_names.py REISERFS.KO - lets a newer Linux mount ReiserFS 3.5, for tests.

Since 5.13, Linux takes a directory whose names are shorter than 8 bytes for damaged: it counts 24
bytes for the head of each entry, not 16. In 3.5, which does not fill names up, that is every empty
directory, so such a Linux can neither mount what mkreiserfs made nor make a directory. This skips
that one comparison in Debian 12's module, and takes off the signature, which no longer fits.
"""

import re
import struct
import sys
from pathlib import Path

#                    lea (r10,r10,2),r10  shl 3,r10        cmp r10,r8   jb
COMPARISON = re.compile(rb"(\x4f\x8d\x14\x52\x49\xc1\xe2\x03\x4d\x39\xd0)\x72.", re.S)
SIGNED = b"~Module signature appended~\n"

path = Path(sys.argv[1])
module, nr = COMPARISON.subn(b"\\1\x90\x90", path.read_bytes())
if nr != 1:
    sys.exit("%s is not as short_names.py knows it: ReiserFS 3.5 will not be mounted" % path.name)
if module.endswith(SIGNED):
    module = module[:-len(SIGNED)]
    module = module[:-12 - struct.unpack(">I", module[-4:])[0]]
path.write_bytes(module)
