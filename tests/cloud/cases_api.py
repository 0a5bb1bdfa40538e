"""The API against its own model, and against those who should not get anywhere with it."""
import collections
import contextlib
import re
import xml.etree.ElementTree

import botocore.exceptions
import botocore.httpsession

import disks
from clients import ONE, TWO, client, fails
from instances import image, instances, run, service, wait

SPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
FORMS = {"integer": r"-?\d+", "long": r"-?\d+", "boolean": "true|false",
         "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}
ROOT = "/dev/sda1"


def strays(element, shape, path):
    """What is in the XML and not as the model has it. (Types of instances are the service's own.)"""
    tags = [child.tag.removeprefix(SPACE) for child in element]
    if shape.type_name == "structure":
        known = {m.serialization.get("name", name): m for name, m in shape.members.items()}
        found = [f"{path}: {tag} twice" for tag, nr in collections.Counter(tags).items() if nr > 1]
        found += [f"{path}: {tag}" for tag in tags if tag not in known]
        inner = [(child, known[tag]) for child, tag in zip(element, tags) if tag in known]
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        found = [f"{path}: {tag} in a list of {name}" for tag in tags if tag != name]
        inner = [(child, shape.member) for child in element]
    else:
        text, enum = element.text or "", getattr(shape, "enum", [])
        good = not tags and re.fullmatch(FORMS.get(shape.type_name, "(?s).*"), text) and \
            (not enum or text in enum or shape.name == "InstanceType")
        return [] if good else [f"{path}: {text!r} is no {shape.name}"]
    if (element.text or "").strip():
        found.append(f"{path}: text {element.text!r}")
    for child, member in inner:
        found += strays(child, member, f"{path}/{child.tag.removeprefix(SPACE)}")
    return found


def checked(s, account=ONE):
    """A client each of whose answers is compared with botocore's model; the actions it did."""
    c, session, done = client(s, "ec2", account), botocore.httpsession.URLLib3Session(), set()

    def send(request, event_name, **_):
        action = event_name.rsplit(".", 1)[1]
        answer = session.send(request)
        if answer.status_code == 200:
            top = xml.etree.ElementTree.fromstring(answer.content)
            shape = c.meta.service_model.operation_model(action).output_shape
            assert top.tag == f"{SPACE}{action}Response", top.tag
            first = top[0]
            assert first.tag == f"{SPACE}requestId", first.tag
            top.remove(first)
            if shape is None:  # EC2 itself says so, and the model does not
                assert [(e.tag, e.text) for e in top] == [(f"{SPACE}return", "true")], action
            else:
                found = strays(top, shape, action)
                assert not found, found
            done.add(action)
        return answer

    c.meta.events.register("before-send.ec2", send)
    return c, done


def objects(c, work):
    """One of each: image, instance (stopped), volume, snapshot, and an image of that."""
    ami, vol = image(work), disks.volume(c, Size=1)
    one, = run(c, ami, InstanceType="pv.nano", UserData="x", BlockDeviceMappings=[
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])
    wait(c, "running", [one])
    c.stop_instances(InstanceIds=[one])
    wait(c, "stopped", [one])
    snap = disks.snapshot(c, vol)
    made = c.register_image(Name="of a snapshot", Architecture="x86_64", **root(snap))["ImageId"]
    c.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig={"Delay": 1})
    return ami, one, vol, snap, made


def root(snap):
    return {"RootDeviceName": ROOT,
            "BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": {"SnapshotId": snap}}]}


def changes(c, ami, one, vol, snap, made):
    """What would change these objects, as (call, parameters)."""
    tags, to_two = [{"Key": "k", "Value": "v"}], {"Add": [{"UserId": TWO}]}
    return [
        (c.run_instances, {"ImageId": ami, "MinCount": 1, "MaxCount": 1}),
        (c.start_instances, {"InstanceIds": [one]}), (c.stop_instances, {"InstanceIds": [one]}),
        (c.terminate_instances, {"InstanceIds": [one]}),
        (c.modify_instance_attribute, {"InstanceId": one, "Kernel": {"Value": "aki-427d952b"}}),
        (c.modify_instance_attribute, {"InstanceId": one, "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}}]}),
        (c.reset_instance_attribute, {"InstanceId": one, "Attribute": "kernel"}),
        (c.attach_volume, {"VolumeId": vol, "InstanceId": one, "Device": "/dev/sdg"}),
        (c.delete_volume, {"VolumeId": vol}),
        (c.create_volume, {"SnapshotId": snap, "AvailabilityZone": disks.ZONE}),
        (c.create_snapshot, {"VolumeId": vol}),
        (c.modify_snapshot_attribute, {"SnapshotId": snap, "CreateVolumePermission": to_two}),
        (c.register_image, {"Name": "another", **root(snap)}),
        (c.deregister_image, {"ImageId": made}),
        (c.modify_image_attribute, {"ImageId": made, "LaunchPermission": to_two}),
        (c.reset_image_attribute, {"ImageId": made, "Attribute": "launchPermission"}),
        (c.create_tags, {"Resources": [one], "Tags": tags}),
        (c.create_tags, {"Resources": [vol], "Tags": tags}),
        (c.create_tags, {"Resources": [snap], "Tags": tags}),
        (c.create_tags, {"Resources": [made], "Tags": tags}),
        (c.delete_tags, {"Resources": [one]}),
    ]


def looks(c, ami, one, vol, snap, made):
    """What only looks at them."""
    return [
        (c.describe_instances, {"InstanceIds": [one]}),
        (c.describe_instance_status, {"InstanceIds": [one], "IncludeAllInstances": True}),
        (c.describe_instance_attribute, {"InstanceId": one, "Attribute": "userData"}),
        (c.describe_instance_attribute, {"InstanceId": one, "Attribute": "blockDeviceMapping"}),
        (c.get_console_output, {"InstanceId": one}),
        (c.describe_volumes, {"VolumeIds": [vol]}), (c.describe_volume_status, {"VolumeIds": [vol]}),
        (c.describe_snapshots, {"SnapshotIds": [snap]}),
        (c.describe_snapshot_attribute,
         {"SnapshotId": snap, "Attribute": "createVolumePermission"}),
        (c.describe_images, {"ImageIds": [made, ami]}),
        (c.describe_image_attribute, {"ImageId": made, "Attribute": "launchPermission"}),
        (c.describe_image_attribute, {"ImageId": made, "Attribute": "blockDeviceMapping"}),
    ]


def everything(c):
    """What the account has, as it is shown."""
    shown = [c.describe_instances()["Reservations"], c.describe_volumes()["Volumes"],
             c.describe_snapshots(OwnerIds=["self"])["Snapshots"],
             c.describe_images(Owners=["self"])["Images"], c.describe_tags()["Tags"]]
    return repr(shown)


def refused(call, **parameters):
    """There is no such thing, as far as the account can know."""
    try:
        call(**parameters)
    except botocore.exceptions.ClientError as e:
        assert e.response["Error"]["Code"].endswith(".NotFound"), (parameters, e)
    else:
        raise AssertionError(f"{parameters} succeeded")


def api_model(program, work):
    """Each answer holds what botocore's model has, at its place and of its type, and no more."""
    with service(program, work) as s:
        c, done = checked(s)
        some = objects(c, work)
        for call, parameters in looks(c, *some) + changes(c, *some):
            if call not in (c.start_instances, c.terminate_instances, c.delete_volume,
                            c.deregister_image):
                call(**parameters)
        c.detach_volume(VolumeId=some[2])
        c.start_instances(InstanceIds=[some[1]])
        wait(c, "running", [some[1]])
        c.reboot_instances(InstanceIds=[some[1]])
        for call in (c.describe_regions, c.describe_availability_zones, c.describe_instance_types,
                     c.describe_instance_type_offerings, c.describe_images, c.describe_instances,
                     c.describe_volumes, c.describe_snapshots, c.describe_tags):
            call()
        c.terminate_instances(InstanceIds=[i["InstanceId"] for i in instances(c)])
        disks.settle(c, some[2])
        c.delete_volume(VolumeId=some[2])
        for one in c.describe_images(Owners=["self"])["Images"]:
            c.deregister_image(ImageId=one["ImageId"])
        c.delete_snapshot(SnapshotId=some[3])
        assert len(done) == 35, sorted(done)


def api_foreign(program, work):
    """No action gets anywhere with what is another account's."""
    with service(program, work) as s:
        mine, other = client(s, "ec2"), client(s, "ec2", TWO)
        some = objects(mine, work)
        before = everything(mine)
        for call, parameters in looks(other, *some) + changes(other, *some):
            refused(call, **parameters)
        assert everything(mine) == before
        assert other.describe_instances()["Reservations"] == []
        assert other.describe_images(Owners=["self"])["Images"] == []


def api_dry_run(program, work):
    """DryRun looks at everything as the action would, and changes nothing."""
    with service(program, work) as s:
        c = client(s, "ec2")
        some = objects(c, work)
        before = everything(c)
        for call, parameters in looks(c, *some) + changes(c, *some):
            fails("DryRunOperation", call, DryRun=True, **parameters)
        assert everything(c) == before
        gone = ("ami-00000000", "i-00000000", "vol-00000000", "snap-00000000", "ami-00000000")
        for call, parameters in looks(c, *gone) + changes(c, *gone):
            refused(call, DryRun=True, **parameters)
        fails("InvalidSnapshot.InUse", c.delete_snapshot, SnapshotId=some[3], DryRun=True)
        fails("IncorrectState", c.detach_volume, VolumeId=some[2], DryRun=True)
        fails("InvalidManifest", c.register_image, Name="none", ImageLocation="no/x.manifest.xml",
              DryRun=True)
        fails("UnsupportedOperation", c.modify_instance_attribute, InstanceId=some[1],
              SourceDestCheck={"Value": False})


def api_texts(program, work):
    """What an account writes comes back as it was, and cannot break the answers to others."""
    with service(program, work) as s:
        mine, other = client(s, "ec2"), client(s, "ec2", TWO)
        vol = disks.volume(mine, Size=1)
        for text in ("<a b='c'>&amp;]]></value><!--", "'); DROP TABLE tag; --", "%s%n%1$s", "\u00e4",
                     "a\r\nb\rc\td\n", "\U0001f600\u200d", " blank ", "$(id)`id`"):
            mine.create_tags(Resources=[vol], Tags=[{"Key": "k", "Value": text}])
            assert mine.describe_volumes(VolumeIds=[vol])["Volumes"][0]["Tags"] == \
                [{"Key": "k", "Value": text}]
        for text, good in (("\u00e4" * 255, True), ("\u00e4" * 256, False), ("x" * 256, False),
                           ("a\x01b", False), ("a\tb\n", True)):
            described = {"Description": text}
            if not good:
                fails("InvalidParameterValue", mine.create_snapshot, VolumeId=vol, **described)
                fails("InvalidParameterValue", mine.create_image, InstanceId="i-12345678",
                      Name="name", **described)
                continue
            snap = mine.create_snapshot(VolumeId=vol, **described)["SnapshotId"]
            disks.settle(mine, snap)
            ami = mine.register_image(Name=f"of-{snap}", BlockDeviceMappings=[
                {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snap}}], **described)["ImageId"]
            for row in (mine.describe_snapshots(SnapshotIds=[snap])["Snapshots"] +
                        mine.describe_images(ImageIds=[ami])["Images"]):
                assert row["Description"] == text, row
        evil = image(work, account=TWO, public=1)
        for text in ("\ufffe\uffff", "\x01\x1b[2J", "\x7f\x85"):  # not in XML, or not to be seen
            fails("InvalidParameterValue", other.modify_image_attribute, ImageId=evil,
                  Description={"Value": text})
            with contextlib.closing(disks.state(work)) as db:  # as it was taken once
                db.execute("UPDATE image SET description = ? WHERE id = ?", (text, evil))
            shown, = mine.describe_images(ImageIds=[evil])["Images"]
            assert set(shown["Description"]) & set(text) <= set("[2J"), shown


CASES = [api_texts, api_model, api_foreign, api_dry_run]
