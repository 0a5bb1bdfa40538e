"""Volumes, snapshots and tags, driven by boto3 and `aws ec2`."""
import json
import os

from clients import ONE, TWO, aws, client, fails, running
from disks import (ZONE, blob, files, look, put_instance, qemu_io, settle, snapshot, state, volume,
                   wait_for)
from instances import image, run, service, wait

GIB = 1 << 30


def ids(items, name):
    return sorted(i[name] for i in items)


def filters(**kwargs):
    return [{"Name": k.replace("_", "-"), "Values": v} for k, v in kwargs.items()]


def volumes_life(program, work):
    """Created, shown, deleted; each wrong request is an error with EC2's code."""
    with running(program, work, "volume-size = 64G") as s:
        c, other = client(s, "ec2"), client(s, "ec2", TWO)
        made = c.create_volume(AvailabilityZone=ZONE, Size=3, VolumeType="gp2", TagSpecifications=[
            {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "one"}]}])
        assert (made["State"], made["Size"], made["AvailabilityZone"]) == ("creating", 3, ZONE)
        assert made["Tags"] == [{"Key": "Name", "Value": "one"}] and made["Attachments"] == []
        vol = made["VolumeId"]
        row = settle(c, vol)
        assert (row["State"], row["CreateTime"]) == ("available", made["CreateTime"])
        assert os.stat(blob(work, vol)[0]).st_size == 3 * GIB
        assert ids(json.loads(aws(s, "ec2", "describe-volumes"))["Volumes"], "VolumeId") == [vol]
        status, = c.describe_volume_status(VolumeIds=[vol])["VolumeStatuses"]
        assert status["VolumeStatus"]["Status"] == "ok"

        assert other.describe_volumes()["Volumes"] == []
        fails("InvalidVolume.NotFound", other.describe_volumes, VolumeIds=[vol])
        fails("InvalidVolume.NotFound", other.delete_volume, VolumeId=vol)
        fails("InvalidVolume.NotFound", other.create_snapshot, VolumeId=vol)
        fails("InvalidVolumeID.Malformed", c.describe_volumes, VolumeIds=["snap-12345678"])
        fails("InvalidVolumeID.Malformed", c.delete_volume, VolumeId="vol-1")

        def create(code, **kwargs):
            return fails(code, c.create_volume, **{"AvailabilityZone": ZONE, "Size": 1, **kwargs})

        create("InvalidParameterValue", Size=0)
        create("InvalidParameterValue", Size=-1)
        assert "1 to 64 GiB" in create("InvalidParameterValue", Size=65)
        create("InvalidZone.NotFound", AvailabilityZone="mars-1a")
        create("InvalidParameterValue", VolumeType="io1")
        create("UnsupportedOperation", Encrypted=True)
        create("UnsupportedOperation", MultiAttachEnabled=True)
        for name, value in (("Iops", 100), ("Throughput", 125), ("KmsKeyId", "k")):
            assert name in create("UnsupportedOperation", **{name: value})
        create("InvalidSnapshotID.Malformed", SnapshotId="vol-12345678")
        create("InvalidSnapshot.NotFound", SnapshotId="snap-12345678")
        create("DryRunOperation", DryRun=True)
        create("InvalidParameterValue", TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}])
        fails("MissingParameter", c.create_volume, AvailabilityZone=ZONE)
        fails("UnsupportedOperation", c.describe_volume_attribute, VolumeId=vol,
              Attribute="productCodes")
        assert ids(c.describe_volumes()["Volumes"], "VolumeId") == [vol]

        c.delete_volume(VolumeId=vol)
        wait_for(lambda: c.describe_volumes()["Volumes"] == [] and files(work) == [])
        fails("InvalidVolume.NotFound", c.delete_volume, VolumeId=vol)
        assert state(work).execute("SELECT count(*) FROM tag").fetchone() == (0,)


def volumes_tokens(program, work):
    """The same request with the same token makes one volume."""
    with running(program, work) as s:
        c = client(s, "ec2")
        same = {"AvailabilityZone": ZONE, "Size": 1, "ClientToken": "again"}
        vol = c.create_volume(**same)["VolumeId"]
        settle(c, vol)
        again = c.create_volume(**same)
        assert (again["VolumeId"], again["State"]) == (vol, "available")
        fails("IdempotentParameterMismatch", c.create_volume, **dict(same, Size=2))
        assert len(c.describe_volumes()["Volumes"]) == 1
        other = client(s, "ec2", TWO).create_volume(**same)["VolumeId"]
        assert other != vol
        c.delete_volume(VolumeId=vol)
        wait_for(lambda: c.describe_volumes()["Volumes"] == [])
        fails("InvalidVolume.NotFound", c.create_volume, **same)
        # A day later the token is forgotten, with the next volume that goes.
        last = volume(c, Size=1)
        with state(work) as db:
            db.execute("UPDATE client_token SET created = created - 86401")
        c.delete_volume(VolumeId=last)
        wait_for(lambda: c.describe_volumes()["Volumes"] == [])
        new = c.create_volume(**same)["VolumeId"]
        assert new != vol
        assert client(s, "ec2", TWO).create_volume(**same)["VolumeId"] == other


def volumes_list(program, work):
    """Filters and pages."""
    with running(program, work) as s:
        c = client(s, "ec2")
        made = [c.create_volume(AvailabilityZone=ZONE, Size=1 + i % 3, TagSpecifications=[
            {"ResourceType": "volume", "Tags": [{"Key": "n", "Value": str(i)}]}])["VolumeId"]
                for i in range(12)]
        for vol in made:
            settle(c, vol)

        def found(**kwargs):
            return ids(c.describe_volumes(Filters=filters(**kwargs))["Volumes"], "VolumeId")

        assert found(size=["2"]) == sorted(made[1::3])
        assert found(status=["available"]) == sorted(made) and found(status=["in-use"]) == []
        assert found(volume_id=[made[3], made[4]]) == sorted(made[3:5])
        assert found(tag_key=["n"]) == sorted(made) and found(tag_key=["m"]) == []
        assert found(**{"tag:n": ["1?", "7"]}) == sorted([made[7], made[10], made[11]])
        assert found(**{"attachment.instance-id": ["*"]}) == []
        fails("InvalidParameterValue", found, iops=["1"])
        pages = [page["Volumes"] for page in c.get_paginator("describe_volumes").paginate(
            PaginationConfig={"PageSize": 5})]
        assert [len(page) for page in pages] == [5, 5, 2]
        assert ids(sum(pages, []), "VolumeId") == sorted(made)
        fails("InvalidParameterValue", c.describe_volumes, MaxResults=4)
        fails("InvalidParameterCombination", c.describe_volumes, MaxResults=5, VolumeIds=made[:1])
        fails("InvalidNextToken", c.describe_volumes, NextToken="' OR 1=1")


def volumes_attach(program, work):
    """Volumes of an instance that does not run: rows alone."""
    one, two, gone = "i-00000001", "i-00000002", "i-00000003"
    with running(program, work) as s:
        c = client(s, "ec2")
        for name, how in ((one, "stopped"), (two, "stopped"), (gone, "shutting-down")):
            put_instance(work, name, ONE, how)
        vol, second = volume(c, Size=1), volume(c, Size=1)

        def attach(code, vol, instance, device):
            return fails(code, c.attach_volume, VolumeId=vol, InstanceId=instance, Device=device)

        for device in ("sda0", "/dev/hda", "/dev/sdf16", "sd", "/dev/sdF", "/dev/xvdz", "sdq", "",
                       "/dev/sdf1x", "/dev/../sdf"):
            attach("InvalidParameterValue", vol, one, device)
        attach("IncorrectState", vol, gone, "/dev/sdf")
        attach("InvalidInstanceID.NotFound", vol, "i-00000009", "/dev/sdf")
        attach("InvalidVolume.NotFound", "vol-00000009", one, "/dev/sdf")
        put_instance(work, "i-0000000a", TWO, "stopped")
        attach("InvalidInstanceID.NotFound", vol, "i-0000000a", "/dev/sdf")

        got = c.attach_volume(VolumeId=vol, InstanceId=one, Device="/dev/sdf")
        assert (got["State"], got["Device"], got["InstanceId"]) == ("attached", "/dev/sdf", one)
        assert not got["DeleteOnTermination"]
        row, = c.describe_volumes(Filters=filters(**{"attachment.instance-id": [one]}))["Volumes"]
        assert row["State"] == "in-use" and row["Attachments"][0]["State"] == "attached"
        attach("VolumeInUse", vol, two, "/dev/sdf")
        for device in ("sdf", "/dev/sdf", "/dev/xvdf", "/dev/sdf1"):
            assert "already has a disk" in attach("InvalidParameterValue", second, one, device)
        for device in ("/dev/sda", "/dev/xvda2", "/dev/xvda1", "/dev/sda2"):
            assert "as /dev/sda1." in attach("InvalidParameterValue", second, one, device)
        put_instance(work, "i-0000000b", ONE, "running")
        assert "stopped" in attach("InvalidParameterValue", second, "i-0000000b", "/dev/sda1")
        fails("VolumeInUse", c.delete_volume, VolumeId=vol)
        snapshot(c, vol)

        fails("UnsupportedOperation", c.detach_volume, VolumeId=vol, Force=True)
        fails("InvalidAttachment.NotFound", c.detach_volume, VolumeId=vol, InstanceId=two)
        fails("InvalidAttachment.NotFound", c.detach_volume, VolumeId=vol, Device="/dev/sdg")
        fails("IncorrectState", c.detach_volume, VolumeId=second)
        got = c.detach_volume(VolumeId=vol, InstanceId=one, Device="/dev/sdf")
        assert (got["State"], got["VolumeId"]) == ("detaching", vol)
        assert not got["DeleteOnTermination"]
        assert settle(c, vol)["Attachments"] == []

        # An instance that is gone leaves its volumes, or takes them along.
        c.attach_volume(VolumeId=vol, InstanceId=two, Device="/dev/sdf")
        c.attach_volume(VolumeId=second, InstanceId=two, Device="/dev/sdg")
        db = state(work)
        db.execute("UPDATE volume SET delete_on_termination = 1 WHERE id = ?", (second,))
        db.execute("UPDATE instance SET state = 'terminated' WHERE id = ?", (two,))
        wait_for(lambda: ids(c.describe_volumes()["Volumes"], "VolumeId") == [vol])
        assert settle(c, vol)["State"] == "available"


def volumes_refused_by_guest(program, work):
    """A guest that takes no disk goes on without it; the volume is free again and tells why."""
    with service(program, work) as s:  # libvirt's test driver attaches nothing
        c = client(s, "ec2")
        instance, = run(c, image(work), InstanceType="pv.nano")
        wait(c, "running", [instance])
        vol = volume(c, Size=1)
        got = c.attach_volume(VolumeId=vol, InstanceId=instance, Device="/dev/sdf")
        assert (got["State"], got["Device"]) == ("attaching", "/dev/sdf")
        wait_for(lambda: look(c, vol)["State"] == "available" and not look(c, vol)["Attachments"])
        event, = c.describe_volume_status(VolumeIds=[vol])["VolumeStatuses"][0]["Events"]
        assert "cannot be attached" in event["Description"], event

        # What was attached while it was stopped is there when it starts, and is copied in use.
        assert qemu_io(work, vol, "write -P 7 5M 64k")
        c.stop_instances(InstanceIds=[instance])
        wait(c, "stopped", [instance])
        c.attach_volume(VolumeId=vol, InstanceId=instance, Device="/dev/sdf")
        c.start_instances(InstanceIds=[instance])
        row, = wait(c, "running", [instance])
        assert [b["DeviceName"] for b in row["BlockDeviceMappings"]] == ["/dev/sdf"]
        snap = snapshot(c, vol)
        assert blob(work, vol)[1] == "raw" and blob(work, snap)[1] == "qcow2"
        assert qemu_io(work, snap, "read -P 0 0 5M", "read -P 7 5M 64k", "read -P 0 1023M 1M")
        c.detach_volume(VolumeId=vol)
        c.terminate_instances(InstanceIds=[instance])
        wait(c, "terminated", [instance])
        assert settle(c, vol)["State"] == "available"
        snapshot(c, vol)


def volumes_detached_early(program, work):
    """What is detached before it is made, or could not be made, is not in use and not lost."""
    one = "i-00000001"
    with running(program, work) as s:
        c = client(s, "ec2")
        put_instance(work, one, ONE, "stopped")
        broken, early = volume(c, Size=1), volume(c, Size=1)
        db = state(work)
        db.execute("UPDATE volume SET state = 'error', blob = NULL, reason = 'no room', device ="
                   " '/dev/sdf', attach_state = 'attaching', instance = ? WHERE id = ?",
                   (one, broken))
        db.execute("UPDATE volume SET state = 'creating', blob = NULL, device = '/dev/sdg',"
                   " attach_state = 'detaching', instance = ? WHERE id = ?", (one, early))
        row = settle(c, early)
        wait_for(lambda: look(c, early)["State"] == "available")
        assert look(c, early)["Attachments"] == [], row
        c.detach_volume(VolumeId=broken)
        row = look(c, broken)
        assert (row["State"], row["Attachments"]) == ("error", []), row
        fails("IncorrectState", c.attach_volume, VolumeId=broken, InstanceId=one,
              Device="/dev/sdf")
        for vol in (broken, early):
            c.delete_volume(VolumeId=vol)
        wait_for(lambda: c.describe_volumes()["Volumes"] == [])
        wait_for(lambda: files(work) == [])
        db.close()


def volumes_kept_by_guest(program, work):
    """A guest that keeps its disk keeps it until it stops; then the disk is free at once."""
    with service(program, work) as s:  # libvirt's test driver detaches nothing
        c = client(s, "ec2")
        instance, = run(c, image(work), InstanceType="pv.nano")
        wait(c, "running", [instance])
        vol = volume(c, Size=1)
        c.stop_instances(InstanceIds=[instance])
        wait(c, "stopped", [instance])
        c.attach_volume(VolumeId=vol, InstanceId=instance, Device="/dev/sdf")
        c.start_instances(InstanceIds=[instance])
        wait(c, "running", [instance])
        c.detach_volume(VolumeId=vol)
        wait_for(lambda: c.describe_volume_status(VolumeIds=[vol])["VolumeStatuses"][0]["Events"])
        c.detach_volume(VolumeId=vol)
        assert look(c, vol)["Attachments"][0]["State"] == "detaching"
        c.stop_instances(InstanceIds=[instance])
        wait_for(lambda: look(c, vol)["State"] == "available")


def volumes_rescue(program, work):
    """A root volume is taken off, mended at another instance, and put back."""
    with service(program, work) as s:
        c = client(s, "ec2")
        snap = snapshot(c, volume(c, Size=1))
        ami = image(work, root_type="ebs", blob=None, snapshot=snap)
        ill, = run(c, ami, InstanceType="pv.nano")
        nurse, = run(c, image(work, "store"), InstanceType="pv.nano")
        store, = wait(c, "running", [nurse])
        assert store["BlockDeviceMappings"] == []
        row, = wait(c, "running", [ill])
        root = row["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        c.stop_instances(InstanceIds=[ill, nurse])
        wait(c, "stopped", [ill, nurse])

        def attach(code, device, instance=ill, vol=root):
            return fails(code, c.attach_volume, VolumeId=vol, InstanceId=instance, Device=device)

        assert c.detach_volume(VolumeId=root)["DeleteOnTermination"]
        message = fails("IncorrectInstanceState", c.start_instances, InstanceIds=[nurse, ill])
        assert f"{ill} has no root device" in message and "/dev/sda1" in message, message
        assert wait(c, "stopped", [ill, nurse], 0)  # none of them starts

        # The hidden root of an instance-store image is one, too.
        assert "already has a disk" in attach("InvalidParameterValue", "/dev/sda1", nurse)
        c.attach_volume(VolumeId=root, InstanceId=nurse, Device="/dev/sdf")
        c.start_instances(InstanceIds=[nurse])
        wait(c, "running", [nurse])
        c.stop_instances(InstanceIds=[nurse])
        wait(c, "stopped", [nurse])
        c.detach_volume(VolumeId=root)

        for device in ("/dev/sda", "/dev/sda2", "/dev/xvda1"):
            assert "/dev/sda1" in attach("InvalidParameterValue", device)
        got = c.attach_volume(VolumeId=root, InstanceId=ill, Device="sda1")
        assert (got["Device"], got["State"]) == ("/dev/sda1", "attached"), got
        other = volume(c, Size=1)
        assert "already has a disk" in attach("InvalidParameterValue", "/dev/sda1", vol=other)
        c.start_instances(InstanceIds=[ill])
        row, = wait(c, "running", [ill])
        assert [(d["DeviceName"], d["Ebs"]["VolumeId"]) for d in row["BlockDeviceMappings"]] == \
            [("/dev/sda1", root)] and row["RootDeviceName"] == "/dev/sda1"
        fails("OperationNotPermitted", c.detach_volume, VolumeId=root)


def volumes_quota(program, work):
    """Quotas of GiB and of snapshots."""
    with running(program, work, quota="1G\nquota-volumes = 5G\nquota-snapshots = 2") as s:
        c = client(s, "ec2")
        vol = volume(c, Size=3)
        message = fails("VolumeLimitExceeded", c.create_volume, AvailabilityZone=ZONE, Size=3)
        assert "quota of 5 GiB" in message
        volume(c, Size=2)
        client(s, "ec2", TWO).create_volume(AvailabilityZone=ZONE, Size=5)
        snaps = [snapshot(c, vol), snapshot(c, vol)]
        fails("SnapshotLimitExceeded", c.create_snapshot, VolumeId=vol)
        c.delete_snapshot(SnapshotId=snaps[0])
        snapshot(c, vol)


def snapshots_life(program, work):
    """A copy of a volume, volumes made of it, and what keeps what."""
    with running(program, work) as s:
        c = client(s, "ec2")
        vol = volume(c, Size=1)
        assert qemu_io(work, vol, "write -P 7 0 64k", "write -P 8 1023M 1M")
        made = c.create_snapshot(VolumeId=vol, Description="first <&>", TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": "k", "Value": "v"}]}])
        assert (made["VolumeId"], made["VolumeSize"], made["OwnerId"]) == (vol, 1, ONE)
        snap = made["SnapshotId"]
        row = settle(c, snap)
        assert (row["Progress"], row["Description"]) == ("100%", "first <&>")
        assert row["Tags"] == [{"Key": "k", "Value": "v"}]
        assert qemu_io(work, vol, "write -P 9 0 64k")
        assert qemu_io(work, snap, "read -P 7 0 64k", "read -P 8 1023M 1M", "read -P 0 64k 64k")

        fails("InvalidParameterValue", c.create_volume, AvailabilityZone=ZONE, SnapshotId=snap,
              Size=0)
        large = volume(c, SnapshotId=snap, Size=2)
        same = volume(c, SnapshotId=snap)
        assert settle(c, same)["Size"] == 1 and settle(c, same)["SnapshotId"] == snap
        assert qemu_io(work, large, "read -P 7 0 64k", "read -P 0 1G 1G", "write -P 5 1536M 1M")
        bigger = snapshot(c, large)
        message = fails("InvalidParameterValue", c.create_volume, AvailabilityZone=ZONE, Size=1,
                        SnapshotId=bigger)
        assert "at least as large" in message

        # The snapshot goes, and the volumes that were made of it stay whole.
        c.delete_snapshot(SnapshotId=snap)
        fails("InvalidSnapshot.NotFound", c.describe_snapshots, SnapshotIds=[snap])
        c.delete_volume(VolumeId=vol)
        wait_for(lambda: len(files(work)) == 4)
        assert qemu_io(work, same, "read -P 7 0 64k", "read -P 8 1023M 1M")
        for one in (same, large):
            c.delete_volume(VolumeId=one)
        wait_for(lambda: len(files(work)) == 2)
        assert qemu_io(work, bigger, "read -P 7 0 64k", "read -P 5 1536M 1M")
        c.delete_snapshot(SnapshotId=bigger)
        wait_for(lambda: files(work) == [])

        fails("InvalidSnapshot.NotFound", c.delete_snapshot, SnapshotId="snap-12345678")
        fails("InvalidVolume.NotFound", c.create_snapshot, VolumeId="vol-12345678")


def snapshots_of_images(program, work):
    """A snapshot that an image needs stays."""
    with running(program, work) as s:
        c = client(s, "ec2")
        snap = snapshot(c, volume(c, Size=1))
        db = state(work)
        db.execute("INSERT INTO image(id, account, type, state, name, arch, root_type, root_device,"
                   " created) VALUES('ami-00000001', ?, 'machine', 'available', 'n', 'x86_64',"
                   " 'ebs', '/dev/sda1', 0)", (ONE,))
        db.execute("INSERT INTO image_mapping(image, device, snapshot) VALUES('ami-00000001',"
                   " '/dev/sda1', ?)", (snap,))
        message = fails("InvalidSnapshot.InUse", c.delete_snapshot, SnapshotId=snap)
        assert "ami-00000001" in message
        db.execute("DELETE FROM image_mapping")
        c.delete_snapshot(SnapshotId=snap)


def snapshots_shared(program, work):
    """Who may see a snapshot and make volumes of it; filters, owners, pages."""
    with running(program, work) as s:
        c, other = client(s, "ec2"), client(s, "ec2", TWO)
        vol = volume(c, Size=1)
        snaps = [snapshot(c, vol, Description=f"d{i}") for i in range(6)]

        def seen(client_, **kwargs):
            return ids(client_.describe_snapshots(**kwargs)["Snapshots"], "SnapshotId")

        assert seen(c) == seen(c, OwnerIds=["self"]) == seen(c, OwnerIds=[ONE]) == sorted(snaps)
        assert seen(c, OwnerIds=[TWO]) == [] == seen(other)
        assert seen(c, Filters=filters(description=["d[12]", "d3"])) == [snaps[3]]
        assert seen(c, Filters=filters(progress=["100%"], status=["completed"])) == sorted(snaps)
        pages = [p["Snapshots"] for p in c.get_paginator("describe_snapshots").paginate(
            PaginationConfig={"PageSize": 5})]
        assert [len(p) for p in pages] == [5, 1]
        fails("InvalidSnapshot.NotFound", other.create_volume, AvailabilityZone=ZONE,
              SnapshotId=snaps[0])

        c.modify_snapshot_attribute(SnapshotId=snaps[0], CreateVolumePermission={
            "Add": [{"UserId": TWO}]})
        c.modify_snapshot_attribute(SnapshotId=snaps[1], OperationType="add", GroupNames=["all"])
        assert seen(other) == sorted(snaps[:2]) and seen(other, OwnerIds=["self"]) == []
        assert seen(other, RestorableByUserIds=["all"]) == [snaps[1]]
        assert seen(c, RestorableByUserIds=[TWO]) == [snaps[0]]
        assert c.describe_snapshot_attribute(
            SnapshotId=snaps[0], Attribute="createVolumePermission")["CreateVolumePermissions"] == [
                {"UserId": TWO}]
        theirs = volume(other, SnapshotId=snaps[0])
        c.modify_snapshot_attribute(SnapshotId=snaps[0], CreateVolumePermission={
            "Remove": [{"UserId": TWO}]})
        assert seen(other) == [snaps[1]]
        c.delete_snapshot(SnapshotId=snaps[0])
        snapshot(other, theirs)
        fails("InvalidSnapshot.NotFound", other.delete_snapshot, SnapshotId=snaps[1])
        fails("InvalidSnapshot.NotFound", other.modify_snapshot_attribute, SnapshotId=snaps[1],
              CreateVolumePermission={"Add": [{"UserId": TWO}]})
        fails("InvalidUserID.Malformed", c.modify_snapshot_attribute, SnapshotId=snaps[1],
              CreateVolumePermission={"Add": [{"UserId": "me"}]})
        fails("InvalidParameterValue", c.modify_snapshot_attribute, SnapshotId=snaps[1],
              OperationType="add", GroupNames=["some"])
        fails("InvalidParameterValue", c.modify_snapshot_attribute, SnapshotId=snaps[1],
              Attribute="productCodes", OperationType="add", GroupNames=["all"])
        fails("MissingParameter", c.modify_snapshot_attribute, SnapshotId=snaps[1])
        assert snaps[1] in aws(s, "ec2", "describe-snapshots", "--owner-ids", "self")


def tags_life(program, work):
    """Made, replaced, removed, listed by pages, and kept apart by account."""
    with running(program, work) as s:
        c, other = client(s, "ec2"), client(s, "ec2", TWO)
        vol = volume(c, Size=1)
        snap = snapshot(c, vol)
        c.create_tags(Resources=[vol, snap], Tags=[{"Key": "Name", "Value": "x"},
                                                   {"Key": "<&>\u00e4", "Value": ""}])
        c.create_tags(Resources=[vol], Tags=[{"Key": "Name", "Value": "y"}])

        def tags(**kwargs):
            return sorted((t["ResourceId"], t["Key"], t["Value"])
                          for t in c.describe_tags(**kwargs)["Tags"])

        everything = sorted([(vol, "Name", "y"), (vol, "<&>\u00e4", ""), (snap, "Name", "x"),
                             (snap, "<&>\u00e4", "")])
        assert tags() == everything
        assert tags(Filters=filters(resource_type=["snapshot"], key=["Name"])) == [
            (snap, "Name", "x")]
        assert tags(Filters=filters(**{"tag:Name": ["y"]})) == [(vol, "Name", "y")]
        assert other.describe_tags()["Tags"] == []
        fails("InvalidVolume.NotFound", other.create_tags, Resources=[vol],
              Tags=[{"Key": "a", "Value": "b"}])
        fails("InvalidSnapshot.NotFound", c.create_tags, Resources=[vol, "snap-12345678"],
              Tags=[{"Key": "a", "Value": "b"}])
        fails("InvalidSnapshotID.Malformed", c.create_tags, Resources=["snap-1"],
              Tags=[{"Key": "a", "Value": "b"}])
        fails("InvalidID", c.create_tags, Resources=["nat-12345678"],
              Tags=[{"Key": "a", "Value": "b"}])
        assert tags() == everything
        for key, value in (("aws:x", ""), ("k" * 128, ""), ("", "v"), ("k", "v" * 257),
                           ("k", "a\x01b"), ("k", "\x7f"), ("k", "\x85"), ("k", "\uffff"),
                           ("a\x1b[2J", "")):
            fails("InvalidParameterValue", c.create_tags, Resources=[vol],
                  Tags=[{"Key": key, "Value": value}])
        fails("InvalidParameterValue", c.create_tags, Resources=[vol], Tags=[{"Value": "v"}])
        for tag in ({"Key": "a\x01"}, {"Key": "a", "Value": "b\x02"}):
            fails("InvalidParameterValue", c.create_volume, AvailabilityZone=ZONE, Size=1,
                  TagSpecifications=[{"ResourceType": "volume", "Tags": [tag]}])
        for token in ("t\x01", "t\n", "\u00e4", "t" * 65):
            fails("InvalidParameterValue", c.create_volume, AvailabilityZone=ZONE, Size=1,
                  ClientToken=token)
        assert tags() == everything
        c.create_tags(Resources=[vol], Tags=[{"Key": "\u00e4" * 127, "Value": "\u00e4" * 256}])
        c.delete_tags(Resources=[vol], Tags=[{"Key": "\u00e4" * 127}])

        c.delete_tags(Resources=[vol], Tags=[{"Key": "Name", "Value": "x"}])
        assert tags() == everything
        c.delete_tags(Resources=[vol], Tags=[{"Key": "Name", "Value": "y"}, {"Key": "none"}])
        assert (vol, "Name", "y") not in tags()
        c.delete_tags(Resources=[snap])
        assert tags() == [(vol, "<&>\u00e4", "")]

        c.create_tags(Resources=[vol], Tags=[{"Key": f"k{i}", "Value": ""} for i in range(49)])
        fails("TagLimitExceeded", c.create_tags, Resources=[vol], Tags=[{"Key": "51", "Value": ""}])
        c.create_tags(Resources=[snap], Tags=[{"Key": f"k{i}", "Value": ""} for i in range(12)])
        pages = [p["Tags"] for p in c.get_paginator("describe_tags").paginate(
            PaginationConfig={"PageSize": 7})]
        assert [len(p) for p in pages] == [7] * 8 + [6]
        assert sorted((t["ResourceId"], t["Key"], t["Value"]) for t in sum(pages, [])) == tags()
        assert len(tags()) == 62
        for token in ("x", "vol-12345678:0", "vol-12345678:zz", "v" * 40 + ":", ":" + "61" * 600):
            fails("InvalidNextToken", c.describe_tags, NextToken=token)
        c.delete_snapshot(SnapshotId=snap)
        assert {t[0] for t in tags()} == {vol}


def tags_of_seen_images(program, work):
    """What several accounts see has each account's own tags, and shows them to it alone."""
    aki = "aki-427d952b"
    with service(program, work) as s:
        both = c, other = client(s, "ec2"), client(s, "ec2", TWO)
        ami, hidden = image(work, account=TWO, public=1), image(work, "hidden", account=TWO)
        for i in (aki, ami):
            for mine, value in zip(both, ("one", "two")):
                mine.create_tags(Resources=[i], Tags=[{"Key": "Name", "Value": value}])
            c.create_tags(Resources=[i], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(49)])
            other.create_tags(Resources=[i], Tags=[{"Key": "k", "Value": ""}])
            fails("TagLimitExceeded", c.create_tags, Resources=[i],
                  Tags=[{"Key": "51", "Value": ""}])
            c.delete_tags(Resources=[i], Tags=[{"Key": f"k{n}"} for n in range(49)] + [{"Key": "k"}])

        def found(mine, value):
            return sorted(ids(mine.describe_images(Filters=filters(**{"tag:Name": [value]}))[
                "Images"], "ImageId"))

        assert found(c, "one") == found(other, "two") == sorted([aki, ami])
        assert found(c, "two") == found(other, "one") == []
        shown, = c.describe_images(ImageIds=[aki])["Images"]
        assert shown["Tags"] == [{"Key": "Name", "Value": "one"}]
        assert {(t["ResourceId"], t["ResourceType"], t["Value"])
                for t in c.describe_tags()["Tags"]} == {(i, "image", "one") for i in (aki, ami)}
        for which in (hidden, "aki-9ba0f1de", "aki-00000000"):  # the second is another region's
            for call in (c.create_tags, c.delete_tags):
                fails("InvalidAMIID.NotFound", call, Resources=[which],
                      Tags=[{"Key": "a", "Value": "b"}])

        # One that is shared no more leaves a tag that can go, and takes all along at its end.
        other.modify_image_attribute(ImageId=ami, LaunchPermission={"Remove": [{"Group": "all"}]})
        fails("InvalidAMIID.NotFound", c.create_tags, Resources=[ami],
              Tags=[{"Key": "a", "Value": "b"}])
        c.delete_tags(Resources=[aki])
        assert ids(c.describe_tags()["Tags"], "ResourceId") == [ami]
        assert len(other.describe_tags()["Tags"]) == 4
        c.delete_tags(Resources=[ami])
        assert c.describe_tags()["Tags"] == []
        other.deregister_image(ImageId=ami)
        assert set(ids(other.describe_tags()["Tags"], "ResourceId")) == {aki}


CASES = [volumes_life, volumes_tokens, volumes_list, volumes_attach, volumes_refused_by_guest,
         volumes_detached_early, volumes_kept_by_guest,
         volumes_rescue, volumes_quota, snapshots_life, snapshots_of_images, snapshots_shared, tags_life, tags_of_seen_images]
