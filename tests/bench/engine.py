#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What an instance of the embedded engine costs: from start to its first lines, and its memory.

usage: tests/bench/engine.py [--runs N]      needs make host cloud images build/engine_driver

Prints, for the median run, wall-clock and processor seconds; other work on the machine disturbs the
former, and the latter less.
"""
import argparse
import os
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cloud"))
from engines_common import ID  # noqa: E402
from engines_embedded import BOOT_S, Box  # noqa: E402


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(c) for c in f.read().split()]


def cpu_s(pids):
    """Processor time of these processes and of the children that they have waited for."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            total += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def pss_mib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def one(driver, work):
    box = Box(driver, work)
    disk = box.disk("do=wait")
    seen = {}
    with box.open() as d:
        try:
            began = time.monotonic()
            d.start(kernel=box.kernel, disks=[f"{disk},qcow2,xvda"], memory=256)
            for key, text in (("first line", "pvboot"), ("init runs", "T: waiting")):
                while text not in d.console():
                    assert time.monotonic() < began + BOOT_S, d.console()
                    time.sleep(0.05)
                runner = box.runner()
                pids = [runner, *children(runner)]
                seen[key] = (time.monotonic() - began, cpu_s(pids))
            seen["memory"] = (pss_mib(pids[0]), pss_mib(pids[1]))
        finally:
            began = time.monotonic()
            d.ask("destroy", ID)
            seen["destroy"] = (time.monotonic() - began, 0)
            d.ask("forget", ID)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    driver = os.path.join(HERE, "..", "..", "build", "engine_driver")
    if not os.access(driver, os.X_OK):
        parser.error(f"{os.path.normpath(driver)} is no program; `make build/engine_driver` builds it")
    seen = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as work:
            seen.append(one(os.path.abspath(driver), work))
    for key in ("first line", "init runs", "destroy"):
        print(f"{key:12} {statistics.median(s[key][0] for s in seen):7.2f} s wall "
              f"{statistics.median(s[key][1] for s in seen):7.2f} s processor")
    print(f"memory       {statistics.median(s['memory'][0] for s in seen):7.1f} MiB the runner "
          f"{statistics.median(s['memory'][1] for s in seen):7.1f} MiB its QEMU, of a 256 MiB guest")


if __name__ == "__main__":
    main()
