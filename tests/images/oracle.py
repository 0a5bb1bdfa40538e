# SPDX-License-Identifier: MIT
"""Linux as the oracle: a guest (QEMU, no KVM) that writes to images, mounts them and reports."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUEST_SECONDS = 700
TRIES = 2  # an emulated machine may lose an interrupt when the real one is busy, and then hangs
DISKS_A_SLOT = 8
FIRST_SLOT = 5
ENV = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Missing(Exception):
    """Something that cannot be had here: what needs it is skipped."""


class Failed(Exception):
    pass


def command(*args, env=None, **kw):
    """Runs a program; its output, or Failed with its last lines."""
    r = subprocess.run([str(a) for a in args], env=dict(ENV, **(env or {})), stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    if r.returncode:
        text = r.stdout.decode("latin-1").strip().splitlines()
        raise Failed("%s: status %d: %s" % (args[0], r.returncode, " / ".join(text[-3:])))
    return r.stdout


class Job:
    """One disk of a guest and what is done with it; modes as in init.sh."""

    def __init__(self, image, mode, fs, options="-", number="0", sector=512):
        self.image, self.mode, self.fs = image, mode, fs
        self.options, self.number, self.sector = options, number, sector
        self.forget()

    def forget(self):
        self.lines = None  # what Linux saw
        self.trouble = "the guest reported nothing"


class Guest:
    """The kernel and initramfs of one Debian release, built in work/KERNEL."""

    def __init__(self, work, kernel):
        self.work, self.kernel = Path(work), kernel
        r = subprocess.run([str(HERE / "guest.sh"), str(work), kernel], stdout=subprocess.PIPE,
                           stdin=subprocess.DEVNULL)
        if r.returncode == 3:
            raise Missing(r.stdout.decode().strip())
        if r.returncode:
            raise Failed("guest.sh %s: status %d" % (kernel, r.returncode))

    def arguments(self, tag, jobs, append=""):
        """QEMU's arguments; every disk is a function of a PCI slot."""
        base = self.work / self.kernel
        plan, report = self.work / (tag + ".plan"), self.work / (tag + ".report")
        plan.write_text("".join("i%d %s %s %s %s\n" % (i, j.mode, j.fs, j.options, j.number)
                                for i, j in enumerate(jobs)))
        os.truncate(plan, (plan.stat().st_size + 4095) & ~4095)
        report.write_bytes(b"")
        os.truncate(report, 256 << 20)
        args = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64", "-m", "768",
                "-display", "none", "-nodefaults", "-no-reboot",
                "-kernel", str(base / "vmlinuz"), "-initrd", str(base / "initrd.gz"),
                "-append", "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable nowatchdog rdinit=/init " + append,
                "-serial", "file:" + str(self.work / (tag + ".console"))]
        disks = [("plan", plan, 512), ("report", report, 512)]
        disks += [("i%d" % i, j.image, j.sector) for i, j in enumerate(jobs)]
        for i, (serial, image, sector) in enumerate(disks):
            slot, function = FIRST_SLOT + i // DISKS_A_SLOT, i % DISKS_A_SLOT
            args += ["-drive", "if=none,id=d%d,format=raw,cache=unsafe,file=%s" % (i, image),
                     "-device", "virtio-blk-pci,drive=d%d,serial=%s,addr=0x%x.%x,multifunction=on,"
                     "logical_block_size=%d,physical_block_size=%d"
                     % (i, serial, slot, function, sector, sector)]
        return args

    def run(self, tag, jobs, append="", remake=None):
        """Runs the jobs in their order, and fills in their lines or trouble.

        A guest that does not end is no answer: it is started once more. What a first one may have
        written to images is undone by remake() before; without that, only guests that do not write
        (or let Linux recover, which comes to the same the second time) are started again.
        """
        again = remake is not None or not any(j.mode in ("w", "d") for j in jobs)
        for left in reversed(range(TRIES if again else 1)):
            if self.once(tag, jobs, append):
                break
            if left:
                print("# the guest %s did not end, and is started again" % tag, flush=True)
                if remake:
                    remake()
                for job in jobs:
                    job.forget()
        if any(j.lines is None and j.trouble for j in jobs):
            tail = (self.work / (tag + ".console")).read_bytes().decode("latin-1").splitlines()[-20:]
            print("\n".join("# " + line for line in tail))

    def once(self, tag, jobs, append):
        """One start of the guest; whether it came to its end."""
        try:
            subprocess.run(self.arguments(tag, jobs, append), stdin=subprocess.DEVNULL,
                           timeout=GUEST_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pass
        report = self.work / (tag + ".report")
        ended = parse(report.read_bytes().rstrip(b"\0"), jobs)
        report.unlink()
        return ended


def parse(text, jobs):
    """Whether the report has its end."""
    current, ended = None, False
    for line in text.split(b"\n"):
        if not line.startswith(b"# "):
            if current is not None and line:
                current.lines.append(line)
            continue
        words = line.decode().split()
        if words[1] == "end":
            ended = True
            continue
        job = jobs[int(words[2][1:])]
        if words[1] == "image":
            current = job
            job.lines, job.trouble = [], None
        else:
            job.lines, job.trouble = None, "in the guest: " + " ".join(words[1:])
            current = None
    for job in jobs:
        if not ended:
            job.lines, job.trouble = None, "the guest did not end"
        elif job.mode == "d" and not job.trouble.startswith("in "):
            job.trouble = None
    return ended
