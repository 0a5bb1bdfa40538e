"""Instances through the API; libvirt's test driver runs nothing, so that these are quick."""
import base64
import contextlib
import datetime
import json
import os
import random
import shutil
import sqlite3
import threading
import time

import botocore.exceptions

from clients import ONE, TWO, aws, client, fails
from disks import put_instance, state, wait_for
from instances import fill, image, instances, run, service, wait
from harness import Skip


def instances_life(program, work):
    """Run, describe, stop, start, reboot, terminate; every field is one that botocore knows."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami = image(work)
        got = c.run_instances(
            ImageId=ami, MinCount=1, MaxCount=2, InstanceType="pv.nano", UserData="#!/bin/sh\n",
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}},
                                 {"DeviceName": "sdc", "VirtualName": "ephemeral0"}],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "<&>"}]},
                               {"ResourceType": "volume", "Tags": [{"Key": "v", "Value": ""}]}])
        assert got["OwnerId"] == ONE and got["ReservationId"].startswith("r-")
        ids = [i["InstanceId"] for i in got["Instances"]]
        assert [i["State"] for i in got["Instances"]] == [{"Code": 0, "Name": "pending"}] * 2
        one, two = wait(c, "running", ids)
        assert (one["AmiLaunchIndex"], two["AmiLaunchIndex"]) == (0, 1)
        now = datetime.datetime.now(datetime.timezone.utc)
        assert abs(now - one["LaunchTime"]) < datetime.timedelta(minutes=5)
        for name, value in (("ImageId", ami), ("InstanceType", "pv.nano"),
                            ("KernelId", "aki-427d952b"), ("Architecture", "x86_64"),
                            ("VirtualizationType", "paravirtual"), ("Hypervisor", "xen"),
                            ("RootDeviceName", "/dev/sda1"), ("RootDeviceType", "instance-store"),
                            ("StateTransitionReason", ""), ("EbsOptimized", False),
                            ("State", {"Code": 16, "Name": "running"}),
                            ("Monitoring", {"State": "disabled"}),
                            ("Tags", [{"Key": "a", "Value": "<&>"}])):
            assert one[name] == value, (name, one[name])
        assert one["Placement"]["AvailabilityZone"] == "us-east-1a"
        disk, = one["BlockDeviceMappings"]  # the root of an instance-store image is no volume
        assert disk["DeviceName"] == "/dev/sdf" and disk["Ebs"]["Status"] == "attached"
        assert disk["Ebs"]["DeleteOnTermination"] is True
        assert [(t["ResourceType"], t["Key"]) for t in c.describe_tags()["Tags"]] == \
            [("instance", "a")] * 2 + [("volume", "v")] * 2
        status = c.describe_instance_status(InstanceIds=ids)["InstanceStatuses"]
        assert [i["InstanceStatus"]["Status"] for i in status] == ["ok", "ok"]

        change, = c.stop_instances(InstanceIds=ids[:1])["StoppingInstances"]
        assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == \
            ("running", "stopping")
        stopped, = wait(c, "stopped", ids[:1])
        assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
        assert stopped["StateTransitionReason"].startswith("User initiated (20")
        assert [i["InstanceId"] for i in c.describe_instance_status()["InstanceStatuses"]] == ids[1:]
        assert len(c.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]) == 2
        fails("IncorrectInstanceState", c.reboot_instances, InstanceIds=ids)
        changes = c.start_instances(InstanceIds=ids[:1] + ids + ids)["StartingInstances"]
        assert [i["InstanceId"] for i in changes] == ids
        running, _ = wait(c, "running", ids)
        assert "StateReason" not in running and running["LaunchTime"] >= one["LaunchTime"]
        c.reboot_instances(InstanceIds=ids)
        wait(c, "running", ids)
        c.stop_instances(InstanceIds=ids[:1], Force=True)
        wait(c, "stopped", ids[:1])
        changes = c.terminate_instances(InstanceIds=ids + ids)["TerminatingInstances"]
        assert [(i["InstanceId"], i["PreviousState"]["Name"]) for i in changes] == \
            [(ids[0], "stopped"), (ids[1], "running")]
        assert wait(c, "terminated", ids)[0]["BlockDeviceMappings"] == []
        fails("IncorrectInstanceState", c.start_instances, InstanceIds=ids)
        c.terminate_instances(InstanceIds=ids)


def instances_types(program, work):
    """The table of types, with filters and pages."""
    with service(program, work) as s:
        c = client(s, "ec2")

        def names(**kwargs):
            return [t["InstanceType"] for page in
                    c.get_paginator("describe_instance_types").paginate(**kwargs)
                    for t in page["InstanceTypes"]]

        everything = names()
        assert len(everything) > 10 and names(PaginationConfig={"PageSize": 5}) == everything
        small, = c.describe_instance_types(InstanceTypes=["m1.small"])["InstanceTypes"]
        assert small["MemoryInfo"] == {"SizeInMiB": 1740} and small["VCpuInfo"]["DefaultVCpus"] == 1
        assert small["ProcessorInfo"]["SupportedArchitectures"] == ["i386", "x86_64"]
        assert small["SupportedVirtualizationTypes"] == ["paravirtual"]
        narrow = names(Filters=[{"Name": "processor-info.supported-architecture",
                                 "Values": ["i386"]}])
        assert "c1.medium" in narrow and "m1.large" not in narrow
        fails("InvalidParameterValue", c.describe_instance_types, InstanceTypes=["m9.huge"])
        offered = c.describe_instance_type_offerings(LocationType="availability-zone")
        assert {o["Location"] for o in offered["InstanceTypeOfferings"]} == {"us-east-1a"}
        assert [o["InstanceType"] for o in offered["InstanceTypeOfferings"]] == everything
        pages = [[o["InstanceType"] for o in page["InstanceTypeOfferings"]] for page in
                 c.get_paginator("describe_instance_type_offerings").paginate(
                     PaginationConfig={"PageSize": 5})]
        assert len(pages[0]) == 5 and sum(pages, []) == everything
        for call in (c.describe_instance_types, c.describe_instance_type_offerings):
            for token in ("x", "-1", "5x", "9999"):
                fails("InvalidNextToken", call, NextToken=token)


def instances_refusals(program, work):
    """What cannot be run says why, and nothing is made."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami, narrow = image(work), image(work, "narrow", arch="i386")
        other = image(work, "other", TWO)
        kernel = image(work, "kernel", kind="kernel")
        late = image(work, "late", state="pending")

        def refused(code, parts="", **kwargs):
            request = dict(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="pv.nano")
            request.update(kwargs)
            message = fails(code, c.run_instances, **request)
            assert parts in message, message

        def disk(device="/dev/sdf", **ebs):
            return {"BlockDeviceMappings": [{"DeviceName": device, "Ebs": ebs}]}

        refused("InvalidAMIID.NotFound", ImageId=other)
        refused("InvalidAMIID.NotFound", ImageId="ami-12345678")
        refused("InvalidAMIID.Malformed", ImageId="ami-1234567g")
        refused("InvalidAMIID.Unavailable", "pending", ImageId=late)
        refused("InvalidParameterValue", "kernel image", ImageId=kernel)
        refused("InvalidParameterValue", "m1.large", ImageId=narrow, InstanceType="m1.large")
        refused("InvalidParameterValue", "describe-instance-types", InstanceType="m9.huge")
        refused("InvalidParameterValue", "aki-427d952b", KernelId="aki-9ba0f1de")
        refused("InvalidParameterValue", "aki-427d952b", KernelId="aki-4e7d9527")
        refused("InvalidParameterValue", "aki-427d952b", KernelId="aki-407d9529")
        refused("InvalidAMIID.NotFound", KernelId="aki-00000000")
        refused("InvalidAMIID.NotFound", RamdiskId=kernel)
        refused("InvalidParameterValue", "MinCount", MinCount=2)
        refused("InvalidParameterValue", MaxCount=51)
        refused("InstanceLimitExceeded", "20", MinCount=21, MaxCount=30)
        refused("InvalidParameterValue", "us-east-1a", Placement={"AvailabilityZone": "mars"})
        refused("UnsupportedOperation", Placement={"Tenancy": "dedicated"})
        refused("UnsupportedOperation", "UserData", KeyName="k")
        refused("UnsupportedOperation", SecurityGroups=["default"])
        refused("UnsupportedOperation", SubnetId="subnet-1")
        refused("UnsupportedOperation", Monitoring={"Enabled": True})
        refused("InvalidParameterValue", InstanceInitiatedShutdownBehavior="explode")
        refused("InvalidParameterValue", "16384", UserData="x" * 16385)
        refused("InvalidBlockDeviceMapping", **disk("/dev/hda", VolumeSize=1))
        refused("InvalidBlockDeviceMapping", **disk("/dev/sda1", VolumeSize=1))
        refused("InvalidBlockDeviceMapping", **disk("/dev/sda", VolumeSize=1))
        refused("InvalidBlockDeviceMapping", **disk("/dev/xvda1", VolumeSize=1))
        refused("InvalidBlockDeviceMapping", **disk("/dev/xvdz", VolumeSize=1))
        refused("InvalidBlockDeviceMapping", **disk(VolumeSize=1, Encrypted=True))
        for name, value in (("Iops", 100), ("Throughput", 125), ("KmsKeyId", "k")):
            refused("UnsupportedOperation", f"1.Ebs.{name} ", **disk(VolumeSize=1, **{name: value}))
        refused("InvalidBlockDeviceMapping", **disk(DeleteOnTermination=True))
        refused("InvalidSnapshot.NotFound", **disk(SnapshotId="snap-12345678"))
        refused("InvalidSnapshotID.Malformed", **disk(SnapshotId="vol-12345678"))
        refused("InvalidParameterValue", TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}])
        refused("DryRunOperation", DryRun=True)
        for call in (c.stop_instances, c.terminate_instances, c.describe_instances):
            fails("InvalidInstanceID.Malformed", call, InstanceIds=["i-xyz"])
            fails("InvalidInstanceID.NotFound", call, InstanceIds=["i-12345678"])
        assert instances(c) == [] and c.describe_tags()["Tags"] == []


def instances_limits(program, work):
    """As many as there is room for, from MinCount to MaxCount."""
    with service(program, work, "instance-memory = 1G\n",
                 "engine = libvirt\nlibvirt-uri = test:///default\n") as s:
        c = client(s, "ec2")
        ami = image(work)
        got = c.run_instances(ImageId=ami, MinCount=1, MaxCount=50, InstanceType="pv.nano")
        ids = [i["InstanceId"] for i in got["Instances"]]
        assert len(ids) == 5, len(ids)  # of 192 MiB in 1024
        wait(c, "running", ids)
        fails("InsufficientInstanceCapacity", c.run_instances, ImageId=ami, MinCount=1, MaxCount=1,
              InstanceType="pv.nano")
        c.stop_instances(InstanceIds=ids[:1])
        wait(c, "stopped", ids[:1])
        more, = run(c, ami, InstanceType="pv.nano")
        wait(c, "running", [more])
        fails("InsufficientInstanceCapacity", c.start_instances, InstanceIds=ids[:1])


def instances_attributes(program, work):
    """Attributes in both forms, and when they may change."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami = image(work)
        kernel, ramdisk = (image(work, k, kind=k) for k in ("kernel", "ramdisk"))
        one, = run(c, ami, InstanceType="pv.nano", UserData="first", BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])

        def get(name):
            return c.describe_instance_attribute(InstanceId=one, Attribute=name)

        def put(**kwargs):
            c.modify_instance_attribute(InstanceId=one, **kwargs)

        wait(c, "running", [one])
        assert base64.b64decode(get("userData")["UserData"]["Value"]) == b"first"
        assert get("rootDeviceName")["RootDeviceName"]["Value"] == "/dev/sda1"
        assert get("blockDeviceMapping")["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sdf"
        assert get("ramdisk")["RamdiskId"] == {}
        message = fails("IncorrectInstanceState", put, Kernel={"Value": kernel})
        assert "stop it" in message, message
        put(InstanceInitiatedShutdownBehavior={"Value": "terminate"})
        put(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}}])
        put(Attribute="disableApiTermination", Value="true")
        assert get("disableApiTermination")["DisableApiTermination"]["Value"] is True
        fails("OperationNotPermitted", c.terminate_instances, InstanceIds=[one])
        c.stop_instances(InstanceIds=[one])
        wait(c, "stopped", [one])
        put(Kernel={"Value": kernel})
        put(Attribute="ramdisk", Value=ramdisk)
        put(InstanceType={"Value": "pv.micro"})
        put(UserData={"Value": b"second"})
        aws(s, "ec2", "modify-instance-attribute", "--instance-id", one, "--kernel", kernel)
        assert get("kernel")["KernelId"]["Value"] == kernel
        assert get("ramdisk")["RamdiskId"]["Value"] == ramdisk
        assert get("instanceType")["InstanceType"]["Value"] == "pv.micro"
        assert base64.b64decode(get("userData")["UserData"]["Value"]) == b"second"
        fails("InvalidParameterValue", put, Kernel={"Value": "aki-4e7d9527"})
        fails("InvalidAMIID.NotFound", put, Kernel={"Value": ramdisk})
        fails("InvalidParameterCombination", put, Kernel={"Value": kernel}, Ramdisk={"Value": ""})
        fails("MissingParameter", put)
        fails("UnsupportedOperation", put, Attribute="sourceDestCheck", Value="true")
        c.reset_instance_attribute(InstanceId=one, Attribute="ramdisk")
        c.reset_instance_attribute(InstanceId=one, Attribute="kernel")
        assert get("kernel")["KernelId"]["Value"] == "aki-427d952b"
        assert get("ramdisk")["RamdiskId"] == {}
        put(DisableApiTermination={"Value": False})
        c.terminate_instances(InstanceIds=[one])
        wait(c, "terminated", [one])
        fails("IncorrectInstanceState", put, DisableApiTermination={"Value": True})
        fails("IncorrectInstanceState", put, InstanceType={"Value": "pv.nano"})


def instances_filters(program, work):
    """Filters, pages, and other accounts' eyes."""
    with service(program, work) as s:
        c, stranger = client(s, "ec2"), client(s, "ec2", TWO)
        ami = image(work)
        ids = run(c, ami, 7, InstanceType="pv.nano", TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "color", "Value": "red"}]}])
        more = run(c, ami, 3, InstanceType="pv.micro")
        wait(c, "running", ids + more)

        def found(**kwargs):
            return {i["InstanceId"] for i in instances(c, Filters=[
                {"Name": k, "Values": v} for k, v in kwargs.pop("f", {}).items()], **kwargs)}

        assert found() == set(ids + more)
        assert found(f={"instance-type": ["pv.mi*"]}) == set(more)
        assert found(f={"tag:color": ["blue", "red"]}) == found(f={"tag-key": ["color"]}) == \
            set(ids)
        assert found(f={"launch-index": ["1"]}) == {ids[1], more[1]}
        assert found(f={"instance-state-name": ["stopped"]}) == set()
        assert found(f={"instance-state-code": ["16"], "image-id": [ami]}) == set(ids + more)
        assert found(f={"block-device-mapping.device-name": ["*"]}) == set()
        assert found(PaginationConfig={"PageSize": 5}) == set(ids + more)
        launches = c.describe_instances()["Reservations"]
        assert sorted(len(r["Instances"]) for r in launches) == [3, 7]
        fails("InvalidParameterValue", c.describe_instances, MaxResults=4)
        fails("InvalidNextToken", c.describe_instances, NextToken="r-1")
        fails("InvalidParameterCombination", c.describe_instances, InstanceIds=ids, MaxResults=5)
        assert instances(stranger) == []
        for call in (stranger.describe_instances, stranger.terminate_instances):
            fails("InvalidInstanceID.NotFound", call, InstanceIds=ids[:1])
        fails("InvalidInstanceID.NotFound", stranger.get_console_output, InstanceId=ids[0])
        fails("InvalidInstanceID.NotFound", stranger.describe_instance_attribute,
              InstanceId=ids[0], Attribute="kernel")


def instances_token(program, work):
    """A request that is sent again makes nothing anew."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami = image(work)
        first = run(c, ami, 2, InstanceType="pv.nano", ClientToken="t1")
        assert run(c, ami, 2, InstanceType="pv.nano", ClientToken="t1") == first
        fails("IdempotentParameterMismatch", c.run_instances, ImageId=ami, MinCount=1, MaxCount=1,
              InstanceType="pv.nano", ClientToken="t1")
        other = client(s, "ec2", TWO)
        run(other, image(work, account=TWO), 1, InstanceType="pv.nano", ClientToken="t1")
        assert len(instances(c)) == 2 and instances(c)[0]["ClientToken"] == "t1"


def instances_thousand(program, work):
    """1,000 instances in one answer, which is never that of a state before."""
    with service(program, work) as s:
        c = client(s, "ec2")
        fill(work, image(work), 1000)
        everything = instances(c)
        assert len(everything) == len({i["InstanceId"] for i in everything}) == 1000
        assert all(len(i["Tags"]) == 2 and len(i["BlockDeviceMappings"]) == 1 for i in everything)
        assert instances(c) == everything == instances(c, PaginationConfig={"PageSize": 300})
        assert len(c.describe_instances()["Reservations"]) == 100
        one = everything[500]["InstanceId"]
        for value in ("first", "second"):
            c.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": value}])
            for _ in range(2):
                named = {i["InstanceId"] for i in instances(c)
                         if {"Key": "Name", "Value": value} in i["Tags"]}
                assert named == {one}
        assert len(instances(c, InstanceIds=[i["InstanceId"] for i in everything])) == 1000
        assert instances(client(s, "ec2", TWO)) == []
        assert len(json.loads(aws(s, "ec2", "describe-instances"))["Reservations"]) == 100


def instances_ebs(program, work):
    """An image whose root is a volume: sizes, what stays after the end, and snapshots of others."""
    with service(program, work) as s:
        c = client(s, "ec2")
        volume = c.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        c.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})
        snapshot = c.create_snapshot(VolumeId=volume)["SnapshotId"]
        c.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})
        ami = image(work, root_type="ebs", blob=None, snapshot=snapshot)

        def disks(**kwargs):
            one, = run(c, ami, InstanceType="pv.nano", **kwargs)
            got, = wait(c, "running", [one])
            return one, {d["DeviceName"]: d["Ebs"] for d in got["BlockDeviceMappings"]}

        def mapping(device, **ebs):
            return [{"DeviceName": device, "Ebs": ebs}]

        one, found = disks()
        assert list(found) == ["/dev/sda1"] and found["/dev/sda1"]["DeleteOnTermination"] is True
        root, = c.describe_volumes(VolumeIds=[found["/dev/sda1"]["VolumeId"]])["Volumes"]
        assert (root["Size"], root["SnapshotId"], root["State"]) == (1, snapshot, "in-use")
        assert root["Attachments"][0]["InstanceId"] == one
        two, found = disks(BlockDeviceMappings=mapping("/dev/sda1", VolumeSize=3,
                                                       DeleteOnTermination=False) +
                           mapping("/dev/sdf", SnapshotId=snapshot))
        kept = found["/dev/sda1"]["VolumeId"]
        assert c.describe_volumes(VolumeIds=[kept])["Volumes"][0]["Size"] == 3
        for wrong in (mapping("/dev/sda1", VolumeSize=1, SnapshotId="snap-12345678"),
                      [{"DeviceName": "/dev/sda1", "NoDevice": ""}]):
            fails("InvalidBlockDeviceMapping", c.run_instances, ImageId=ami, MinCount=1,
                  MaxCount=1, InstanceType="pv.nano", BlockDeviceMappings=wrong)
        c.terminate_instances(InstanceIds=[one, two])
        wait(c, "terminated", [one, two])
        for _ in range(100):
            left = {v["VolumeId"]: v["State"] for v in c.describe_volumes()["Volumes"]}
            if left == {volume: "available", kept: "available"}:
                break
            time.sleep(0.1)
        assert left == {volume: "available", kept: "available"}, left


def later(work, table, column, seconds):
    """As if so much time had passed."""
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db", timeout=30)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = {column} - ?", (seconds,))


def instances_forgotten(program, work):
    """What was terminated is shown for an hour, and then all of it is gone."""
    with service(program, work) as s:
        c = client(s, "ec2")
        ami = image(work)
        request = {"InstanceType": "pv.nano", "ClientToken": "t", "UserData": "x",
                   "TagSpecifications": [{"ResourceType": "instance",
                                          "Tags": [{"Key": "a", "Value": "b"}]}]}
        one, = run(c, ami, **request)
        wait(c, "running", [one])
        assert os.listdir(f"{work}/state/seeds") == [one]
        c.terminate_instances(InstanceIds=[one])
        wait(c, "terminated", [one])
        later(work, "instance", "changed", 3601)
        end = time.time() + 30
        while time.time() < end and instances(c):
            time.sleep(0.1)
        fails("InvalidInstanceID.NotFound", c.describe_instances, InstanceIds=[one])
        assert c.describe_tags()["Tags"] == [] and os.listdir(f"{work}/state/seeds") == []
        fails("IdempotentInstanceTerminated", run, c, ami, **request)
        two, = run(c, ami, InstanceType="pv.nano")
        wait(c, "running", [two])
        c.terminate_instances(InstanceIds=[two])
        wait(c, "terminated", [two])
        later(work, "client_token", "created", 86401)
        later(work, "instance", "changed", 3601)
        while time.time() < end and instances(c):
            time.sleep(0.1)
        assert run(c, ami, **request) != [one]


def instances_restart(program, work):
    """What the machine lost is started again, or found stopped."""
    with service(program, work) as s:
        ami = image(work)
        ids = run(client(s, "ec2"), ami, 2, InstanceType="pv.nano")
        wait(client(s, "ec2"), "running", ids)
    later(work, "instance", "wish_since", int(time.time()))
    with service(program, work) as s:  # the test driver's guests end with the service
        db = state(work)
        wait_for(lambda: db.execute("SELECT count(*) FROM instance WHERE state = 'running'"
                                    " AND wish_since > 1000000").fetchone() == (2,), tries=600)
        db.close()
    with service(program, work, "on-restart = stop\n") as s:
        c = client(s, "ec2")
        one, _ = wait(c, "stopped", ids)
        assert one["StateReason"]["Code"] == "Server.InternalError"
        assert "restarted" in one["StateReason"]["Message"]
        c.start_instances(InstanceIds=ids)
        wait(c, "running", ids)


def instances_no_host(program, work):
    """Where the host of the embedded engine cannot be made, the instance tells what is missing."""
    if not shutil.which("qemu-system-x86_64"):
        raise Skip("qemu-system-x86_64 is missing")
    os.mkdir(f"{work}/bin")
    for tool in ("apt-cache", "apt-get", "dpkg-query"):  # as without packages and network
        os.symlink("/bin/false", f"{work}/bin/{tool}")
    before = dict(os.environ)
    os.environ.update(PATH=f"{work}/bin:{before['PATH']}", PVBOOT_CACHE=f"{work}/cache")
    try:
        with service(program, work, engine="instance-memory = 4G\n") as s:
            c = client(s, "ec2")
            one, = run(c, image(work), InstanceType="pv.nano")
            found, = wait(c, "stopped", [one])
            assert found["StateReason"]["Code"] == "Server.InternalError", found["StateReason"]
            said = found["StateReason"]["Message"]
            assert "cannot be made here: " in said and "install the package" in said, said
            assert work not in said, said
            c.terminate_instances(InstanceIds=[one])
            wait(c, "terminated", [one])
    finally:
        os.environ.clear()
        os.environ.update(before)


def instances_ended(program, work):
    """How the embedded engine's guests ended, in this boot of the machine and in an earlier one."""
    if not shutil.which("qemu-system-x86_64"):
        raise Skip("qemu-system-x86_64 is missing")
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        this = f.read()
    ends = {
        "i-00000001": ("another\n", None, "restarted"),
        "i-00000002": ("another\n", "failed It broke off.", "restarted"),
        "i-00000003": ("another\n", "poweroff ", "Instance initiated shutdown"),
        "i-00000004": (this, None, "ended by force"),
        "i-00000005": (this, "failed It broke off.", "It broke off."),
        "i-00000006": (this, "crashed ", "The guest crashed"),
        "i-00000007": (None, None, "restarted"),
    }
    embedded = {"engine": "instance-memory = 4G\n", "extra": "on-restart = stop\n"}
    with service(program, work, **embedded):
        pass
    for one, (started, result, _) in ends.items():
        put_instance(work, one, ONE, "running")
        os.makedirs(f"{work}/state/engine/{one}")
        for name, text in (("started", started), ("result", result)):
            if text is not None:
                with open(f"{work}/state/engine/{one}/{name}", "w", encoding="ascii") as f:
                    f.write(text)
    with service(program, work, **embedded) as s:
        for found in wait(client(s, "ec2"), "stopped", list(ends)):
            said = found["StateReason"]["Message"]
            assert ends[found["InstanceId"]][2] in said, (found["InstanceId"], said)


def instances_aws(program, work):
    """The same by the `aws` command."""
    with service(program, work) as s:
        def ask(*arguments):
            said = aws(s, "ec2", *arguments)
            return json.loads(said) if said.strip() else None

        with open(f"{work}/data", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\necho hello\n")
        got = ask("run-instances", "--image-id", image(work), "--instance-type", "pv.nano",
                  "--count", "2", "--kernel-id", "aki-427d952b", "--user-data",
                  f"file://{work}/data", "--block-device-mappings",
                  "DeviceName=/dev/sdf,Ebs={VolumeSize=1}", "--tag-specifications",
                  "ResourceType=instance,Tags=[{Key=a,Value=b}]")
        one, two = [i["InstanceId"] for i in got["Instances"]]
        aws(s, "ec2", "wait", "instance-running", "--instance-ids", one, two)
        aws(s, "ec2", "wait", "instance-status-ok", "--instance-ids", one)
        ask("stop-instances", "--instance-ids", one)
        aws(s, "ec2", "wait", "instance-stopped", "--instance-ids", one)
        ask("modify-instance-attribute", "--instance-id", one, "--user-data", "Value=b3RoZXI=")
        data = ask("describe-instance-attribute", "--instance-id", one, "--attribute", "userData")
        assert base64.b64decode(data["UserData"]["Value"]) == b"other", data
        data = ask("describe-instance-attribute", "--instance-id", two, "--attribute", "userData")
        assert base64.b64decode(data["UserData"]["Value"]) == b"#!/bin/sh\necho hello\n"
        ask("modify-instance-attribute", "--instance-id", one, "--instance-type", "pv.micro")
        ask("start-instances", "--instance-ids", one)
        ask("reboot-instances", "--instance-ids", two)
        assert ask("get-console-output", "--instance-id", two, "--latest")["InstanceId"] == two
        found = ask("describe-instances", "--filters", "Name=instance-type,Values=pv.micro",
                    "--query", "Reservations[].Instances[].InstanceId")
        assert found == [one], found
        ask("terminate-instances", "--instance-ids", one, two)
        aws(s, "ec2", "wait", "instance-terminated", "--instance-ids", one, two)


def instances_share(program, work):
    """The disks of ten instances take the room of one image."""
    with service(program, work) as s:
        c = client(s, "ec2")
        with open(f"{work}/disk", "wb") as f:
            f.write(os.urandom(64 << 20))
        ids = run(c, image(work, content=f"{work}/disk"), 10, InstanceType="pv.nano")
        wait(c, "running", ids)
        used = sum(os.stat(f"{work}/state/blobs/{name}").st_blocks * 512
                   for name in os.listdir(f"{work}/state/blobs"))
        assert 64 << 20 <= used < 72 << 20, used
        c.terminate_instances(InstanceIds=ids)
        wait(c, "terminated", ids)


def instances_killed(program, work):
    """The service is killed again and again while instances are run and terminated; each request
    is sent until it is answered, and nothing is lost or doubled."""
    rounds, kept_launches, seen, killers, kills = 20, 5, {}, random.Random(1), []
    with service(program, work) as s:
        ami = image(work)

        def persist(call, **kwargs):
            while True:
                try:
                    return call(client(s, "ec2"))(**kwargs)
                except botocore.exceptions.ClientError as e:
                    # a change without a token that was signed in the second of the start; and the
                    # instances that are to be terminated count until they are
                    if e.response["Error"]["Code"] not in ("RequestExpired",
                                                           "InstanceLimitExceeded"):
                        raise
                    time.sleep(0.05)
                except (botocore.exceptions.BotoCoreError, OSError):
                    time.sleep(0.05)

        def ask():
            while len(kills) < rounds:
                n = len(seen)
                got = persist(lambda c: c.run_instances, ImageId=ami, MinCount=2, MaxCount=2,
                              InstanceType="pv.nano", ClientToken=f"token-{n}",
                              BlockDeviceMappings=[{"DeviceName": "/dev/sdf",
                                                    "Ebs": {"VolumeSize": 1}}])
                seen[n] = {i["InstanceId"] for i in got["Instances"]}
                if n >= kept_launches:
                    persist(lambda c: c.terminate_instances, InstanceIds=list(seen[n]))

        asker = threading.Thread(target=ask)
        asker.start()
        while asker.is_alive():
            time.sleep(killers.uniform(0.05, 0.6))
            s.kill()
            s.__init__(program, f"{work}/pvbootd.conf")
            kills.append(1)
        assert len(kills) >= rounds, (kills, seen)
        c = client(s, "ec2")
        gone = {i for n in seen if n >= kept_launches for i in seen[n]}
        kept = {i for n in seen if n < kept_launches for i in seen[n]}
        assert len(gone) + len(kept) == 2 * len(seen)
        wait(c, "running", list(kept))
        wait(c, "terminated", list(gone))
        assert {i["InstanceId"] for i in instances(c)} == kept | gone
        disks = 2 * len(kept)  # a hidden root and a volume each; and the image's own
        for _ in range(100):
            if len(os.listdir(f"{work}/state/blobs")) == disks + 1:
                break
            time.sleep(0.1)
        assert len(os.listdir(f"{work}/state/blobs")) == disks + 1
        assert len(c.describe_volumes()["Volumes"]) == len(kept)


CASES = [instances_life, instances_types, instances_refusals, instances_limits,
         instances_attributes, instances_filters, instances_token, instances_thousand,
         instances_ebs, instances_forgotten, instances_restart, instances_no_host,
         instances_ended, instances_aws, instances_share, instances_killed]
