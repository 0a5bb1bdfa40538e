"""What the tests of instances share."""
import contextlib
import os
import secrets
import sqlite3
import subprocess
import time

from clients import ONE, client, running

TEST_DRIVER = "engine = libvirt\nlibvirt-uri = test:///default\ninstance-memory = 8T\n"


@contextlib.contextmanager
def service(program, work, extra="", engine=TEST_DRIVER):
    """A service whose instances are libvirt's test driver's: they run nothing."""
    folder = f"{work}/pvboot-images"
    os.makedirs(folder, exist_ok=True)
    for layout in ("hd0", "hd00"):
        for arch in ("i386", "x86_64"):
            with open(f"{folder}/pvboot-{layout}-{arch}", "w", encoding="ascii") as f:
                f.write("no kernel\n")
    with running(program, work, f"{engine}pvboot-images = {folder}\n{extra}") as s:
        yield s


def image(work, name="image", account=ONE, size=1 << 20, arch="x86_64", kind="machine",
          content=None, snapshot=None, **columns):
    """An image of this file or, without one, of an empty disk, as if it had been registered; its
    id."""
    blob, prefix = secrets.token_hex(16), {"kernel": "aki", "ramdisk": "ari"}.get(kind, "ami")
    row = {"id": f"{prefix}-{secrets.token_hex(9)[1:]}", "account": account, "type": kind,
           "state": "available", "name": name, "arch": arch, "root_type": "instance-store",
           "root_device": "/dev/sda1", "created": int(time.time()), "blob": blob, "hd00": 0}
    row.update(columns)
    if content:
        size = os.path.getsize(content)
        subprocess.run(["cp", "--sparse=always", content, f"{work}/state/blobs/{blob}"], check=True)
    else:
        with open(f"{work}/state/blobs/{blob}", "wb") as f:
            f.truncate(size)
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db", timeout=30)) as db, db:
        db.execute("INSERT INTO blob VALUES(?,?,0,NULL,?)", (blob, account, size))
        db.execute(f"INSERT INTO image({','.join(row)}) VALUES({','.join('?' * len(row))})",
                   list(row.values()))
        if snapshot:
            db.execute("INSERT INTO image_mapping(image, device, snapshot) VALUES(?,?,?)",
                       (row["id"], row["root_device"], snapshot))
    return row["id"]


def fill(work, ami, nr):
    """So many stopped instances as rows, in launches of 10, each with a volume and two tags."""
    now = int(time.time())
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db", timeout=30)) as db, db:
        for n in range(nr):
            index, new = n % 10, lambda kind: f"{kind}-{secrets.token_hex(9)[1:]}"
            if index == 0:
                launch = new("r")
                db.execute("INSERT INTO reservation VALUES(?,?,?)", (launch, ONE, now))
            one, volume = new("i"), new("vol")
            db.execute(
                "INSERT INTO instance(id, account, reservation, launch_index, image, arch, kernel,"
                " type, memory_mib, vcpus, state, changed, reason_code, reason, launched,"
                " root_type, root_device) VALUES(?,?,?,?,?,'x86_64','aki-427d952b','m1.small',1740,"
                "1,'stopped',?,'Client.UserInitiatedShutdown','User initiated shutdown',?,"
                "'ebs','/dev/sda1')", (one, ONE, launch, index, ami, now, now))
            db.execute(
                "INSERT INTO volume(id, account, hidden, state, size_gib, virtual_bytes, created,"
                " instance, device, attach_state, attached, delete_on_termination) VALUES(?,?,0,"
                "'in-use',8,8<<30,?,?,'/dev/sda1','attached',?,1)", (volume, ONE, now, one, now))
            for key, value in (("Name", f"web-{n}"), ("stage", "test & trial")):
                db.execute("INSERT INTO tag VALUES(?,?,?,?)", (one, key, value, ONE))


def instances(c, **kwargs):
    """All instances of an answer of DescribeInstances."""
    return [i for page in c.get_paginator("describe_instances").paginate(**kwargs)
            for r in page["Reservations"] for i in r["Instances"]]


def wait(c, state, ids, seconds=60):
    """Until all are in the state; the instances."""
    end = time.time() + seconds
    while True:
        found = instances(c, InstanceIds=ids)
        if all(i["State"]["Name"] == state for i in found):
            return found
        assert time.time() < end, [(i["State"], i.get("StateReason")) for i in found]
        time.sleep(0.1)


def run(c, ami, count=1, **kwargs):
    """Run instances; their ids."""
    got = c.run_instances(ImageId=ami, MinCount=count, MaxCount=count, **kwargs)
    return [i["InstanceId"] for i in got["Instances"]]


__all__ = ["TEST_DRIVER", "client", "fill", "image", "instances", "run", "service", "wait"]
