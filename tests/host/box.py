# SPDX-License-Identifier: MIT
"""Disks for the tests of the host command: file systems by mke2fs -d, kernels
as the smallest ELF files that Xen's notes allow."""

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from arguments import program_arguments  # noqa: E402
from suite import Skip, cases_of, run_cases  # noqa: E402, F401

MIB = 1 << 20


def pvboot_argument(usage):
    return program_arguments(usage, 1)[0]


def note(kind, content):
    pad = b"\0" * (-len(content) % 4)
    return struct.pack("<III", 4, len(content), kind) + b"Xen\0" + content + pad


def kernel(bits=64, notes=True, features="!writable_page_tables", content=b""):
    """An ELF file with one segment at 16 MiB, which holds `content`, and Xen's notes."""
    base, paddr = 0xFFFFFFFF80000000 if bits == 64 else 0xC0000000, 16 * MIB
    word = "<Q" if bits == 64 else "<I"
    body = content.ljust(4096, b"\xf4")
    text = b""
    if notes:
        text = (note(6, b"test\0") + note(7, b"1.0\0") + note(5, b"xen-3.0\0") +
                note(8, b"generic\0") + note(3, struct.pack(word, base)) +
                note(9, b"yes\0") + note(1, struct.pack(word, base + paddr)) + note(10, features.encode() + b"\0"))
    off, notes_off = 0x1000, 0x2000
    load = (off, base + paddr, paddr, len(body), len(body))
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    if bits == 64:
        head = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + paddr, 64, 0, 0, 64, 56, 2,
                                   64, 0, 0)
        head += struct.pack("<IIQQQQQQ", 1, 5, *load, 4096)
        head += struct.pack("<IIQQQQQQ", 4, 4, notes_off, 0, 0, len(text), len(text), 4)
    else:
        head = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + paddr, 52, 0, 0, 52, 32, 2,
                                   40, 0, 0)
        head += struct.pack("<IIIIIIII", 1, off, base + paddr, paddr, len(body), len(body), 5, 4096)
        head += struct.pack("<IIIIIIII", 4, notes_off, 0, 0, len(text), len(text), 4, 4)
    return (head.ljust(off, b"\0") + body).ljust(notes_off, b"\0") + text


def with_sections(elf, guest=None, symbols=0):
    """The same 64-bit ELF file with a __xen_guest section and a symbol table."""
    names = b"\0__xen_guest\0.symtab\0.strtab\0.shstrtab\0"
    contents = [(1, 1, (guest or "").encode() + b"\0", 0), (13, 2, bytes(24 * symbols), 3),
                (21, 3, b"\0name\0", 0), (29, 3, names, 0)]
    out, table = bytearray(elf), bytes(64)
    for name, kind, content, link in contents if guest else [(0, 0, b"", 0)] + contents[1:]:
        table += struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, len(out), len(content), link, 0, 1, 0)
        out += content
    struct.pack_into("<Q", out, 40, len(out))
    struct.pack_into("<HH", out, 60, 5, 4)
    return bytes(out) + table


def bzimage(payload, protocol=0x20F):
    """A bzImage around any payload."""
    out = bytearray(1024) + payload
    out[0x1F1] = 1
    struct.pack_into("<HH4sH", out, 0x1FE, 0xAA55, 0, b"HdrS", protocol)
    struct.pack_into("<II", out, 0x248, 0, len(payload))
    return bytes(out)


def cpio(*names):
    """A newc archive of empty files."""
    out = b""
    for name in list(names) + ["TRAILER!!!"]:
        n = name.encode() + b"\0"
        out += b"070701" + b"".join(b"%08x" % v for v in
                                    (1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(n), 0))
        out += n
        out += b"\0" * (-len(out) % 4)
    return out


class Box:
    """A temporary folder with images in it."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="pvboot-host-")
        self.path = Path(self.dir.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dir.cleanup()

    def tool(self, *args):
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        r = subprocess.run([str(a) for a in args], env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        if r.returncode:
            raise RuntimeError("%s: %s" % (args[0], r.stdout.decode("latin-1")))

    def image(self, files, name="disk.img", options=(), size="8M"):
        root = self.path / (name + ".root")
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content.encode("latin-1") if isinstance(content, str)
                                      else content)
        out = self.path / name
        self.tool("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", *options, "-d", root, out, size)
        return out

    def partitioned(self, fs, name):
        """The file system as the first of two partitions; the second is empty."""
        table = bytearray(512)
        for i, start in enumerate((2048, 2048 + 8 * 2048)):
            table[446 + 16 * i:462 + 16 * i] = struct.pack("<B3xB3xII", 0x80 if i == 0 else 0, 0x83,
                                                           start, 8 * 2048)
        table[510:] = b"\x55\xaa"
        out = self.path / name
        out.write_bytes(bytes(table).ljust(MIB, b"\0") + fs.read_bytes() + b"\0" * (8 * MIB))
        return out


def check(got, want):
    if got != want:
        raise AssertionError("%r, expected %r" % (got, want))


def check_said(texts, want):
    if not any(want in t for t in texts):
        raise AssertionError("%r is not in %r" % (want, texts))


def run_boxes(module):
    """The cases of a module (its globals()) with a box each, or those that follow the program."""
    sys.exit(run_cases(cases_of(module), lambda _case: Box(), sys.argv[2:]))
