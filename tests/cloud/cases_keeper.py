# SPDX-License-Identifier: MIT
"""What goes on behind the requests when a commit fails, and when what runs a guest is in trouble."""
import contextlib
import secrets
import shutil
import threading
import time

from clients import ONE, client
from disks import look, put_instance, settle, state, volume, wait_for
from harness import Skip
from instances import service, wait
from runners import Runner, folder, ran

EMBEDDED = "engine = embedded\ninstance-memory = 4G\n"


@contextlib.contextmanager
def embedded(program, work, extra=""):
    if not shutil.which("qemu-system-x86_64"):
        raise Skip("qemu-system-x86_64 is missing")
    with service(program, work, extra, EMBEDDED) as s:
        yield s, client(s, "ec2")


@contextlib.contextmanager
def failing_commits(work, when):
    """Every transaction that does this fails at its end, as on a full disk."""
    db = state(work)
    db.executescript("CREATE TABLE torn(x REFERENCES bucket(name) DEFERRABLE INITIALLY DEFERRED);"
                     f"CREATE TRIGGER tears AFTER {when} BEGIN INSERT INTO torn VALUES('x'); END;")
    yield db
    db.executescript("DROP TRIGGER tears; DROP TABLE torn;")
    db.close()


def keeper_commit_fails(program, work):
    """A step whose commit fails leaves the transactions of requests alone, and is tried again."""
    with service(program, work) as s:
        c = client(s, "ec2")
        vol, kept = volume(c, Size=1), volume(c, Size=1)
        settle(c, vol)
        with failing_commits(work, "DELETE ON volume"):
            c.delete_volume(VolumeId=vol)
            wait_for(lambda: sum("COMMIT" in line for line in s.errors) >= 2)
            for i in range(100):
                c.create_tags(Resources=[kept], Tags=[{"Key": f"k{i % 40}", "Value": str(i)}])
            assert look(c, vol)["State"] == "deleting"
        wait_for(lambda: len(c.describe_volumes()["Volumes"]) == 1)
        assert not [line for line in s.errors if "transaction within" in line], s.errors


def keeper_remembers_ends(program, work):
    """A guest that ended by itself is not started again, even if that cannot be written down."""
    one = "i-0000000a"
    with embedded(program, work) as (s, c):
        at = ran(work, one, "poweroff ")
        with failing_commits(work, "UPDATE OF state ON instance"):
            put_instance(work, one, ONE, "running")
            wait_for(lambda: sum("COMMIT" in line for line in s.errors) >= 2)
            with open(f"{at}/result", encoding="ascii") as f:
                assert f.read() == "poweroff "
        row, = wait(c, "stopped", [one])
        assert row["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown", row
        assert not [line for line in s.errors if "does not start" in line], s.errors


def keeper_leaves_the_silent_alone(program, work):
    """An instance whose runner does not answer holds up the others once in a while at most."""
    one, others = "i-0000000a", [f"i-{0xb0 + i:08x}" for i in range(8)]
    with embedded(program, work) as (_, c):
        runner = Runner(work, one, lambda _request: None)
        put_instance(work, one, ONE, "running")
        wait_for(lambda: runner.times("status") > 0)
        for other in others:
            put_instance(work, other, ONE, "stopping")
            wait(c, "stopped", [other])
        # After 1, 2, 4, 8 s and so on; before, each of them waited for an answer.
        assert runner.times("status") < len(others), runner.asked
        runner.answer = lambda _request: b"ok running"
        put_instance(work, "i-000000f0", ONE, "stopping")
        wait(c, "stopped", ["i-000000f0"])
        runner.end()


def keeper_reads_rows_again(program, work):
    """What was terminated since a look began is not started by it."""
    first, late = "i-0000000a", "i-0000000b"
    looks, there, ended = threading.Event(), threading.Event(), threading.Event()

    def answer(_request):
        if there.is_set() and not ended.is_set():  # this look began with both of them
            with contextlib.closing(state(work)) as db:
                db.execute("UPDATE instance SET state = 'shutting-down' WHERE id = ?", (late,))
            ended.set()
        elif not there.is_set():
            looks.set()
            there.wait(0.5)
        return b"ok starting"

    with embedded(program, work) as (s, c):
        runner = Runner(work, first, answer)
        put_instance(work, first, ONE, "running")
        with contextlib.closing(state(work)) as db:
            db.execute("UPDATE instance SET state = 'pending', wish = 'started' WHERE id = ?",
                       (first,))
        assert looks.wait(60)
        put_instance(work, late, ONE, "pending")  # while a look is at the first one
        there.set()
        assert ended.wait(60)
        wait(c, "terminated", [late])
        assert not [line for line in s.errors if late in line], s.errors
        runner.end()


def keeper_waits_with_disks(program, work):
    """A guest that does not take its disk is asked again after a pause, and others get theirs."""
    one, other = "i-0000000a", "i-0000000b"

    def refuse(request):
        return b"ok running" if request == "status" else b"no It has no room."

    with embedded(program, work) as (s, c):
        stubborn = Runner(work, one, refuse)
        willing = Runner(work, other, lambda r: b"ok running" if r == "status" else b"ok")
        for instance in (one, other):
            put_instance(work, instance, ONE, "running")
        volumes = [volume(c, Size=1) for _ in range(6)]
        for vol in volumes:
            settle(c, vol)
        c.attach_volume(VolumeId=volumes[0], InstanceId=one, Device="/dev/sdf")
        wait_for(lambda: stubborn.times("detach") > 0)
        for vol, letter in zip(volumes[1:], "ghijk"):
            c.attach_volume(VolumeId=vol, InstanceId=other, Device=f"/dev/sd{letter}")
            wait_for(lambda v=vol: look(c, v)["Attachments"][0]["State"] == "attached")
        assert stubborn.times("attach") <= 3, stubborn.asked
        assert look(c, volumes[0])["Attachments"][0]["State"] == "attaching"
        # Nobody waits for a guest when the service ends.
        stubborn.answer = lambda r: b"ok running" if r == "status" else None
        asked = stubborn.times("detach")
        c.detach_volume(VolumeId=volumes[0])
        wait_for(lambda: stubborn.times("detach") > asked, tries=1200)
        assert s.stop() == 0
        stubborn.end()
        willing.end()


def keeper_forgets_many(program, work):
    """Instances that ended an hour ago go many at a time, with their launches."""
    with service(program, work) as s:
        db, old = state(work), int(time.time()) - 4000
        put_instance(work, "i-00000001", ONE, "stopped")
        with db:
            db.execute("BEGIN")
            for n in range(1000):
                launch = f"r-{secrets.token_hex(9)[1:]}"
                db.execute("INSERT INTO reservation VALUES(?, ?, 1)", (launch, ONE))
                db.execute("INSERT INTO instance(id, account, reservation, launch_index, image, arch,"
                           " type, memory_mib, vcpus, state, changed, launched, root_type,"
                           " root_device) VALUES(?, ?, ?, 0, 'ami-1', 'x86_64', 'm1.small', 64, 1,"
                           " 'terminated', ?, 1, 'ebs', '/dev/sda1')",
                           (f"i-{n + 0x100:08x}", ONE, launch, old))
            db.execute("COMMIT")
        wait_for(lambda: db.execute("SELECT count(*) FROM instance").fetchone() == (1,), tries=1200)
        assert db.execute("SELECT count(*) FROM reservation").fetchone() == (1,)
        for sql in ("SELECT 1 FROM instance WHERE reservation = 'r-1'",
                    "SELECT id FROM instance WHERE state = 'terminated' AND changed < 5"):
            plan = " ".join(str(row) for row in db.execute("EXPLAIN QUERY PLAN " + sql))
            assert "SCAN" not in plan, plan
        db.close()
        del s


CASES = [keeper_commit_fails, keeper_remembers_ends, keeper_leaves_the_silent_alone,
         keeper_reads_rows_again, keeper_waits_with_disks, keeper_forgets_many]
