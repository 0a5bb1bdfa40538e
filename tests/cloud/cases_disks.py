"""The store of disks: what it takes, long chains, full disks, and kill -9 at any moment."""
import os
import random
import subprocess
import time

import botocore.exceptions

from clients import client, fails, running, running_as
from disks import (ZONE, blob, files, look, qemu_io, settle, snapshot, state, used_bytes, volume,
                   wait_for)
from instances import image, run, service, wait
from harness import Skip
from service import Service, write_config

MIB = 1 << 20


def disks_shared(program, work):
    """Ten volumes of a snapshot of 10 GiB take what differs, and no more."""
    with running(program, work) as s:
        c = client(s, "ec2")
        vol = volume(c, Size=10)
        assert qemu_io(work, vol, "write -P 7 1G 64M")
        snap = snapshot(c, vol)
        before = used_bytes(work)
        made = [c.create_volume(AvailabilityZone=ZONE, SnapshotId=snap)["VolumeId"]
                for _ in range(10)]
        for one in made:
            assert settle(c, one)["Size"] == 10
        assert used_bytes(work) - before < 2 * MIB
        assert qemu_io(work, made[3], "read -P 7 1G 1M", "write -P 8 1G 1M", "write -P 9 9G 1M")
        assert used_bytes(work) - before < 5 * MIB
        second = snapshot(c, made[3])
        assert used_bytes(work) - before < 9 * MIB
        assert qemu_io(work, second, "read -P 8 1G 1M", "read -P 7 1025M 1M", "read -P 9 9G 1M")
        assert qemu_io(work, made[4], "read -P 7 1G 1M", "read -P 0 9G 1M")


def disks_of_instances(program, work):
    """Ten instances of an image of 10 GiB share it, and take their disks along."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami = image(work, size=10 << 30)
        before = used_bytes(work)
        ids = run(c, ami, 10, InstanceType="pv.nano",
                  BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10}}])
        wait(c, "running", ids)
        assert len(files(work)) == 21 and used_bytes(work) - before < 2 * MIB
        assert len(c.describe_volumes()["Volumes"]) == 10  # a root disk of the image is no volume
        c.terminate_instances(InstanceIds=ids)
        wait(c, "terminated", ids)
        wait_for(lambda: len(files(work)) == 1)


def disks_chain(program, work):
    """A volume of a snapshot of a volume ..., fifty times: each layer is there, no chain is long."""
    with running(program, work) as s:
        c = client(s, "ec2")
        vol = volume(c, Size=1)
        for i in range(50):
            assert qemu_io(work, vol, f"write -P {i + 1} {i}M 64k")
            snap = snapshot(c, vol)
            old, vol = vol, volume(c, SnapshotId=snap)
            c.delete_volume(VolumeId=old)
            c.delete_snapshot(SnapshotId=snap)
        assert qemu_io(work, vol, *[f"read -P {i + 1} {i}M 64k" for i in range(50)])
        wait_for(lambda: len(files(work)) <= 10)
        path, form = blob(work, vol)
        assert subprocess.run(["qemu-img", "check", "-q", "-f", form, path],
                              check=False).returncode == 0
        c.delete_volume(VolumeId=vol)
        wait_for(lambda: files(work) == [])


def disks_full(program, work):
    """A full disk is the snapshot's error, leaves no torso, and the service goes on."""
    os.mkdir(f"{work}/state")
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "blobs", f"{work}/state"]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        raise Skip("no tmpfs can be mounted here")
    try:
        with running(program, work) as s:
            c = client(s, "ec2")
            vol = volume(c, Size=1)
            assert qemu_io(work, vol, "write -P 7 0 50M")
            snap = c.create_snapshot(VolumeId=vol)["SnapshotId"]
            row = settle(c, snap, good=("error",))
            assert "the disk of the service is full" in row["StateMessage"], row
            wait_for(lambda: len(files(work)) == 1)
            fails("IncorrectState", c.create_volume, AvailabilityZone=ZONE, SnapshotId=snap)
            c.delete_snapshot(SnapshotId=snap)
            small = volume(c, Size=1)
            assert qemu_io(work, small, "write -P 8 0 5M")
            snapshot(c, small)
    finally:
        subprocess.run(["umount", f"{work}/state"], check=True)


def disks_stopped(program, work):
    """A copy is given up when the service is told to stop, and made at the next start."""
    config = write_config(work)
    with running_as(program, config) as s:
        c = client(s, "ec2")
        vol = volume(c, Size=4)
        assert qemu_io(work, vol, *[f"write -P {i} {i}G 512M" for i in range(1, 4)])
        snap = c.create_snapshot(VolumeId=vol)["SnapshotId"]
        wait_for(lambda: look(c, snap)["Progress"] != "0%")
        seen = look(c, snap)
    if seen["State"] == "pending":
        assert seen["Progress"].endswith("%") and len(files(work)) == 1
    with running_as(program, config) as s:
        c = client(s, "ec2")
        settle(c, snap)
        assert qemu_io(work, snap, *[f"read -P {i} {i}G 512M" for i in range(1, 4)])


class Crowd:
    """Makes and deletes volumes and snapshots, and remembers what it was told."""

    def __init__(self, dice):
        self.dice = dice
        self.volumes, self.snapshots = {}, {}  # id: what its first bytes are
        self.unsure = set()  # a request without an answer was about it
        self.tokens, self.next = {}, 0

    def token(self):
        self.next += 1
        return f"t{self.next}"

    def step(self, c):
        """One request; the connection may break in the middle of it."""
        what = self.dice.choice(["volume", "copy", "snapshot", "snapshot", "delete", "drop"])
        full = what != "drop" and len(self.snapshots) > 5, what != "delete" and len(self.volumes) > 7
        if any(full):
            what = "drop" if full[0] else "delete"
        if what in ("volume", "copy"):
            arguments = {"AvailabilityZone": ZONE, "Size": 1}
            if what == "copy" and self.snapshots:
                arguments["SnapshotId"] = self.dice.choice(sorted(self.snapshots))
            token = self.token()
            self.tokens[token] = dict(arguments, ClientToken=token)
            self.volumes[c.create_volume(**self.tokens[token])["VolumeId"]] = \
                self.snapshots.get(arguments.get("SnapshotId"), 0)
            del self.tokens[token]
        elif what == "snapshot" and self.volumes:
            vol = self.dice.choice(sorted(self.volumes))
            self.snapshots[c.create_snapshot(VolumeId=vol)["SnapshotId"]] = self.volumes[vol]
        elif what in ("delete", "drop"):
            kind = self.volumes if what == "delete" else self.snapshots
            which = self.dice.choice(sorted(kind)) if len(kind) > 3 else None
            if which:
                self.unsure.add(which)
                if what == "delete":
                    c.delete_volume(VolumeId=which)
                else:
                    c.delete_snapshot(SnapshotId=which)
                kind.pop(which)

    def live(self, c, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.step(c)
            except botocore.exceptions.ClientError as e:
                assert e.response["Error"]["Code"] in (
                    "IncorrectState", "RequestExpired", "InvalidVolume.NotFound",
                    "InvalidSnapshot.NotFound"), e
                self.tokens.clear()  # there was an answer
                time.sleep(0.05)
            except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError):
                return


def repeat_tokens(c, crowd):
    """A request whose answer was lost is sent again, and makes one volume at most."""
    for arguments in crowd.tokens.values():
        try:
            if "SnapshotId" in arguments:
                settle(c, arguments["SnapshotId"])
            first = c.create_volume(**arguments)["VolumeId"]
        except botocore.exceptions.ClientError as e:
            assert e.response["Error"]["Code"].endswith(".NotFound"), e  # of the snapshot
            continue
        assert c.create_volume(**arguments)["VolumeId"] == first
        crowd.volumes[first] = crowd.snapshots.get(arguments.get("SnapshotId"), 0)
    crowd.tokens.clear()


def check_whole(work, c, crowd):
    """Nothing that was promised is lost, nothing is there twice, no file is left over."""
    volumes = {v["VolumeId"] for v in c.describe_volumes()["Volumes"] if v["State"] != "deleting"}
    snapshots = {s["SnapshotId"] for s in c.describe_snapshots()["Snapshots"]}
    assert set(crowd.volumes) - crowd.unsure <= volumes, (crowd.volumes, volumes)
    assert set(crowd.snapshots) - crowd.unsure <= snapshots, (crowd.snapshots, snapshots)
    for which in sorted(volumes | snapshots):
        settle(c, which)
    crowd.volumes = {k: v for k, v in crowd.volumes.items() if k in volumes}
    crowd.snapshots = {k: v for k, v in crowd.snapshots.items() if k in snapshots}
    db = state(work)

    def agree():
        known = sorted(row[0] for row in db.execute("SELECT id FROM blob"))
        needed = sorted(row[0] for row in db.execute("SELECT DISTINCT id FROM blob_needed"))
        return known == needed == files(work)

    wait_for(agree)
    assert db.execute("SELECT blob FROM volume GROUP BY blob HAVING count(*) > 1").fetchall() == []
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    for which, byte in (crowd.volumes | crowd.snapshots).items():
        assert qemu_io(work, which, f"read -P {byte} 0 1M", f"read -P {byte} 59M 1M"), (which, byte)


def disks_killed(program, work):
    """kill -9 at random moments of creating, copying and deleting."""
    config = write_config(work)
    dice = random.Random(7)
    crowd = Crowd(dice)
    with running_as(program, config) as s:
        vol = volume(client(s, "ec2"), Size=1)
        assert qemu_io(work, vol, "write -P 7 0 60M")
        crowd.volumes[vol] = 7
    for _ in range(12):
        s = Service(program, config)
        c = client(s, "ec2")
        killer = subprocess.Popen(["sh", "-c", f"sleep {dice.uniform(0.1, 2.5):.2f};"
                                   f" kill -9 {s.process.pid}"])
        crowd.live(c, 10)
        killer.wait()
        s.finish()
        with running_as(program, config) as s:
            c = client(s, "ec2")
            repeat_tokens(c, crowd)
            check_whole(work, c, crowd)
    assert len(crowd.volumes) + len(crowd.snapshots) > 5


CASES = [disks_shared, disks_of_instances, disks_chain, disks_full, disks_stopped, disks_killed]
