# SPDX-License-Identifier: MIT
"""Sizes of memory: as little as a kernel takes, too little, no round number."""

import re

from common import LZ4, booted, case, system
from cases_handover import by_pvboot
from cases import errors_before_kernel


@case
def memory_16_to_67(t):
    """The kernel that checks everything, in 16 MiB and in 67 MiB of memory"""
    by_pvboot(t, "x86_64", "plain", 16, module=False)
    by_pvboot(t, "x86_64", "linux", 67)


@case
def memory_131(t):
    """131 MiB of memory (no multiple of 4 MiB), and a Linux"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker")
    r = booted(t, t.boot(disks=[(d, "xvda")], memory=131), LZ4)
    t.note("MemTotal %s kB" % r["memtotal"][0])


@case
def memory_missing(t):
    """A guest too small for its kernel and initrd: the error says how many MiB are missing"""
    d = system(t, LZ4, blob_mib=30)
    t.add_disks([(d, "xvda")])
    g = t.boot(disks=None, memory=64)
    t.equal(g.reason, "crash", "the guest's end")
    lines = errors_before_kernel(g)
    t.check(len(lines) == 1 and lines[0].startswith("Error 28: "), "one error 28: %s" % lines)
    missing = re.search(r"has 64 MiB of memory; .* take (\d+) MiB more than that", g.console)
    t.check(missing, "the sentence says what is missing: %s" % lines)
    # With so much more the loader is content. (The kernel, unpacking its initrd, may not be.)
    g = t.boot(disks=None, memory=64 + int(missing[1]), accept_kernel_only=True)
    t.note("64 MiB lack %s MiB" % missing[1])
