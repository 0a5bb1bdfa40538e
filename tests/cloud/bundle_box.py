# SPDX-License-Identifier: MIT
"""What the tests of bundles share: keys, images, and bundles as other tools make them."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from box import (MIB, Box, check, check_said, kernel, program_arguments,  # noqa: E402, F401
                 run_cases)

EC2, = program_arguments(sys.modules["__main__"].__doc__, 1)
PART = 10485760
USER = "123456789012"


def run(*args, data=None):
    r = subprocess.run([str(a) for a in args], input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    if r.returncode:
        raise AssertionError("%s: %s" % (args[0], r.stderr.decode("latin-1")))
    return r.stdout


def ec2(command, *args, **more):
    """(status, standard output, standard error)"""
    r = subprocess.run([EC2, command, *map(str, args)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **more)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def refused(got, said, status=1):
    check((got[0], got[1], got[2].count("\n")), (status, "", 1))
    check_said([got[2]], said)


class Keys:
    """The user's key and certificate, and the cloud's."""

    made = {}

    def __init__(self, folder):
        for who in ("user", "ec2", "other") if not self.made else ():
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=" + who, "-keyout", folder / (who + ".key"), "-out", folder / (who + ".crt"))
            for name in (who + ".key", who + ".crt"):
                self.made[name] = (folder / name).read_bytes()
        for name, content in self.made.items():
            (folder / name).write_bytes(content)
        self.folder = folder

    def options(self, **more):
        at = self.folder
        return ["-k", more.get("k", at / "user.key"), "-c", more.get("c", at / "user.crt"), "-u", USER,
                "--ec2cert", at / "ec2.crt"]


def noise(path, size, hole=0):
    """Half noise, half pattern, a hole between them, and one at the end."""
    r = random.Random(size)
    with open(path, "wb") as f:
        f.write(r.randbytes(size // 2))
        f.seek(hole, 1)
        f.write((b"pattern %d " % size * (size // 8 + 1))[:size - size // 2])
        f.truncate(size + 2 * hole)
    return path


def bundle(box, image, *more, folder=None):
    folder = folder or box.path / "bundle"
    folder.mkdir(exist_ok=True)
    got = ec2("ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", folder,
              *box.keys.options(), *more)
    return got, folder


def good(got):
    check((got[0], got[2]), (0, ""))
    return Path(got[1].strip())


def decrypted(key, text, folder):
    """What openssl makes of an RSA-encrypted value."""
    return run("openssl", "pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt",
               "rsa_padding_mode:pkcs1", data=bytes.fromhex(text)).decode()


def pack_tar(tar, gzip_level="-1"):
    return run("gzip", gzip_level, data=tar)


def foreign(box, name, image=None, sparse=False, empty_part=False, signature="UNSIGNED", user=True, tar=None,
            stream=None, size=None, part_bytes=PART, member="disk", padding=True):
    """A bundle as another tool would make it; indented, and nothing signed. `tar` and `stream`, which is
    what is encrypted, are made of the image unless they are there."""
    folder = box.path / name
    folder.mkdir()
    if tar is None:
        tar = run("tar", "-cf", "-", "-C", image.parent, *(["--sparse"] if sparse else []), image.name)
        size, member = image.stat().st_size, image.name
    key, iv = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
    cipher = run("openssl", "enc", "-aes-128-cbc", "-K", key, "-iv", iv,
                 *(() if padding else ("-nopad",)), data=stream or pack_tar(tar))
    parts = [cipher[i:i + part_bytes] for i in range(0, len(cipher), part_bytes)]
    parts += [b""] if empty_part else []

    def wrapped(who, value):
        return run("openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", box.path / (who + ".crt"),
                   "-pkeyopt", "rsa_padding_mode:pkcs1", data=value.encode()).hex()

    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<manifest>", " <version>2007-10-10</version>",
             " <bundler>", "  <name>other</name>", " </bundler>", " <machine_configuration>",
             "  <architecture>x86_64</architecture>", "  <product_codes/>",
             "  <kernel_id>aki-1</kernel_id>", " </machine_configuration>", " <image>",
             "  <name>%s</name>" % member, "  <user>%s</user>" % USER, "  <type>machine</type>",
             "  <digest algorithm='SHA1'>%s</digest>" % hashlib.sha1(tar).hexdigest(),
             "  <size>%d</size>" % size, "  <bundled_size>%d</bundled_size>" % len(cipher)]
    for what, value in (("key", key), ("iv", iv)):
        for who in ("ec2", "user"):
            hex_value = wrapped(who, value) if user or who == "ec2" else ""
            lines.append("  <%s_encrypted_%s>%s</%s_encrypted_%s>" % (who, what, hex_value, who, what))
    lines.append("  <parts count='%d'>" % len(parts))
    for i, part in enumerate(parts):
        part_name = "%s.part.%d" % (member, i)
        (folder / part_name).write_bytes(part)
        lines.append("   <part index='%d'><filename>%s</filename><digest algorithm='SHA1'>%s</digest>"
                     "</part>" % (i, part_name, hashlib.sha1(part).hexdigest()))
    lines += ["  </parts>", " </image>", " <signature>%s</signature>" % signature, "</manifest>"]
    path = folder / (member + ".manifest.xml")
    path.write_text("\n".join(lines))
    return path


class KeyBox(Box):
    """A box with the keys of a user and of a service."""

    def __init__(self):
        super().__init__()
        self.keys = Keys(self.path)


def run_tests(cases):
    return run_cases(cases, lambda _case: KeyBox(), sys.argv[2:])
