#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The way of an image, from a running system to a running instance and on, with the commands of
Amazon's paper "Enabling User Provided Kernels in Amazon EC2" as they are printed there.

    tests/cloud/seed.py BUILD WORK        (as root)

The system is Debian's, made by debootstrap; its kernel is installed in it, the image is bundled
from within it, uploaded and registered at a pvbootd, and runs there. What the paper leaves to the
reader is done as a tenant would: the kernel's package, menu.lst, the keys. One step needs the one
before, so the first failure ends the test, and the steps behind it count as failed.
"""
import os
import shutil
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import boto3  # noqa: E402

from harness import Skip  # noqa: E402
from service import Service  # noqa: E402

ACCOUNT = "111122223333"
KEY, SECRET = "AKIATENANT", "the-secret-of-the-tenant-0001"
REGION = "us-east-1"
NAME = "openSUSE-11.2-PVGRUB"
TYPED = "oeprnSUSE-11.2-PVGRUB"  # as the paper has it in steps 6 and 7
BOOT_S = 900

# The paper's, word for word; what it puts in the place of the reader's own is replaced by that.
OWN = (("[AWS-ID]", ACCOUNT), ("MyAccessKey", KEY), ("MySecretKey", SECRET))
STEP_5 = ("ec2-bundle-vol -r x86_64 -d /mnt -p openSUSE-11.2-PVGRUB -u [AWS-ID] -k /mnt/pkey.pem "
          "-c /mnt/cert.pem -s 10240 -e /mnt,/root/.ssh --kernel aki-427d952b")
STEP_6 = ("ec2-upload-bundle -b MyReallyCoolBucketLocation -m /mnt/oeprnSUSE-11.2-PVGRUB.manifest.xml "
          "-a MyAccessKey -s MySecretKey")
STEP_7 = ("ec2-register --name openSUSE-11.2-PVGRUB "
          "MyReallyCoolBucketLocation/oeprnSUSE-11.2-PVGRUB.manifest.xml")

# The paper's, but for the name that today's kernels have for the disk.
MENU = """default 0
timeout 3

title EC2
    root (hd0)
    kernel /boot/vmlinuz-ec2 root=/dev/xvda1
    initrd /boot/initrd-ec2
"""

# Names that stay the same over kernels, as the paper's openSUSE has them.
LINKS = """#!/bin/sh
ln -sf "vmlinuz-$1" /boot/vmlinuz-ec2
ln -sf "initrd.img-$1" /boot/initrd-ec2
"""

# Beside the init scripts: what the tenant wants done, and a terminal on Xen's console.
INITTAB = """
te:2:wait:/usr/local/sbin/tenant </dev/null >/dev/hvc0 2>&1
co:2345:respawn:/sbin/getty 38400 hvc0
"""

# Runs the user data, as cloud-init would.
TENANT = """#!/bin/sh
echo "TENANT runs $(uname -r), init is $(cat /proc/1/comm), stage $(cat /var/stage)"
if mount -o ro LABEL=cidata /media 2>/dev/null; then
    sh /media/user-data
    umount /media
fi
echo "TENANT done with stage $(cat /var/stage)"
sync
"""

# First an upgrade of the kernel, then a first entry whose kernel is broken.
USER_DATA = """#!/bin/sh
case $(cat /var/stage) in
first)
    if dpkg -i /srv/new.deb; then
        echo upgraded >/var/stage
    fi
    ;;
upgraded)
    head -c 1000000 /boot/vmlinuz-ec2 >/boot/vmlinuz-broken
    cat >/boot/grub/menu.lst <<EOF
default 0
timeout 3
fallback 1

title Broken
    root (hd0)
    kernel /boot/vmlinuz-broken root=/dev/xvda1
    initrd /boot/initrd-ec2

title EC2
    root (hd0)
    kernel /boot/vmlinuz-ec2 root=/dev/xvda1
    initrd /boot/initrd-ec2
EOF
    echo broken >/var/stage
    ;;
esac
sync
"""


def run(*argv, env=None, check=True, timeout=1800):
    done = subprocess.run([str(a) for a in argv], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert not check or done.returncode == 0, f"{argv}: status {done.returncode}: {out}{err}"
    return done.returncode, out, err


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


class Tenant:
    """The system in a folder, what is done in it, and the service that it talks to."""

    def __init__(self, build, work):
        self.build, self.work = build, work
        self.root = f"{work}/root"
        self.service = self.client = None
        self.old = self.new = None  # versions of kernels
        self.image = self.instance = None

    # -- the system --------------------------------------------------------------------------------

    def chroot(self, command, check=True):
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "AWS_ACCESS_KEY_ID": KEY,
               "AWS_SECRET_ACCESS_KEY": SECRET}
        return run("chroot", self.root, "/bin/sh", "-c", command, env=env, check=check)

    def paper(self, command, check=True):
        for theirs, own in OWN:
            command = command.replace(theirs, own)
        return self.chroot(command, check)

    def make_root(self):
        status, out, err = run(f"{TOP}/tools/fetch-root.sh", check=False)
        if status != 0:
            raise Skip(out.strip().removeprefix("- ") or err.strip())
        cached = out.strip()
        run("cp", "-a", "--reflink=auto", f"{cached}/root", self.root)
        run("mount", "--bind", self.root, self.root)
        for kind, where in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "tmp"), ("tmpfs", "mnt")):
            # The bundle needs room for the image beside its parts: sparse, but not small.
            run("mount", "-t", kind, *(["-o", "size=4g"] if where == "mnt" else []), kind,
                f"{self.root}/{where}")
        run("mount", "--rbind", "/dev", f"{self.root}/dev")
        for name in ("old", "new"):
            shutil.copy(f"{cached}/{name}.deb", f"{self.root}/srv/{name}.deb")
            package = run("dpkg-deb", "-f", f"{cached}/{name}.deb", "Package")[1].strip()
            setattr(self, name, package.removeprefix("linux-image-"))
        write(f"{self.root}/etc/fstab", "/dev/xvda1 / ext4 errors=remount-ro 0 1\n")
        write(f"{self.root}/etc/hostname", "tenant\n")
        write(f"{self.root}/var/stage", "first\n")
        write(f"{self.root}/usr/local/sbin/tenant", TENANT, 0o755)
        with open(f"{self.root}/etc/inittab", encoding="utf-8") as f:
            lines = [line for line in f if "getty" not in line]
        write(f"{self.root}/etc/inittab", "".join(lines) + INITTAB)
        write(f"{self.root}/etc/kernel/postinst.d/zz-ec2", LINKS, 0o755)
        # An initrd with what this machine needs, not with what any could need.
        write(f"{self.root}/etc/initramfs-tools/conf.d/tenant", "MODULES=list\nRESUME=none\n")
        with open(f"{self.root}/etc/initramfs-tools/modules", "a", encoding="utf-8") as f:
            f.write("xen-blkfront\next4\n")
        run("make", "-C", TOP, "--no-print-directory", f"BUILD={self.build}", "install", "install-cloud",
            f"DESTDIR={self.root}", "PREFIX=/usr")

    def make_keys(self):
        self.chroot("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=tenant"
                    " -keyout /mnt/pkey.pem -out /mnt/cert.pem 2>/dev/null")

    # -- the service -------------------------------------------------------------------------------

    def start_service(self):
        write(f"{self.work}/secret", SECRET + "\n", 0o600)
        shutil.copy(f"{self.root}/mnt/cert.pem", f"{self.work}/cert.pem")
        write(f"{self.work}/pvbootd.conf", f"""listen = 127.0.0.1:0
state = {self.work}/state
region = {REGION}
akis = {TOP}/share/pvboot/akis.tsv
types = {TOP}/share/pvboot/types.tsv
pvboot-images = {self.build}/images
engine = embedded
[account {ACCOUNT}]
access-key = {KEY}
secret-file = {self.work}/secret
certificate = {self.work}/cert.pem
quota = 40G
""")
        self.service = Service(f"{self.build}/pvbootd", f"{self.work}/pvbootd.conf")
        self.client = boto3.client("ec2", endpoint_url=self.service.url, region_name=REGION,
                                   aws_access_key_id=KEY, aws_secret_access_key=SECRET)
        certificate = run("curl", "-fsS", f"{self.service.url}/cert-ec2.pem")[1]
        write(f"{self.root}/etc/pvboot/cert-ec2.pem", certificate)
        write(f"{self.root}/etc/pvboot/ec2.conf",
              f"s3-url = {self.service.url}\nec2-url = {self.service.url}\nregion = {REGION}\n")

    def aws(self, *words):
        env = dict(os.environ, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET,
                   AWS_DEFAULT_REGION=REGION, AWS_PAGER="", AWS_CONFIG_FILE="/dev/null",
                   AWS_EC2_METADATA_DISABLED="true")
        return run("/usr/bin/aws", "--endpoint-url", self.service.url, "ec2", *words, "--output",
                   "text", env=env)[1].strip()

    def state(self):
        got = self.client.describe_instances(InstanceIds=[self.instance])
        return got["Reservations"][0]["Instances"][0]

    def console(self):
        got = self.client.get_console_output(InstanceId=self.instance)
        return got.get("Output", "")

    def wait_console(self, *said, since=""):
        """Until all of it stands on the console behind what `since` was; what came."""
        end = time.monotonic() + BOOT_S
        fresh = ""
        while time.monotonic() < end:
            fresh = newer(self.console(), since)
            if all(s in fresh for s in said):
                return fresh
            state = self.state()
            assert state["State"]["Name"] in ("pending", "running"), \
                f"{state['State']} {state.get('StateReason')}: {fresh[-3000:]}"
            time.sleep(3)
        raise AssertionError(f"no {said} within {BOOT_S} s: {fresh[-3000:]}")

    def wait_state(self, name):
        end = time.monotonic() + BOOT_S
        while self.state()["State"]["Name"] != name:
            assert time.monotonic() < end, f"never {name}: {self.state()}"
            time.sleep(2)

    def stop(self):
        if self.instance:
            try:
                self.aws("terminate-instances", "--instance-ids", self.instance)
                self.wait_state("terminated")
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
        if self.service:
            self.service.stop()


def newer(console, since):
    """What stands behind `since`, whose beginning may have been dropped meanwhile."""
    tail = since[-2000:]
    at = console.rfind(tail) if tail else -1
    return console[at + len(tail):] if at >= 0 else console


# ---- the paper's steps --------------------------------------------------------------------------


def step_1_install_a_kernel(t):
    t.chroot("dpkg -i /srv/old.deb")
    assert os.path.exists(f"{t.root}/boot/vmlinuz-{t.old}")


def step_2_generate_an_initrd(t):
    t.chroot(f"update-initramfs -u -k {t.old}")
    assert os.path.getsize(f"{t.root}/boot/initrd.img-{t.old}") > 1 << 20
    assert os.readlink(f"{t.root}/boot/vmlinuz-ec2") == f"vmlinuz-{t.old}"


def step_3_write_menu_lst(t):
    write(f"{t.root}/boot/grub/menu.lst", MENU)


def step_4_choose_an_aki(t):
    got = t.chroot(f"pvboot aki select --region {REGION} --arch x86_64 --root-device instance-store")[1]
    assert got.split()[0] == "aki-427d952b", got


def step_5_bundle(t):
    t.paper(STEP_5)
    assert os.path.exists(f"{t.root}/mnt/{NAME}.manifest.xml")
    left = sorted(os.listdir(f"{t.root}/mnt"))
    assert not [n for n in left if not n.startswith(NAME) and not n.endswith(".pem")], left


def step_6_upload(t):
    # The paper's name of the manifest is mistyped: said, with the name that is meant.
    status, _, err = t.paper(STEP_6, check=False)
    assert status != 0 and TYPED in err and f"{NAME}.manifest.xml" in err, err
    t.chroot(f"cp /mnt/{NAME}.manifest.xml /mnt/{TYPED}.manifest.xml")
    t.paper(STEP_6)


def step_7_register(t):
    got = t.paper(STEP_7)[1].split()
    assert got[0] == "IMAGE" and got[1].startswith("ami-"), got
    t.image = got[1]
    assert t.aws("describe-images", "--image-ids", t.image, "--query",
                 "Images[0].[State,KernelId,RootDeviceType]").split() == \
        ["available", "aki-427d952b", "instance-store"]


def run_it(t):
    write(f"{t.work}/user-data", USER_DATA)
    t.instance = t.aws("run-instances", "--image-id", t.image, "--instance-type", "pv.micro",
                       "--user-data", f"file://{t.work}/user-data", "--query",
                       "Instances[0].InstanceId")
    fresh = t.wait_console(f"TENANT runs {t.old}, init is init, stage first")
    assert f"Linux version {t.old}" in fresh, fresh[:3000]
    # The same through the client that people use.
    assert f"TENANT runs {t.old}" in t.aws("get-console-output", "--instance-id", t.instance,
                                           "--latest")


def upgrade_the_kernel(t):
    t.wait_console("TENANT done with stage upgraded")
    before = t.console()
    t.aws("reboot-instances", "--instance-ids", t.instance)
    t.wait_console(f"Linux version {t.new}", f"TENANT runs {t.new}, init is init, stage upgraded",
                   since=before)


def break_the_kernel(t):
    t.wait_console("TENANT done with stage broken")
    before = t.console()
    t.aws("reboot-instances", "--instance-ids", t.instance)
    fresh = t.wait_console(f"TENANT runs {t.new}, init is init, stage broken", since=before)
    assert "/boot/vmlinuz-broken" in fresh and "fallback" in fresh.lower(), fresh[:3000]


def use_a_kernel_without_a_menu(t):
    """The paper's "Whoops": a non-PVGRUB AKI and ARI, and back."""
    identity = f"-k /mnt/pkey.pem -c /mnt/cert.pem -u {ACCOUNT} -r x86_64 -d /mnt"
    ids = []
    for kind, file in (("kernel", f"vmlinuz-{t.old}"), ("ramdisk", f"initrd.img-{t.old}")):
        t.chroot(f"ec2-bundle-image -i /boot/{file} {identity} --{kind} true")
        t.chroot(f"ec2-upload-bundle -b MyReallyCoolBucketLocation/plain -m /mnt/{file}.manifest.xml "
                 f"-a {KEY} -s {SECRET}")
        got = t.chroot(f"ec2-register --name "
                       f"plain-{kind} MyReallyCoolBucketLocation/plain/{file}.manifest.xml")[1]
        ids.append(got.split()[1])
    assert [i[:4] for i in ids] == ["aki-", "ari-"], ids
    t.aws("stop-instances", "--force", "--instance-ids", t.instance)
    t.wait_state("stopped")
    before = t.console()
    t.aws("modify-instance-attribute", "--instance-id", t.instance, "--kernel", ids[0])
    t.aws("modify-instance-attribute", "--instance-id", t.instance, "--ramdisk", ids[1])
    t.aws("start-instances", "--instance-ids", t.instance)
    fresh = t.wait_console(f"TENANT runs {t.old}, init is init, stage broken", since=before)
    assert "menu.lst" not in fresh, fresh[:3000]


STEPS = [step_1_install_a_kernel, step_2_generate_an_initrd, step_3_write_menu_lst,
         step_4_choose_an_aki, step_5_bundle, step_6_upload, step_7_register, run_it,
         upgrade_the_kernel, break_the_kernel, use_a_kernel_without_a_menu]


def skip_all(reason):
    for step in STEPS:
        print(f"skip  {step.__name__}: {reason}")
    print(f"0 passed, 0 failed, {len(STEPS)} skipped")
    return 0


def main():
    if len(sys.argv) != 3 or not os.access(f"{sys.argv[1]}/pvbootd", os.X_OK):
        asked = sys.argv[1:2] == ["--help"]
        print(__doc__ if asked else f"{sys.argv[0]}: BUILD is the folder in which `make host images "
              f"cloud` builds, WORK one that is made anew\n{__doc__}", file=None if asked else sys.stderr)
        return 0 if asked else 1
    build, work = (os.path.abspath(a) for a in sys.argv[1:3])
    if os.environ.get("PVBOOT_SEED_INNER") != "1":
        if os.geteuid() != 0 or run("unshare", "-m", "true", check=False)[0] != 0:
            return skip_all("needs root and mount namespaces")
        # What is mounted here goes with this process.
        os.environ["PVBOOT_SEED_INNER"] = "1"
        os.environ.setdefault("PVBOOT_CACHE", os.path.expanduser("~/.cache/pvboot"))
        os.execvp("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__), build, work])
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    t = Tenant(build, work)
    passed = 0
    try:
        t.make_root()
        t.make_keys()
        t.start_service()
        for step in STEPS:
            began = time.monotonic()
            step(t)
            passed += 1
            print(f"ok    {step.__name__} ({time.monotonic() - began:.0f} s)", flush=True)
    except Skip as e:
        return skip_all(e)
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print(f"FAIL  {STEPS[passed].__name__}")
        if t.service:
            print("".join(t.service.errors[-20:]))
    finally:
        t.stop()
    print(f"{passed} passed, {len(STEPS) - passed} failed")
    return 0 if passed == len(STEPS) else 1


if __name__ == "__main__":
    status = main()
    sys.exit(status)
