"""What the tests of the network tools share: a folder with a bundle, the tools, the services."""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from clients import client, running
from harness import program_arguments
from service import ACCOUNTS

EC2, PVBOOTD = program_arguments(sys.modules["__main__"].__doc__, 2)
TOP = Path(__file__).resolve().parents[2]
ACCESS, SECRET = ACCOUNTS["111122223333"]
KEYS = ["-a", ACCESS, "-s", SECRET]
PART = 10485760


def check(got, want):
    if got != want:
        raise AssertionError("got %r, not %r" % (got, want))


def environment(**more):
    """Nothing of the person who runs the tests."""
    clean = {k: v for k, v in os.environ.items() if not re.match("AWS_|EC2_|S3_|PVBOOT_EC2", k)}
    clean["PVBOOT_EC2_CONF"] = "/dev/null"
    return dict(clean, **more)


def tool(name, *args, cwd=None, env=None, **more):
    r = subprocess.run([EC2, name, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, cwd=cwd, env=env or environment(**more),
                       timeout=300)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def good(got, said=""):
    check(got[0] == 0 and (said in got[2] if said else got[2] == "") or got, True)
    return got[1].strip()


def refused(got, said, status=1):
    check((got[0], got[1]), (status, ""))
    if said not in got[2]:
        raise AssertionError("%r does not say %r" % (got[2], said))


class Work:
    """A folder with keys and a bundle, made once."""

    made = None

    def __init__(self):
        if Work.made is None:
            Work.made = Path(tempfile.mkdtemp(prefix="pvboot-transfer-"))
            self.make(Work.made)
        self.path = Path(tempfile.mkdtemp(prefix="pvboot-transfer-"))
        shutil.copytree(Work.made, self.path, dirs_exist_ok=True)
        self.manifest = self.path / "bundle/disk.manifest.xml"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def make(at):
        for who in ("user", "ec2", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                            "-subj", "/CN=" + who, "-keyout", at / (who + ".key"), "-out",
                            at / (who + ".crt")], check=True, stderr=subprocess.DEVNULL)
        (at / "disk").write_bytes(os.urandom(4 * PART + 1234567))
        (at / "bundle").mkdir()
        good(tool("ec2-bundle-image", "-i", at / "disk", "-r", "x86_64", "-d", at / "bundle", "-k",
                  at / "user.key", "-c", at / "user.crt", "-u", "123456789012", "--ec2cert",
                  at / "ec2.crt", "--kernel", "aki-427d952b", "--no-check"))

    def parts(self):
        return sorted(p.name for p in (self.path / "bundle").glob("*.part.*"))

    def upload(self, *more, bucket="b-one", keys=None, **env):
        return tool("ec2-upload-bundle", "-b", bucket, "-m", self.manifest, *(keys or KEYS), *more,
                    **env)

    def download(self, to, *more, bucket="b-one", keys=None, **env):
        to.mkdir(exist_ok=True)
        return tool("ec2-download-bundle", "-b", bucket, "-d", to, *(keys or KEYS), *more, **env)

    def same_image(self, folder):
        """The image of a bundle that came back."""
        good(tool("ec2-unbundle", "-m", folder / "disk.manifest.xml", "-k", self.path / "user.key",
                  "-d", folder))
        check((folder / "disk").read_bytes() == (self.path / "disk").read_bytes(), True)


@contextlib.contextmanager
def pvbootd(w, extra=""):
    (w.path / "svc").mkdir()
    with running(PVBOOTD, str(w.path / "svc"), extra) as s:
        yield s


def keys_in(s, bucket):
    return [o["Key"] for o in client(s, "s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
