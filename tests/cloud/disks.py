"""What the tests of volumes and snapshots share: waiting, looking into the state, qemu's tools."""
import os
import sqlite3
import subprocess
import time

from service import REGION

ZONE = REGION + "a"


def volume(c, **kwargs):
    """A new volume that is available; its id."""
    vol = c.create_volume(AvailabilityZone=ZONE, **kwargs)["VolumeId"]
    settle(c, vol)
    return vol


def look(c, which):
    """What Describe tells of a volume or snapshot."""
    if which.startswith("vol-"):
        return c.describe_volumes(VolumeIds=[which])["Volumes"][0]
    return c.describe_snapshots(SnapshotIds=[which])["Snapshots"][0]


def settle(c, which, good=("available", "in-use", "completed"), tries=1200):
    """Wait until it is made; its description."""
    for _ in range(tries):
        row = look(c, which)
        if row["State"] not in ("creating", "pending", "deleting"):
            break
        time.sleep(0.05)
    assert row["State"] in good, row
    return row


def snapshot(c, vol, **kwargs):
    """A completed snapshot of the volume; its id."""
    snap = c.create_snapshot(VolumeId=vol, **kwargs)["SnapshotId"]
    settle(c, snap)
    return snap


def state(work):
    """The service's own database, for what the API does not tell."""
    return sqlite3.connect(f"{work}/state/state.db", isolation_level=None, timeout=20)


def blob(work, which):
    """The path and format of what a volume or snapshot holds."""
    table = "volume" if which.startswith("vol-") else "snapshot"
    db = state(work)
    name, qcow2 = db.execute(
        f"SELECT b.id, b.qcow2 FROM {table} v JOIN blob b ON b.id = v.blob WHERE v.id = ?",
        (which,)).fetchone()
    db.close()
    return f"{work}/state/blobs/{name}", "qcow2" if qcow2 else "raw"


def qemu_io(work, which, *commands):
    """Read and write like a guest: "write -P 7 0 64k". True: all reads found what they expect."""
    path, form = blob(work, which)
    arguments = [a for command in commands for a in ("-c", command)]
    done = subprocess.run(["qemu-io", "-f", form, *arguments, path], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0 and "failed" not in done.stdout


def files(work):
    return sorted(os.listdir(f"{work}/state/blobs"))


def used_bytes(work):
    """What all disks together take, as du counts."""
    return sum(os.stat(f"{work}/state/blobs/{f}").st_blocks * 512 for f in files(work))


def wait_for(what, tries=200):
    for _ in range(tries):
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def put_instance(work, name, account, how):
    """A row of an instance that no guest belongs to: the tests of rows alone need no more."""
    db = state(work)
    db.execute("INSERT OR IGNORE INTO reservation VALUES('r-00000001', ?, 0)", (account,))
    row = {"id": name, "account": account, "reservation": "r-00000001", "state": how,
           "root_device": "/dev/sda1", "changed": int(time.time())}
    for _, column, kind, required, default, _ in db.execute("PRAGMA table_info(instance)"):
        if required and default is None and column not in row:
            row[column] = 0 if kind == "INTEGER" else ""
    row["launch_index"] = int(name[-4:], 16)
    db.execute(f"INSERT INTO instance({','.join(row)}) VALUES({','.join('?' * len(row))})",
               list(row.values()))
    db.close()
