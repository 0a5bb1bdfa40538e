#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `pvboot extract` takes out of disks that are made here, what it leaves
behind when it fails, and the fence that it and the others read behind.

    tests/host/extract.py build/pvboot

Beside it runs pygrub, where it is installed. Needs no root; as root more is
tried: giving up root's rights, a full file system.
"""

import gzip
import json
import lzma
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from box import (MIB, Skip, bzimage, check, check_said, cpio, kernel,  # noqa: E402
                 pvboot_argument, run_boxes)

PVBOOT = pvboot_argument(__doc__)
IS_ROOT = os.getuid() == 0
NOBODY = 65534


def run(*args, program=None, **options):
    """(status, standard output, standard error)"""
    r = subprocess.run([program or PVBOOT, *map(str, args)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **options)
    return r.returncode, r.stdout.decode("latin-1"), r.stderr.decode("latin-1")


def extract(*args, **options):
    return run("extract", *args, **options)


def read(folder):
    return {p.name: p.read_bytes() for p in Path(folder).iterdir()}


def disk(box, menu, name="disk.img", size="8M", options=(), **more):
    files = {"boot/grub/menu.lst": menu, "boot/k": kernel(), "boot/k.gz": gzip.compress(kernel()),
             "boot/i": gzip.compress(cpio("init")), "boot/j": b"another one"}
    files.update({"boot/" + n: content for n, content in more.items()})
    return box.image(files, name, options, size)


def takes_what_the_guest_would_boot(box):
    image = disk(box, "default 1\nfallback 0 2 7\ntitle a\nkernel /boot/text\ntitle b\n"
                      "kernel /boot/gone\ntitle c\nroot (hd0)\nkernel /boot/k.gz root=/dev/a  ro\n"
                      "initrd /boot/i\ninitrd /boot/j\n", text="#!/bin/sh\n")
    status, out, err = extract(image, "-o", box.path / "out")
    check((status, out.count("\n")), (0, 4))
    initrd = gzip.compress(cpio("init"))
    check(read(box.path / "out"), {
        "kernel": (box.path / "disk.img.root/boot/k.gz").read_bytes(),
        "initrd": (box.path / "disk.img.root/boot/i").read_bytes().ljust(4096, b"\0") +
        b"another one", "cmdline": b"root=/dev/a  ro\n"})
    check(len(initrd) < 4096, True)
    # The whole way down is told.
    check_said([err], "entry 1, line 6 of (hd0)/boot/grub/menu.lst: Error 15: File not found")
    check_said([err], "pvboot: falling back to entry 0\npvboot: entry 0, line 4 of")
    check_said([err], "pvboot: falling back to entry 2\n")
    # As inspect says it.
    status, out, _ = run("inspect", "--json", image)
    check(json.loads(out)["entry"], 2)


def unpacks_the_kernel(box):
    image = disk(box, "title a\nkernel /boot/k.gz\ntitle b\nkernel /boot/k\n")
    for entry in ("0", "1"):
        status, _, _ = extract("--vmlinux", "--entry", entry, image, "-o", box.path / entry)
        check((status, read(box.path / entry)),
              (0, {"vmlinux": kernel(), "cmdline": b"\n"}))


def unpacks_what_was_packed_twice(box):
    menu = "title a\nkernel /boot/a\ntitle b\nkernel /boot/b\n"
    image = disk(box, menu, a=bzimage(kernel()), b=lzma.compress(bzimage(gzip.compress(kernel()))))
    for entry in ("0", "1"):
        status, _, _ = extract("--vmlinux", "--entry", entry, image, "-o", box.path / entry)
        check((status, read(box.path / entry)), (0, {"vmlinux": kernel(), "cmdline": b"\n"}))


def the_guest_s_width_counts(box):
    image = disk(box, "fallback 1\ntitle narrow\nkernel /boot/n\ntitle wide\nkernel /boot/k\n",
                 n=kernel(32))
    for options, want in (([], kernel()), (["--arch", "i386"], kernel(32))):
        status, _, _ = extract("--force", *options, image, "-o", box.path / "out")
        check((options, status, read(box.path / "out")["kernel"]), (options, 0, want))
    # xl does not say it, so the kernel's own width is right.
    for options, want in (([], "narrow"), (["--arch=x86_64"], "wide"), (["--arch=i386"], "narrow")):
        status, out, _ = run("-n", *options, image, program=_our_bootloader(box))
        check((options, status, "/boot/n>" in out), (options, 0, want == "narrow"))


def an_entry_can_be_named(box):
    image = disk(box, "title First one\nkernel /boot/k a\ntitle b\nkernel /boot/gone\n"
                      "title c\nkernel /boot/k c\n")
    for n, (entry, status, want) in enumerate((
            ("0", 0, "entry 0: First one"), ("c", 0, "entry 2: c"), ("First one", 0, "entry 0"),
            ("1", 1, "Error 15"), ("b", 1, "/boot holds: "), ("3", 2, "entries 0 to 2"),
            ("-1", 2, 'no entry with the title "-1"'), ("First", 2, "no entry with the title"))):
        folder = box.path / str(n)
        got, out, err = extract("--entry=" + entry, image, "-o", folder)
        check((entry, got, want in out + err, folder.exists()), (entry, status, True, status == 0))


def menus_and_saved_defaults_are_followed(box):
    more = {"sub.lst": "title s\nkernel /boot/k sub\n", "default": "1\n" + "#\n" * 20}
    menus = (("default saved\ntitle a\nkernel /boot/k a\ntitle b\nkernel /boot/k b\n", 0, b"b\n"),
             ("title a\nconfigfile /boot/grub/sub.lst\n", 0, b"sub\n"),
             ("title a\nconfigfile /boot/grub/menu.lst\n", 1, b"they seem to name each other"),
             ("title a\nhalt\ntitle b\nkernel /boot/k b\n", 1, b"entry 0 powers the guest off"))
    for n, (menu, want, text) in enumerate(menus):
        files = {"boot/k": kernel(), "boot/grub/menu.lst": menu}
        files.update({"boot/grub/" + name: content for name, content in more.items()})
        status, _, err = extract(box.image(files, "%d.img" % n), "-o", box.path / str(n))
        check((menu, status), (menu, want))
        if want:
            check_said([err], text.decode())
        else:
            check(read(box.path / str(n))["cmdline"], text)
    # Without a menu a guest starts its own boot loader.
    image = box.image({"boot/xen/pvboot-x86_64.elf": kernel()}, "chain.img")
    status, out, _ = extract("--json", image, "-o", box.path / "chain")
    r = json.loads(out)
    check((status, r["entry"], r["kernel"]["from"], r["command_line"]["text"]),
          (0, None, "(hd0)/boot/xen/pvboot-x86_64.elf", "pvboot.chained"))


def nothing_is_made_when_nothing_boots(box):
    for n, (menu, want) in enumerate((
            ("title a\nkernel /boot/gone\n", "no entry of (hd0)/boot/grub/menu.lst"),
            ("title a\nkernel /boot/k\ninitrd /boot/none\n", "Error 15"),
            ("title a\nkernel /boot/cut\n", "Error 14"), ("timeout 3\n", "no `title' line"))):
        packed = gzip.compress(kernel() + os.urandom(4000))
        image = disk(box, menu, "%d.img" % n, cut=packed[:-500])
        status, out, err = extract(image, "-o", box.path / "out")
        check((status, out, (box.path / "out").exists()), (1, "", False))
        check_said([err], want)
    (box.path / "out").mkdir()
    extract(image, "-o", box.path / "out")
    check(read(box.path / "out"), {})


def overwrites_only_when_told(box):
    one = disk(box, "title a\nkernel /boot/k one\ninitrd /boot/i\n", "1.img")
    two = disk(box, "title a\nkernel /boot/k two\n", "2.img")
    out = box.path / "out"
    check(extract(one, "-o", out)[0], 0)
    (out / "mine").write_text("mine")
    before = read(out)
    for args in ([], ["--vmlinux"]):
        status, _, err = extract(two, "-o", out, *args)
        check((status, err.count("\n"), "is there already; --force" in err), (2, 1, True))
        check(read(out), before)
    check(extract("--force", two, "-o", out)[0], 0)
    check(read(out), {"mine": b"mine", "kernel": kernel(), "cmdline": b"two\n"})
    # Not through a link that somebody left there.
    (out / "initrd").symlink_to(box.path / "elsewhere")
    status, _, err = extract(one, "-o", out)
    check(status, 2)
    (out / "kernel").unlink()
    (out / "cmdline").unlink()
    status, _, err = extract(one, "-o", out)
    check((status, "initrd is there already" in err), (2, True))
    check(sorted(p.name for p in out.iterdir()), ["initrd", "mine"])
    check((box.path / "elsewhere").exists(), False)
    # A folder is in the way of one: then none is written.
    (out / "initrd").unlink()
    (out / "initrd").mkdir()
    for image in (one, two):
        status, _, err = extract("--force", image, "-o", out)
        check((status, "initrd is a folder" in err), (2, True))
    check(sorted(p.name for p in out.iterdir()), ["initrd", "mine"])


def json_tells_what_was_written(box):
    image = disk(box, 'title "\\ \x1b[2J\nkernel /boot/k.gz a="b c"\ninitrd /boot/i /boot/j\n')
    status, out, _ = extract("--json", image, "-o", box.path / "out")
    r = json.loads(out)
    check((status, r["entry"], r["title"]), (0, 0, '"\\ \x1b[2J'))
    check(r["command_line"]["text"], 'a="b c"')
    check(r["initrd"]["from"], ["(hd0)/boot/i", "(hd0)/boot/j"])
    check((r["kernel"]["from"], r["kernel"]["unpacked"]), ("(hd0)/boot/k.gz", False))
    for part in ("kernel", "initrd", "command_line"):
        check(os.path.getsize(r[part]["file"]), r[part]["size"])
    status, out, _ = extract("--force", image, "-o", box.path / "out")
    check((status, "\x1b" in out, "\\x1b[2J" in out), (0, False, True))
    with open("/dev/full", "wb") as full:
        r = subprocess.run([PVBOOT, "extract", image, "-o", box.path / "late"], stdout=full,
                           stderr=subprocess.PIPE)
    check((r.returncode, b"writing to standard output failed" in r.stderr), (2, True))


def a_full_disk_leaves_nothing(box):
    image = disk(box, "title a\nkernel /boot/k\ninitrd /boot/big\n", big=os.urandom(3 * MIB))

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

    status, _, err = extract(image, "-o", box.path / "out", preexec_fn=small_files)
    check((status, (box.path / "out").exists()), (2, False))
    check_said([err], "pvboot: writing the output failed: File too large")
    if not IS_ROOT:
        return
    tmpfs = box.path / "tmpfs"
    tmpfs.mkdir()
    try:
        box.tool("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmpfs)
    except RuntimeError:
        return # root of a container only
    try:
        status, _, err = extract(image, "-o", tmpfs)
        check((status, list(tmpfs.iterdir())), (2, []))
        check_said([err], "pvboot: writing the output failed: No space left on device")
    finally:
        box.tool("umount", tmpfs)


def _big_disk(box):
    """An initrd of 600 MiB that takes no room in the image, but time to write."""
    root = box.path / "big.img.root/boot"
    root.mkdir(parents=True)
    (root / "big").touch()
    os.truncate(root / "big", 600 * MIB)
    return disk(box, "title a\nkernel /boot/k\ninitrd /boot/big\n", "big.img", "1G")


def child_of(pid):
    for d in Path("/proc").iterdir():
        if d.name.isdigit():
            try:
                if (d / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                    return int(d.name)
            except OSError:
                pass
    return None


def wait_until(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.002)
    raise AssertionError("it did not come to that in %d s" % seconds)


def has_written(folder):
    try:
        return any(p.stat().st_size > MIB for p in folder.glob(".initrd.*"))
    except OSError:
        return False


def interrupted_it_leaves_nothing(box):
    image, out = _big_disk(box), box.path / "out"
    for number, whom, status, want in (
            (signal.SIGTERM, "parent", -signal.SIGTERM, b""), (signal.SIGINT, "parent", -2, b""),
            (signal.SIGKILL, "child", 2, b"was killed"), (signal.SIGSEGV, "child", 2, b"crashed ("),
            (signal.SIGSYS, "child", 2, b"a system call that its fence forbids")):
        p = subprocess.Popen([PVBOOT, "extract", image, "-o", out], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        wait_until(lambda: has_written(out))
        child = child_of(p.pid)
        os.kill(p.pid if whom == "parent" else child, number)
        _, err = p.communicate(timeout=20)
        check((number, p.returncode, want in err, err.count(b"\n")),
              (number, status, True, 1 if want else 0))
        check((out.exists(), os.path.exists("/proc/%d" % child)), (False, False))
    # The child does not outlive a parent that is gone without a word.
    p = subprocess.Popen([PVBOOT, "extract", image, "-o", out], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    wait_until(lambda: has_written(out))
    child = child_of(p.pid)
    p.kill()
    p.wait()
    wait_until(lambda: not os.path.exists("/proc/%d" % child))


def fields(pid):
    lines = Path("/proc/%d/status" % pid).read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def every_command_reads_behind_the_fence(box):
    names = {"boot/" + "n" * 200 + str(i): b"" for i in range(600)}
    menu = "title a\nkernel /boot/k\ninitrd /boot/big\n" + "title b\nkernel /boot/k\n" * 2000
    big = _big_disk(box)
    image = disk(box, menu, big=os.urandom(MIB), **{n[5:]: b"" for n in names})
    os.chmod(box.path, 0o755)
    # Where the sources lie another user may not get.
    program = shutil.copy(PVBOOT, box.path / "program")
    users = ((0, NOBODY), (NOBODY, NOBODY)) if IS_ROOT else ((os.getuid(), os.getuid()),)
    for uid, reader in users:
        for args in (["ls", "-lR", image, "/"], ["cat", image, "/boot/big"], ["inspect", image],
                     ["inspect", "--json", image], ["extract", big, "-o", box.path / "o/out"]):
            (box.path / "o").mkdir(exist_ok=True)
            os.chmod(box.path / "o", 0o777)
            # Nobody reads what it writes, so it stands still while it is looked at.
            p = subprocess.Popen([program, *map(str, args)], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL,
                                 preexec_fn=lambda: os.setuid(uid) if uid else None)
            try:
                def fenced():
                    child = child_of(p.pid)
                    f = fields(child) if child else {}
                    limits = Path("/proc/%d/limits" % child).read_text() if child else ""
                    return (f, limits) if f.get("Seccomp") == "2" else None
                f, limits = wait_until(fenced)
            finally:
                p.terminate()
                p.communicate()
            check((args[0], f["NoNewPrivs"], f["CapEff"], f["Uid"].split()),
                  (args[0], "1", "0" * 16, [str(reader)] * 4))
            check((args[0], re.findall(r"Max cpu time +(\d+)", limits)),
                  (args[0], ["600"] if args[0] in ("inspect", "extract") else []))
            check((args[0], f["Groups"].strip() if IS_ROOT and uid == 0 else ""), (args[0], ""))


def verbose_names_the_fence(box):
    image = disk(box, "title a\nkernel /boot/k\n")
    for args in (["ls", image, "/"], ["cat", image, "/boot/k"], ["inspect", image],
                 ["extract", image, "-o", box.path / "out"]):
        check_said([run(*args, "-v")[2]], "pvboot: the image is read behind a fence: seccomp, ")
        check(run(*args)[2].count("fence"), 0)


def closed_descriptors_do_no_harm(box):
    image = disk(box, "title a\nkernel /boot/k\ninitrd /boot/i\n")

    def close_all():
        for fd in range(3):
            os.close(fd)

    subprocess.run([PVBOOT, "extract", image, "-o", box.path / "out"], preexec_fn=close_all)
    check(read(box.path / "out"), {"kernel": kernel(), "cmdline": b"\n",
                                   "initrd": (box.path / "disk.img.root/boot/i").read_bytes()})
    os.mkdir(box.path / "new")
    check(subprocess.run([PVBOOT, "ls", image, "/"], preexec_fn=close_all).returncode, 2)


def wrong_use_is_one_sentence(box):
    image = disk(box, "title a\nkernel /boot/k\n")
    out = box.path / "out"
    for args, want in (
            ([], "which image"), ([image], "-o DIR names the folder"), ([image, "-o"], "-o needs a value"),
            ([image, image, "-o", out], "one IMAGE"), (["-x", image, "-o", out], "unknown option -x"),
            (["-vx", image, "-o", out], "unknown option -x"),
            (["--entry"], "--entry needs a value"), (["--layout", "hd1", image], "--layout is hd0"),
            (["--sector-size", "1", image], "--sector-size is 512"),
            (["--arch", "arm64", image], "--arch is x86_64 or i386"),
            ([box.path / "absent", "-o", out], "No such file"), ([box.path, "-o", out], "is a folder"),
            ([image, "-o", image], "Not a directory"), ([image, "-o", "/nowhere/out"], "No such file"),
            (["--pygrub"], "which image"), (["--pygrub", "-z", image], "unknown option -z"),
            (["--pygrub", "-qz", image], "unknown option -z"),
            (["--pygrub", "--output-format=xml", image], "--output-format is simple0"),
            (["--pygrub", "--runas=0", image], "--runas is a whole number"),
            (["--pygrub", "--offset=3", image], "partitions are found by themselves"),
            (["--pygrub", "--isconfig", image], "pvboot inspect"),
            (["--pygrub", "-l", image], "pvboot inspect lists them"),
            (["--pygrub", "--ramdisk=/x", image], "only for a --kernel"),
            (["--pygrub", "--output-directory=/nowhere", image], "No such file"),
            (["--pygrub", "--output=/nowhere/x", image], "No such file")):
        status, text, err = extract(*args)
        check((args, status, text, err.count("\n"), err[:8]), (args, 2, "", 1, "pvboot: "))
        check_said([err], want)
        check(out.exists(), False)
    for args in (["--help"], ["--pygrub", "--help"]):
        status, text, _ = extract(*args)
        check((status, text.startswith("usage: pvboot"), "\nexample: " in text), (0, True, True))


def libxl_result(data):
    """As libxl reads a boot loader's output: items that end with NUL, a word and white space."""
    out = {}
    for item in data.split(b"\0"):
        key, _, value = item.partition(b" ")
        if item:
            out[key.decode()] = value.strip().decode("latin-1")
    return out


def libxl(box, program, image, *args, cmdline=None):
    """Run it as libxl does: the same arguments, a terminal, a FIFO that is read."""
    folder, fifo = box.path / "bl.d", box.path / "bl.out"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not fifo.exists():
        os.mkfifo(fifo)
    words = [program] + (["--args=" + cmdline] if cmdline else [])
    words += ["--output=%s" % fifo, "--output-format=simple0", "--output-directory=%s" % folder]
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.execve(program, [*words, *args, str(image)], {"TERM": "vt100"})
        finally:
            os._exit(127)
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    said, answer = b"", b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError: # EIO: everybody has closed it
            break
        if not piece:
            break
        said += piece
    _, status = os.waitpid(pid, 0)
    while True:
        piece = os.read(fd, 65536)
        if not piece:
            break
        answer += piece
    os.close(fd)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), libxl_result(answer), said.decode("latin-1"), folder


def _our_bootloader(box):
    link = box.path / "pvboot-extract"
    if not link.exists():
        link.symlink_to(PVBOOT)
    return str(link)


def libxl_gets_its_files(box):
    image = disk(box, "default 1\nfallback 0\ntitle a\nkernel /boot/k.gz root=/dev/a x='y'\n"
                      "initrd /boot/i /boot/j\ntitle b\nkernel /boot/gone\n")
    status, got, said, folder = libxl(box, _our_bootloader(box), image, cmdline="4 extra")
    check((status, sorted(got), got["args"]), (0, ["args", "kernel", "ramdisk"],
                                               "root=/dev/a x='y' 4 extra"))
    check("falling back to entry 0" in said, True)
    check(Path(got["kernel"]).read_bytes(), (box.path / "disk.img.root/boot/k.gz").read_bytes())
    check(Path(got["ramdisk"]).read_bytes()[4096:], b"another one")
    check(sorted(map(str, folder.iterdir())), sorted([got["kernel"], got["ramdisk"]]))
    for f in folder.iterdir():
        check(f.stat().st_mode & 0o777, 0o600)
        f.unlink()
    args = ["--kernel=/boot/k", "--ramdisk=/boot/j"] + (["--runas=1234", "--quiet"] if IS_ROOT else [])
    status, got, _, folder = libxl(box, _our_bootloader(box), image, *args, cmdline="named")
    check((status, got["args"], Path(got["kernel"]).read_bytes()), (0, "named", kernel()))
    check(Path(got["ramdisk"]).read_bytes(), b"another one")
    for f in folder.iterdir():
        f.unlink()
    # Nothing boots: a status that libxl takes for a failure, no answer, no files.
    status, got, said, folder = libxl(box, _our_bootloader(box), image, "--entry", "1")
    check((status, got, list(folder.iterdir())), (1, {}, []))
    check("Error 15: File not found: (hd0)/boot/gone" in said, True)


def pygrub_gives_the_same(box):
    pygrub = sorted(Path("/usr/lib").glob("xen-*/bin/pygrub"))
    if not pygrub or "Usage: " not in run("--help", program=str(pygrub[-1]))[2]:
        raise Skip("pygrub is not installed, or does not run")
    menus = ("title a\nroot (hd0,0)\nkernel /boot/k root=/dev/xvda1 ro console=hvc0\ninitrd /boot/i\n",
             "default=1\ntimeout=0\ntitle a\nkernel /boot/k\ntitle b\nkernel /boot/k.gz x\n",
             "title plain\n\tkernel /boot/k.gz\n")
    for n, menu in enumerate(menus):
        # What its library knows of ext4.
        fs = disk(box, menu, "%d.fs" % n, options=("-O", "^metadata_csum,^64bit,^metadata_csum_seed,"
                                                   "^orphan_file"))
        for image in (fs, box.partitioned(fs, "%d.img" % n)):
            if "(hd0,0)" in menu and image == fs:
                continue # pygrub takes the place that it is in for any root
            for formats in ("simple0", "simple", "sxp"):
                results = []
                for program, quiet in ((str(pygrub[-1]), ["-q"]), (_our_bootloader(box), [])):
                    folder = box.path / "both"
                    folder.mkdir(exist_ok=True)
                    status, out, err = run(*quiet, "--output-format", formats, "--args=more 1",
                                           "--output-directory", folder, image, program=program)
                    check((program, status, err if status else ""), (program, 0, ""))
                    # pygrub says on its way what it does; the answer begins with these words.
                    out = out[out.index("linux (" if formats == "sxp" else "kernel "):]
                    contents = {}
                    for f in sorted(folder.iterdir()):
                        out = out.replace(str(f), f.name.split(".")[0]).replace(
                            str(folder) + "//" + f.name, f.name.split(".")[0])
                        if f.stat().st_size:
                            contents[f.name.split(".")[0]] = f.read_bytes()
                        f.unlink()
                    out = out.replace("args  more", "args more").replace("' more", "'more")
                    results.append((out, contents))
                check((menu, formats, results[1]), (menu, formats, results[0]))


def no_text_breaks_out_of_its_place(box):
    args = "x='y' (kernel /etc/shadow) \"\\ )(\x01\x1b'"
    image = disk(box, "title a\nkernel /boot/k %s\n" % args)
    link = _our_bootloader(box)
    status, out, _ = run("-n", image, program=link)
    check((status, out), (0, "linux (kernel '<kernel:(hd0)/boot/k>')(args 'x=\\'y\\' (kernel "
                             "/etc/shadow) \"\\\\ )(\\x01\\x1b\\'')"))
    status, out, _ = run("-n", "--output-format=simple0", image, program=link)
    check((status, out), (0, "kernel <kernel:(hd0)/boot/k>\0args %s\0\0" % args))
    status, out, err = run("-n", "--output-format=simple", "--args=a\nkernel /etc/shadow", image,
                           program=link)
    check((status, out, "cannot hold a line break" in err), (2, "", True))
    # What xl would drop in silence is an error here.
    status, out, err = run("-n", "--args=" + "a" * 1020, image, program=link)
    check((status, out, "Xen passes at most 1023" in err), (1, "", True))

run_boxes(globals())
