"""Makes bundles with pvboot-ec2 and puts them into a service's buckets, for the image tests."""
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))
from box import MIB, kernel  # noqa: E402

from clients import ONE, client  # noqa: E402

MENU = "default 0\ntimeout 0\ntitle One\nroot %s\nkernel /boot/vmlinuz root=/dev/sda1\n"


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{args[0]}: {done.stderr}"
    return done.stdout


def file_system(path, bits=64, size=4 * MIB, root="(hd0)", vmlinuz=None, menu=None, data=b""):
    """A small ext4 image with a kernel and a menu."""
    tree = Path(f"{path}.tree")
    (tree / "boot/grub").mkdir(parents=True, exist_ok=True)
    (tree / "boot/vmlinuz").write_bytes(vmlinuz or kernel(bits))
    (tree / "boot/grub/menu.lst").write_text((menu or MENU) % root if "%s" in (menu or MENU) else menu)
    (tree / "data").write_bytes(data)
    with open(path, "wb") as f:
        f.truncate(size)
    run("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, path)
    return path


def partitioned(path, **more):
    """The same in the one partition of an MBR."""
    inner = file_system(f"{path}.part", root="(hd0,0)", **more)
    with open(path, "wb") as f:
        f.truncate(MIB)
        f.seek(MIB)
        f.write(Path(inner).read_bytes())
    run("/usr/sbin/sfdisk", "-q", path, input="start=2048,type=83\n")
    return path


def manifest_of(folder):
    path, = Path(folder).glob("*.manifest.xml")
    return path


def in_parts(folder, count):
    """The manifest of a bundle of one part as one of `count`, and their names: all but the first
    are empty."""
    text, first = manifest_of(folder).read_text(), next(Path(folder).glob("*.part.*")).name
    item = re.search(r"<part index='0'>.*?</part>", text, re.S).group(0)
    empty = re.sub(r"(<digest algorithm=.SHA1.>)[0-9a-f]{40}",
                   r"\g<1>da39a3ee5e6b4b0d3255bfef95601890afd80709", item)
    names = [first] + [f"{first}.{i}" for i in range(1, count)]
    parts = item + "".join(
        empty.replace("index='0'", f"index='{i}'").replace(first, name)
        for i, name in enumerate(names[1:], 1))
    return re.sub(r"<parts count='1'>.*</parts>", f"<parts count='{count}'>{parts}</parts>", text,
                  flags=re.S), names


class Bundler:
    """The keys of an account's user, and bundles in a folder."""

    def __init__(self, program, s, work, account=ONE):
        self.tool = f"{os.path.dirname(program)}/pvboot-ec2"
        self.s, self.work, self.account = s, Path(work), account
        self.key, self.cert = f"{work}/{account}.key", f"{work}/{account}.crt"
        if not os.path.exists(self.key):
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                f"/CN={account}", "-keyout", self.key, "-out", self.cert)
        self.ec2cert = f"{work}/cert-ec2.pem"
        with urllib.request.urlopen(f"{s.url}/cert-ec2.pem") as got:
            Path(self.ec2cert).write_bytes(got.read())
        self.s3 = client(s, "s3", account)
        self.ec2 = client(s, "ec2", account)
        self.buckets = set()

    def bundle(self, image, *more, arch="x86_64", user=None, ec2cert=None):
        """The folder of the image's bundle, with its manifest's name in it."""
        folder = Path(f"{image}.bundle")
        if not folder.exists():
            folder.mkdir()
            run(self.tool, "ec2-bundle-image", "-i", image, "-r", arch, "-d", folder, "-k", self.key,
                "-c", self.cert, "-u", user or self.account, "--ec2cert", ec2cert or self.ec2cert,
                *more)
        return folder

    def upload(self, folder, bucket="bundles", prefix=""):
        """All of the folder; the manifest's location."""
        if bucket not in self.buckets:
            self.s3.create_bucket(Bucket=bucket)
            self.buckets.add(bucket)
        location = None
        for path in sorted(Path(folder).iterdir()):
            self.s3.put_object(Bucket=bucket, Key=prefix + path.name, Body=path.read_bytes())
            if path.name.endswith(".manifest.xml"):
                location = f"{bucket}/{prefix}{path.name}"
        return location

    def place(self, image, *more, prefix="", **how):
        return self.upload(self.bundle(image, *more, **how), prefix=prefix)

    def register(self, location, name, **more):
        return self.ec2.register_image(ImageLocation=location, Name=name, **more)["ImageId"]

    def described(self, image_id):
        return self.ec2.describe_images(ImageIds=[image_id])["Images"][0]

    def settled(self, image_id):
        """The image when it is pending no more."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            image = self.described(image_id)
            if image["State"] != "pending":
                return image
            time.sleep(0.1)
        raise AssertionError(f"{image_id} stays pending: {image}")
