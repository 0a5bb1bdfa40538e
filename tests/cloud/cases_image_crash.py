"""Registrations that are killed, stopped, raced, short of room, or read from another S3."""
import random
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import botocore.exceptions

from bundles import MIB, Bundler, file_system, in_parts, partitioned
from clients import ONE, TWO, client, fails, running, running_as
from disks import blob, files, put_instance, state, volume, wait_for
from fake_s3 import FakeS3
from harness import Skip
from service import ACCOUNTS, Service, write, write_config


def registration_survives_kills(program, work):
    """kill -9 and stops at random moments: every acknowledged image comes, once, and no file is left over."""
    config = write_config(work)
    s = [Service(program, config)]
    try:
        kill_registrations(program, work, config, s)
    finally:
        s[0].kill()


def kill_registrations(program, work, config, s):
    b = Bundler(program, s[0], work)
    noise = random.Random(7).randbytes(12 * MIB)
    root = b.place(file_system(f"{work}/root.img", size=24 * MIB, data=noise))
    acknowledged, dice = {}, random.Random(11)
    for round_nr in range(12):
        for i in range(2):
            name = f"image {round_nr}.{i}"
            acknowledged[b.register(root, name)] = name
        time.sleep(dice.random() * 1.2)
        if round_nr % 4:
            s[0].kill()
        else:
            assert s[0].stop() == 0
        s[0] = Service(program, config)
        b.ec2 = client(s[0], "ec2")
    for image_id, name in acknowledged.items():
        image = b.settled(image_id)
        assert (image["State"], image["Name"]) == ("available", name), image
    found = b.ec2.describe_images(Owners=["self"])["Images"]
    assert sorted(i["ImageId"] for i in found) == sorted(acknowledged)
    assert len(files(work)) == len(acknowledged), (len(files(work)), len(acknowledged))
    want = Path(f"{work}/root.img").read_bytes()
    for name in files(work):
        assert Path(work, "state/blobs", name).read_bytes() == want, name


def one_name_at_once(program, work):
    """Eight clients register under one name: one of them has it."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img"))
        got = []

        def register():
            try:
                got.append(client(s, "ec2").register_image(ImageLocation=root, Name="one")["ImageId"])
            except botocore.exceptions.ClientError as e:
                got.append(e.response["Error"]["Code"])

        threads = [threading.Thread(target=register) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got)[:7] == ["InvalidAMIName.Duplicate"] * 7 and got.count(sorted(got)[7]) == 1, got
        b.settled(sorted(got)[7])


def deregistered_while_pending(program, work):
    """An image that nobody wants any more leaves nothing, whenever it goes."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img", size=24 * MIB,
                                   data=random.Random(3).randbytes(12 * MIB)))
        for i in range(10):
            image = b.register(root, "comes and goes")
            time.sleep(i * 0.07)
            b.ec2.deregister_image(ImageId=image)
            fails("InvalidAMIID.NotFound", b.described, image)
        last = b.register(root, "comes and stays")
        assert b.settled(last)["State"] == "available"
        wait_for(lambda: len(files(work)) == 1)


def no_room_for_images(program, work):
    """A full disk leaves an image pending, with a sentence and no torso, until there is room."""
    Path(work, "state").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "none", f"{work}/state"],
                      check=False, capture_output=True).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        with running(program, work) as s:
            b = Bundler(program, s, work)
            # It packs well: the bundle fits, the image does not.
            root = b.place(file_system(f"{work}/root.img", size=48 * MIB,
                                       data=b"pattern " * (5 * MIB)))
            b.s3.put_object(Bucket="bundles", Key="filler", Body=bytes(24 * MIB))
            image = b.register(root, "large")
            reason = wait_for(lambda: b.described(image).get("StateReason"), tries=600)
            assert reason["Code"] == "Server.TriedAgain" and "No space left" in reason["Message"], reason
            assert b.described(image)["State"] == "pending" and files(work) == []
            b.s3.delete_object(Bucket="bundles", Key="filler")
            found = b.settled(image)
            assert found["State"] == "available" and "StateReason" not in found, found
    finally:
        subprocess.run(["umount", f"{work}/state"], check=True)


def images_from_elsewhere(program, work):
    """Bundles are read from the S3 that the configuration names; when it is away, they wait."""
    for name in ("far", "near", "near/state"):
        Path(work, name).mkdir()
    far = Service(program, write_config(f"{work}/far"))
    try:
        register_from(program, work, far)
    finally:
        far.kill()


def register_from(program, work, far):
    config = elsewhere_config(f"{work}/near", far.url, {
        account: (key, f"{work}/far/secret-{account}") for account, (key, _) in ACCOUNTS.items()})
    with running_as(program, config) as near:
        b = Bundler(program, near, work)
        b.s3 = client(far, "s3", ONE)
        root = b.place(file_system(f"{work}/root.img"))
        assert b.settled(b.register(root, "from afar"))["State"] == "available"
        message = fails("InvalidManifest", b.register, "bundles/none.manifest.xml", "none")
        assert "none.manifest.xml" in message, message
        assert far.stop() == 0
        fails("Unavailable", b.register, root, "not now")


def elsewhere_config(work, url, logins, extra=""):
    """A configuration whose accounts have these logins, (key, file of the secret), at another S3."""
    config = write_config(work)
    text = Path(config).read_text().split("[account ")[0] + extra + f"s3-url = {url}\n"
    for account, (key, _) in ACCOUNTS.items():
        far_key, far_secret = logins[account]
        text += (f"[account {account}]\naccess-key = {key}\nsecret-file = {work}/secret-{account}\n"
                 f"s3-access-key = {far_key}\ns3-secret-file = {far_secret}\n")
    write(config, text)
    return config


def fake_config(work, far, extra=""):
    """Any login does at the fake S3."""
    return elsewhere_config(work, far.url, {a: ("k", f"{work}/secret-{a}") for a in ACCOUNTS}, extra)


def images_of_many_parts_elsewhere(program, work):
    """Another S3 is asked for the sizes of all parts at once; one by one where it does not list."""
    with FakeS3() as far:
        with running_as(program, fake_config(work, far)) as near:
            b = Bundler(program, near, work)
            folder = b.bundle(file_system(f"{work}/root.img"))
            text, names = in_parts(folder, 40)
            far.buckets.add("/bundles")
            far.objects["/bundles/a/many.manifest.xml"] = text.encode()
            far.objects.update({f"/bundles/a/{name}": b"" for name in names[1:]})
            far.objects[f"/bundles/a/{names[0]}"] = Path(folder, names[0]).read_bytes()
            b.settled(b.register("bundles/a/many.manifest.xml", "listed"))
            assert not [a for a in far.asked if a.startswith("HEAD")], far.asked
            del far.objects[f"/bundles/a/{names[-1]}"]
            message = fails("InvalidManifest", b.register, "bundles/a/many.manifest.xml", "torn")
            assert names[-1] in message, message
            far.objects[f"/bundles/a/{names[-1]}"] = b"too many"
            message = fails("InvalidManifest", b.register, "bundles/a/many.manifest.xml", "large")
            assert "part 40 has 8 bytes" in message, message
            far.objects[f"/bundles/a/{names[-1]}"] = b""
            far.asked.clear()
            far.lists_nothing = True
            image = b.settled(b.register("bundles/a/many.manifest.xml", "asked"))
            assert image["State"] == "available", image
            assert [a for a in far.asked if a.startswith("HEAD")] == \
                [f"HEAD /bundles/a/{name}" for name in names], far.asked


def names_that_list_much_elsewhere(program, work):
    """Parts whose names have nothing in common do not make the service list a whole bucket."""
    with FakeS3() as far:
        far.page = 1000
        with running_as(program, fake_config(work, far)) as near:
            b = Bundler(program, near, work)
            folder = b.bundle(file_system(f"{work}/root.img"))
            text, names = in_parts(folder, 40)
            far.buckets.add("/bundles")
            for i, name in enumerate(names):
                text = text.replace(f">{name}<", f">{10 + i}.part<")
                far.objects[f"/bundles/{10 + i}.part"] = b""
            far.objects["/bundles/10.part"] = Path(folder, names[0]).read_bytes()
            far.objects["/bundles/many.manifest.xml"] = text.encode()
            far.objects.update({f"/bundles/!{i}": b"" for i in range(5000)})
            b.settled(b.register("bundles/many.manifest.xml", "hidden"))
            assert far.asked.count("GET /bundles") == 2, far.asked.count("GET /bundles")
            assert [a for a in far.asked if a.startswith("HEAD")] == \
                [f"HEAD /bundles/{10 + i}.part" for i in range(40)], far.asked


class Registrations:
    """Requests that wait for a far S3, one after the other at it; what became of each."""

    def __init__(self, far, near):
        self.far, self.near, self.ended, self.threads = far, near, [], []

    def begin(self, number):
        for i in range(number):
            before, c = len(self.far.asked), client(self.near, "ec2")
            self.threads.append(threading.Thread(target=self.register, args=(c, f"waits {i}")))
            self.threads[-1].start()
            wait_for(lambda: len(self.far.asked) > before, tries=600)

    def register(self, c, name):
        try:
            c.register_image(ImageLocation="bundles/x.manifest.xml", Name=name)
        except botocore.exceptions.ClientError as e:
            self.ended.append((e.response["Error"]["Code"], e.response["Error"]["Message"]))

    def end(self):
        """(code, message) of all of them."""
        for thread in self.threads:
            thread.join()
        ended, self.ended, self.threads = self.ended, [], []
        return ended


def silence_elsewhere(program, work):
    """An S3 that says nothing takes neither all threads, nor much time, nor the service's end."""
    with FakeS3() as far:
        far.silent = lambda asked: True
        with running_as(program, fake_config(work, far, "threads = 4\n")) as near:
            waiting, others = Registrations(far, near), [client(near, "ec2") for _ in range(3)]
            waiting.begin(3)
            for c in others:
                message = fails("RequestLimitExceeded", c.register_image, Name="one more",
                                ImageLocation="bundles/x.manifest.xml")
                assert far.url in message, message
            with urllib.request.urlopen(near.url + "/healthz", timeout=60) as got:
                assert got.read() == b"ok\n"
            ended = waiting.end()
            assert len(ended) == 3, ended
            for code, message in ended:
                assert code == "Unavailable" and "it took too long. Try again" in message, ended
            assert len(far.asked) == 3, far.asked  # each but once
            waiting.begin(3)
        ended = waiting.end()
        assert len(ended) == 3, ended
        for code, message in ended:
            assert code == "Unavailable" and "the service is stopped" in message, ended


def silence_of_a_part(program, work):
    """A copy that waits for an S3 that says nothing ends with the service, and begins again."""
    with FakeS3() as far:
        far.silent = lambda asked: asked.startswith("GET") and ".part." in asked
        config = fake_config(work, far)
        with running_as(program, config) as near:
            b = Bundler(program, near, work)
            far.buckets.add("/bundles")
            for path in b.bundle(file_system(f"{work}/root.img")).iterdir():
                far.objects[f"/bundles/{path.name}"] = path.read_bytes()
            image = b.register("bundles/root.img.manifest.xml", "waits")
            wait_for(lambda: any(far.silent(asked) for asked in far.asked), tries=600)
        far.silent = lambda asked: False
        with running_as(program, config) as near:
            found = Bundler(program, near, work).settled(image)
            assert found["State"] == "available", found


def instances_become_images(program, work):
    """CreateImage: snapshots of a stopped instance's volumes, and an image of them."""
    name = "i-0123456789abcde01"
    with running(program, work) as s:
        b = Bundler(program, s, work)
        c = b.ec2
        root, data = volume(c, Size=1), volume(c, Size=1)
        with open(blob(work, root)[0], "r+b") as f:
            f.write(Path(partitioned(f"{work}/part.img")).read_bytes())
        fails("InvalidInstanceID.NotFound", c.create_image, InstanceId=name, Name="none")
        put_instance(work, name, ONE, "stopped")
        db = state(work)

        def instance(**columns):
            for column, value in columns.items():
                db.execute(f"UPDATE instance SET {column} = ? WHERE id = ?", (value, name))

        instance(arch="x86_64", kernel="aki-4e7d9527", root_type="instance-store")
        fails("InvalidParameterValue", c.create_image, InstanceId=name, Name="no volume")
        instance(root_type="ebs")
        fails("IncorrectInstanceState", c.create_image, InstanceId=name, Name="not attached")
        for vol, device in ((root, "/dev/sda1"), (data, "/dev/sdf")):
            db.execute("UPDATE volume SET instance = ?, device = ?, state = 'in-use',"
                       " attach_state = 'attached', attached = 1 WHERE id = ?", (name, device, vol))
        made = c.create_image(InstanceId=name, Name="of it", Description="both")["ImageId"]
        image = b.settled(made)
        assert (image["State"], image["KernelId"], image["RootDeviceType"], image["Description"]) == \
            ("available", "aki-4e7d9527", "ebs", "both"), image
        assert [m["DeviceName"] for m in image["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/sdf"]
        for mapping, vol in zip(image["BlockDeviceMappings"], (root, data)):
            snap, = c.describe_snapshots(SnapshotIds=[mapping["Ebs"]["SnapshotId"]])["Snapshots"]
            assert (snap["VolumeId"], snap["State"]) == (vol, "completed"), snap
            assert made in snap["Description"] and name in snap["Description"]
        fails("InvalidAMIName.Duplicate", c.create_image, InstanceId=name, Name="of it")
        assert len(c.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 2
        fails("InvalidInstanceID.NotFound", client(s, "ec2", TWO).create_image, InstanceId=name,
              Name="theirs")
        fails("InvalidInstanceID.Malformed", c.create_image, InstanceId="vol-1", Name="wrong")
        fails("UnknownParameter", c.create_image, InstanceId=name, Name="mapped",
              BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}])
        fails("DryRunOperation", c.create_image, InstanceId=name, Name="dry", DryRun=True)
        instance(state="terminated")
        fails("IncorrectInstanceState", c.create_image, InstanceId=name, Name="too late")
        db.close()


CASES = [registration_survives_kills, one_name_at_once, deregistered_while_pending,
         no_room_for_images, images_from_elsewhere,
         images_of_many_parts_elsewhere, names_that_list_much_elsewhere,
         silence_elsewhere, silence_of_a_part, instances_become_images]
