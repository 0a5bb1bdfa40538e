#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the guest cases: tests/guest/run.py [--image FILE] [--xen-suite SUITE] [CASE]...

Starts the Xen host once and runs every case (or those named) on it. Some run
again on the newest Xen of Debian's releases, as CASE@SUITE; with --xen-suite
all that are chosen run on that release's Xen instead. Three outcomes are kept
apart: a pass; a failure (the guest did the wrong thing); no answer (the guest or the host said nothing in time), which counts as a
failure, too. A case whose ingredients cannot be had is skipped by name.
Output is TAP with a last line "N passed, N failed, N skipped".
"""

import argparse
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, NamedTuple, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cases_backends  # noqa: E402,F401
import cases_extract  # noqa: E402,F401
import cases_formats  # noqa: E402,F401
import cases_fs  # noqa: E402,F401
import cases_handover  # noqa: E402,F401
import cases_lang  # noqa: E402,F401
import cases_menu  # noqa: E402,F401
import cases_memory  # noqa: E402,F401
import cases_saved  # noqa: E402,F401
import cases  # noqa: E402,F401
from common import CASES  # noqa: E402
from images import ROOT, Images, Missing  # noqa: E402
from rig import Host, NoAnswer, Refused  # noqa: E402

HOST_MEMORY_MIB = 8192 + 512  # the largest case, and what is being given back
HOST32_MEMORY_MIB = 1024
DISK_WORDS = ("r", "loop", "qdisk")  # options of the guest's disk; others are the drive's
NEWEST = "trixie"  # the release of Debian with the newest Xen (sid has the same)


class Wrong(AssertionError):
    pass


class Run(NamedTuple):
    """A case, and the release of Debian whose Xen it runs on (None: this machine's)."""
    fn: Callable
    suite: Optional[str]

    @property
    def name(self):
        return self.fn.__name__ + ("@" + self.suite if self.suite else "")

    @property
    def host(self):
        return (self.fn.xen32, self.suite or "")


class Hosts:
    """The Xen host that a case needs: one runs at a time."""

    def __init__(self, pvboot, verbose):
        self.pvboot = pvboot
        self.verbose = verbose
        self.host = None
        self.kind = None
        self.missing = {}  # a suite and why it cannot be had

    def get(self, run):
        if self.host and self.kind != run.host:
            self.stop()
        if not self.host:
            xen = self.xen32() if run.fn.xen32 else None
            if run.suite:
                self.need_suite(run.suite)
            self.host = Host(self.pvboot, HOST32_MEMORY_MIB if run.fn.xen32 else HOST_MEMORY_MIB,
                             self.verbose, xen, run.suite)
            self.kind = run.host
        return self.host

    @staticmethod
    def xen32():
        r = subprocess.run([str(ROOT / "tools/fetch-xen32.sh")], stdout=subprocess.PIPE)
        text = r.stdout.decode().strip()
        if r.returncode or not text.startswith("/"):
            raise Missing("no Xen for 32-bit guests: %s" % (text.lstrip("- ") or "fetch-xen32.sh failed"))
        return text

    def need_suite(self, suite):
        """Makes the host of another release, or says what cannot be had."""
        if suite not in self.missing:
            r = subprocess.run([str(ROOT / "host/xenhost/mkhost.sh")], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(os.environ, PVBOOT_XEN_SUITE=suite))
            words = r.stderr.decode("latin-1").strip().split("\n")[-1].replace("pvboot: ", "", 1)
            self.missing[suite] = (words or "mkhost.sh failed") if r.returncode else None
        if self.missing[suite]:
            raise Missing("no Xen of %s: %s" % (suite, self.missing[suite]))

    def stop(self):
        if self.host:
            self.host.stop()
        self.host = None


class Trial:
    """One case under way."""

    def __init__(self, host, images, image, slow):
        self.host = host
        self.images = images
        self.image = image
        self.slow = slow
        self.guests = []
        self.notes = []
        self.disk_words = []

    def note(self, text):
        self.notes.append(text)

    def check(self, ok, what):
        if not ok:
            raise Wrong("not true: " + what)

    def equal(self, got, wanted, what):
        if got != wanted:
            raise Wrong("%s: got %r, wanted %r" % (what, got, wanted))

    def add_disks(self, disks, prefix="d"):
        """A disk is (image or None for an empty CD drive, vdev, option...)."""
        self.disk_words = []
        for i, (path, vdev, *options) in enumerate(disks):
            if path is None:
                self.disk_words.append(",%s,cdrom" % vdev)
                continue
            name = "%s%d" % (prefix, i)
            drive = [o for o in options if o not in DISK_WORDS]
            self.host.drive(name, path, *drive)
            self.disk_words.append(",".join([name, vdev] + [o for o in options if o in DISK_WORDS]))

    def start(self, disks, memory=256, vcpus=1, extra=None, maxmem=None, kernel=None,
              ramdisk=None, image=None, name="guest", prefix="d", typed=None):
        """typed: what lies on the console before the guest runs."""
        if disks is not None:
            self.add_disks(disks, prefix)
        kernel_name = "pvboot"
        if kernel:
            kernel_name = "kernel"
            self.host.file("kernel", kernel)
        else:
            self.host.file("pvboot", image or self.image)
        if ramdisk:
            self.host.file("ramdisk", ramdisk)
        g = self.host.create(name, kernel=kernel_name, ramdisk="ramdisk" if ramdisk else None,
                             extra=extra, memory=memory, maxmem=maxmem, vcpus=vcpus,
                             disk=self.disk_words)
        self.guests.append(g)
        if typed:
            self.host.command("input", g.name, typed)
        self.host.unpause(g)
        return g

    def finish(self, g, seconds=120):
        self.host.wait_end(g, seconds * self.slow)
        return g

    def boot(self, disks, seconds=120, accept_kernel_only=False, **config):
        g = self.start(disks, **config)
        if accept_kernel_only:
            self.host.wait_console(g, "Linux version", seconds * self.slow)
            return g
        return self.finish(g, seconds)

    def save_and_restore(self, g):
        self.host.command("save", g.name)
        self.host.command("restore", g.name)
        g.ended = False
        g.reason = None
        self.host.unpause(g)
        return g

    def evidence(self):
        """What a person needs to see when the case went wrong."""
        lines = []
        for g in self.guests:
            lines.append("---- console of %s (ended: %s, reason: %s)" % (g.name, g.ended, g.reason))
            lines += g.console.replace("\r", "").split("\n")[-120:]
            xen = self.host.xen_log(g)
            if xen:
                lines.append("---- Xen's log since its creation")
                lines += xen[-40:]
            if g.dump:
                lines.append("---- registers")
                lines += g.dump[:20]
        return lines


def run_case(fn, trial):
    """Returns (outcome, text)."""
    try:
        fn(trial)
        return "pass", ""
    except Missing as e:
        return "skip", str(e)
    except Wrong as e:
        return "fail", str(e)
    except (NoAnswer, Refused) as e:
        return "no answer", str(e)
    except Exception:  # a broken case is a result of its own
        return "broken test", traceback.format_exc()


def choose(names, suite):
    """The runs that are asked for, in an order in which each host starts once."""
    runs = []
    for fn in CASES:
        if suite:
            runs += [] if fn.xen32 else [Run(fn, suite)]
            continue
        runs.append(Run(fn, None))
        if not fn.xen32:
            wanted = {n.partition("@")[2] for n in names if n.startswith(fn.__name__ + "@")}
            wanted |= {NEWEST} if fn.also_newest else set()
            runs += [Run(fn, other) for other in sorted(wanted)]
    if names:
        runs = [r for r in runs if r.name in names or (suite and r.fn.__name__ in names)]
    runs.sort(key=lambda r: r.host)
    known = {r.name for r in runs} | {r.fn.__name__ for r in runs if suite}
    return runs, sorted(set(names) - known)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--image", type=Path, default=ROOT / "build/images/pvboot-hd0-x86_64")
    p.add_argument("--pvboot", type=Path, default=ROOT / "build/pvboot")
    p.add_argument("--work", type=Path, default=ROOT / "build/guest-tests")
    p.add_argument("--slow", type=float, default=1.0, help="multiplies every time limit")
    p.add_argument("--list", action="store_true")
    p.add_argument("--verbose", action="store_true", help="show consoles as they come")
    p.add_argument("--xen-suite", metavar="SUITE", help="the release of Debian whose Xen the cases run on")
    p.add_argument("case", nargs="*", metavar="CASE[@SUITE]")
    a = p.parse_args()
    chosen, unknown = choose(a.case, a.xen_suite)
    if unknown:
        p.error("no such case%s: %s" % (" on another Xen" if a.xen_suite else "", ", ".join(unknown)))
    if a.list:
        for c in chosen:
            print("%-34s %s" % (c.name, c.fn.__doc__))
        return 0
    for f in (a.image, a.pvboot):
        if not f.exists():
            sys.exit("%s is missing; build it with make" % f)

    images = Images(a.work)
    counts = {"pass": 0, "skip": 0, "fail": 0}
    hosts = Hosts(a.pvboot, a.verbose)
    began = time.monotonic()
    print("1..%d" % len(chosen), flush=True)
    for n, one in enumerate(chosen, 1):
        t0 = time.monotonic()
        trial = Trial(None, images, a.image, a.slow)
        try:
            trial.host = hosts.get(one)
            outcome, text = run_case(one.fn, trial)
        except Missing as e:
            outcome, text = "skip", str(e)
        except NoAnswer as e:
            print("Bail out! the Xen host did not start: %s" % e)
            counts["fail"] += len(chosen) - n + 1
            break
        took = time.monotonic() - t0
        what = "%d - %s: %s" % (n, one.name, one.fn.__doc__)
        if outcome == "pass":
            print("ok %s (%.0f s)" % (what, took))
        elif outcome == "skip":
            print("ok %s # SKIP %s" % (what, text))
        else:
            print("not ok %s (%.0f s)" % (what, took))
            for line in ["%s: %s" % (outcome, text)] + trial.evidence():
                print("# " + line)
            if outcome == "no answer":
                for line in ["---- the host's log"] + trial.host.log[-30:]:
                    print("# " + line)
        if a.verbose:
            for g in trial.guests:
                print("# times of %s: %s" % (g.name, ", ".join(
                    "%s %.1f" % (k, v - g.t["creating"]) for k, v in g.t.items())))
        for line in trial.notes:
            print("# " + line)
        sys.stdout.flush()
        counts[outcome if outcome in counts else "fail"] += 1
        try:
            if outcome == "no answer":
                raise NoAnswer("it may be in any state")
            if trial.host:
                trial.host.destroy_all()
        except (NoAnswer, Refused, OSError) as e:
            print("# the host is started anew: %s" % e)
            hosts.stop()
    hosts.stop()
    print("# %.0f s in all" % (time.monotonic() - began))
    print("%d passed, %d failed, %d skipped" % (counts["pass"], counts["fail"], counts["skip"]))
    return 1 if counts["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
