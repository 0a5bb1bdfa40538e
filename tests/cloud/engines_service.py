# SPDX-License-Identifier: MIT
"""The service itself on a real Xen: pvbootd in the dom0 of engines_xl.py, asked through its API."""
import base64
import os
import re
import shutil
import time
import urllib.parse

import engines_xl
from engines_common import HERE, Skip, run
from engines_xl import SLOW

SHARE = f"{HERE}/../../share/pvboot"
PATIENCE_S = 60 * SLOW
TEST_DRIVER = "engine = libvirt\nlibvirt-uri = test:///default\n"


def register(build, work, disk):
    """A state with an image of this disk, made here and with the service's own means; its id."""
    try:
        import clients  # pylint: disable=import-outside-toplevel
        import bundles  # pylint: disable=import-outside-toplevel  (its folders hide modules of boto3's)
    except ImportError as e:
        raise Skip(f"{e}; install python3-boto3") from e
    run("qemu-img", "convert", "-O", "raw", disk, f"{work}/root.img")
    program = f"{build}/pvbootd"
    with clients.running(program, work, TEST_DRIVER) as s:
        b = bundles.Bundler(program, s, work)
        image = b.settled(b.register(b.place(f"{work}/root.img"), "root"))
        assert image["State"] == "available" and "StateReason" not in image, image
        return image["ImageId"]


class Service:
    """pvbootd in dom0; its state and what it is configured with are on a disk that is /s there."""

    def __init__(self, xen, build, work):
        from service import ACCOUNTS, REGION, write  # pylint: disable=import-outside-toplevel
        self.xen, self.url, s = xen, None, f"{work}/s"
        self.image = register(build, work, f"{xen.work}/w/base")
        (account, (key, secret)), *_ = ACCOUNTS.items()
        self.sign = f"--user {key}:{secret} --aws-sigv4 aws:amz:{REGION}:ec2"
        shutil.copytree(f"{build}/images", f"{s}/images", ignore=shutil.ignore_patterns("*.gz"))
        for name in ("akis.tsv", "types.tsv"):
            shutil.copy(f"{SHARE}/{name}", f"{s}/{name}")
        shutil.move(f"{work}/state", f"{s}/state")
        write(f"{s}/secret", secret + "\n")
        write(f"{s}/pvbootd.conf",
              f"listen = 127.0.0.1:0\nstate = /s/state\nregion = {REGION}\nakis = /s/akis.tsv\n"
              "types = /s/types.tsv\npvboot-images = /s/images\nengine = xl\n"
              f"[account {account}]\naccess-key = {key}\nsecret-file = /s/secret\n")
        # 512 MiB must be free
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", s, f"{work}/s.img", "1G")
        xen.host.drive("s", f"{work}/s.img")
        xen.sh("ifconfig lo 127.0.0.1 up; mkdir -p /r/s; mount -t ext4 /dev/vdc /r/s")

    def start(self):
        self.xen.sh("(LD_LIBRARY_PATH=/w/bin exec chroot /r /w/bin/pvbootd --config /s/pvbootd.conf"
                    " </dev/null >/dev/null 2>/r/tmp/says) & echo $! >/r/tmp/service")
        end = time.monotonic() + PATIENCE_S
        while True:
            said = self.xen.sh("cat /r/tmp/says")
            found = re.search(r" at (http://\S+), state", said)
            if found:
                self.url = found[1]
                return
            assert time.monotonic() < end and "pvbootd: " not in said, f"the service does not start: {said}"
            time.sleep(0.5)

    def kill(self, signal):
        self.xen.sh(f"kill -{signal} $(cat /r/tmp/service);"
                    " while kill -0 $(cat /r/tmp/service) 2>/dev/null; do usleep 100000; done")

    def ask(self, action, **parameters):
        """The answer's XML; `_` stands for the `.` in a parameter's name."""
        form = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15"} |
                                      {k.replace("_", "."): v for k, v in parameters.items()})
        said = self.xen.inside(f"curl -sS -w \"\\n%{{http_code}}\\n\" {self.sign} -d \"{form}\" {self.url}/")
        assert said.endswith("\n200\n"), f"{action}: {said}"
        return said

    def log(self):
        return self.xen.sh("cat /r/tmp/says")


class Instance:
    def __init__(self, service):
        said = service.ask("RunInstances", ImageId=service.image, MinCount=1, MaxCount=1,
                           InstanceType="pv.nano", BlockDeviceMapping_1_DeviceName="/dev/sdb",
                           BlockDeviceMapping_1_Ebs_VolumeSize=1)
        self.service, self.id = service, re.search("<instanceId>(.*?)<", said)[1]

    def do(self, action):
        self.service.ask(action, InstanceId_1=self.id)

    def state(self):
        said = self.service.ask("DescribeInstances", InstanceId_1=self.id)
        return re.search(r"<instanceState>.*?<name>(.*?)<", said, re.S)[1]

    def console(self):
        found = re.search(r"<output>([^<]*)<", self.service.ask("GetConsoleOutput", InstanceId=self.id))
        return base64.b64decode(found[1]).decode(errors="replace").replace("\r", "") if found else ""

    def domain(self):
        """Xen's number of it, or None."""
        found = re.search(rf"^{self.id} +(\d+) ", self.service.xen.inside("xl list"), re.M)
        return found and found[1]

    def wait(self, what, ready):
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert time.monotonic() < end, f"not {what} but {self.state()}\n{self.service.log()}\n" \
                f"{self.console()[-2000:]}"
            time.sleep(1)

    def wait_state(self, state):
        self.wait(state, lambda: self.state() == state)

    def wait_console(self, text, times=1):
        self.wait(f"{times} times {text!r}", lambda: self.console().count(text) >= times)


def xl_runs_the_service(driver, work):
    """pvbootd on Xen: an instance runs, outlives kill -9, reboots, stops, starts, is terminated"""
    build = os.path.dirname(driver)
    xen = engines_xl.shared(driver, work)
    service = Service(xen, build, work)
    blobs = xen.sh("ls /r/s/state/blobs")
    service.start()
    one = Instance(service)
    one.wait_console("T: wrote 2\n")
    said = one.console()
    assert one.state() == "running" and "pvboot" in said and "Linux version" in said, said
    assert "xvdb" in re.search("T: up, .*", said)[0], said
    domain = one.domain()

    service.kill("KILL")
    service.start()
    assert (one.state(), one.domain()) == ("running", domain) and domain
    written = int(re.findall(r"T: wrote (\d+)\n", one.console())[-1])
    one.wait_console(f"T: wrote {written + 3}\n")
    assert one.domain() == domain

    one.do("RebootInstances")
    one.wait_console("T: up, ", 2)
    assert one.state() == "running" and one.domain() not in (None, domain)
    one.do("StopInstances")
    one.wait_state("stopped")
    assert "T: poweroff" in one.console() and one.domain() is None
    one.do("StartInstances")
    one.wait_console("T: up, ", 3)
    assert one.state() == "running"
    one.do("TerminateInstances")
    one.wait_state("terminated")
    assert one.domain() is None
    one.wait("without disks", lambda: xen.sh("ls /r/s/state/blobs") == blobs)
    service.kill("TERM")
    assert len(xen.inside("xl list").splitlines()) == 2, "dom0 and the heading alone"


CASES = [xl_runs_the_service]
