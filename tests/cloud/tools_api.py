"""ec2-register and ec2-run-instances: the bytes that they send, what they make of the answers."""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse

import instances
from clients import client
from bundles import file_system  # behind boto3: its folder has a module named as one of Python's
from tools_common import ACCESS, EC2, PVBOOTD, SECRET, check, environment, good, pvbootd, refused, tool

AUTH = ["-O", ACCESS, "-W", SECRET]
NAMESPACE = "xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'"
INSTANCE = """<item><instanceId>i-0000000%(nr)d</instanceId><imageId>ami-1</imageId>
<instanceState><code>0</code><name>%(state)s</name></instanceState><privateDnsName>ip-10</privateDnsName>
<dnsName/><amiLaunchIndex>%(nr)d</amiLaunchIndex><productCodes/><instanceType>m1.small</instanceType>
<launchTime>2026-11-26T04:00:00.000Z</launchTime><placement><availabilityZone>us-east-1a</availabilityZone>
</placement><kernelId>aki-427d952b</kernelId><monitoring><state>disabled</state></monitoring>
<stateReason><message>%(reason)s</message></stateReason><rootDeviceType>instance-store</rootDeviceType></item>"""
LINE = "INSTANCE\ti-0000000%d\tami-1\t\tip-10\t%s\t\t%d\t\tm1.small\t2026-11-26T04:00:00.000Z\t" \
       "us-east-1a\taki-427d952b\t\t\tmonitoring-disabled\t\t\t\t\tinstance-store"


def reservation(*states, reason=""):
    return "<reservationId>r-1</reservationId><ownerId>111122223333</ownerId><groupSet/>" \
           "<instancesSet>%s</instancesSet>" % "".join(
               INSTANCE % {"nr": nr, "state": state, "reason": reason}
               for nr, state in enumerate(states))


class FakeApi:
    """Answers as `answers` say, one after the other, the last for ever: (action, status, body) or
    None for a connection that just ends. Keeps what came."""

    def __init__(self, *answers):
        self.requests, answers = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer is None:
                    self.close_connection = True
                    return
                status, text = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that had enough

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forms(self):
        return [dict(urllib.parse.parse_qsl(r[3].decode(), keep_blank_values=True, strict_parsing=True))
                for r in self.requests]


@contextlib.contextmanager
def api(*answers):
    f = FakeApi(*answers)
    try:
        yield f
    finally:
        f.server.shutdown()
        f.server.server_close()


def answer(action, inner):
    return 200, "<?xml version='1.0'?><%sResponse %s><requestId>q</requestId>%s</%sResponse>" % (
        action, NAMESPACE, inner, action)


def error(status, code, message):
    return status, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors>" \
                   "<RequestID>q</RequestID></Response>" % (code, message)


def signature_of(method, path, headers, body, region):
    """Version 4, from its documentation: (what the header says, what it should say)."""
    headers = {k.lower(): v for k, v in headers.items()}
    said = dict(p.strip().split("=", 1) for p in
                headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
    names = said["SignedHeaders"].split(";")
    day, scope = headers["x-amz-date"][:8], said["Credential"].split("/", 1)[1]
    check(scope, "%s/%s/ec2/aws4_request" % (day, region))
    check({"host", "x-amz-date"} <= set(names), True)
    canonical = "\n".join([method, path, "", *("%s:%s" % (n, headers[n].strip()) for n in names), "",
                           ";".join(names), hashlib.sha256(body).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for word in (day, region, "ec2", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    return said["Signature"], hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# ---- what is sent --------------------------------------------------------------------------------

def api_requests(w):
    with api(answer("RegisterImage", "<imageId>ami-12345678</imageId>")) as f:
        where = ["--region", "eu-west-1", *AUTH]
        check(good(tool("ec2-register", "--name", "a name", "-d", "ä & b", "--no-wait", *where,
                        "bucket/p/x.manifest.xml", EC2_URL=f.url)), "IMAGE\tami-12345678")
        good(tool("ec2-register", "-n", "snap", "-s", "snap-1", "-a", "i386", "--kernel", "aki-1",
                  "--ramdisk", "ari-1", "-b", "/dev/sdb=ephemeral0", "-b", "/dev/sdc=:5:false:gp2",
                  "-b", "/dev/sdd=none", "-b", "/dev/sde=snap-2", "--root-device-name", "/dev/sda",
                  "--no-wait", *where, "-U", f.url))
        forms = f.forms()
        check(forms[0], {"Action": "RegisterImage", "Version": "2016-11-15", "Name": "a name",
                         "Description": "ä & b", "ImageLocation": "bucket/p/x.manifest.xml"})
        mapping = "BlockDeviceMapping.%d."
        check(forms[1], {
            "Action": "RegisterImage", "Version": "2016-11-15", "Name": "snap", "Architecture": "i386",
            "KernelId": "aki-1", "RamdiskId": "ari-1", "RootDeviceName": "/dev/sda",
            mapping % 1 + "DeviceName": "/dev/sdb", mapping % 1 + "VirtualName": "ephemeral0",
            mapping % 2 + "DeviceName": "/dev/sdc", mapping % 2 + "Ebs.VolumeSize": "5",
            mapping % 2 + "Ebs.DeleteOnTermination": "false", mapping % 2 + "Ebs.VolumeType": "gp2",
            mapping % 3 + "DeviceName": "/dev/sdd", mapping % 3 + "NoDevice": "",
            mapping % 4 + "DeviceName": "/dev/sde", mapping % 4 + "Ebs.SnapshotId": "snap-2",
            mapping % 5 + "DeviceName": "/dev/sda", mapping % 5 + "Ebs.SnapshotId": "snap-1"})
        for request in f.requests:
            check(*signature_of(*request, "eu-west-1"))
    (w.path / "data").write_bytes(bytes(range(256)))
    with api(answer("RunInstances", reservation("pending", "pending"))) as f:
        got = good(tool("ec2-run-instances", "ami-1", "-n", "1-2", "-t", "m1.small", "-f", w.path / "data",
                        "--kernel", "aki-1", "-g", "web", "-g", "sg-1", "-g", "db", "-k", "mine", "-z",
                        "us-east-1a", "--client-token", "t", *AUTH, EC2_URL=f.url))
        check(got.split("\n"), ["RESERVATION\tr-1\t111122223333", LINE % (0, "pending", 0),
                                LINE % (1, "pending", 1)])
        check(f.forms()[0], {
            "Action": "RunInstances", "Version": "2016-11-15", "ImageId": "ami-1", "MinCount": "1",
            "MaxCount": "2", "InstanceType": "m1.small", "KernelId": "aki-1", "ClientToken": "t",
            "SecurityGroup.1": "web", "SecurityGroup.2": "db", "SecurityGroupId.1": "sg-1",
            "KeyName": "mine", "Placement.AvailabilityZone": "us-east-1a",
            "UserData": base64.b64encode(bytes(range(256))).decode()})
        check(*signature_of(*f.requests[0], "us-east-1"))
        got = json.loads(good(tool("ec2-run-instances", "ami-1", "--json", *AUTH, EC2_URL=f.url)))
        check((got["reservation_id"], [i["instance_id"] for i in got["instances"]],
               got["instances"][0]["ramdisk_id"]), ("r-1", ["i-00000000", "i-00000001"], None))


def api_lost_answers(w):
    """Starting is sent again with the same token; registering is not, because it has none."""
    with api(None, None, answer("RunInstances", reservation("pending"))) as f:
        good(tool("ec2-run-instances", "ami-1", *AUTH, EC2_URL=f.url), "trying again")
        tokens = {form["ClientToken"] for form in f.forms()}
        check((len(f.requests), len(tokens), len(tokens.pop())), (3, 1, 32))
    with api(None, answer("RegisterImage", "<imageId>ami-1</imageId>")) as f:
        refused(tool("ec2-register", "-n", "x", *AUTH, "b/x.manifest.xml", EC2_URL=f.url),
                "whether it was done all the same is not known")
        check(len(f.requests), 1)
    with api(error(503, "RequestLimitExceeded", "slow"),
             answer("RegisterImage", "<imageId>ami-1</imageId>")) as f:
        check(good(tool("ec2-register", "-n", "x", "--no-wait", *AUTH, "b/x", EC2_URL=f.url),
                   "RequestLimitExceeded: slow; trying again"), "IMAGE\tami-1")


def api_waits(w):
    image = "<imagesSet><item><imageId>ami-1</imageId><imageState>%s</imageState><stateReason>" \
            "<code>x</code><message>%s</message></stateReason></item></imagesSet>"
    made = answer("RegisterImage", "<imageId>ami-1</imageId>")
    with api(made, error(400, "InvalidAMIID.NotFound", "not yet"),
             answer("DescribeImages", image % ("pending", "")),
             answer("DescribeImages", image % ("available", ""))) as f:
        check(good(tool("ec2-register", "-n", "x", *AUTH, "b/x", EC2_URL=f.url)), "IMAGE\tami-1")
        check((len(f.requests), f.forms()[3]["ImageId.1"]), (4, "ami-1"))
    with api(made, answer("DescribeImages", image % ("failed", "part 3 is damaged"))) as f:
        check(tool("ec2-register", "-n", "x", *AUTH, "b/x", EC2_URL=f.url),
              (1, "IMAGE\tami-1\n", "ec2-register: ami-1 is failed: part 3 is damaged\n"))
        got = tool("ec2-register", "-n", "x", "--json", *AUTH, "b/x", EC2_URL=f.url)
        check(got[0], 1)
    with api(made, answer("DescribeImages", image % ("pending", ""))) as f:
        p = subprocess.Popen([EC2, "ec2-register", "-n", "x", *AUTH, "b/x"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment(EC2_URL=f.url), text=True)
        while len(f.requests) < 2:
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        check((p.returncode, out, err),
              (1, "IMAGE\tami-1\n", "ec2-register: interrupted; ami-1 is pending, and goes on without "
                                    "this command\n"))
    started = answer("RunInstances", reservation("pending"))

    def described(state, reason=""):
        return answer("DescribeInstances", "<reservationSet><item>%s</item></reservationSet>" %
                      reservation(state, reason=reason))

    with api(started, described("pending"), described("running")) as f:
        check(good(tool("ec2-run-instances", "ami-1", "--wait", *AUTH, EC2_URL=f.url)).split("\n")[1],
              LINE % (0, "running", 0))
        check(f.forms()[1]["InstanceId.1"], "i-00000000")
    with api(started, described("terminated", "no memory")) as f:
        status, out, err = tool("ec2-run-instances", "ami-1", "--wait", *AUTH, EC2_URL=f.url)
        check((status, out.split("\n")[1], err),
              (1, LINE % (0, "terminated", 0), "ec2-run-instances: i-00000000 is terminated: no memory\n"))


def api_wrong_words(w):
    with api(error(400, "InvalidAMIID.NotFound", "none \u009b31m\u00e4")) as f:
        at = {"EC2_URL": f.url}

        def run(*more):
            return tool("ec2-run-instances", *more, *AUTH, **at)

        def register(*more):
            return tool("ec2-register", *more, *AUTH, **at)

        refused(run(), "which image?", 2)
        refused(run("ami-1", "-n", "0"), "-n is a number from 1 to 1000", 2)
        refused(run("ami-1", "-n", "3-2"), "-n is a number from 1 to 1000", 2)
        refused(run("ami-1", "-n", "3-"), "-n is a number from 1 to 1000", 2)
        refused(run("ami-1", "-d", "x", "-f", "y"), "not with both", 2)
        refused(run("ami-1", "-d", "x" * 20000), "has more than 16384 bytes", 2)
        refused(run("ami-1", "-f", "/nowhere"), "/nowhere cannot be opened", 2)
        refused(run("ami-1", "-f", "/dev/zero"), "/dev/zero has more than 16384 bytes", 2)
        refused(run("ami-1", "-b", "sda1"), "-b is DEVICE=WHAT", 2)
        refused(run("ami-1", "-b", "sda1=a:b:c:d:e"), "-b is DEVICE=WHAT", 2)
        refused(register("b/x"), "which name", 2)
        refused(register("-n", "x"), "which bundle?", 2)
        refused(register("-n", "x", "b/x", "-s", "snap-1"), "not of both", 2)
        refused(register("-n", "x", "x.manifest.xml"), "it has to lie in a bucket", 2)
        refused(register("-n", "x", "/mnt/x.manifest.xml"), "it has to lie in a bucket", 2)
        refused(tool("ec2-register", "-n", "x", "b/x", **at), "The access key is given with -O", 2)
        refused(tool("ec2-register", "-n", "x", "b/x", *AUTH), "given with --url, in EC2_URL, or as ec2-url", 2)
        check(f.requests, [])
        refused(run("ami-1"), "no instance was started: InvalidAMIID.NotFound: none \\xc2\\x9b31m\u00e4")
        # Newer and older names of the environment.
        refused(tool("ec2-run-instances", "ami-1", AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET,
                     AWS_ENDPOINT_URL=f.url, AWS_SESSION_TOKEN="tok"), "no instance was started")
        check(f.requests[-1][2]["X-Amz-Security-Token"], "tok")
    bomb = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>]><RunInstancesResponse>&a;</RunInstancesResponse>"
    for text in (bomb, "", "<a>" * 100000, "<html>hello</html", "<x/>"):
        with api((200, text)) as f:
            status, out, err = tool("ec2-run-instances", "ami-1", *AUTH, EC2_URL=f.url)
            check((status, out, err.count("\n")), (1, "", 1))
    with api((200, "x" * (20 << 20))) as f:
        refused(tool("ec2-run-instances", "ami-1", *AUTH, EC2_URL=f.url), "longer than it may be")


# ---- the service ---------------------------------------------------------------------------------

def api_registers(w):
    """From an image to an image that can be used, by the tools alone."""
    with pvbootd(w) as s:
        s3 = ["-a", ACCESS, "-s", SECRET]
        at = {"S3_URL": s.url, "EC2_URL": s.url}
        image = file_system(str(w.path / "small"))
        cert = subprocess.run(["curl", "-sf", s.url + "/cert-ec2.pem"], capture_output=True, check=True)
        (w.path / "cloud.pem").write_bytes(cert.stdout)

        def bundled(name, cloud):
            good(tool("ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", w.path, "-p", name, "-k",
                      w.path / "user.key", "-c", w.path / "user.crt", "-u", "1111-2222-3333",
                      "--ec2cert", cloud, "--kernel", "aki-427d952b"))
            return tool("ec2-upload-bundle", "-b", "images/" + name, "-m",
                        w.path / (name + ".manifest.xml"), *s3, **at)[1].strip()

        place = bundled("right", w.path / "cloud.pem")
        check(place, "images/right/right.manifest.xml")
        status, out, err = tool("ec2-register", "--name", "right", *AUTH, place, **at)
        check((status, err), (0, ""))
        check(out.startswith("IMAGE\tami-") and out.count("\n"), 1)
        found = client(s, "ec2").describe_images(ImageIds=[out.split()[1]])["Images"][0]
        check((found["State"], found["KernelId"], found["Name"], found["ImageLocation"]),
              ("available", "aki-427d952b", "right", place))
        refused(tool("ec2-register", "--name", "right", *AUTH, place, **at), "InvalidAMIName.Duplicate")
        refused(tool("ec2-register", "--name", "none", *AUTH, "images/gone.manifest.xml", **at),
                "the image was not registered: InvalidManifest")
        refused(tool("ec2-register", "--name", "none", "-O", ACCESS, "-W", "x" * 20, place, **at),
                "SignatureDoesNotMatch")
        other = bundled("other", w.path / "ec2.crt")  # for another cloud
        refused(tool("ec2-register", "--name", "other", *AUTH, other, **at), "the image was not registered: ")
        # A damaged part is found when the image is made, and the reason arrives.
        part = (w.path / "right.part.0").read_bytes()
        client(s, "s3").put_object(Bucket="images", Key="right/right.part.0",
                                   Body=part[:-1] + bytes([part[-1] ^ 1]))
        status, out, err = tool("ec2-register", "--name", "damaged", *AUTH, place, **at)
        check((status, " is failed: " in err and "right.part.0" in err or err), (1, True))


def api_runs(w):
    """Instances of the service; libvirt's test driver stands for what runs them."""
    work = str(w.path / "run")
    os.mkdir(work)
    with instances.service(PVBOOTD, work) as s:
        ami, c = instances.image(work), client(s, "ec2")

        def run(*more):
            return tool("ec2-run-instances", *more, *AUTH, EC2_URL=s.url)

        lines = good(run(ami, "-n", "2", "-t", "pv.nano", "-d", "#!/bin/sh", "-b", "/dev/sdf=:1",
                         "--kernel", "aki-427d952b", "--client-token", "once", "--wait")).split("\n")
        ids = [line.split("\t")[1] for line in lines[1:]]
        found = {i["InstanceId"]: i for i in instances.instances(c, InstanceIds=ids)}
        check(lines[0].split("\t")[2], "111122223333")
        for line in lines[1:]:
            fields, i = line.split("\t"), found[line.split("\t")[1]]
            check((fields[0], len(fields)), ("INSTANCE", 21))
            check((fields[2], fields[5], fields[7], fields[9], fields[11], fields[12], fields[20]),
                  (ami, "running", str(i["AmiLaunchIndex"]), "pv.nano", "us-east-1a", "aki-427d952b",
                   i["RootDeviceType"]))
        data = c.describe_instance_attribute(InstanceId=ids[0], Attribute="userData")
        check(base64.b64decode(data["UserData"]["Value"]), b"#!/bin/sh")
        again = json.loads(good(run(ami, "-n", "2", "-t", "pv.nano", "-d", "#!/bin/sh", "-b", "/dev/sdf=:1",
                                    "--kernel", "aki-427d952b", "--client-token", "once", "--json")))
        check([i["instance_id"] for i in again["instances"]], ids)
        check(len(instances.instances(c)), 2)
        refused(run(ami, "--client-token", "once"), "IdempotentParameterMismatch")
        refused(run("ami-0123456789abcdef0"), "no instance was started: InvalidAMIID.NotFound")
        refused(run(ami, "-k", "mine"), "no instance was started: UnsupportedOperation")
        refused(run(ami, "-t", "x9.huge"), "no instance was started: ")
        refused(run(ami, "--kernel", "aki-9ba0f1de"), "belongs to the region us-west-1")
        c.terminate_instances(InstanceIds=ids)


CASES = [api_requests, api_lost_answers, api_waits, api_wrong_words, api_registers, api_runs]
