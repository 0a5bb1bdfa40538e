#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest of any size, by hand: tests/guest/large.py [MIB] (default 65536, the largest that
`pvboot host` makes). Not one of the cases: it takes a minute or two and some GiB.

The guest may have more memory than this machine, because nearly all of it is never touched: QEMU is
told not to reserve it, and ends before Xen clears what the guest gives back.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import run  # noqa: E402
from common import LZ4, MARKER_HASH, system  # noqa: E402
from images import ROOT, Images  # noqa: E402
from rig import Host  # noqa: E402

# Stands before the real QEMU in PATH and changes how it gets the machine's memory.
WRAPPER = """#!/bin/sh
PATH=${PATH#*:}
for word; do
    shift
    case $before in
    -m) size=$word ;;
    -machine) word=$word,memory-backend=ram ;;
    esac
    set -- "$@" "$word"
    before=$word
done
exec qemu-system-x86_64 "$@" -object "memory-backend-ram,id=ram,size=${size}M,reserve=off"
"""


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("mib", metavar="MIB", type=int, nargs="?", default=65536)
    mib = p.parse_args().mib
    work = ROOT / "build/guest-tests"
    images = Images(work)
    wrapper = work / "unreserved/qemu-system-x86_64"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    os.environ["PATH"] = "%s:%s" % (wrapper.parent, os.environ["PATH"])
    host = Host(ROOT / "build/pvboot", mib)
    try:
        t = run.Trial(host, images, ROOT / "build/images/pvboot-hd0-x86_64", 1)
        d = system(t, LZ4, "pv.read=xvda:etc/marker pv.wait")
        g = t.start(disks=[(d, "xvda")], memory=mib)
        host.wait_console(g, "T: waiting", 600)
        r = g.report()
        t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest's own driver")
        t.check(int(r["memtotal"][0]) > mib * 1000, "MemTotal is %s kB" % r["memtotal"][0])
    finally:
        host.proc.terminate()
        host.proc.wait()
    print("a guest of %d MiB: MemTotal %s kB; created in %.1f s, the kernel ran %.1f s after that" % (
        mib, r["memtotal"][0], g.t["created"] - g.t["creating"],
        g.time_of("Linux version") - g.t["unpaused"]))


if __name__ == "__main__":
    main()
