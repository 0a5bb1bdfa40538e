#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images of ec2-bundle-vol, mounted by Linux and compared with the system they were made of.

    tests/cloud/volume.py build/pvboot-ec2 build/pvboot        (as root)
"""

import contextlib
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from box import (MIB, Box, Skip, check, check_said, kernel, program_arguments,  # noqa: E402
                 run_cases)

EC2, PVBOOT = program_arguments(__doc__, 2)
MENU = "timeout 0\ntitle One\nkernel /boot/k root=/dev/sda1\n"


def run(*args):
    r = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if r.returncode:
        raise AssertionError("%s: %s" % (args[0], r.stdout.decode("latin-1")))
    return r.stdout.decode()


def make_root(root):
    """A small system with all that a copy can lose."""
    for d in ("bin", "boot/grub", "dev", "proc", "etc", "root/.ssh", "mnt/out", "tmp", "var/data", "home/user"):
        (root / d).mkdir(parents=True)
    (root / "boot/grub/menu.lst").write_text(MENU)
    (root / "boot/k").write_bytes(kernel())
    (root / "etc/fstab").write_text("LABEL=old / ext3 defaults 0 1\n")
    (root / "root/.ssh/id").write_text("secret")
    (root / "mnt/big").write_text("left out")
    os.chmod(root / "root/.ssh", 0o700)
    os.chmod(root / "tmp", 0o1777)
    os.chmod(root / "root", 0o750)
    su = root / "bin/su"
    su.write_bytes(b"x" * 5000)
    os.chown(su, 12, 70000)
    os.chmod(su, 0o4755)
    os.setxattr(su, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.setxattr(su, "user.note", b"v" * 300)
    # user:1000:rw, for the file, and what new files in the folder get: version 2, tag, rights, id
    acl = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 6, 1000, 4, 4, 2**32 - 1, 16, 6, 2**32 - 1, 32, 0,
                      2**32 - 1)
    os.setxattr(root / "etc/fstab", "system.posix_acl_access", acl)
    os.setxattr(root / "home/user", "system.posix_acl_default", acl)
    os.setxattr(root / "home/user", "trusted.mark", b"\0binary\xff")
    os.link(su, root / "bin/sudo")
    os.link(su, root / "home/user/su")
    os.symlink("su", root / "bin/link")
    os.symlink("/" + "t" * 100, root / "bin/long")
    os.mknod(root / "dev/sda1", stat.S_IFBLK | 0o660, os.makedev(8, 1))
    os.mknod(root / "dev/tty", stat.S_IFCHR | 0o666, os.makedev(5, 0))
    os.mkfifo(root / "var/pipe")
    with open(root / "var/sparse", "wb") as f:
        f.truncate(200 * MIB)
        f.seek(100 * MIB)
        f.write(b"island")
    for i in range(300):
        (root / "var/data" / ("%d-" % i + "n" * 100)).write_text(str(i))
    (root / "var" / b"caf\xe9".decode("latin-1")).write_text("name")
    os.chown(root / "home/user", 1000, 1000)
    for p in ("bin/su", "bin", "etc/fstab", "root/.ssh", "proc", "mnt", "."):
        os.utime(root / p, (1100000000, 1200000000))


def tree(top):
    """What each path is, by its name; hard links by their first name."""
    out, seen = {}, {}
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(folders + files) + ([""] if folder == str(top) else []):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            rel = os.path.relpath(path, top)
            if rel == "lost+found":
                continue
            row = [stat.filemode(st.st_mode), st.st_uid, st.st_gid, st.st_rdev]
            if not stat.S_ISLNK(st.st_mode):
                row += [int(st.st_mtime), sorted((x, os.getxattr(path, x).hex()) for x in os.listxattr(path))]
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    row += [st.st_size, hash(f.read()), st.st_nlink, seen.setdefault(st.st_ino, rel)]
            elif stat.S_ISLNK(st.st_mode):
                row.append(os.readlink(path))
            out[rel] = row
        if folder == str(top) and "lost+found" in folders:
            folders.remove("lost+found")
    return out


class Here:
    """Keys, a system, and what is mounted in it."""

    def __init__(self):
        box = Box()
        self.box, self.mounts = box, []
        for who in ("user", "ec2"):
            run("openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "2", "-subj",
                "/CN=" + who, "-keyout", box.path / (who + ".key"), "-out", box.path / (who + ".crt"))
        self.root = box.path / "system"
        self.root.mkdir()
        make_root(self.root)
        self.out = box.path / "out"
        self.out.mkdir()

    def mount(self, *args):
        run("mount", *args)
        self.mounts.append(args[-1])

    def bundle(self, *more, root=None, folder=None, metadata=None):
        at = self.box.path
        env = dict(os.environ, PVBOOT_METADATA_URL=metadata or "http://127.0.0.1:9")
        r = subprocess.run([EC2, "ec2-bundle-vol", "-v", str(root or self.root), "-r", "x86_64", "-d",
                            str(folder or self.out), "-u", "123456789012", "-k", str(at / "user.key"),
                            "-c", str(at / "user.crt"), "--ec2cert", str(at / "ec2.crt"), "-s", "64",
                            *(() if metadata else ("--no-inherit",)), *map(str, more)], env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return r.returncode, r.stdout.decode(), r.stderr.decode()

    def image(self, *more, hidden=False, **how):
        """The image, taken out of the bundle; what was said. `hidden`: another one may be at work."""
        status, out, err = self.bundle(*more, **how)
        check(status, 0) if status == 0 else check((status, err), (0, ""))
        manifest = Path(out.strip())
        check([n for n in os.listdir(manifest.parent) if n.startswith(".") and not hidden], [])
        run(EC2, "ec2-unbundle", "-m", manifest, "-k", self.box.path / "user.key", "-d", self.box.path)
        return self.box.path / manifest.name[:-len(".manifest.xml")], err

    def look(self, image, off=0):
        """The image as Linux sees it."""
        at = self.box.path / (image.name + ".mnt")
        at.mkdir()
        run("e2fsck" if off == 0 else "true", "-fn", image)
        self.mount("-o", "loop,ro,noload,offset=%d" % off, image, at)
        return at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for at in reversed(self.mounts):
            subprocess.run(["umount", str(at)], check=True)
        os.chdir("/")
        self.box.dir.cleanup()


def keeps_everything(h):
    want = tree(h.root)
    image, err = h.image("-e", "/mnt,/root/.ssh,/nothing/here", "-p", "full", "--kernel", "aki-427d952b",
                         folder=h.root / "mnt/out")
    check(err, "ec2-bundle-vol: there is nothing at /nothing/here in %s to leave out\n" % h.root)
    at = h.look(image)
    got = tree(at)
    for gone in ("root/.ssh/id", "mnt/big", "mnt/out"):
        del want[gone]
    # The bundle itself changed the times of the folder that it was put into.
    check({p: r for p, r in got.items() if r != want.get(p)}, {})
    check(sorted(want), sorted(got))
    check(os.stat(at / "var/sparse").st_blocks < 64, True)
    check((at / "etc/fstab").read_text(), "LABEL=old / ext3 defaults 0 1\n")
    check(json.loads(run(PVBOOT, "inspect", "--json", image))["boots"], True)


def keeps_late_times(h):
    """Times behind 2038, also where mke2fs is told to make small inodes for small file systems."""
    conf, late = h.box.path / "mke2fs.conf", 7258118400
    usual = Path("/etc/mke2fs.conf").read_text()
    conf.write_text(re.sub(r"(small = \{\n)", r"\1\t\tinode_size = 128\n", usual))
    check(conf.read_text() != usual, True)
    (h.root / "etc/a \"late\" one").write_text("x")
    for p in ("etc/a \"late\" one", "bin/su", "home/user"):
        os.utime(h.root / p, (late, late))
    check(os.stat(h.root / "bin/su").st_mtime, late)  # the file system here has such times
    want = tree(h.root)
    for name, env in (("usual", {}), ("small", {"MKE2FS_CONFIG": str(conf)})):
        with mock.patch.dict(os.environ, env):
            image, err = h.image("-p", name, "--no-filter")
        got = tree(h.look(image))
        check((err, {p: r for p, r in got.items() if r != want.get(p)}), ("", {}))


def leaves_other_file_systems_out(h):
    data = h.box.image({"file": "of another disk"}, "data.img")
    h.mount("-o", "loop", data, h.root / "var/data")
    h.mount("-t", "proc", "proc", h.root / "proc")
    h.mount("-t", "tmpfs", "dev", h.root / "dev")
    image, err = h.image("-p", "one")
    at = h.look(image)
    check_said([err], "system/var/data (ext4) is left out: it is another file system; --all takes it in")
    check(len(err.splitlines()), 1)
    check((os.listdir(at / "var/data"), os.listdir(at / "proc")), ([], []))
    check(sorted(os.listdir(at / "dev")), ["console", "null", "zero"])
    st = os.stat(at / "dev/console")
    check((stat.filemode(st.st_mode), st.st_rdev), ("crw-------", os.makedev(5, 1)))
    image, err = h.image("-p", "all", "--all")
    at = h.look(image)
    check((sorted(os.listdir(at / "var/data")), os.listdir(at / "proc")), (["file", "lost+found"], []))
    check(err, "")


def keeps_label_and_uuid(h):
    disk = h.box.path / "vol.img"
    disk.write_bytes(b"")
    os.truncate(disk, 16 * MIB)
    run("mke2fs", "-q", "-t", "ext3", "-L", "cloudroot", "-U", "12345678-1234-1234-1234-123456789abc", disk)
    volume = h.box.path / "volume"
    volume.mkdir()
    h.mount("-o", "loop", disk, volume)
    (volume / "etc").mkdir()
    image, err = h.image("-p", "named", "--generate-fstab", root=volume)
    said = run("blkid", "-o", "export", image)
    for line in ("LABEL=cloudroot", "UUID=12345678-1234-1234-1234-123456789abc", "TYPE=ext3"):
        check_said([said], line + "\n")
    at = h.look(image)
    check_said([(at / "etc/fstab").read_text()], "\nUUID=12345678-1234-1234-1234-123456789abc / ext3 defaults 1 1\n")
    st = os.stat(at / "etc/fstab")
    check((st.st_mode, st.st_uid), (0o100644, 0))


def makes_partitions(h):
    own = h.box.path / "own"
    own.write_text("# mine\n")
    for kind in ("mbr", "gpt"):
        image, err = h.image("-p", kind, "--partition", kind, "--fstab", own, "--kernel", "aki-4e7d9527")
        r = json.loads(run(PVBOOT, "inspect", "--json", "--layout", "hd00", image))
        check((r["boots"], r["disks"][0]["partition_table"], r["menu"]["file"]),
              (True, kind, "(hd0,0)/boot/grub/menu.lst"))
        check((h.look(image, MIB) / "etc/fstab").read_text(), "# mine\n")
        run("sfdisk", "--verify", image)


def refuses(h):
    def said(want, *more, **how):
        status, out, err = h.bundle("-p", "no", *more, **how)
        check((status in (1, 2), out), (True, ""))
        check_said([err], want)
        check(os.listdir(h.out), [])

    said("use aki-427d952b", "--kernel", "aki-4e7d9527")
    os.unlink(h.root / "boot/k")
    said("File not found", "--kernel", "aki-427d952b")
    said("absolute paths", "-e", "tmp")
    said("--script is not offered", "-S", "/bin/true")
    (h.root / "var/big").write_bytes(os.urandom(6 * MIB))
    said("the volume has more data than an image of 4 MiB has room for; leave some out with -e, or name a larger", "-s",
         "4")
    said("--partition is none, mbr or gpt", "--partition", "bsd")
    said("do not go together", "--fstab", "x", "--generate-fstab")
    said("x cannot be opened", "--fstab", h.box.path / "x")
    said("is no folder that can be read", root=h.root / "bin/su")
    said("cannot lie at the top of the volume", folder=h.root)
    check([n for n in os.listdir(h.root) if n.startswith(".")], [])
    key = h.root / "home/user/pkey"
    key.write_bytes((h.box.path / "user.key").read_bytes())
    said("your private key %s would be in the image" % key, "-k", key)
    os.symlink(key, h.box.path / "link.pem")
    said("would be in the image", "-k", h.box.path / "link.pem", "-e", "/bin")
    for name, way in (("left", ["-e", "/home/user"]), ("wanted", ["--no-filter"])):
        status, out, err = h.bundle("-p", name, "-k", key, *way)
        check((status, err), (0, ""))
    s = socket.socket(socket.AF_UNIX)
    os.chdir(h.root)
    s.bind("tmp/socket")
    s.close()
    status, out, err = h.bundle("-p", "socket")
    check((status, err), (0, ""))


def leaves_secrets_out(h):
    root, marker = h.root, b"the marker of a secret, %d " % os.getpid()
    pem = b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    secret = ["home/user/.ssh/authorized_keys", "home/user/.bash_history", "etc/a.pem", "etc/b.priv",
              "root/my_id_rsa.old", "root/id_dsa", "etc/c.gpg", "etc/d.jks", "etc/.e.swp", "etc/f.sw",
              "etc/g.swo", 'etc/quote"in it.pem', "root/id_rsa_all/one", "root/id_rsa_all/deep/two",
              "etc/udev/rules.d/70-persistent-net.rules"]
    public = {"etc/cert.pem": pem, "etc/bundle.pem": pem * 3, "etc/wanted.pem": marker + b"wanted",
              "root/.ssh/known_hosts": b"host", "etc/pem": b"x", "etc/twice": b"other name"}
    home = h.box.path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "-q", "--homedir", home, "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
    run(*gpg, "--quick-gen-key", "somebody", "rsa1024")
    for name, what in (("root/mine.gpg", "--export-secret-keys"), ("etc/apt.gpg", "--export")):
        (root / name).write_bytes(subprocess.run([*gpg, what], stdout=subprocess.PIPE, check=True).stdout)
    run("gpgconf", "--homedir", home, "--kill", "all")
    public["etc/apt.gpg"] = (root / "etc/apt.gpg").read_bytes()
    for i, ring in enumerate(Path("/usr/share/keyrings").glob("*.gpg")):
        public["etc/apt%d.gpg" % i] = ring.read_bytes()
    # A secret key behind a public one.
    (root / "root/both.gpg").write_bytes(public["etc/apt.gpg"] + (root / "root/mine.gpg").read_bytes())
    (root / "home/user/.ssh").mkdir()
    for name in secret + list(public):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(public.get(name, marker * 200))
    (root / "etc/a.pem").write_bytes(pem + marker + b"-----BEGIN RSA PRIVATE KEY-----")
    os.symlink("../etc/a.pem", root / "root/link.pem")
    os.link(root / "etc/twice", root / "etc/twice.jks")
    want = tree(root)
    image, err = h.image("-p", "clean", "-i", "/etc/wanted.pem,/etc/not/there")
    said = err.splitlines()
    check(len([line for line in said if "may hold a secret; --include" in line]), 16)
    check_said(said, "ec2-bundle-vol: /root/id_rsa_all is left out: it may hold a secret; --include takes it in")
    check_said(said, "70-persistent-net.rules is left out: it names the network cards of this machine")
    got = tree(h.look(image))
    for name in secret + ["root/mine.gpg", "root/both.gpg", "root/id_rsa_all", "root/id_rsa_all/deep", "etc/twice.jks"]:
        del want[name]
    want["etc/twice"][8] = 1  # the other name is gone
    check({n for n in want.keys() ^ got.keys()}, set())
    check({n: r for n, r in got.items() if r != want[n] and not stat.S_ISDIR(os.lstat(root / n).st_mode)}, {})
    check(image.read_bytes().count(marker), 1)
    image, err = h.image("-p", "all", "--no-filter")
    check((err, sorted(tree(h.look(image)))), ("", sorted(tree(root))))


def leaves_out_what_is_named(h):
    for name in ("var/log/a.gz", "var/log/b.log", "var/log/old/c.gz", "tmp/one", "tmp/two/three", "etc/file"):
        (h.root / name).parent.mkdir(parents=True, exist_ok=True)
        (h.root / name).write_text(name)
    image, err = h.image("-e", "/var/log/*.gz,/tmp/*,/etc/file,/bin/link", "-p", "named")
    at = h.look(image)
    check(err, "")
    check((sorted(os.listdir(at / "var/log")), os.listdir(at / "var/log/old")), (["b.log", "old"], ["c.gz"]))
    check((os.listdir(at / "tmp"), os.listdir(at / "tmp/two")), (["two"], []))
    check((os.path.lexists(at / "etc/file"), os.path.lexists(at / "bin/link")), (False, False))


def puts_a_menu_in(h):
    own = h.box.path / "my menu"
    own.write_text("title mine\nkernel /boot/k\n")
    image, err = h.image("-p", "menu", "--grub-config", own, "--kernel", "aki-427d952b")
    at = h.look(image)
    check(((at / "boot/grub/menu.lst").read_text(), err), (own.read_text(), ""))
    os.rename(h.root / "boot/grub/menu.lst", h.root / "boot/grub/grub.conf")
    image, err = h.image("-p", "conf", "--grub-config", own)
    at = h.look(image)
    check((os.listdir(at / "boot/grub"), (at / "boot/grub/grub.conf").read_text()), (["grub.conf"], own.read_text()))
    os.unlink(h.root / "boot/grub/grub.conf")
    os.rmdir(h.root / "boot/grub")
    image, err = h.image("-p", "none", "--grub-config", own)
    check((h.look(image) / "boot/grub/menu.lst").read_text(), own.read_text())


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service of an instance, of either version."""

    values, token = {}, None

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer(*((200, self.token) if self.token else (405, "")))

    def do_GET(self):
        name = self.path.replace("/latest/meta-data/", "")
        if self.token and self.headers.get("X-aws-ec2-metadata-token") != self.token:
            self.answer(401, "")
        elif name in self.values:
            self.answer(200, self.values[name])
        else:
            self.answer(404, "")

    def log_message(self, *args):
        pass


def takes_over_what_the_instance_has(h):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port

    def made(name, *more):
        status, out, err = h.bundle("-p", name, *more, metadata=url)
        check((status, err if status else ""), (0, ""))
        m = ET.parse(out.strip())
        return [[e.text for e in m.iter(t)] for t in
                ("kernel_id", "ramdisk_id", "product_code", "ancestor_ami_id", "virtual", "device")], err

    Metadata.values = {"ami-id": "ami-3", "ancestor-ami-ids": "ami-1\nami-2\n", "kernel-id": "aki-427d952b",
                       "ramdisk-id": "ari-7", "product-codes": "A1\nB2", "block-device-mapping/": "ami\nroot",
                       "block-device-mapping/ami": "sda1", "block-device-mapping/root": "/dev/sda1"}
    everything = [["aki-427d952b"], ["ari-7"], ["A1", "B2"], ["ami-1", "ami-2", "ami-3"], ["ami", "root"],
                  ["sda1", "/dev/sda1"]]
    for Metadata.token in (None, "dG9rZW4="):
        got, err = made("v%d" % bool(Metadata.token), "--inherit")
        check(got, everything)
        check_said([err], "taken over from the instance: kernel aki-427d952b, ramdisk ari-7, 2 product codes, "
                   "3 ancestors, 2 block devices")
    got, _ = made("own", "--ramdisk", "ari-11111111", "-B", "ami=xvda", "--productcodes", "C")
    check(got, [["aki-427d952b"], ["ari-11111111"], ["C"], ["ami-1", "ami-2", "ami-3"], ["ami"], ["xvda"]])
    check(made("no", "--no-inherit"), ([[], [], [], [], [], []], ""))
    # What an instance was started with is checked as what is named.
    Metadata.values["kernel-id"] = "aki-4e7d9527"
    status, out, err = h.bundle("-p", "wrong", metadata=url)
    check((status, out), (1, ""))
    check_said([err], "use aki-427d952b")
    for i, value in enumerate(("a b", "<x>", "\x1b[1m", "x" * 300, "x" * 20000)):
        Metadata.values["kernel-id"] = value
        got, err = made("bad%d" % i, "--no-check")
        check(got, [[], [], [], [], [], []])
        check_said([err], "nothing is taken over from an instance: no metadata at %s" % url)
    server.shutdown()
    server.server_close()
    status, out, err = h.bundle("-p", "gone", metadata=url)
    check(status, 0)
    check_said([err], "nothing is taken over")
    status, out, err = h.bundle("-p", "must", "--inherit", metadata=url)
    check((status, out), (1, ""))
    check_said([err], "say --no-inherit where there is none")


def started(h, *more):
    """ec2-bundle-vol, which has begun to make the image."""
    at = h.box.path
    p = subprocess.Popen([EC2, "ec2-bundle-vol", "-v", h.root, "-r", "x86_64", "-d", h.out, "-u", "123456789012",
                          "-k", at / "user.key", "-c", at / "user.crt", "--ec2cert", at / "ec2.crt", "-s", "100",
                          "--no-inherit", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.time() + 20
    while not list(h.out.glob(".pvboot-volume.*/image")) and time.time() < end:
        time.sleep(0.002)
    return p


def leaves_nothing_when_stopped(h):
    (h.root / "var/big").write_bytes(os.urandom(40 * MIB))
    for nr in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        p = started(h)
        p.send_signal(nr)
        out, err = p.communicate()
        check([m for m in open("/proc/self/mounts") if str(h.out) in m], [])
        if nr == signal.SIGKILL:
            check((out, list(h.out.glob("image*"))), (b"", []))
            continue
        check((p.returncode, out, os.listdir(h.out)), (1, b"", []))
        check_said([err.decode()], "interrupted; nothing of the bundle was left")
    # What was killed left its work, which the next one removes; not that of one which runs.
    check(len(list(h.out.glob(".pvboot-volume.*"))), 1)
    other = started(h, "-p", "other")
    image, err = h.image("-s", "100", "-p", "after", hidden=True)
    out, said = other.communicate()
    check((other.returncode, said), (0, b""))
    check([n for n in os.listdir(h.out) if n.startswith(".")], [])
    run("e2fsck", "-fn", image)


def says_when_the_disk_is_full(h):
    (h.root / "var/big").write_bytes(os.urandom(30 * MIB))
    small = h.box.path / "small"
    small.mkdir()
    h.mount("-t", "tmpfs", "-o", "size=20m", "tmpfs", small)
    status, out, err = h.bundle("-p", "full", "-s", "100", folder=small)
    check((status, out, len(err.splitlines()), os.listdir(small)), (1, "", 1, []))
    check_said([err], "No space left on device")
    # The image fits, the bundle beside it does not.
    run("mount", "-o", "remount,size=50m", small)
    status, out, err = h.bundle("-p", "full", "-s", "100", folder=small)
    check((status, out, len(err.splitlines()), os.listdir(small)), (1, "", 1, []))
    check_said([err], "cannot be written: No space left on device")
    run("mount", "-o", "remount,size=20m", small)
    status, out, err = h.bundle("-p", "whole", "-s", "100")
    check(status, 0)
    r = subprocess.run([EC2, "ec2-unbundle", "-m", out.strip(), "-k", h.box.path / "user.key", "-d", small],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check((r.returncode, r.stdout, os.listdir(small)), (1, b"", []))
    check(r.stderr.decode(), "ec2-unbundle: the image cannot be written: No space left on device\n")


def copies_what_changes(h):
    """Files that come, go and grow while they are copied."""
    spool, stop = h.root / "var/spool", threading.Event()
    spool.mkdir()

    def churn():
        for i in itertools.cycle(range(0, 700, 7)):
            path = spool / ("file%d.swp" % i if i % 2 else "file%d" % i)
            path.unlink() if path.exists() else path.write_text("x" * 5000)
            with open(h.root / "var/grows", "a") as f:
                f.write("line\n" * 100)
            if stop.wait(0.001):
                return

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for i in range(3):
            image, err = h.image("-p", "busy%d" % i)
            run("e2fsck", "-fn", image)
            check([line for line in err.splitlines() if "once more" not in line and "secret" not in line and
                   "for such reasons" not in line], [])
    finally:
        stop.set()
        thread.join()


def put_program(root, program):
    """A program with its libraries."""
    paths = [program] + [w for line in run("ldd", program).splitlines() for w in line.split() if w[0] == "/"]
    for path in paths:
        to = root / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(Path(path).read_bytes())
        os.chmod(to, 0o755)


def bundles_the_system_that_runs(h):
    """The whole command line as people know it, on a root of its own."""
    root, system = h.root, "usr/local/bin/ec2-bundle-vol"
    put_program(root, EC2)
    for name in ("mke2fs", "debugfs", "blkid"):
        put_program(root, run("which", name).strip())
    (root / "usr/local/bin").mkdir(parents=True)
    os.rename(root / EC2.lstrip("/"), root / system)
    (root / "usr/local/share/pvboot").mkdir(parents=True)
    (root / "usr/local/share/pvboot/akis.tsv").write_bytes(
        (Path(__file__).resolve().parents[2] / "share/pvboot/akis.tsv").read_bytes())
    (root / "etc/mke2fs.conf").write_bytes(Path("/etc/mke2fs.conf").read_bytes())
    (root / "etc/pvboot").mkdir()
    (root / "etc/pvboot/cert-ec2.pem").write_bytes((h.box.path / "ec2.crt").read_bytes())
    (root / "mnt/pkey.pem").write_bytes((h.box.path / "user.key").read_bytes())
    (root / "mnt/cert.pem").write_bytes((h.box.path / "user.crt").read_bytes())
    h.mount("--bind", root, root)
    h.mount("-t", "proc", "proc", root / "proc")
    h.mount("--bind", "/dev", root / "dev")
    line = ("ec2-bundle-vol -r x86_64 -d /mnt -p openSUSE-11.2-PVGRUB -u 123456789012 -k /mnt/pkey.pem "
            "-c /mnt/cert.pem -s 10240 -e /mnt,/root/.ssh --kernel aki-427d952b")
    r = subprocess.run(["chroot", root, "/usr/local/bin/" + line.split()[0], *line.split()[1:]],
                       env=dict(os.environ, PVBOOT_METADATA_URL="http://127.0.0.1:9"),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check((r.returncode, r.stdout.decode()), (0, "/mnt/openSUSE-11.2-PVGRUB.manifest.xml\n"))
    check_said([r.stderr.decode()], "nothing is taken over from an instance: no metadata at http://127.0.0.1:9")
    check(len(r.stderr.decode().splitlines()), 1)
    run(EC2, "ec2-unbundle", "-m", root / "mnt/openSUSE-11.2-PVGRUB.manifest.xml", "-k",
        h.box.path / "user.key", "-d", h.box.path)
    at = h.look(h.box.path / "openSUSE-11.2-PVGRUB")
    check((os.listdir(at / "mnt"), os.listdir(at / "root/.ssh"), os.listdir(at / "proc")), ([], [], []))
    check((at / system).read_bytes() == Path(EC2).read_bytes(), True)


def why_not():
    """What keeps these tests from running here; None: nothing."""
    if os.geteuid() != 0:
        return "needs root, for owners, devices and mounts"
    for program in ("mke2fs", "debugfs", "e2fsck", "blkid", "sfdisk", "gpg"):
        if not shutil.which(program):
            return "needs the program " + program
    r = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if r.returncode:
        return "nothing can be mounted here: " + r.stdout.decode().strip()
    with tempfile.NamedTemporaryFile() as f:
        f.truncate(MIB)
        r = subprocess.run(["losetup", "--show", "-f", f.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if r.returncode:
            return "there is no loop device here: " + r.stdout.decode().strip()
        subprocess.run(["losetup", "-d", r.stdout.decode().strip()], check=True)
    return None


CASES = [keeps_everything, keeps_late_times, leaves_other_file_systems_out, keeps_label_and_uuid, makes_partitions, refuses,
         leaves_secrets_out, leaves_out_what_is_named, puts_a_menu_in, takes_over_what_the_instance_has,
         leaves_nothing_when_stopped, says_when_the_disk_is_full, copies_what_changes, bundles_the_system_that_runs]


@contextlib.contextmanager
def here(_case):
    if REASON:
        raise Skip(REASON)
    with Here() as h:
        yield h


os.environ["PATH"] += ":/usr/sbin:/sbin"
REASON = why_not()
sys.exit(run_cases(CASES, here, sys.argv[3:]))
