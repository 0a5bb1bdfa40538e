# SPDX-License-Identifier: MIT
"""Disk images and initrds for the guest tests and the bench.

Everything is generated: file systems by mke2fs -d, initrds by a cpio writer of
our own. Nothing needs root. Results are cached in the work folder under a name
made of what they hold, so that cases may share them.
"""

import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path

import tables

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MIB = 1 << 20


class Missing(Exception):
    """Something that a case needs cannot be had here: the case is skipped."""


def run(*args, **kw):
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C")
    r = subprocess.run([str(a) for a in args], env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **kw)
    if r.returncode:
        raise RuntimeError("%s failed: %s" % (args[0], r.stderr.decode("latin-1").strip()))
    return r.stdout


class Kernels:
    """The distribution kernels of tools/fetch-kernels.sh."""

    def __init__(self):
        self.folder = {}
        self.reason = {}

    def get(self, name):
        if name not in self.folder and name not in self.reason:
            r = subprocess.run([str(ROOT / "tools/fetch-kernels.sh"), name],
                               stdout=subprocess.PIPE)
            words = r.stdout.decode().strip().split(" ", 2)
            if len(words) >= 2 and words[1] != "-":
                self.folder[name] = Path(words[1])
            else:
                self.reason[name] = words[2] if len(words) > 2 else "fetch-kernels.sh failed"
        if name in self.reason:
            raise Missing("%s: %s" % (name, self.reason[name]))
        return self.folder[name]

    def vmlinuz(self, name):
        return self.get(name) / "vmlinuz"

    def version(self, name):
        return (self.get(name) / "version").read_text().strip()


KERNELS = Kernels()


def random_bytes(size, seed):
    """Bytes that no compressor shrinks, the same for the same seed."""
    return random.Random(repr(seed)).randbytes(size)


class Cpio:
    """Writes the "newc" format that Linux unpacks (Documentation/driver-api/early-userspace)."""

    def __init__(self, path):
        self.f = open(path, "wb")
        self.ino = 0

    def add(self, name, data=b"", mode=0o100644):
        self.ino += 1
        head = "070701" + "".join(
            "%08x" % v for v in (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                                 len(name) + 1, 0))
        raw = head.encode() + name.encode() + b"\0"
        self.f.write(raw + b"\0" * (-len(raw) % 4))
        self.f.write(data)
        self.f.write(b"\0" * (-len(data) % 4))

    def close(self):
        self.add("TRAILER!!!", mode=0)
        self.f.close()


class Images:
    def __init__(self, work):
        self.work = Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        # what makes the files is a part of their names
        self.makers = [hashlib.sha256((HERE / f).read_bytes()).hexdigest()
                       for f in ("init.sh", "images.py", "tables.py")]
        self.init = (HERE / "init.sh").read_bytes()
        self.manifest = {}  # initrd path -> hash of its manifest

    def _path(self, kind, *what):
        h = hashlib.sha256(repr((what, self.makers)).encode())
        return self.work / ("%s-%s" % (kind, h.hexdigest()[:16]))

    @staticmethod
    def busybox():
        for p in ("/bin/busybox", "/usr/bin/busybox"):
            if os.path.exists(p) and b"/lib64/ld-linux" not in Path(p).read_bytes()[:4096]:
                return Path(p).read_bytes()
        raise Missing("install the package busybox-static")

    def initrd(self, kernel, blob_mib=1):
        """The tests' initrd with the modules of `kernel`, about `blob_mib` MiB large."""
        path = self._path("initrd", kernel, KERNELS.version(kernel), blob_mib)
        done = path.with_suffix(".manifest")
        if not done.exists():
            tmp = path.with_suffix(".new")
            c = Cpio(tmp)
            sums = []

            def add(name, data, mode=0o100755):
                c.add(name, data, mode)
                sums.append("%s  %s\n" % (hashlib.sha256(data).hexdigest(), name))

            for d in ("bin", "dev", "modules", "proc", "sys", "mnt"):
                c.add(d, mode=0o40755)
            add("init", self.init)
            add("bin/busybox", self.busybox())
            for m in sorted((KERNELS.get(kernel) / "modules").iterdir()):
                add("modules/" + m.name, m.read_bytes())
            for i in range(blob_mib):
                add("blob%03d" % i, random_bytes(MIB, (kernel, i, blob_mib)))
            text = "".join(sums).encode()
            c.add("manifest", text)
            c.close()
            os.replace(tmp, path)
            done.write_text(hashlib.sha256(text).hexdigest())
        self.manifest[path] = done.read_text()
        return path

    @staticmethod
    def _stamp(v):
        """Tells one content of a disk's file from another: what is built changes under its name."""
        if isinstance(v, Path):
            st = v.stat()
            return str(v), st.st_mtime_ns, st.st_size
        return v if isinstance(v, tuple) else hashlib.sha256(v).hexdigest()

    def disk(self, files, fs="ext4", options=(), size_mib=None, table=None):
        """A disk image. `files` maps a path to bytes, to a Path, or to a
        tuple ("link", target). `table` puts it into a partition, see
        tables.py. Returns the image's path."""
        key = [(n, self._stamp(v)) for n, v in sorted(files.items())]
        path = self._path("disk", key, fs, options, size_mib, table)
        if path.exists():
            return path
        tree = path.with_suffix(".tree")
        shutil.rmtree(tree, ignore_errors=True)
        total = 0
        for name, v in files.items():
            to = tree / name.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(v, tuple):
                to.symlink_to(v[1])
            elif isinstance(v, Path):
                shutil.copyfile(v, to)
                total += to.stat().st_size
            else:
                to.write_bytes(v)
                total += len(v)
        size = size_mib or total * 5 // 4 // MIB + 24
        part = path.with_suffix(".part")
        with open(part, "wb") as f:
            f.truncate(size * MIB)
        run("mke2fs", "-q", "-F", "-t", fs, *options, "-d", tree, part)
        if table:
            tables.around(part, path.with_suffix(".new"), table)
            os.replace(path.with_suffix(".new"), path)
            part.unlink()
        else:
            os.replace(part, path)
        shutil.rmtree(tree)
        return path


def block_sectors(image, path, block_size):
    """The 512-byte sectors of a file's data blocks, in file order (by debugfs)."""
    text = run("debugfs", "-R", "blocks %s" % path, image).decode()
    return [int(b) * (block_size // 512) for b in text.split()]


def grub_image(work):
    """GRUB's Xen image with menu.lst support, for comparison."""
    out = Path(work) / "grub-x86_64-xen"
    if out.exists():
        return out
    if not os.path.isdir("/usr/lib/grub/x86_64-xen"):
        raise Missing("install the package grub-xen-bin")
    cfg = Path(work) / "grub.cfg"
    cfg.write_text("legacy_configfile (xen/xvda)/boot/grub/menu.lst\n"
                   "legacy_configfile (xen/xvda,msdos1)/boot/grub/menu.lst\n")
    run("grub-mkimage", "-O", "x86_64-xen", "-p", "/boot/grub", "-c", cfg, "-o", out, "legacycfg", "linux", "ext2",
        "part_msdos", "gzio", "xzio", "normal", "sleep")
    return out
