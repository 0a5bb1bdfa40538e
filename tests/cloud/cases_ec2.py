"""The Query API, driven by boto3, `aws ec2` and raw requests."""
import datetime
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from clients import ONE, TWO, aws, client, fails, running, running_as
from disks import snapshot, volume
from instances import image, run, service, wait
from service import ACCOUNTS, REGION


def query(s, parameters, method="POST", auth=None, spoil=None, now=None):
    """A raw request, signed by botocore's signer; (status, code or None, text)."""
    key, secret = ACCOUNTS[ONE]
    parameters = parameters.copy()  # the signer of version 2 adds to it
    credentials = botocore.credentials.Credentials(key, secret)
    signer = auth or botocore.auth.SigV4Auth
    text = urllib.parse.urlencode(parameters)
    version_2 = issubclass(signer, botocore.auth.SigV2Auth)
    request = botocore.awsrequest.AWSRequest(
        method, s.url + "/" + ("?" + text if method == "GET" and not version_2 else ""),
        data=(parameters if version_2 else text) if method == "POST" else None,
        params=parameters if version_2 and method == "GET" else None)
    if method == "POST":
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    real = botocore.auth.datetime
    if now:
        class Clock(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return now
        botocore.auth.datetime = type("m", (), {"datetime": Clock})
    try:
        (signer(credentials) if version_2 else signer(credentials, "ec2", REGION)).add_auth(request)
    finally:
        botocore.auth.datetime = real
    prepared = request.prepare()
    if spoil:
        spoil(prepared)
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    try:
        with urllib.request.urlopen(urllib.request.Request(
                prepared.url, body, dict(prepared.headers), method=method)) as got:
            return got.status, None, got.read().decode()
    except urllib.error.HTTPError as e:
        text = e.read().decode()
        return e.code, xml.etree.ElementTree.fromstring(text).findtext(".//Code"), text


def ec2_places(program, work):
    """Regions and zones."""
    with running(program, work) as s:
        c = client(s, "ec2")
        regions = c.describe_regions()["Regions"]
        assert [r["RegionName"] for r in regions] == [REGION]
        assert "http://" + regions[0]["Endpoint"] == s.url
        zone, = c.describe_availability_zones()["AvailabilityZones"]
        assert (zone["ZoneName"], zone["State"]) == (REGION + "a", "available")
        fails("InvalidParameterValue", c.describe_regions, RegionNames=["mars-1"])
        assert json.loads(aws(s, "ec2", "describe-regions"))["Regions"] == regions


def ec2_akis(program, work):
    """The catalogue's kernel images, filtered."""
    with running(program, work) as s:
        c = client(s, "ec2")

        def ids(**kwargs):
            return sorted(i["ImageId"] for i in c.describe_images(**kwargs)["Images"])

        def filters(**kwargs):
            return [{"Name": k.replace("_", "-"), "Values": v} for k, v in kwargs.items()]

        image, = c.describe_images(ImageIds=["aki-427d952b"])["Images"]
        assert image["ImageType"] == "kernel" and image["Architecture"] == "x86_64"
        assert image["Name"] == "pv-grub-hd0-V1.01-x86_64.gz" and image["Public"]
        everything = ["aki-407d9529", "aki-427d952b", "aki-4e7d9527"]
        assert ids() == ids(Owners=["amazon"]) == ids(ExecutableUsers=["all"]) == everything
        assert ids(Owners=["self"]) == []
        assert ids(Filters=filters(architecture=["i386"])) == ["aki-407d9529"]
        assert ids(Filters=filters(name=["pv-grub-hd0-*"], architecture=["x86*"])) == \
            ["aki-427d952b"]
        assert ids(Filters=filters(name=["*-hd0-*", "*hd00*"])) == everything
        assert ids(Filters=filters(name=["pv?grub-hd00-V1.01-x86_64.gz"])) == ["aki-4e7d9527"]
        assert ids(Filters=filters(name=[r"pv\?grub-hd00-V1.01-x86_64.gz"])) == []
        assert ids(Filters=filters(image_type=["machine"])) == []
        message = fails("InvalidAMIID.NotFound", c.describe_images, ImageIds=["aki-9ba0f1de"])
        assert "us-west-1" in message
        fails("InvalidAMIID.NotFound", c.describe_images, ImageIds=["ami-12345678"])
        fails("InvalidAMIID.Malformed", c.describe_images, ImageIds=["i-12345678"])
        fails("InvalidParameterValue", c.describe_images, Filters=filters(no_such=["x"]))
        fails("DryRunOperation", c.describe_images, DryRun=True)
        said = json.loads(aws(s, "ec2", "describe-images", "--image-ids", "aki-427d952b"))
        assert said["Images"][0]["ImageId"] == "aki-427d952b"


def ec2_refusals(program, work):
    """What is not offered, not known, or not well formed is an error with EC2's code."""
    good = {"Action": "DescribeRegions", "Version": "2016-11-15"}
    with running(program, work) as s:
        assert query(s, good)[0] == 200
        for changes, code in (
                ({"Nonsense": "1"}, "UnknownParameter"),
                ({"RegionName.1.x": "1"}, "UnknownParameter"),
                ({"RegionName.0": "us-east-1"}, "UnknownParameter"),
                ({"RegionName.1001": "us-east-1"}, "UnknownParameter"),
                ({"Filter.1.Name": "region-name"}, "InvalidParameterValue"),
                ({"AllRegions": "perhaps"}, "InvalidParameterValue"),
                ({"Version": ""}, "NoSuchVersion"),
                ({"Version": "now"}, "NoSuchVersion"),
                ({"Action": ""}, "MissingAction"),
                ({"Action": "CreateNatGateway"}, "UnsupportedOperation"),
                ({"Action": "<&>"}, "UnsupportedOperation")):
            status, got, text = query(s, dict(good, **changes))
            assert (status, got) == (400, code), (changes, status, text)
        assert query(s, list(good.items()) + [("DryRun", "true"), ("DryRun", "true")])[1] == \
            "InvalidParameterCombination"
        status, code, _ = query(s, dict(good, **{"RegionName.1": "x" * (2 << 20)}))
        assert (status, code) == (413, "RequestEntityTooLarge"), (status, code)


def ec2_signatures(program, work):
    """Version 4 in header and query, version 2; secrets, clocks and bodies that are wrong."""
    good = {"Action": "DescribeRegions", "Version": "2016-11-15", "RegionName.1": REGION}
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.utcnow()
    with running(program, work) as s:
        for auth in (botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth,
                     botocore.auth.SigV2Auth):
            for method in ("GET", "POST"):
                if auth is botocore.auth.SigV4QueryAuth and method == "POST":
                    continue  # botocore moves the form into the address
                status, _, text = query(s, good, method, auth)
                assert status == 200, (auth, method, text)

        def other_body(prepared):
            prepared.body = prepared.body.replace("DescribeRegions", "DescribeImages!")

        def other_header(prepared):
            prepared.headers["X-Amz-Extra"] = "1"

        def no_signature(prepared):
            del prepared.headers["Authorization"]

        def stranger(prepared):
            prepared.headers["Authorization"] = \
                prepared.headers["Authorization"].replace("TESTKEYONE", "TESTKEYTEN")

        for spoil, code in ((other_body, "SignatureDoesNotMatch"),
                            (other_header, "IncompleteSignature"),
                            (no_signature, "MissingAuthenticationToken"),
                            (stranger, "AuthFailure")):
            assert query(s, good, spoil=spoil)[1] == code, spoil
        for when in (now - hour, now + hour):
            assert query(s, good, now=when)[1] == "RequestExpired", when
        fails("SignatureDoesNotMatch",
              client(s, "ec2", TWO, secret="not-the-right-secret").describe_regions)
        fails("SignatureDoesNotMatch", client(s, "ec2", region="eu-west-1").describe_regions)



def ec2_replays(program, work):
    """A request that changes something is carried out again for its own client alone."""
    kept = []

    def record(prepared):
        kept.append((prepared.url, prepared.body, dict(prepared.headers)))

    def again(s):
        url, body, headers = kept[-1]
        headers["Host"] = urllib.parse.urlparse(url).netloc  # it was signed, the port is another
        try:
            urllib.request.urlopen(urllib.request.Request(
                re.sub(r"//[^/]+", "//" + urllib.parse.urlparse(s.url).netloc, url),
                body.encode() if isinstance(body, str) else body, headers, method="POST"))
            return None
        except urllib.error.HTTPError as e:
            return xml.etree.ElementTree.fromstring(e.read()).findtext(".//Code")

    change = {"Action": "DeleteTags", "Version": "2016-11-15", "ResourceId.1": "ami-00000000",
              "Tag.1.Key": "k"}
    with running(program, work) as s:
        look = {"Action": "DescribeRegions", "Version": "2016-11-15"}
        assert query(s, look, spoil=record)[0] == 200
        first = query(s, change, spoil=record)[1]
        begun = time.monotonic()
        assert first != "RequestExpired" and again(s) == first
        time.sleep(7 - (time.monotonic() - begun))
        assert again(s) == "RequestExpired"
        kept.pop()
        assert again(s) is None
        expires = (datetime.datetime.utcnow() + datetime.timedelta(minutes=5)).strftime(
            "%Y-%m-%dT%H:%M:%SZ")
        assert query(s, dict(change, Expires=expires), auth=ExpiringAuth)[1] == \
            "InvalidParameterCombination"
        assert query(s, dict(change, **{"Tag.1.Key": "other"}), spoil=record)[1] == first
    time.sleep(1)
    with running_as(program, f"{work}/pvbootd.conf") as s:
        assert again(s) == "RequestExpired"


def ec2_filters(program, work):
    """Filters and values that EC2 documents are known, where they can fit nothing, too."""
    with service(program, work) as s:
        c = client(s, "ec2")

        def found(call, answer, what, **kwargs):
            return len(call(Filters=[{"Name": k.replace("_", "-"), "Values": [v]}
                                     for k, v in kwargs.items()], **what)[answer])

        def ask(action, **kwargs):  # what botocore's model may be too old for
            status, _, text = query(s, {"Action": action, "Version": "2016-11-15", **kwargs})
            assert status == 200, text
            return text

        zones = c.describe_availability_zones, "AvailabilityZones", {}
        zone, = c.describe_availability_zones()["AvailabilityZones"]
        assert (zone["GroupName"], zone["OptInStatus"]) == (REGION, "opt-in-not-required")
        assert found(*zones, opt_in_status="opt-in-not-required", group_name=REGION) == 1
        assert found(*zones, opt_in_status="opted-in") == found(*zones, group_name="mars") == 0

        ami = image(work)
        one, = run(c, ami, InstanceType="pv.nano", TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "color", "Value": "red"}]}])
        off, = run(c, ami, InstanceType="pv.nano")
        wait(c, "running", [one, off])
        ask("StopInstances", **{"InstanceId.1": off, "SkipOsShutdown": "true"})
        wait(c, "stopped", [off])
        states = c.describe_instance_status, "InstanceStatuses", {"IncludeAllInstances": True}
        for kind in ("system", "instance"):
            for value, nr in (("passed", 1), ("failed", 0)):
                assert found(*states, **{f"{kind}-status.reachability": value}) == nr
        assert found(*states, **{"tag:color": "red"}) == 1
        assert found(*states, **{"tag:color": "blue"}) == 0
        assert found(c.describe_instances, "Reservations", {}, instance_lifecycle="spot") == 0
        assert ami in ask("DescribeImages", IncludeDisabled="false")
        offers = [c.describe_instance_type_offerings(LocationType=kind)["InstanceTypeOfferings"]
                  for kind in ("availability-zone", "availability-zone-id")]
        assert [o["Location"] for o in offers[0]] == [o["Location"] for o in offers[1]]
        assert {o["LocationType"] for o in offers[1]} == {"availability-zone-id"}
        fails("InvalidParameterValue", c.describe_instance_type_offerings, LocationType="outpost")

        snapshot(c, volume(c, Size=1))
        snaps = c.describe_snapshots, "Snapshots", {}
        assert found(*snaps) == 1 and found(*snaps, owner_alias="amazon") == 0
        for which, name in ((one, "SkipOsShutdown"), (off, "Force")):
            ask("TerminateInstances", **{"InstanceId.1": which, name: "true"})
        wait(c, "terminated", [one, off])


class ExpiringAuth(botocore.auth.SigV2Auth):
    """Version 2 with a time at which the request expires."""

    def add_auth(self, request):
        request.data.update({"AWSAccessKeyId": self.credentials.access_key,
                             "SignatureVersion": "2", "SignatureMethod": "HmacSHA256"})
        _, signature = self.calc_signature(request, request.data)
        request.data["Signature"] = signature


CASES = [ec2_places, ec2_akis, ec2_refusals, ec2_signatures, ec2_replays, ec2_filters]
