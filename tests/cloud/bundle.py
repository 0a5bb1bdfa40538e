#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bundles of build/pvboot-ec2, opened by openssl, gzip and tar, and the reverse.

    tests/cloud/bundle.py build/pvboot-ec2
"""

import fcntl
import hashlib
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bundle_box import (EC2, MIB, PART, bundle, check, check_said, decrypted, ec2, foreign, good,  # noqa: E402
                        kernel, noise, refused, run, run_tests)

MENU = "timeout 0\ntitle One\nkernel /boot/k root=/dev/sda1\n"


def other_tools_open_it(box):
    secrets = []
    for size, hole in ((1, 0), (3 * MIB + 17, 5 * MIB), (24 * MIB, 0)):
        image = noise(box.path / ("disk%d" % size), size, hole)
        got, folder = bundle(box, image, "--kernel", "aki-11111111", "--ramdisk", "ari-22222222",
                             "-B", "ami=sda1,root=/dev/sda1", "--productcodes", "A,B",
                             "--no-check", folder=box.path / ("b%d" % size))
        path = good(got)
        text = path.read_bytes()
        m = ET.fromstring(text)
        image_element = m.find("image")
        check([e.tag for e in m], ["version", "bundler", "machine_configuration", "image", "signature"])
        check([e.tag for e in m.find("machine_configuration")],
              ["architecture", "block_device_mapping", "kernel_id", "ramdisk_id", "product_codes"])
        check([e.tag for e in image_element],
              ["name", "user", "type", "digest", "size", "bundled_size", "ec2_encrypted_key",
               "user_encrypted_key", "ec2_encrypted_iv", "user_encrypted_iv", "parts"])
        parts = image_element.findall("parts/part")
        names = [p.find("filename").text for p in parts]
        check(names, sorted(names))
        check(sorted(os.listdir(folder)), sorted(names + [path.name]))
        for i, p in enumerate(parts):
            part = (folder / names[i]).read_bytes()
            check(hashlib.sha1(part).hexdigest(), p.find("digest").text)
            check(len(part) == PART, i < len(parts) - 1 or len(part) == PART)
        check(int(image_element.find("bundled_size").text),
              sum((folder / n).stat().st_size for n in names))
        # The signature, over the bytes as they stand.
        signed = b"".join(re.search(b"<%s>.*</%s>" % (t, t), text, re.S).group()
                          for t in (b"machine_configuration", b"image"))
        (box.path / "signed").write_bytes(signed)
        (box.path / "sig").write_bytes(bytes.fromhex(m.find("signature").text))
        run("openssl", "x509", "-in", box.path / "user.crt", "-pubkey", "-noout", "-out",
            box.path / "user.pub")
        run("openssl", "dgst", "-sha1", "-verify", box.path / "user.pub", "-signature",
            box.path / "sig", box.path / "signed")
        # Both keys open it to the same.
        values = []
        for who in ("ec2", "user"):
            values.append([decrypted(box.path / (who + ".key"),
                                     image_element.find(who + "_encrypted_" + what).text, box.path)
                           for what in ("key", "iv")])
        check(values[0], values[1])
        key, iv = values[0]
        check(bool(re.fullmatch("[0-9a-f]{32}", key) and re.fullmatch("[0-9a-f]{32}", iv)), True)
        secrets += [key, iv]
        cipher = b"".join((folder / n).read_bytes() for n in names)
        tar = run("gzip", "-dc", data=run("openssl", "enc", "-d", "-aes-128-cbc", "-K", key, "-iv",
                                          iv, data=cipher))
        check(hashlib.sha1(tar).hexdigest(), image_element.find("digest").text)
        check(run("tar", "-tf", "-", data=tar).decode().split(), [image.name])
        check(run("tar", "-xOf", "-", data=tar) == image.read_bytes(), True)
        # And our own tool.
        out = box.path / ("out%d" % size)
        out.mkdir()
        check(good(ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out)),
              out / image.name)
        check((out / image.name).read_bytes() == image.read_bytes(), True)
        check((out / image.name).stat().st_blocks <= image.stat().st_blocks + 16, True)
        # So does the cloud, with its key and a look at the user's signature.
        (out / image.name).unlink()
        good(ec2("ec2-unbundle", "-m", path, "-k", box.path / "ec2.key", "-c", box.path / "user.crt",
                 "-d", out))
        check({stat.filemode(p.stat().st_mode) for p in [*folder.glob("*.part.*"), out / image.name]},
              {"-rw-------"})
    check(len(set(secrets)), 6)  # none is used twice


def opens_what_other_tools_make(box):
    image = noise(box.path / "disk", 24 * MIB, 9 * MIB)
    for i, how in enumerate(({}, {"sparse": True}, {"empty_part": True}, {"user": False})):
        path = foreign(box, "f%d" % i, image, **how)
        out = box.path / ("fo%d" % i)
        out.mkdir()
        key = box.path / ("ec2.key" if how.get("user") is False else "user.key")
        status, said, err = ec2("ec2-unbundle", "-m", path, "-k", key, "-d", out)
        check((status, said.strip()), (0, str(out / "disk")))
        check_said([err], "is not signed: nobody vouches for this image")
        check((out / "disk").read_bytes() == image.read_bytes(), True)


def signed(box, text):
    """A manifest's bytes with the user's signature over them as they stand."""
    (box.path / "signed").write_bytes(b"".join(re.search(b"<%s>.*</%s>" % (t, t), text, re.S).group()
                                               for t in (b"machine_configuration", b"image")))
    signature = run("openssl", "dgst", "-sha1", "-sign", box.path / "user.key", box.path / "signed").hex()
    return text.replace(b"UNSIGNED", signature.encode())


def takes_manifests_of_every_shape(box):
    """Signed by openssl, over what stands in the file: white space, line ends and comments belong to it."""
    image = noise(box.path / "disk", 3000)
    path = foreign(box, "shapes", image)
    plain = path.read_bytes()
    out = box.path / "out"
    out.mkdir()

    def tried(text, said=None):
        path.write_bytes(text)
        got = ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out)
        if said:
            refused(got, said)
            return
        check((good(got), (out / "disk").read_bytes() == image.read_bytes()), (out / "disk", True))
        (out / "disk").unlink()

    head = plain.index(b"<manifest>")
    shapes = {"plain": plain, "one line": plain.replace(b"\n", b""), "CRLF": plain.replace(b"\n", b"\r\n"),
              "BOM": b"\xef\xbb\xbf" + plain, "no declaration": plain[head:],
              "BOM, CRLF": b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"),
              "tabs": plain.replace(b" <", b"\t\t<"), "name space": plain.replace(
                  b"<manifest>", b"<manifest xmlns='http://example.org/x' xmlns:x='urn:x'>"),
              "more elements": plain.replace(b"<user>", b"<!-- who --><x:more xmlns:x='urn:x'>1</x:more><user>"),
              "encoding": plain.replace(b"UTF-8", b"us-ascii")}
    for name, text in shapes.items():
        whole = signed(box, text)
        if name == "more elements":
            path.write_bytes(whole)
            got = ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out)
            check(got[0], 0)
            check_said([got[2]], "1 elements that are not known were passed over, the first is <x:more>")
            (out / "disk").unlink()
            continue
        tried(whole)
        tried(whole.replace(b"</architecture>", b"</architecture> "), "the signature does not match")
        tried(whole.replace(b"</user>", b"</user>\n"), "the signature does not match")
    tried(re.sub(b"<(/?)(manifest|image)>", b"<\\1x:\\2>", plain), "it begins with <x:manifest>")


def notices_damage(box):
    image = noise(box.path / "disk", 30 * MIB)
    got, folder = bundle(box, image)
    path = good(got)
    out = box.path / "out"
    out.mkdir()
    part = folder / "disk.part.1"
    whole, text = part.read_bytes(), path.read_text()

    def tried(said, key="user.key", *more):
        refused(ec2("ec2-unbundle", "-m", path, "-k", box.path / key, "-d", out, *more), said)
        check(os.listdir(out), [])

    part.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    tried("disk.part.1 is damaged: its digest is not the one in the manifest")
    part.write_bytes(whole[:-1])
    tried("disk.part.1 is damaged")
    part.unlink()
    tried("part 2 of 2, %s/disk.part.1, cannot be opened" % folder)
    part.symlink_to("/dev/zero")
    tried("is no part of a bundle: it is no file")
    part.unlink()
    part.write_bytes(whole)
    tried("the signature does not match", "other.key")
    tried("does not open the bundle: it was made for another one", "other.key", "-c", box.path / "user.crt")
    path.write_text(text.replace("<kernel_id>", "").replace("x86_64", "i386"))
    tried("the signature does not match")
    for change, said in (((r"<size>\d+", "<size>7"), "has 31457280 bytes, the manifest says 7"),
                         ((r"<bundled_size>\d+", "<bundled_size>7"), "more than the 7 bytes that the manifest says"),
                         ((r"(<type>machine</type><digest algorithm='SHA1'>).{4}", r"\1abcd"),
                          "the image's digest is not the one in the manifest"),
                         ((r"(count=')2('>.*)<part index='1'>.*?</part>", r"\g<1>1\2"),
                          "the parts have 10485760 bytes together, the manifest says")):
        path.write_text(re.sub(*change, re.sub("<signature>.*</signature>",
                                               "<signature>UNSIGNED</signature>", text)))
        status, said_out, err = ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out)
        check((status, said_out, os.listdir(out)), (1, "", []))
        check_said([err], said)
    path.write_text(text.replace("disk.part.0", "../disk.part.0"))
    tried("cannot be used")
    path.write_text(text[:len(text) // 2])
    tried("line 1: ")
    path.write_text(text)
    (out / "disk").write_text("mine")
    refused(ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out), "is there already")
    check((out / "disk").read_text(), "mine")


def leaves_nothing_when_stopped(box):
    image = noise(box.path / "disk", 60 * MIB)
    folder = box.path / "stopped"
    folder.mkdir()
    for nr in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        p = subprocess.Popen([EC2, "ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", folder,
                              *map(str, box.keys.options())], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        end = time.time() + 20
        while not list(folder.glob(".*/0")) and time.time() < end:
            time.sleep(0.005)
        p.send_signal(nr)
        out, err = p.communicate()
        check(list(folder.glob("disk*")), [])
        if nr == signal.SIGKILL:
            continue
        check((p.returncode, out, os.listdir(folder)), (1, b"", []))
        check_said([err.decode()], "interrupted; nothing of the bundle was left")
    # The one that was killed left its parts and its lock, which the next one removes.
    check(sorted(re.sub("[0-9]+$", "PID", p.name) for p in folder.glob(".*")), [".disk.bundling", ".disk.bundling.PID"])
    path = good(bundle(box, image, folder=folder)[0])
    check(list(folder.glob(".*")), [])
    refused(bundle(box, image, folder=folder)[0], "is there already; remove that bundle")
    out = box.path / "out"
    out.mkdir()
    for nr in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        p = subprocess.Popen([EC2, "ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = time.time() + 20
        while not [f for f in out.glob(".*") if f.stat().st_blocks] and time.time() < end:
            time.sleep(0.002)
        p.send_signal(nr)
        said, err = p.communicate()
        check((said, list(out.glob("disk"))), (b"", []))
        if nr == signal.SIGKILL:
            continue
        check((p.returncode, os.listdir(out)), (1, []))
        check_said([err.decode()], "interrupted; nothing of the image was left")
    good(ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out))
    check(os.listdir(out), ["disk"])


def one_at_a_time(box):
    """Of those that make one bundle or image at once, one does, and nobody else's is harmed."""
    def at_once(folder, lines):
        running = [subprocess.Popen([EC2, *map(str, line)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for line in lines]
        said = [p.communicate() for p in running]
        won = [i for i, p in enumerate(running) if p.returncode == 0]
        check((len(won), list(folder.glob(".*"))), (1, []))
        for i, (out, err) in enumerate(said):
            if i not in won:
                refused((running[i].returncode, out.decode(), err.decode()),
                        "is there already" if b"already" in err else "is being made by another run; wait for it")
        return won[0]

    images = [noise(box.path / ("disk%d" % i), (12 + i) * MIB) for i in range(4)]
    folder, out = box.path / "bundle", box.path / "out"
    folder.mkdir()
    out.mkdir()
    won = at_once(folder, [["ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", folder, "-p", "one",
                            *box.keys.options()] for image in images])
    open_it = ["ec2-unbundle", "-m", folder / "one.manifest.xml", "-k", box.path / "user.key", "-d", out]
    at_once(out, [open_it] * 4)
    check((os.listdir(out), (out / "one").read_bytes() == images[won].read_bytes()), (["one"], True))
    # A lock that is held keeps others away; one that was left does not.
    (out / "one").unlink()
    for at, name, line in ((folder, ".two.bundling", ["ec2-bundle-image", "-i", images[0], "-r", "x86_64", "-d", folder,
                                                      "-p", "two", *box.keys.options()]),
                           (out, ".one.unbundling", open_it)):
        before = sorted(os.listdir(at))
        with open(at / name, "w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            refused(ec2(*line), "is being made by another run; wait for it, or choose another place")
        check(sorted(os.listdir(at)), sorted([*before, name]))
        good(ec2(*line))
        check(list(at.glob(".*")), [])


def notices_that_the_image_shrinks(box):
    image = noise(box.path / "disk", 80 * MIB)
    folder = box.path / "bundle"
    folder.mkdir()
    with subprocess.Popen([EC2, "ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", folder,
                           *map(str, box.keys.options())], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        while not list(folder.glob(".*/0")) and p.poll() is None:
            time.sleep(0.002)
        os.truncate(image, 40 * MIB)
        out, err = p.communicate()
    check((p.returncode, out, os.listdir(folder)), (1, b"", []))
    check_said([err.decode()], "became shorter while it was read")


def follows_no_links(box):
    """A folder that others write to: what lies there under the bundle's names is not written through."""
    image, victim = noise(box.path / "disk", 1000), box.path / "victim"
    victim.write_text("mine")
    folder, out = box.path / "bundle", box.path / "out"
    for at in (folder, out):
        at.mkdir()
    (folder / "disk.part.0").symlink_to(victim)
    path = good(bundle(box, image, folder=folder)[0])
    check((victim.read_text(), (folder / "disk.part.0").is_symlink()), ("mine", False))
    (out / "disk").symlink_to(box.path / "nothing")
    refused(ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out), "is there already")
    check((victim.read_text(), (box.path / "nothing").exists()), ("mine", False))
    path.unlink()
    path.symlink_to(box.path / "nothing")
    refused(bundle(box, image, folder=folder)[0], "is there already")


def needs_the_same_memory(box):
    """Far less address space than the image is long, and much less than its parts."""
    image = box.path / "disk"
    with open(image, "wb") as f:
        f.truncate(700 * MIB)

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (200 * MIB, 200 * MIB))

    folder, out = box.path / "bundle", box.path / "out"
    folder.mkdir()
    out.mkdir()
    path = good(ec2("ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", folder,
                    *box.keys.options(), preexec_fn=limit))
    good(ec2("ec2-unbundle", "-m", path, "-k", box.path / "user.key", "-d", out, preexec_fn=limit))
    check((out / "disk").stat().st_size, 700 * MIB)
    check((out / "disk").stat().st_blocks < 64, True)


def checks_the_aki(box):
    files = {"boot/grub/menu.lst": MENU, "boot/k": kernel()}
    image = box.image(files)
    parts = box.partitioned(image, "parts.img")
    narrow = box.image(dict(files, **{"boot/k": kernel(32)}), "narrow.img")
    gone = box.image({"boot/grub/menu.lst": MENU}, "gone.img")
    bare = box.image({"boot/k": kernel()}, "bare.img")
    good(bundle(box, image, "--kernel", "aki-427d952b", "-p", "right")[0])
    good(bundle(box, parts, "--kernel", "aki-4e7d9527", "-p", "right-parts")[0])
    good(bundle(box, narrow, "--kernel", "aki-407d9529", "-r", "i386", "-p", "right-narrow")[0])
    for path, aki, said in (
            (image, "aki-4e7d9527", "is for images with a partition table (hd00), which this one has not; use "
                                    "aki-427d952b"),
            (image, "aki-407d9529", "aki-407d9529 boots i386 kernels, but this is x86_64; use aki-427d952b"),
            (image, "aki-4feec43b", None),  # of another region, which is the upload's matter
            (parts, "aki-427d952b", "is for images without a partition table (hd0), but this one has one; use "
                                    "aki-4e7d9527"),
            (parts, "aki-407d9529", "boots i386 kernels, but this is x86_64, and is for images without a partition "
                                    "table (hd0), but this one has one; use aki-4e7d9527"),
            (narrow, "aki-427d952b", "the architecture is x86_64, but the image boots (hd0)/boot/k, a kernel for i386; "
                                     "use -r i386 --kernel aki-407d9529"),
            (gone, "aki-427d952b", "/boot/grub/menu.lst: Error 15: File not found: (hd0)/boot/k (ext4)"),
            (bare, "aki-427d952b", "No menu found: put a menu.lst into /boot/grub")):
        got = bundle(box, path, "--kernel", aki, "-p", "x" + aki)[0]
        if said is None:
            good(got)
        else:
            refused(got, said)
            check_said([got[2]], "; --no-check makes the bundle all the same")
    good(bundle(box, gone, "--kernel", "aki-427d952b", "-p", "gone", "--no-check")[0])
    got, _ = bundle(box, gone, "--kernel", "aki-99999999", "-p", "unknown")
    check(got[0], 0)
    check_said([got[2]], "aki-99999999 is not in the catalogue")


def bundles_kernels(box):
    image = noise(box.path / "vmlinuz-1", 4 * MIB)
    for option, kind, name in (("--kernel", "kernel", "vmlinuz-1"), ("--ramdisk", "ramdisk", None)):
        got, _ = bundle(box, image, option, "true", "--no-check", folder=box.path / kind)
        m = ET.parse(good(got)).getroot()
        check(m.find("image/type").text, kind)
        check(m.findtext("image/kernel_name"), name)
        check([e.tag for e in m.find("machine_configuration")], ["architecture"])
    got, _ = bundle(box, image, "--kernel", "true", "--ramdisk", "ari-11111111")
    refused(got, "leave --ramdisk away", 2)
    # What no instance would start with is told before it is written.
    zeros, right, narrow = box.path / "zeros", box.path / "right", box.path / "narrow"
    zeros.write_bytes(bytes(MIB))
    right.write_bytes(kernel())
    narrow.write_bytes(kernel(32))
    for path, said in ((zeros, "no instance would start with %s: " % zeros), (zeros, "the file is zeros"),
                       (image, "no instance would start with"),
                       (narrow, "the kernel is for i386, but its bundle says x86_64: bundle it with -r i386"),
                       (box.path / "gone", "cannot be opened: No such file"), ("/dev/null", "no file and no block")):
        got, folder = bundle(box, path, "--kernel", "true", folder=box.path / "looked")
        refused(got, said)
        check_said([got[2]], "--no-check makes" if "instance" in said else said)
        check(os.listdir(folder), [])
    good(bundle(box, right, "--kernel", "true")[0])
    good(bundle(box, narrow, "--kernel", "true", "-r", "i386")[0])
    good(bundle(box, zeros, "--ramdisk", "true")[0])


def refuses_wrong_words(box):
    image = noise(box.path / "disk", 1000)
    at, keys = ["-i", image, "-r", "x86_64", "-d", box.path], box.keys
    refused(ec2("ec2-bundle-image", *at, *keys.options(c=box.path / "other.crt")), "do not belong together")
    refused(ec2("ec2-bundle-image", *at, *keys.options(k=box.path / "user.crt")), "is no private key")
    refused(ec2("ec2-bundle-image", *at, *keys.options(k=box.path / "gone")), "cannot be opened")
    refused(ec2("ec2-bundle-image", *at, *keys.options(), "-p", "a/b"), "the prefix (-p)", 2)
    refused(ec2("ec2-bundle-image", *at, *keys.options(), "-u", "me"), "12 digits", 2)
    refused(ec2("ec2-bundle-image", *at, *keys.options(), "-r", "arm"), "i386 or x86_64, not arm", 2)
    refused(ec2("ec2-bundle-image", *at, *keys.options(), "-B", "ami"), "NAME=DEVICE", 2)
    for option, kind in (("--kernel", "aki-"), ("--ramdisk", "ari-")):
        for word in ("", "zzz", kind, kind + "zzz", kind + "1234567", kind + "123456789", kind + "1234567g",
                     "ami-12345678", kind + "1" * 18, kind + "12345678 ", "True"):
            for tool in (["ec2-bundle-image", *at], ["ec2-bundle-vol", *at[2:]]):
                refused(ec2(*tool, *keys.options(), option, word),
                        '%s takes an id, %s with 8 or 17 hexadecimal digits, not "%s"' % (option, kind, word), 2)
    for word in ("0", "3", "10241", "-5", "64M", "", "9" * 30):
        refused(ec2("ec2-bundle-vol", *at[2:], *keys.options(), "-s", word),
                'ec2-bundle-vol: --size (in MiB) is a whole number from 4 to 10240, not "%s"' % word, 2)
    check(list(box.path.glob("disk.*")), [])
    good(ec2("ec2-bundle-image", *at, *keys.options(), "--ramdisk", "ari-0123456789abcdef0", "-p", "long"))
    refused(ec2("ec2-bundle-image", *at, *keys.options(), "-d", "/nowhere"), "/nowhere cannot be opened")
    refused(ec2("ec2-bundle-image", *keys.options(), "-r", "i386", "-i", "/dev/null"), "no file and no block")
    big = box.path / "big"
    with open(big, "wb") as f:
        f.truncate((10 << 30) + 512)
    refused(ec2("ec2-bundle-image", "-i", big, *at[2:], *keys.options()), "at most 10 GiB")
    refused(ec2("ec2-unbundle", "-k", "x"), "which bundle?", 2)
    run("openssl", "rsa", "-aes128", "-passout", "pass:x", "-in", box.path / "user.key", "-out",
        box.path / "locked.key")
    refused(ec2("ec2-bundle-image", *at, *keys.options(k=box.path / "locked.key")), "protected by a passphrase")
    refused(ec2("ec2-nothing"), "there is no command", 2)
    check(ec2("ec2-bundle-image", "--help")[0], 0)
    for words in (["--help"], ["ec2-bundle-image", "--help"], ["ec2-unbundle", "--version"],
                  ["ec2-register", "--help"]):
        with open("/dev/full", "w") as full:
            r = subprocess.run([EC2, *words], stdout=full, stderr=subprocess.PIPE, check=False)
        refused((r.returncode, "", r.stderr.decode()), "writing to standard output failed: No space left")


def gives_examples(_box):
    listed = ec2("--help")[1]
    names = re.findall("^  (ec2-[a-z-]+)", listed, re.M)
    check(len(names), 8)
    for name in names:
        status, text, err = ec2(name, "--help")
        check((status, err), (0, ""))
        check(bool(re.search("\nexample:\n  %s .*-" % name, text)), True)
        check([line for line in text.splitlines() if len(line) > 100], [])
        check(ec2(name, "-h"), (0, text, ""))
        status, said, err = ec2(name, "--version")
        check((status, bool(re.fullmatch(name + r" \(pvboot\) \S+\n", said)), err), (0, True, ""))


if __name__ == "__main__":
    sys.exit(run_tests([other_tools_open_it, opens_what_other_tools_make, notices_damage,
                        leaves_nothing_when_stopped, one_at_a_time, takes_manifests_of_every_shape,
                        notices_that_the_image_shrinks, follows_no_links, gives_examples, needs_the_same_memory,
                        checks_the_aki, bundles_kernels,
                        refuses_wrong_words]))
