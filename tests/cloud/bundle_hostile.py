#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bundles that nobody should make: what ec2-unbundle does with manifests and streams made to harm.

    tests/cloud/bundle_hostile.py build/pvboot-ec2
"""

import gzip
import io
import os
import random
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bundle_box import (EC2, MIB, check, check_said, ec2, foreign, noise, pack_tar, run,  # noqa: E402
                        run_tests)

LIMIT = 400 * MIB


def limit():
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def unbundle(box, path, said=None, key="user.key"):
    """(the image or None, standard error); with `said`, refused with that sentence and nothing left."""
    out = box.path / "out"
    out.mkdir(exist_ok=True)
    status, stdout, err = ec2("ec2-unbundle", "-m", path, "-k", box.path / key, "-d", out, preexec_fn=limit)
    lines = [line for line in err.splitlines() if "is not signed" not in line]
    if said is not None:
        check((path, status, stdout, os.listdir(out), len(lines)), (path, 1, "", [], 1))
        check_said(lines, said)
        return None
    check((path.parent.name, status, lines), (path.parent.name, 0, []))
    image = Path(stdout.strip())
    content = image.read_bytes() if image.stat().st_size < 100 * MIB else image
    if isinstance(content, bytes):
        image.unlink()
    return content


def manifest_texts():
    """(name, bytes, what is said)"""
    head = b"<?xml version='1.0'?>\n"
    laughs = b"".join(b"<!ENTITY l%d \"%s\">" % (i, b"&l%d;" % (i - 1) * 10 if i else b"ha" * 10) for i in range(12))
    bomb = head + b"<!DOCTYPE manifest [" + laughs + b"]><manifest><version>&l11;</version></manifest>"
    yield "laughs", bomb, "a document type (<!DOCTYPE) is not taken"
    yield "laughs16", b"\xff\xfe" + bomb.decode().encode("utf-16-le"), "a document type"
    yield "file", (head + b"<!DOCTYPE m [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><manifest><version>&f;</version>"
                   b"</manifest>"), "a document type"
    yield "dtd", head + b"<!DOCTYPE m SYSTEM 'http://127.0.0.1:9/x.dtd'><manifest/>", "a document type"
    yield "entity", head + b"<manifest><version>&f;</version></manifest>", "undefined entity"
    yield "deep", head + b"<manifest>" + b"<a>" * 1000000, "deeper than 15"
    yield "attribute", head + b"<manifest a='" + b"x" * (15 * MIB) + b"'/>", "there is no <version>"
    yield "attributes", head + b"<manifest " + b" ".join(b"a%d=''" % i for i in range(200000)) + b"/>", "there is no"
    yield "element", head + b"<" + b"m" * (15 * MIB) + b"/>", "this is no manifest of an image bundle"
    yield "value", head + b"<manifest><version>" + b"9" * (10 * MIB), "a value is longer than"
    yield "comment", head + b"<!--" + b"x" * (15 * MIB), "line 2"
    yield "large", head + b"<manifest>" + b" " * (17 * MIB), "larger than 16 MiB"
    yield "empty", b"", "no element found"
    yield "zeroes", bytes(MIB), "not well-formed"
    yield "noise", random.Random(1).randbytes(MIB), "line 1"
    yield "page", b"<!DOCTYPE html><html></html>", "a document type"
    yield "error", head + b"<Error><Code>NoSuchKey</Code></Error>", "it begins with <Error>, not with <manifest>"
    yield "parts", (head + b"<manifest><image><parts>" + b"<part><filename>a</filename><digest>" + b"0" * 40 +
                    b"</digest></part>" * 1), "line 2"


def refuses_manifests(box):
    for name, text, said in manifest_texts():
        path = box.path / name
        path.write_bytes(text)
        unbundle(box, path, said)
    unbundle(box, "/dev/zero", "larger than 16 MiB")
    unbundle(box, "/dev/null", "no element found")
    unbundle(box, box.path, "Is a directory")
    unbundle(box, box.path / "gone", "cannot be opened")


def takes_ten_thousand_parts(box):
    image = noise(box.path / "disk", 11 * MIB)
    whole = len(pack_tar(run("tar", "-cf", "-", "-C", box.path, "disk")))
    step = (whole + 16) // 10000 + 1
    path = foreign(box, "many", image, part_bytes=step)
    text = path.read_text()
    check(9990 < text.count("<part ") <= 10000, True)
    check(unbundle(box, path) == image.read_bytes(), True)
    path = foreign(box, "more", image, part_bytes=step // 2)
    unbundle(box, path, "more than 10000 parts")
    # The last part, and one in the middle, cut short or gone.
    folder = box.path / "many"
    for i in (text.count("<part ") - 1, 5000):
        part = folder / ("disk.part.%d" % i)
        content = part.read_bytes()
        for cut in (content[:-1], content[:len(content) // 2], b"", content + b"x"):
            part.write_bytes(cut)
            unbundle(box, folder / "disk.manifest.xml", "disk.part.%d is damaged" % i)
        part.unlink()
        unbundle(box, folder / "disk.manifest.xml", "cannot be opened: No such file")
        part.write_bytes(content)
    check(unbundle(box, folder / "disk.manifest.xml") == image.read_bytes(), True)


def tar_of(*members):
    """A tar stream of (name, type or bytes, more attributes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, more in members:
            info = tarfile.TarInfo(name)
            info.type = content if len(content) == 1 else tarfile.REGTYPE
            info.size = len(content) if len(content) != 1 else 0
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content) if len(content) != 1 else None)
    return out.getvalue()


def takes_tar_of_every_kind(box):
    image = noise(box.path / "disk", 3 * MIB + 5, 7 * MIB)
    want, size = image.read_bytes(), image.stat().st_size

    def tried(name, *options, tar=None, stream=None, **how):
        made = tar or run("tar", "-cf", "-", "-C", box.path, *options, "disk")
        path = foreign(box, name, tar=made, size=size, stream=stream, **how)
        check(unbundle(box, path) == want, True)
        return made

    plain = tried("gnu", "--format=gnu")
    for kind in ("gnu", "oldgnu", "posix"):
        tried("sparse-" + kind, "--format=" + kind, "-S")
    for version in ("0.0", "0.1", "1.0"):
        tried("pax" + version, "--format=posix", "-S", "--sparse-version=" + version)
    tried("ustar", "--format=ustar")
    tried("v7", "--format=v7")
    tried("other-name", "--transform=s,^,%s/," % ("deep" * 40))
    tried("absolute", "-P", "--transform=s,^,/etc/../../,")
    tried("latin", "--transform=s,^,\xe9\xff,")
    tried("pax-charset", "--format=posix", "--transform=s,^,\u0416,")
    check((box.path / "out").exists() and not (box.path / "etc").exists(), True)
    # A size in base 256, as those over 8 GiB have.
    header = bytearray(plain[:512])
    header[124:136] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    tried("base256", tar=bytes(header) + plain[512:])
    # Gzip in pieces, as some programs make it; without the padding at the end of a tar archive.
    half = len(plain) // 2
    tried("members", tar=plain, stream=pack_tar(plain[:half]) + pack_tar(b"") + pack_tar(plain[half:]))
    end = 512 + (size + 511) // 512 * 512
    tried("short", tar=plain[:end + 1024])
    tried("padded", tar=plain + bytes(MIB))


def takes_more_than_eight_gib(box):
    """GNU tar's sparse archive of 9 GiB, whose size does not fit in octal digits."""
    image = box.path / "disk"
    with open(image, "wb") as f:
        f.write(b"start")
        f.seek((9 << 30) - 3)
        f.write(b"end")
    tar = run("tar", "-cSf", "-", "-C", box.path, "disk")
    check((tar[483] & 0x80, len(tar) < 100000), (0x80, True))
    out = unbundle(box, foreign(box, "nine", tar=tar, size=9 << 30))
    check((out.stat().st_size, out.stat().st_blocks < 64), (9 << 30, True))
    with open(out, "rb") as f:
        check(f.read(10), b"start\0\0\0\0\0")
        f.seek(-5, os.SEEK_END)
        check(f.read(), b"\0\0end")
    out.unlink()
    path = foreign(box, "eleven", tar=tar, size=11 << 30)
    unbundle(box, path, "10 GiB is the most")


def refuses_streams(box):
    content = noise(box.path / "content", MIB).read_bytes()
    size = len(content)
    plain = tar_of(("disk", content, {}))

    def tried(name, said, tar=plain, stream=None, size=size):
        unbundle(box, foreign(box, name, tar=tar, stream=stream, size=size), said)

    tried("two", "holds more than the image", tar_of(("disk", content, {}), ("more", b"more", {})))
    tried("link", "does not hold an image", tar_of(("disk", tarfile.SYMTYPE, {"linkname": "/etc/passwd"})))
    tried("hard", "does not hold an image", tar_of(("disk", tarfile.LNKTYPE, {"linkname": "/etc/passwd"})))
    tried("folder", "does not hold an image", tar_of(("disk", tarfile.DIRTYPE, {})))
    tried("device", "does not hold an image", tar_of(("disk", tarfile.CHRTYPE, {})))
    tried("small", "has %d bytes, the manifest says" % size, size=size - 1)
    tried("large", "has %d bytes, the manifest says" % size, size=size + 1)
    tried("none", "there is no tar archive", bytes(10240))
    tried("text", "there is no tar archive", b"no tar archive at all, " * 1000)
    tried("cut", "the tar archive in the bundle is damaged", plain[:700000])
    tried("digest", "the image's digest is not the one in the manifest", plain + b"x", stream=pack_tar(plain))
    # Bombs: of gzip, behind the archive; of pax headers; of names.
    tried("bomb", "unpacks to more than the image's", stream=pack_tar(plain + bytes(200 * MIB)))
    pax = io.BytesIO()
    with tarfile.open(fileobj=pax, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("disk")
        info.size, info.pax_headers = size, {"comment": "x" * (80 * MIB)}
        tar.addfile(info, io.BytesIO(content))
    tried("pax", "", pax.getvalue())
    tried("name", "", tar_of(("n" * (3 * MIB), content, {})))
    # Gzip: cut, damaged, with something behind it, something else.
    packed = gzip.compress(plain, 1)
    tried("gzip-cut", "ends too early", stream=packed[:-20])
    tried("gzip-crc", "is no gzip stream", stream=packed[:-8] + b"abcd" + packed[-4:])
    tried("gzip-more", "is no gzip stream", stream=packed + b"garbage")
    tried("zlib", "is no gzip stream", stream=b"x\x9c" + packed[10:])
    tried("raw", "is no gzip stream", stream=plain)
    tried("nothing", "ends too early", stream=gzip.compress(b"")[:5])
    # A whole stream, and behind it a block that is no padding.
    for length in range(16):
        whole = io.BytesIO()
        with gzip.GzipFile("n" * length, "wb", fileobj=whole) as f:
            f.write(plain)
        if len(whole.getvalue()) % 16 == 0:
            unbundle(box, foreign(box, "padding", tar=plain, stream=whole.getvalue() + bytes(16), size=size,
                                  padding=False), "does not end as it should")
    check((box.path / "padding").exists(), True)
    tried("no-tar", "there is no tar archive", stream=gzip.compress(b""))


def refuses_sparse_maps(box):
    """Maps of GNU tar's that lead out of the image, overlap, or have no end."""
    def header(offsets, extended=0, real=MIB, stored=1024):
        h = bytearray(512)
        h[0:4], h[100:108], h[108:116], h[116:124] = b"disk", b"0000644\0", b"0000000\0", b"0000000\0"
        h[124:136], h[136:148], h[156] = b"%011o\0" % stored, b"%011o\0" % 0, ord("S")
        h[257:265] = b"ustar  \0"
        for i, (off, length) in enumerate(offsets):
            h[386 + 24 * i:386 + 24 * i + 24] = b"%011o\0%011o\0" % (off, length)
        h[482], h[483:495] = extended, b"%011o\0" % real
        h[148:156] = b"        "
        h[148:156] = b"%06o\0 " % sum(h)
        return bytes(h)

    data, end = b"d" * 1024, bytes(1024)
    good = header([(0, 512), (MIB - 512, 512)]) + data + end
    content = unbundle(box, foreign(box, "good", tar=good, size=MIB))
    check((len(content), content[:2], content[-2:], content.count(b"d")), (MIB, b"dd", b"dd", 1024))
    for name, tar in (("behind", header([(0, 512), (MIB, 512)]) + data + end),
                      ("far", header([(0, 512), (1 << 32, 512)]) + data + end),
                      ("short", header([(0, 512)], stored=1024) + data[:100]),
                      ("endless", header([(0, 512)] * 4, extended=1) + (bytes(504) + b"\1" + bytes(7)) * 100000)):
        unbundle(box, foreign(box, name, tar=tar, size=MIB), "")
    # Backwards, over each other, longer than what is there: whatever comes out lies in the image, or is refused.
    for name, offsets in (("back", [(MIB - 512, 512), (0, 512)]), ("over", [(0, 512), (100, 512)]),
                          ("long", [(0, 512), (512, 8 << 29)])):
        path = foreign(box, name, tar=header(offsets) + data + end, size=MIB)
        out = box.path / "out"
        r = subprocess.run([EC2, "ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(r.returncode in (0, 1), True)
        if r.returncode == 0:
            check((out / "disk").stat().st_size, MIB)
            (out / "disk").unlink()


if __name__ == "__main__":
    sys.exit(run_tests([refuses_manifests, takes_ten_thousand_parts, takes_tar_of_every_kind,
                        takes_more_than_eight_gib, refuses_streams, refuses_sparse_maps]))
