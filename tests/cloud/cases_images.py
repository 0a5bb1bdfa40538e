"""Images: registered from bundles, described, shared, changed, deregistered."""
import json
import random
import re
import shutil
import time
from pathlib import Path

from bundles import (MIB, Bundler, file_system, in_parts, kernel, manifest_of, partitioned,
                     run)
from cases_ec2 import query
from clients import ONE, TWO, aws, client, fails, running, running_as
from disks import blob, qemu_io, snapshot, volume
from harness import Skip
from service import Service, write_config

HD0, HD00, HD0_NARROW = "aki-427d952b", "aki-4e7d9527", "aki-407d9529"


def filters(**kwargs):
    return [{"Name": k.replace("__", ":").replace("_", "-"), "Values": v} for k, v in kwargs.items()]


def blobs(work):
    return sorted(p.name for p in Path(work, "state/blobs").iterdir())


def bundles_register(program, work):
    """A file system, a partitioned disk, a 32-bit one, a kernel and a ramdisk become images."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = file_system(f"{work}/root.img")
        ami = b.settled(b.register(b.place(root), "root", Description="the root"))
        assert (ami["State"], ami["KernelId"], ami["Architecture"]) == ("available", HD0, "x86_64"), ami
        assert (ami["RootDeviceType"], ami["RootDeviceName"]) == ("instance-store", "/dev/sda1")
        assert (ami["OwnerId"], ami["Public"], ami["Description"]) == (ONE, False, "the root")
        assert ami["ImageLocation"] == "bundles/root.img.manifest.xml" and ami["ImageType"] == "machine"
        assert ami["VirtualizationType"] == "paravirtual" and "StateReason" not in ami
        blob, = blobs(work)
        assert Path(work, "state/blobs", blob).read_bytes() == Path(root).read_bytes()
        assert Path(work, "state/blobs", blob).stat().st_blocks * 512 < MIB, "it is not sparse"

        part = b.settled(b.register(b.place(partitioned(f"{work}/part.img"), "--kernel", HD00,
                                            "-B", "ami=sda1,root=/dev/sda1,ephemeral0=sdb"),
                                    "part", RootDeviceName="sda1"))
        assert (part["State"], part["KernelId"]) == ("available", HD00), part
        assert part["BlockDeviceMappings"] == \
            [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}], part
        narrow = b.settled(b.register(
            b.place(file_system(f"{work}/narrow.img", bits=32), arch="i386", prefix="deep/er/"),
            "narrow"))
        assert (narrow["KernelId"], narrow["Architecture"]) == (HD0_NARROW, "i386"), narrow

        Path(work, "vmlinuz").write_bytes(kernel(64))
        Path(work, "initrd").write_bytes(b"anything at all" * 100)
        aki = b.settled(b.register(b.place(f"{work}/vmlinuz", "--kernel", "true"), "my-kernel"))
        assert (aki["ImageId"][:4], aki["ImageType"], aki["State"]) == \
            ("aki-", "kernel", "available"), aki
        ari = b.settled(b.register(b.place(f"{work}/initrd", "--ramdisk", "true"), "my-ramdisk"))
        assert (ari["ImageId"][:4], ari["ImageType"], ari["State"]) == \
            ("ari-", "ramdisk", "available"), ari
        plain = b.settled(b.register("bundles/root.img.manifest.xml", "plain",
                                     KernelId=aki["ImageId"], RamdiskId=ari["ImageId"]))
        assert (plain["State"], plain["KernelId"], plain["RamdiskId"]) == \
            ("available", aki["ImageId"], ari["ImageId"]), plain
        said = json.loads(aws(s, "ec2", "register-image", "--name", "by aws", "--image-location",
                              "/bundles/root.img.manifest.xml"))
        assert b.settled(said["ImageId"])["State"] == "available"
        b.ec2.deregister_image(ImageId=said["ImageId"])
        fails("InvalidAMIID.NotFound", b.ec2.deregister_image, ImageId=said["ImageId"])


def real_kernel(program, work):
    """An image with a distribution's kernel, and that kernel as a kernel image."""
    tool = str(Path(__file__).resolve().parents[2] / "tools/fetch-kernels.sh")
    line = run("sh", "-c", f"{tool} debian12-cloud-amd64 || true").split(" ", 1)
    if line[1].startswith("-"):
        raise Skip(f"no kernel: {line[1].strip()}")
    vmlinuz = Path(line[1].strip(), "vmlinuz").read_bytes()
    with running(program, work) as s:
        b = Bundler(program, s, work)
        image = file_system(f"{work}/real.img", size=24 * MIB, vmlinuz=vmlinuz)
        found = b.settled(b.register(b.place(image), "real"))
        assert (found["State"], found["KernelId"]) == ("available", HD0), found
        assert "StateReason" not in found, found
        Path(work, "vmlinuz").write_bytes(vmlinuz)
        found = b.settled(b.register(b.place(f"{work}/vmlinuz", "--kernel", "true"), "real kernel"))
        assert found["State"] == "available", found


def images_that_do_not_fit(program, work):
    """Wrong kernels are named with the right ones; nothing to boot is said, and no kernel fails."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img"))
        part = b.place(partitioned(f"{work}/part.img"))
        message = fails("InvalidParameterValue", b.register, root, "x" * 3, KernelId="aki-9ba0f1de")
        assert "us-west-1" in message and HD0 in message, message
        message = fails("InvalidParameterValue", b.register, root, "x" * 3, KernelId=HD0_NARROW)
        assert "i386" in message and HD0 in message, message
        fails("InvalidAMIID.NotFound", b.register, root, "x" * 3, KernelId="aki-11111111")
        fails("InvalidAMIID.Malformed", b.register, root, "x" * 3, KernelId="kernel")
        fails("InvalidParameterCombination", b.register, root, "x" * 3, RamdiskId="ari-11111111")
        for location, wrong, right in ((root, HD00, HD0), (part, HD0, HD00)):
            image = b.settled(b.register(location, f"with {wrong}", KernelId=wrong))
            assert image["State"] == "failed" and right in image["StateReason"]["Message"], image
            assert image["StateReason"]["Code"] == "Client.InvalidImage"
        empty = b.settled(b.register(b.place(file_system(f"{work}/empty.img", menu="timeout 0\n"),
                                             "--no-check"), "empty"))
        assert empty["State"] == "available" and empty["KernelId"] == HD0, empty
        assert "nothing to boot" in empty["StateReason"]["Message"], empty
        Path(work, "vmlinuz").write_bytes(kernel(64, notes=False))
        image = b.settled(b.register(b.place(f"{work}/vmlinuz", "--kernel", "true", "--no-check"),
                                     "no kernel"))
        assert image["State"] == "failed" and "Xen" in image["StateReason"]["Message"], image
        Path(work, "narrow").write_bytes(kernel(32))
        image = b.settled(b.register(b.place(f"{work}/narrow", "--kernel", "true", "--no-check"),
                                     "other width"))
        assert image["State"] == "failed" and "-r i386" in image["StateReason"]["Message"], image
        assert len(blobs(work)) == 1, blobs(work)
        # A failed image keeps its name until it is deregistered.
        message = fails("InvalidAMIName.Duplicate", b.register, root, "no kernel")
        assert "failed" in message
        b.ec2.deregister_image(ImageId=image["ImageId"])


def spoiled(b, name, change=None, part=None):
    """A copy of a good bundle in the folder `name` of the bucket, changed."""
    good = b.bundle(f"{b.work}/root.img")
    folder = b.work / name
    shutil.copytree(good, folder)
    if change:
        path = manifest_of(folder)
        path.write_text(change(path.read_text()))
    if part:
        part(next(folder.glob("*.part.*")))
    return b.upload(folder, prefix=f"{name}/")


def bad_bundles(program, work):
    """What is wrong with a bundle is found at once where that is possible, and said."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        file_system(f"{work}/root.img", data=random.Random(1).randbytes(MIB))
        at_once = [
            ("garbage", "", lambda t: "no manifest"),
            ("nothing", "", lambda t: ""),
            ("nul", "", lambda t: t[:50] + "\0" + t[50:]),
            ("cut", "", lambda t: t[:len(t) // 2]),
            ("user", TWO, lambda t: t.replace(ONE, TWO)),
            ("size", "10 GiB", lambda t: re.sub(r"(<size>)\d+", r"\g<1>99999999999", t)),
            ("bundled", "together", lambda t: re.sub(r"<bundled_size>(\d+)",
                                                     lambda m: f"<bundled_size>{int(m[1]) + 16}", t)),
            ("small", "more than the manifest", lambda t: re.sub(r"<bundled_size>\d+",
                                                                 "<bundled_size>1000", t)),
            ("up", "", lambda t: t.replace("<filename>", "<filename>../")),
            ("slash", "", lambda t: t.replace("<filename>", "<filename>/etc/")),
            ("gone", "no object", lambda t: t.replace("<filename>root", "<filename>boot")),
            ("key", "cert-ec2.pem", lambda t: re.sub(
                r"(<ec2_encrypted_key[^>]*>)[0-9a-f]{8}", r"\g<1>00000000", t)),
            ("bomb", "", lambda t: t.replace("<manifest>", '<!DOCTYPE m [<!ENTITY a "' + "x" * 1000 + '">' + "".join(
                f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 20}">' for i in range(9)) +
                "]><manifest><bundler>&j;</bundler>")),
            ("entity", "", lambda t: t.replace(
                "<manifest>", '<!DOCTYPE m SYSTEM "file:///etc/passwd"><manifest>')),
        ]
        for name, said, change in at_once:
            message = fails("InvalidManifest", b.register, spoiled(b, name, change), name * 3)
            assert said in message and len(message) < 1000, (name, message)
        other = b.work / "other"
        other.mkdir()
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout",
            other / "key", "-out", other / "cert")
        shutil.copy(f"{work}/root.img", f"{work}/foreign.img")
        message = fails("InvalidManifest", b.register,
                        b.place(f"{work}/foreign.img", ec2cert=f"{other}/cert"), "foreign")
        assert "cert-ec2.pem" in message
        missing = spoiled(b, "missing", part=lambda p: p.unlink())
        assert "no object" in fails("InvalidManifest", b.register, missing, "missing")
        short = spoiled(b, "short", part=lambda p: p.write_bytes(p.read_bytes()[:-16]))
        assert "together" in fails("InvalidManifest", b.register, short, "short")
        assert b.ec2.describe_images(Owners=["self"])["Images"] == []

        def flip(p):
            text = bytearray(p.read_bytes())
            text[len(text) // 2] ^= 1
            p.write_bytes(text)

        later = [("flipped", "digest", spoiled(b, "flipped", part=flip)),
                 ("image digest", "digest", spoiled(b, "imgdigest", lambda t: re.sub(
                     r"(<digest algorithm=.SHA1.>)[0-9a-f]{8}", r"\g<1>00000000", t, count=1))),
                 ("image size", "manifest says", spoiled(b, "imgsize", lambda t: re.sub(
                     r"<size>(\d+)", lambda m: f"<size>{int(m[1]) + 512}", t)))]
        for name, said, location in later:
            image = b.settled(b.register(location, name))
            assert image["State"] == "failed" and said in image["StateReason"]["Message"], image
        assert blobs(work) == []


def bad_locations(program, work):
    """Names of manifests that are none, not there, or another account's."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        good = b.place(file_system(f"{work}/root.img"))
        for location in ("bundles", "/", "", "bundles/", "../state/state.db", "bundles/../root.img",
                         "no-such-bucket/x.manifest.xml", "bundles/no-such.manifest.xml",
                         "http://example.org/x", "b" * 1000 + "/x"):
            fails("InvalidManifest", b.register, location, "name")
        fails("InvalidParameterValue", b.register, "bundles/" + "x" * 1100, "name")
        two = Bundler(program, s, work, TWO)
        fails("AuthFailure", two.register, good, "name")
        # Another account's bundle, copied: its manifest names its account.
        message = fails("InvalidManifest", two.register,
                        two.upload(b.bundle(f"{work}/root.img"), bucket="copies"), "name")
        assert ONE in message and TWO in message
        for name in ("ab", "x" * 129, "semi;colon", "caf\u00e9", ""):
            fails("MissingParameter" if not name else "InvalidAMIName.Malformed", b.register, good,
                  name)
        for more, code in (({"Architecture": "arm64"}, "InvalidParameterValue"),
                           ({"Architecture": "i386"}, "InvalidManifest"),
                           ({"VirtualizationType": "hvm"}, "InvalidParameterValue"),
                           ({"RootDeviceName": "/etc/passwd"}, "InvalidParameterValue"),
                           ({"Description": "x" * 256}, "InvalidParameterValue"),
                           ({"EnaSupport": True}, "UnknownParameter"),
                           ({"BlockDeviceMappings": [{"DeviceName": "sdb", "VirtualName": "x"}]},
                            "InvalidBlockDeviceMapping"),
                           ({"DryRun": True}, "DryRunOperation")):
            fails(code, b.register, good, "name", **more)
        assert b.ec2.describe_images(Owners=["self"])["Images"] == []


def signed_bundles(program, work):
    """An account whose certificate is configured registers what its key signed, nothing else."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        file_system(f"{work}/root.img")
        good = b.place(f"{work}/root.img")
        unsigned = spoiled(b, "unsigned", lambda t: re.sub(r"<signature>.*</signature>", "<signature>UNSIGNED</signature>", t))
        changed = spoiled(b, "changed", lambda t: t.replace("x86_64", "i386"))
        b.settled(b.register(unsigned, "nobody asked"))
    config = Path(work, "pvbootd.conf").read_text()
    section = f"[account {ONE}]\n"
    assert section in config
    Path(work, "pvbootd.conf").write_text(config.replace(section,
                                                         f"{section}certificate = {b.cert}\n"))
    with running_as(program, f"{work}/pvbootd.conf") as s:
        b.ec2 = client(s, "ec2")
        assert b.settled(b.register(good, "signed"))["State"] == "available"
        assert "signed" in fails("InvalidManifest", b.register, unsigned, "unsigned")
        assert "signature" in fails("InvalidManifest", b.register, changed, "changed")


def own_key(program, work):
    """The configuration names the service's key and certificate; those of others are refused."""
    for name in ("mine", "other"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{work}/{name}.key", "-out", f"{work}/{name}.crt")
    config = "ec2-certificate = {0}/mine.crt\nec2-key = {0}/{1}.key\n"
    with running(program, work, extra=config.format(work, "mine")) as s:
        b = Bundler(program, s, work)
        assert Path(b.ec2cert).read_text() == Path(f"{work}/mine.crt").read_text()
        assert b.settled(b.register(b.place(file_system(f"{work}/root.img")), "root"))["State"] == \
            "available"
        assert not Path(work, "state/ec2-key.pem").exists()
    for extra, said in ((config.format(work, "other"), "do not belong together"),
                        (config.format(work, "none"), "none.key"),
                        (f"ec2-key = {work}/mine.key\n", "both or not at all")):
        try:
            Service(program, write_config(work, extra)).kill()
            raise AssertionError("it started")
        except RuntimeError as e:
            assert said in str(e), e


def many_parts(program, work):
    """Bundles of hundreds of parts, and manifests of 10,000 and 10,001."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        folder = b.bundle(file_system(f"{work}/root.img"))
        b.upload(folder)
        for count in (301, 10000, 10001):
            text, names = in_parts(folder, count)
            b.s3.put_object(Bucket="bundles", Key=f"{count}.manifest.xml", Body=text)
        for name in names[1:301]:
            b.s3.put_object(Bucket="bundles", Key=name, Body=b"")
        image = b.settled(b.register("bundles/301.manifest.xml", "hundreds"))
        assert image["State"] == "available", image
        message = fails("InvalidManifest", b.register, "bundles/10000.manifest.xml", "many")
        assert names[301] in message, message
        message = fails("InvalidManifest", b.register, "bundles/10001.manifest.xml", "more")
        assert "10000" in message, message


def image_filters(program, work):
    """Lists, filters, tags and pages of DescribeImages."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img"), "-B", "root=/dev/sda1,ephemeral0=sdb")
        made = [b.register(root, f"image {i}", Description=("even", "odd")[i % 2]) for i in range(6)]
        for i, image in enumerate(made):
            b.settled(image)
            b.ec2.create_tags(Resources=[image], Tags=[{"Key": "number", "Value": str(i)}])

        def names(**kwargs):
            return sorted(i["Name"] for i in b.ec2.describe_images(Owners=["self"], **kwargs)["Images"])

        everything = [f"image {i}" for i in range(6)]
        year = b.described(made[0])["CreationDate"][:4]
        for wanted, which in (
                (filters(name=["image ?"]), everything),
                (filters(name=["image 1", "image 2"]), ["image 1", "image 2"]),
                (filters(description=["even"]), everything[::2]),
                (filters(tag__number=["3", "5"]), ["image 3", "image 5"]),
                (filters(tag_key=["number"]), everything),
                (filters(tag__other=["3"]), []),
                (filters(kernel_id=[HD0]), everything),
                (filters(kernel_id=[HD00]), []),
                (filters(ramdisk_id=["ari-*"]), []),
                (filters(root_device_type=["instance-store"]), everything),
                (filters(root_device_type=["ebs"]), []),
                (filters(root_device_name=["/dev/sda1"]), everything),
                (filters(state=["available"], architecture=["x86_64"], image_type=["machine"],
                         is_public=["false"], owner_id=[ONE], hypervisor=["xen"],
                         virtualization_type=["paravirtual"]), everything),
                (filters(state=["failed"]), []),
                (filters(creation_date=[f"{year}-*"]), everything),
                (filters(manifest_location=["bundles/*"]), everything),
                (filters(image_id=[made[4]]), ["image 4"])):
            assert names(Filters=wanted) == which, (wanted, names(Filters=wanted))
        got = [{"Name": f"block-device-mapping.{k}", "Values": v}
               for k, v in (("device-name", ["/dev/sdb"]), ("snapshot-id", [""]))]
        assert names(Filters=got[:1]) == everything and names(Filters=got) == everything
        got[0]["Values"] = ["/dev/sdc"]
        assert names(Filters=got) == []
        assert names(ImageIds=made[:2]) == everything[:2]
        one = b.described(made[3])
        assert one["Tags"] == [{"Key": "number", "Value": "3"}], one
        assert len(b.ec2.describe_images()["Images"]) == 9, "three of the catalogue"
        assert {i["OwnerId"] for i in b.ec2.describe_images(Owners=[ONE, "amazon"])["Images"]} == \
            {ONE, "000000000000"}
        raw = {"Action": "RegisterImage", "Version": "2016-11-15", "Name": "tagged",
               "ImageLocation": root, "TagSpecification.1.ResourceType": "image",
               "TagSpecification.1.Tag.1.Key": "number", "TagSpecification.1.Tag.1.Value": "77"}
        assert query(s, raw)[0] == 200 and names(Filters=filters(tag__number=["7?"])) == ["tagged"]
        c = b.ec2
        c.deregister_image(ImageId=c.describe_images(Filters=filters(name=["tagged"]))["Images"][0]["ImageId"])
        assert c.describe_tags(Filters=filters(value=["77"]))["Tags"] == []
        seen, token = [], []
        for _ in range(10):
            page, token = raw_page(s, token)
            seen += page
            if not token:
                break
        assert len(seen) == 9 and seen == sorted(seen) and len(set(seen)) == 9, seen


def raw_page(s, token):
    """Three images, and the next page's token if there is one: botocore's model has no pages here."""
    parameters = {"Action": "DescribeImages", "Version": "2016-11-15", "MaxResults": "3"}
    if token:
        parameters["NextToken"] = token[0]
    status, _, text = query(s, parameters)
    assert status == 200, text
    return re.findall(r"<imageId>(.*?)<", text), re.findall(r"<nextToken>(.*?)<", text)


def permissions(program, work):
    """An image is its account's alone until it is shared; what is shared cannot be changed."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        one, two = b.ec2, client(s, "ec2", TWO)
        ami = b.register(b.place(file_system(f"{work}/root.img")), "root")
        b.settled(ami)

        def seen(**kwargs):
            return [i["ImageId"] for i in two.describe_images(**kwargs)["Images"] if "ami" in i["ImageId"]]

        def allowed():
            return one.describe_image_attribute(ImageId=ami, Attribute="launchPermission")["LaunchPermissions"]

        assert seen() == [] and allowed() == []
        fails("InvalidAMIID.NotFound", two.describe_images, ImageIds=[ami])
        fails("InvalidAMIID.NotFound", two.deregister_image, ImageId=ami)
        one.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": TWO}]})
        assert allowed() == [{"UserId": TWO}]
        assert seen() == seen(Owners=[ONE]) == seen(ExecutableUsers=["self"]) == \
            seen(ImageIds=[ami]) == [ami]
        assert seen(Owners=["self"]) == seen(ExecutableUsers=["all"]) == []
        assert [i["ImageId"] for i in one.describe_images(ExecutableUsers=[TWO])["Images"]] == [ami]
        assert one.describe_images(ExecutableUsers=["self"])["Images"] == []
        for call in (two.deregister_image, two.reset_image_attribute, two.modify_image_attribute):
            more = {"Attribute": "launchPermission"} if "reset" in call.__name__ else {}
            more = {"Description": {"Value": "mine"}} if "modify" in call.__name__ else more
            fails("AuthFailure", call, ImageId=ami, **more)
        fails("AuthFailure", two.describe_image_attribute, ImageId=ami, Attribute="launchPermission")
        one.modify_image_attribute(ImageId=ami, Attribute="launchPermission",
                                   OperationType="remove", UserIds=[TWO])
        assert seen() == [] and allowed() == []
        one.modify_image_attribute(ImageId=ami, Attribute="launchPermission", OperationType="add",
                                   UserGroups=["all"], UserIds=[TWO])
        assert allowed() == [{"Group": "all"}, {"UserId": TWO}]
        assert b.described(ami)["Public"] and seen(ExecutableUsers=["all"]) == [ami]
        assert seen(Filters=filters(is_public=["true"])) == [ami]
        one.reset_image_attribute(ImageId=ami, Attribute="launchPermission")
        assert seen() == [] and allowed() == []
        aws(s, "ec2", "modify-image-attribute", "--image-id", ami, "--launch-permission",
            "Add=[{Group=all}]")
        assert seen() == [ami]
        fails("InvalidAMIAttributeItemValue", one.modify_image_attribute, ImageId=ami,
              LaunchPermission={"Add": [{"UserId": "999999999999"}]})
        fails("InvalidAMIAttributeItemValue", one.modify_image_attribute, ImageId=ami,
              LaunchPermission={"Add": [{"Group": "some"}]})
        # Two accounts may use one name.
        two_b = Bundler(program, s, work, TWO)
        shutil.copy(f"{work}/root.img", f"{work}/two.img")
        two_b.settled(two_b.register(two_b.upload(two_b.bundle(f"{work}/two.img"), "twos"), "root"))
        fails("InvalidAMIName.Duplicate", b.register, "bundles/root.img.manifest.xml", "root")


def attributes(program, work):
    """Description, kernel and ramdisk are read and changed, and must fit."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img"), "-B", "root=/dev/sda1,ephemeral0=sdb")
        ami = b.register(root, "root")
        b.settled(ami)
        Path(work, "vmlinuz").write_bytes(kernel(64))
        Path(work, "initrd").write_bytes(b"initrd" * 100)
        aki = b.register(b.place(f"{work}/vmlinuz", "--kernel", "true"), "kernel")
        ari = b.register(b.place(f"{work}/initrd", "--ramdisk", "true"), "ramdisk")
        b.settled(aki)
        b.settled(ari)

        def attribute(name):
            got = b.ec2.describe_image_attribute(ImageId=ami, Attribute=name)
            got.pop("ResponseMetadata")
            assert got.pop("ImageId") == ami
            return got

        def modify(**kwargs):
            b.ec2.modify_image_attribute(ImageId=ami, **kwargs)

        assert attribute("kernel") == {"KernelId": {"Value": HD0}}
        assert attribute("ramdisk") == {"RamdiskId": {}} or attribute("ramdisk") == {}
        assert attribute("blockDeviceMapping") == \
            {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]}
        assert attribute("productCodes") == {"ProductCodes": []}
        modify(Description={"Value": "one < two"})
        assert attribute("description") == {"Description": {"Value": "one < two"}}
        modify(Attribute="description", Value="two")
        assert attribute("description") == {"Description": {"Value": "two"}}
        fails("InvalidParameterCombination", modify, Attribute="ramdisk", Value=ari)
        modify(Attribute="kernel", Value=aki)
        modify(Attribute="ramdisk", Value=ari)
        assert attribute("kernel") == {"KernelId": {"Value": aki}}
        assert attribute("ramdisk") == {"RamdiskId": {"Value": ari}}
        fails("InvalidParameterCombination", modify, Attribute="kernel", Value=HD0)
        modify(Attribute="ramdisk", Value="")
        modify(Attribute="kernel", Value=HD0)
        assert HD0 in fails("InvalidParameterValue", modify, Attribute="kernel", Value=HD00)
        assert HD0 in fails("InvalidParameterValue", modify, Attribute="kernel", Value=HD0_NARROW)
        fails("InvalidAMIID.NotFound", modify, Attribute="kernel", Value=ari)
        fails("InvalidAMIID.NotFound", modify, Attribute="kernel", Value="aki-00000000")
        fails("InvalidAMIID.Malformed", modify, Attribute="kernel", Value="")
        fails("InvalidParameterValue", modify, Attribute="bootMode", Value="uefi")
        fails("InvalidParameterValue", modify, Description={"Value": "x" * 256})
        fails("InvalidParameterCombination", modify)
        fails("MissingParameter", modify, Attribute="kernel")
        fails("UnknownParameter", modify, ProductCodes=["x"], Description={"Value": "x"})
        fails("InvalidParameterValue", b.ec2.describe_image_attribute, ImageId=ami, Attribute="uefiData")
        fails("AuthFailure", b.ec2.modify_image_attribute, ImageId=HD0, Description={"Value": "x"})
        fails("AuthFailure", b.ec2.deregister_image, ImageId=HD0)
        assert attribute("kernel") == {"KernelId": {"Value": HD0}}
        b.ec2.deregister_image(ImageId=ami)
        fails("InvalidAMIID.NotFound", attribute, "kernel")
        until = time.monotonic() + 30
        while len(blobs(work)) > 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(blobs(work)) == 2, "the disk of a deregistered image stays"


def snapshot_images(program, work):
    """Snapshots become images; what is in them, also below a qcow2 file, chooses the kernel."""
    with running(program, work) as s:
        b = Bundler(program, s, work)
        c = b.ec2
        first, second = (volume(c, Size=1) for _ in range(2))
        for vol, image in ((first, file_system(f"{work}/root.img", bits=32)),
                           (second, partitioned(f"{work}/part.img"))):
            with open(blob(work, vol)[0], "r+b") as f:
                f.write(Path(image).read_bytes())
        flat, part = snapshot(c, first), snapshot(c, second)
        child = volume(c, SnapshotId=part)
        assert blob(work, child)[1] == "qcow2" and qemu_io(work, child, "write -P 7 512M 64k")
        deep = snapshot(c, child)
        assert blob(work, deep)[1] == "qcow2"

        def register(snap, name, device="/dev/sda1", ebs=None, **more):
            mapping = {"DeviceName": device, "Ebs": dict(ebs or {}, **({"SnapshotId": snap} if snap else {}))}
            return c.register_image(Name=name, BlockDeviceMappings=[mapping], **more)["ImageId"]

        for snap, kernel_id, arch in ((flat, HD0_NARROW, "i386"), (part, HD00, "x86_64"),
                                      (deep, HD00, "x86_64")):
            image = b.settled(register(snap, f"of {snap}"))
            assert (image["State"], image["KernelId"], image["Architecture"]) == \
                ("available", kernel_id, arch) and "StateReason" not in image, image
            assert (image["RootDeviceType"], image["RootDeviceName"]) == ("ebs", "/dev/sda1")
            assert image["ImageLocation"] == f"{ONE}/of {snap}"
            assert image["BlockDeviceMappings"] == [{"DeviceName": "/dev/sda1", "Ebs": {
                "SnapshotId": snap, "VolumeSize": 1, "DeleteOnTermination": True,
                "VolumeType": "standard", "Encrypted": False}}], image
        image = b.settled(register(deep, "larger", "xvda", {"VolumeSize": 2, "DeleteOnTermination": False},
                                   RootDeviceName="xvda", Architecture="x86_64", KernelId=HD00))
        assert image["State"] == "available" and image["RootDeviceName"] == "/dev/xvda", image
        assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 2
        for more, right in (({"KernelId": HD0}, HD00), ({"Architecture": "i386"}, "x86_64")):
            image = b.settled(register(part, f"not {right}", **more))
            assert image["State"] == "failed" and right in image["StateReason"]["Message"], image
        mapping = [{"Name": "block-device-mapping.snapshot-id", "Values": [flat]}]
        found = c.describe_images(Filters=mapping)["Images"]
        assert [i["Name"] for i in found] == [f"of {flat}"], found
        mapping = [{"Name": "block-device-mapping.volume-size", "Values": ["2"]},
                   {"Name": "block-device-mapping.delete-on-termination", "Values": ["false"]}]
        assert [i["Name"] for i in c.describe_images(Filters=mapping)["Images"]] == ["larger"]
        assert len(c.describe_images(Filters=filters(root_device_type=["ebs"]))["Images"]) == 6

        fails("InvalidSnapshot.InUse", c.delete_snapshot, SnapshotId=flat)
        c.deregister_image(ImageId=found[0]["ImageId"])
        c.delete_snapshot(SnapshotId=flat)
        fails("InvalidSnapshot.NotFound", register, flat, "gone")
        fails("InvalidSnapshotID.Malformed", register, "vol-12345678", "bad")
        fails("MissingParameter", register, part, "no root", "/dev/sdb")
        fails("MissingParameter", register, None, "no snapshot", ebs={"VolumeSize": 1})
        fails("MissingParameter", c.register_image, Name="nothing")
        fails("InvalidBlockDeviceMapping", register, part, "small device", "/dev/sdz99")
        fails("InvalidBlockDeviceMapping", register, part, "no size", ebs={"VolumeSize": 0})
        fails("InvalidBlockDeviceMapping", c.register_image, Name="one disk twice", BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": part}},
            {"DeviceName": "/dev/xvda1", "Ebs": {"VolumeSize": 1}}])
        fails("InvalidBlockDeviceMapping", register, part, "encrypted", ebs={"Encrypted": True})
        fails("InvalidBlockDeviceMapping", register, part, "type", ebs={"VolumeType": "io2"})
        fails("UnsupportedOperation", register, part, "iops", ebs={"Iops": 3})
        fails("InvalidSnapshot.NotFound", client(s, "ec2", TWO).register_image, Name="theirs",
              BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": part}}])
        said = json.loads(aws(s, "ec2", "register-image", "--name", "by aws", "--root-device-name",
                              "/dev/sda1", "--block-device-mappings",
                              json.dumps([{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": deep}}])))
        assert b.settled(said["ImageId"])["KernelId"] == HD00


def image_limits(program, work):
    """An account's number of images is limited; what is deregistered makes room."""
    config = write_config(work)
    text = Path(config).read_text()
    Path(config).write_text(text.replace(f"[account {ONE}]\n", f"[account {ONE}]\nimages = 2\n"))
    with running_as(program, config) as s:
        b = Bundler(program, s, work)
        root = b.place(file_system(f"{work}/root.img"))
        first, _ = [b.register(root, f"image {i}") for i in range(2)]
        assert "deregister" in fails("ImageLimitExceeded", b.register, root, "one more")
        b.ec2.deregister_image(ImageId=first)
        b.register(root, "one more")


CASES = [bundles_register, real_kernel, images_that_do_not_fit, bad_bundles, bad_locations,
         signed_bundles, own_key, many_parts, image_filters, permissions, attributes, snapshot_images, image_limits]
