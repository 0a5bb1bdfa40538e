#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`pvboot run` as a person or a script meets it: tests/guest/cli.py [CASE]...

Exit statuses, sentences, the terminal, the image, and what is left behind.
Each case starts the command itself; same output as run.py.
"""

import argparse
import hashlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import ARGS, menu  # noqa: E402
from images import KERNELS, ROOT, Images, Missing, run  # noqa: E402

LZ4 = "debian12-cloud-amd64"
CASES = []
RUNNING = []  # terminals of the case under way
OPT = None
ESCAPE = b"\x1d"
LONG = 240  # seconds, until something that has to come


def case(fn):
    CASES.append(fn)
    return fn


def check(ok, what):
    if not ok:
        raise AssertionError("not true: " + what)


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError("%s: got %r, wanted %r" % (what, got, wanted))


def disk(args):
    initrd = OPT.images.initrd(LZ4)
    return OPT.images.disk({
        "/boot/vmlinuz": KERNELS.vmlinuz(LZ4), "/boot/initrd": initrd, "/etc/marker": b"hello",
        "/boot/grub/menu.lst": menu(("t", "(hd0)", "/boot/vmlinuz %s %s" % (ARGS, args),
                                     "/boot/initrd"))})


def pvboot(*args, stdin=subprocess.DEVNULL, seconds=LONG):
    """Runs to the end; (status, stdout, stderr)."""
    r = subprocess.run([str(OPT.pvboot), "run", "--kernel-image", str(OPT.image),
                        *[str(a) for a in args]],
                       stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=seconds)
    return r.returncode, r.stdout.decode("latin-1"), r.stderr.decode("latin-1")


def children(pid):
    """Processes below `pid`, by /proc."""
    out = []
    for d in Path("/proc").iterdir():
        if d.name.isdigit():
            try:
                fields = (d / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                out.append(int(d.name))
    return out


def alive(pid):
    try:
        return Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def qemu_of(p, seconds=60):
    """The QEMU below process `p` that runs Xen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and p.poll() is None:
        for c in children(p.pid):
            try:
                if b"pv.ctl" in Path("/proc/%d/cmdline" % c).read_bytes():
                    return c
            except OSError:
                pass
        time.sleep(0.1)
    raise AssertionError("no QEMU was started")


def gone(pid, seconds=15):
    end = time.monotonic() + seconds
    while alive(pid):
        check(time.monotonic() < end, "QEMU is gone")
        time.sleep(0.1)


class Terminal:
    """pvboot run on a terminal of its own."""

    def __init__(self, *args):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        RUNNING.append(self)
        self.p = subprocess.Popen([str(OPT.pvboot), "run", "--kernel-image", str(OPT.image),
                                   *[str(a) for a in args]], stdin=self.slave,
                                  stdout=self.slave, stderr=self.slave)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.text += os.read(self.master, 65536).decode("latin-1")

    def expect(self, pattern, seconds=LONG):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            check(self.p.poll() is None, "it runs until it has written /%s/; so far: %s" %
                  (pattern, self.text[-1000:]))
            check(time.monotonic() < end, "/%s/ came in time; so far: %s" %
                  (pattern, self.text[-1000:]))
            self.read(0.2)

    def type(self, data):
        os.write(self.master, data)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def end(self, seconds=60):
        end = time.monotonic() + seconds
        while self.p.poll() is None:
            check(time.monotonic() < end, "it ended in time")
            self.read(0.2)
        self.read(0.1)
        equal(termios.tcgetattr(self.slave), self.before, "the terminal's settings afterwards")
        return self.p.returncode


@case
def refusals():
    """Wrong arguments and images: one sentence and status 1, before QEMU starts"""
    w = OPT.work
    (w / "folder").mkdir(exist_ok=True)
    (w / "small").write_bytes(b"x" * 100)
    (w / "vmdk").write_bytes(b"KDMV" + bytes(1000))
    (w / "gz").write_bytes(b"\x1f\x8b\x08" + bytes(1000))
    (w / "raw").write_bytes(bytes(4096))
    for args, wanted in (
            ((), "which image"),
            (("--sector-size", "1024", w / "raw"), "--sector-size is 512 or 4096"),
            ((w / "none.img",), "No such file"),
            ((w / "folder",), "is a folder"),
            ((w / "small",), "less than one sector"),
            ((w / "vmdk",), "VMDK"),
            ((w / "gz",), "gzip"),
            (("--memory", "many", w / "raw"), "whole number"),
            (("--memory", "0", w / "raw"), "whole number"),
            (("--vcpus", "-1", w / "raw"), "whole number"),
            (("--timeout", "", w / "raw"), "whole number"),
            (("--disk", w / "none.img", w / "raw"), "No such file"),
            (("--kernel-image", w / "none", w / "raw"), "No such file"),
            ((w / "raw", w / "raw"), "one image"),
            (("--no-such-option", w / "raw"), "no-such-option")):
        t0 = time.monotonic()
        status, out, err = pvboot(*args)
        equal(status, 1, "status of %s" % (args,))
        check(wanted in err, "the sentence for %s has %r: %s" % (args, wanted, err))
        check(err.count("\n") <= 2 and out == "", "one sentence for %s: %s" % (args, err))
        check(time.monotonic() - t0 < 3, "the answer comes at once")


@case
def a_person():
    """On a terminal: raw while the guest has it, typing reaches the guest, restored at the end"""
    qcow2 = OPT.work / "person.qcow2"
    src = disk("pv.read=xvdb:etc/marker pv.wait")
    run("qemu-img", "convert", "-O", "qcow2", src, qcow2)
    t = Terminal("--disk", src, qcow2)
    t.expect("Linux version")
    check("starting the Xen host" in t.text, "a progress line before the guest speaks")
    t.expect("T: waiting")
    check(t.is_raw(), "the terminal is raw")
    t.type(b"hello from a person\n")
    t.expect("T: resumed hello from a person")
    equal(t.end(LONG), 0, "status")
    check(hashlib.sha256(b"hello").hexdigest() in t.text, "the second disk is xvdb")
    check("powered off" in t.text, "it says how the guest ended")


@case
def in_tmux():
    """In tmux, a terminal that people use, of 100 x 30: the menu, a choice, and the terminal afterwards"""
    if not shutil.which("tmux"):
        raise Missing("install the package tmux")
    image = OPT.images.disk({
        "/boot/vmlinuz": KERNELS.vmlinuz(LZ4), "/boot/initrd": OPT.images.initrd(LZ4),
        "/boot/grub/menu.lst": menu(*[(title, "(hd0)", "/boot/vmlinuz %s entry=%s" % (ARGS, title),
                                       "/boot/initrd") for title in ("one", "two", "three")],
                                    head="default 0\ntimeout 200\n")})

    def tmux(*args):
        return run("tmux", "-L", "pvboot-test", "-f", "/dev/null", *args).decode()

    def wait(what):
        end = time.monotonic() + LONG
        while what not in tmux("capture-pane", "-p", "-S", "-"):
            check(time.monotonic() < end, "the pane shows %r; it shows:\n%s" %
                  (what, tmux("capture-pane", "-p")))
            time.sleep(0.3)

    tmux("new-session", "-d", "-x", "100", "-y", "30", "sh")
    try:
        tmux("send-keys", "%s run --kernel-image %s %s; echo status=$?" %
             (OPT.pvboot, OPT.image, image), "Enter")
        wait("booted automatically")
        tmux("send-keys", "Down", "Down", "Up")
        end = time.monotonic() + LONG
        while not any("\x1b[7m" in line and "two" in line
                      for line in tmux("capture-pane", "-p", "-e").split("\n")):
            check(time.monotonic() < end, "the second entry stands out:\n%s" %
                  tmux("capture-pane", "-p"))
            time.sleep(0.3)
        tmux("send-keys", "Enter")
        wait("status=0")
        check("entry=two" in tmux("capture-pane", "-p", "-S", "-"), "the second entry was booted")
    finally:
        tmux("kill-server")


@case
def sectors_of_4096():
    """--sector-size 4096: so the guest sees its disk; without a menu it crashes, status 2"""
    blank = OPT.work / "blank"
    blank.write_bytes(bytes(64 << 10))
    status, out, _ = pvboot("--sector-size", "4096", blank)
    equal(status, 2, "status")
    check("16 sectors of 4096 bytes" in out, "the banner names the sectors")


@case
def the_escape():
    """Ctrl-] leaves with status 5; terminal restored, no QEMU left"""
    t = Terminal(disk("pv.wait"))
    q = qemu_of(t.p)
    t.expect("T: waiting")
    t.type(ESCAPE)
    equal(t.end(), 5, "status")
    gone(q)


@case
def a_signal():
    """A signal while the host starts: status 5, nothing left"""
    t = Terminal(disk("pv.wait"))
    q = qemu_of(t.p)
    t.p.send_signal(signal.SIGTERM)
    equal(t.end(), 5, "status")
    gone(q)


@case
def killed():
    """QEMU dies with a pvboot that is killed"""
    t = Terminal(disk("pv.wait"))
    q = qemu_of(t.p)
    t.p.kill()
    t.p.wait()
    gone(q)


@case
def time_limit_and_json():
    """--timeout ends with status 3; --json is one object a line, the last one tells the end"""
    image = disk("pv.wait")
    before = hashlib.sha256(image.read_bytes()).digest()
    status, out, err = pvboot("--json", "--timeout", 25, image)
    equal(status, 3, "status")
    events = [json.loads(line) for line in out.splitlines()]
    names = [e["event"] for e in events]
    equal(names[:3], ["ready", "created", "started"], "the first events")
    equal((events[-1]["event"], events[-1]["result"], events[-1]["status"]),
          ("end", "timeout", 3), "the last event")
    check("pvboot" in "".join(e.get("data", "") for e in events), "the console is in the events")
    check("still ran" in err, "a sentence says so")
    equal(hashlib.sha256(image.read_bytes()).digest(), before, "the image afterwards")


@case
def image_unchanged():
    """Without --write the image stays as it is; a reboot starts the guest again on its changes"""
    image = disk("pv.write=xvda pv.end=reboot")
    before = hashlib.sha256(image.read_bytes()).digest()
    status, out, err = pvboot("--no-reboot", image)
    equal(status, 0, "status")
    check("T: written xvda" in out, "the guest wrote")
    check("the guest rebooted" in err, "it says how the guest ended")
    equal(hashlib.sha256(image.read_bytes()).digest(), before, "the image afterwards")


@case
def image_written():
    """With --write what the guest wrote is in the image"""
    image = OPT.work / "written.img"
    run("cp", "--sparse=always", disk("pv.write=xvda"), image)
    status, out, _ = pvboot("--write", image)
    equal(status, 0, "status")
    check("T: written xvda" in out, "the guest wrote")
    run("e2fsck", "-f", "-n", image)
    check(b"Size: 1000003" in run("debugfs", "-R", "stat /written.bin", image),
          "the file is in the image")
    image.unlink()


@case
def crashed():
    """A guest that crashes: status 2, and the reason is said"""
    image = OPT.images.disk({"/etc/nothing": b""})
    status, _, err = pvboot(image)
    equal(status, 2, "status")
    check("crash" in err, "it says how the guest ended: %s" % err)


def main():
    global OPT
    p = argparse.ArgumentParser()
    p.add_argument("--image", type=Path, default=ROOT / "build/images/pvboot-hd0-x86_64")
    p.add_argument("--pvboot", type=Path, default=ROOT / "build/pvboot")
    p.add_argument("--work", type=Path, default=ROOT / "build/guest-tests")
    p.add_argument("case", nargs="*")
    OPT = p.parse_args()
    OPT.images = Images(OPT.work)
    cases = [c for c in CASES if not OPT.case or c.__name__ in OPT.case]
    passed = failed = skipped = 0
    print("1..%d" % len(cases))
    for n, fn in enumerate(cases, 1):
        t0 = time.monotonic()
        what = "%d - %s: %s" % (n, fn.__name__, fn.__doc__)
        try:
            fn()
            print("ok %s (%.0f s)" % (what, time.monotonic() - t0))
            passed += 1
        except Missing as e:
            print("ok %s # SKIP %s" % (what, e))
            skipped += 1
        except Exception:  # the trace says which
            print("not ok %s" % what)
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            failed += 1
        while RUNNING:
            t = RUNNING.pop()
            t.p.kill()
            t.p.wait()
            os.close(t.master)
            os.close(t.slave)
        sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
