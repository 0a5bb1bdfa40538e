#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tools that talk to services. ec2-upload-bundle, ec2-download-bundle and ec2-delete-bundle
against pvbootd, against an S3 server of other people (tools/fetch-s3-server.sh), and against one
that misbehaves; the tools of the Query API (tools_api.py) against pvbootd and against a fake.

    tests/cloud/transfer.py build/pvboot-ec2 build/pvbootd [NAME]...
"""
import contextlib
import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import tools_api  # noqa: E402
from clients import client  # noqa: E402
from fake_s3 import FakeS3  # noqa: E402
from harness import Skip, suite  # noqa: E402
from service import Service, write_config  # noqa: E402
from tools_common import (ACCESS, EC2, KEYS, PVBOOTD, SECRET, TOP, Work, check,  # noqa: E402
                          environment, good, keys_in, pvbootd, refused, tool)

BUCKET = "MyReallyCoolBucketLocation"


# ---- round trips ---------------------------------------------------------------------------------

def round_trip(w):
    """As the old manual has it: the address stands in the file, nowhere else."""
    with pvbootd(w) as s:
        conf = w.path / "ec2.conf"
        conf.write_text("# where\n\ns3-url = %s/\nregion = us-east-1\n" % s.url)
        env = environment(PVBOOT_EC2_CONF=str(conf))
        got = tool("ec2-upload-bundle", "-b", BUCKET, "-m", w.manifest, *KEYS, env=env)
        check(good(got, "made the bucket"), BUCKET + "/disk.manifest.xml")
        check(keys_in(s, BUCKET), ["disk.manifest.xml", *w.parts()])
        puts = [line for line in s.log if "action=PutObject" in line]
        check("disk.manifest.xml" in puts[-1], True)
        check(good(w.download(w.path / "out", "-p", "disk", bucket=BUCKET, env=env)),
              str(w.path / "out/disk.manifest.xml"))
        w.same_image(w.path / "out")
        # Under a prefix, the secret from the environment, the region by its old name.
        got = tool("ec2-upload-bundle", "-b", BUCKET + "/a b/c+d/", "-m", w.manifest, "--location",
                   "US", "--url", s.url, AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)
        check(good(got), BUCKET + "/a b/c+d/disk.manifest.xml")
        check(good(w.download(w.path / "out2", "-m", "disk.manifest.xml", "-k", w.path / "user.key",
                              bucket=BUCKET + "/a b/c+d", env=env)),
              str(w.path / "out2/disk.manifest.xml"))
        w.same_image(w.path / "out2")


def other_server(w):
    got = subprocess.run([TOP / "tools/fetch-s3-server.sh"], capture_output=True, text=True)
    if got.returncode:
        raise Skip("no S3 server of other people: %s" % got.stdout.strip(" -\n"))
    p = subprocess.Popen([got.stdout.strip(), "-d", w.path / "s3", "-a", "127.0.0.1", "-p", "0",
                          "--no-vhost-buckets"], stdout=subprocess.PIPE, text=True)
    try:
        for line in p.stdout:
            found = re.search(r"listening on (\S+)", line)
            if found:
                break
        threading.Thread(target=p.stdout.read, daemon=True).start()
        keys, env = ["-a", "S3RVER", "-s", "S3RVER"], {"S3_URL": "http://" + found.group(1)}
        where = "my-bucket/images/today"
        check(good(w.upload(bucket=where, keys=keys, **env), "made the bucket"),
              where + "/disk.manifest.xml")
        good(w.upload(bucket=where, keys=keys, **env), "5 of 5 parts were in the bucket already")
        good(w.download(w.path / "out", "-p", "disk", bucket=where, keys=keys, **env))
        w.same_image(w.path / "out")
        refused(w.upload(bucket="Not_A_Bucket", keys=keys, **env), "InvalidBucketName")
        refused(w.upload(bucket="my-bucket", keys=["-a", "NOBODY", "-s", "x"], **env),
                "InvalidAccessKeyId")
        status, out, err = tool("ec2-delete-bundle", "-b", where, "-p", "disk", *keys, "--clear", **env)
        # That server may fail when two objects of a folder go at once (it lists a folder that the
        # other removed); the tool asks again, and says so.
        err = re.sub("^ec2-delete-bundle: .* InternalError: .*; trying again in .* s\n", "", err,
                     flags=re.M)
        check(good((status, out, err)),
              "removed images/today/disk.manifest.xml and 5 parts from my-bucket\n"
              "removed the bucket my-bucket")
        refused(w.download(w.path / "out3", "-p", "disk", bucket=where, keys=keys, **env),
                "NoSuchBucket")
    finally:
        p.kill()
        p.wait()


def over_tls(w):
    at = w.path
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    at / "tls.key", "-out", at / "tls.crt"], check=True, stderr=subprocess.DEVNULL)
    with pvbootd(w, "tls-certificate = %s/tls.crt\ntls-key = %s/tls.key" % (at, at)) as s:
        good(w.upload("--url", s.url, "--cacert", at / "tls.crt"), "made the bucket")
        good(w.download(at / "out", "-p", "disk", S3_URL=s.url, AWS_CA_BUNDLE=str(at / "tls.crt")))
        w.same_image(at / "out")
        refused(w.upload("--url", s.url), "is not trusted")
        refused(w.upload("--url", s.url, "--cacert", at / "gone"), "cannot be read", 2)


# ---- interruptions -------------------------------------------------------------------------------

def held_upload(w, f, stored, *more):
    """A running upload that waits for the server, which has `stored` parts."""
    p = subprocess.Popen([EC2, "ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, *KEYS, *more],
                         env=environment(S3_URL=f.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.time() + 60
    while (len(f.objects) < stored or len(f.puts) <= stored) and time.time() < end:
        time.sleep(0.01)
    check(len(f.objects), stored)
    return p


def resumes(w):
    """Killed with two parts there; the second run sends the other three and the manifest."""
    for nr in (signal.SIGKILL, signal.SIGINT):
        let = threading.Event()

        def hold(handler, nr_put):
            first = "Credential=FIRST/" in handler.headers["Authorization"]
            if first and (nr_put > 2 or let.is_set()):  # also what it had sent when it was killed
                let.wait(60)
                handler.close_connection = True
                return True
            return False

        with FakeS3(hold) as f:
            p = held_upload(w, f, 2, "-a", "FIRST")
            p.send_signal(nr)
            out, err = p.communicate(timeout=60)
            check(out, b"")
            if nr == signal.SIGINT:
                last = err.decode().splitlines()[-1]
                check((p.returncode, re.sub("[012] of 5", "N of 5", last)),
                      (1, "ec2-upload-bundle: interrupted; N of 5 parts are in the bucket, and the "
                          "same command goes on with the others"))
            let.set()
            there = set(f.objects)
            f.stored.clear()
            good(w.upload(S3_URL=f.url), "2 of 5 parts were in the bucket already")
            check(sorted(f.stored), sorted({"/b-one/" + p for p in w.parts()} - there |
                                         {"/b-one/disk.manifest.xml"}))
            check(f.stored[-1], "/b-one/disk.manifest.xml")
            # A part that is there with other bytes is sent again.
            f.stored.clear()
            f.objects["/b-one/disk.part.3"] = f.objects["/b-one/disk.part.3"][:-1] + b"?"
            good(w.upload(S3_URL=f.url), "4 of 5 parts")
            check(f.stored, ["/b-one/disk.part.3", "/b-one/disk.manifest.xml"])


def resumes_at_pvbootd(w):
    """Killed wherever it is, against a real server: no part is stored twice."""
    with pvbootd(w) as s:
        client(s, "s3").create_bucket(Bucket="b-one")
        p = subprocess.Popen([EC2, "ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, *KEYS],
                             env=environment(S3_URL=s.url), stdout=subprocess.DEVNULL)
        while not any("action=PutObject" in line for line in s.log) and p.poll() is None:
            time.sleep(0.001)
        p.kill()
        p.wait()
        time.sleep(0.5)  # what the server still had from it
        there = [k for k in keys_in(s, "b-one") if ".part." in k]
        before = len(s.log)
        got = w.upload(S3_URL=s.url)
        check(got[0], 0)
        sent = [line for line in s.log[before:] if "action=PutObject" in line and ".part." in line]
        check(len(sent), 5 - len(there))
        check(keys_in(s, "b-one"), ["disk.manifest.xml", *w.parts()])


def download_resumes(w):
    with pvbootd(w) as s:
        good(w.upload(S3_URL=s.url), "made")
        out = w.path / "out"
        out.mkdir()
        for name in w.parts()[:2]:
            shutil.copy(w.path / "bundle" / name, out)
        (out / "disk.part.2.part").write_bytes(b"half of it" * 100)
        before = len(s.log)
        good(w.download(out, "-p", "disk", S3_URL=s.url))
        fetched = [line for line in s.log[before:] if "action=GetObject" in line and ".part." in line]
        check(len(fetched), 3)
        check(sorted(os.listdir(out)), ["disk.manifest.xml", *w.parts()])
        w.same_image(out)
        # What is there and is something else is not touched.
        (out / "disk.part.1").write_bytes(b"mine")
        refused(w.download(out, "-p", "disk", S3_URL=s.url), "disk.part.1 is there already, and is not")
        check((out / "disk.part.1").read_bytes(), b"mine")
        refused(w.download(w.path / "o2", "-p", "disk", "-k", w.path / "other.key", S3_URL=s.url),
                "the signature does not match")
        client(s, "s3").put_object(Bucket="b-one", Key="disk.part.4", Body=b"damaged")
        refused(w.download(w.path / "o3", "-p", "disk", S3_URL=s.url),
                "disk.part.4 is damaged in the bucket")
        check("disk.manifest.xml" in os.listdir(w.path / "o3"), False)
        check([n for n in os.listdir(w.path / "o3") if n.endswith(".part")], [])
        refused(w.download(w.path / "o4", "-p", "gone", S3_URL=s.url), "NoSuchKey")
        client(s, "s3").put_object(Bucket="b-one", Key="x.manifest.xml", Body=b"<manifest>")
        refused(w.download(w.path / "o4", "-p", "x", S3_URL=s.url), "b-one/x.manifest.xml: line 1")


# ---- servers that fail ---------------------------------------------------------------------------

def tries_again(w):
    def busy(handler, nr):
        if nr == 1:
            handler.error(503, "SlowDown")
        elif nr == 2:
            handler.close_connection = True  # without a word
        elif nr == 3:
            handler.error(400, "RequestTimeout")
        elif nr == 4:
            handler.reply(500, b"<html>oops</html>")
        return nr <= 4

    with FakeS3(busy) as f:
        got = w.upload("--retry", "5", S3_URL=f.url)
        check((got[0], got[2].count("trying again")), (0, 4))
        check(len(f.objects), 6)
    with FakeS3(lambda handler, nr: handler.error(503, "SlowDown") or True) as f:
        refused(w.upload("--retry=1", S3_URL=f.url), "SlowDown: SlowDown, says the fake. (tried 2 times)")
        check(f.objects, {})
    with FakeS3(lambda handler, nr: handler.error(403, "AccessDenied") or True) as f:
        refused(w.upload(S3_URL=f.url), "was not stored in the bucket b-one: AccessDenied: AccessDenied, "
                                        "says the fake.")
        check(len(f.puts) <= 4, True)


def server_dies(w):
    """pvbootd is killed in the middle and comes back at the same address."""
    svc = w.path / "svc"
    svc.mkdir()
    s = Service(PVBOOTD, write_config(str(svc)))
    port = s.url.rsplit(":", 1)[1]
    again = None
    try:
        client(s, "s3").create_bucket(Bucket="b-one")
        p = subprocess.Popen([EC2, "ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, *KEYS],
                             env=environment(S3_URL=s.url), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        while not any("action=PutObject" in line for line in s.log) and p.poll() is None:
            time.sleep(0.001)
        s.kill()
        conf = (svc / "pvbootd.conf").read_text().replace("127.0.0.1:0", "127.0.0.1:" + port)
        (svc / "pvbootd.conf").write_text(conf)
        again = Service(PVBOOTD, str(svc / "pvbootd.conf"))
        out, err = p.communicate(timeout=120)
        check((p.returncode, out), (0, "b-one/disk.manifest.xml\n"))
        check(keys_in(again, "b-one"), ["disk.manifest.xml", *w.parts()])
        good(w.download(w.path / "out", "-p", "disk", S3_URL=again.url))
        w.same_image(w.path / "out")
    finally:
        if again:
            check(again.stop(), 0)


def server_lies(w):
    def lie(handler, nr):
        handler.reply(200, ETag='"%032x"' % nr)
        return True

    with FakeS3(lie) as f:
        refused(w.upload("--retry=0", S3_URL=f.url), "the server says that it has other bytes")
        check(any("manifest" in p for p in f.puts), False)

    def kms(handler, nr):
        handler.reply(200, ETag='"%032x"' % nr, **{"x-amz-server-side-encryption": "aws:kms"})
        return True

    with FakeS3(kms) as f:
        good(w.upload(S3_URL=f.url), "made")
        check(all(h["Content-MD5"] for h in f.headers), True)
        check({h["x-amz-acl"] for h in f.headers}, {"aws-exec-read"})


def server_ignores_the_prefix(w):
    """Its listings hold other keys, shorter than the prefix, too."""
    with FakeS3() as f:
        f.ignores_prefix = True
        f.buckets.add("/b-one")
        others = {"/b-one/a": b"1", "/b-one/z": b"2", "/b-one/k.e.y": b"3", "/b-one/x.part.0": b"4"}
        f.objects.update(others)
        folder = "b-one/" + "long/" * 40
        good(w.upload(bucket=folder, S3_URL=f.url))
        del f.objects["/" + folder + "disk.manifest.xml"]
        check(w.upload("--skipmanifest", bucket=folder, S3_URL=f.url)[2].split(": ")[1],
              "5 of 5 parts were in the bucket already\n")
        good(tool("ec2-delete-bundle", "-b", folder, "-p", "disk", *KEYS, S3_URL=f.url))
        check(f.objects, others)
        good(w.upload(S3_URL=f.url))
        f.deleted.clear()
        good(tool("ec2-delete-bundle", "-b", "b-one", "-p", "disk", *KEYS, S3_URL=f.url))
        check((f.deleted[0], len(f.deleted)), ("/b-one/disk.manifest.xml", 6))
        # Nobody knows what there is where nothing is listed.
        good(w.upload(S3_URL=f.url))
        f.lists_nothing = True
        check(good(tool("ec2-delete-bundle", "-b", "b-one", "-m", w.manifest, *KEYS, S3_URL=f.url)),
              "removed what was there of disk.manifest.xml and 5 parts from b-one")
        check(f.objects, others)


# ---- what is wrong here --------------------------------------------------------------------------

def damaged_parts(w):
    part = w.path / "bundle/disk.part.3"
    whole = part.read_bytes()
    with pvbootd(w) as s:
        for content in (whole[:-1], whole[:5] + b"?" + whole[6:]):
            part.write_bytes(content)
            refused(w.upload(S3_URL=s.url), "disk.part.3 is damaged: its digest is not the one")
            check("disk.manifest.xml" in keys_in(s, "b-one"), False)
            check("disk.part.3" in keys_in(s, "b-one"), False)
        part.unlink()
        refused(w.upload(S3_URL=s.url), "part 4 of 5, %s, is not there" % part)
        part.mkdir()
        refused(w.upload(S3_URL=s.url), "is not there: it is no file")
        part.rmdir()
        part.write_bytes(whole)
        check(w.upload("--part", "3", "--skipmanifest", S3_URL=s.url)[:2], (0, ""))
        check("disk.manifest.xml" in keys_in(s, "b-one"), False)
        client(s, "s3").delete_object(Bucket="b-one", Key="disk.part.1")
        refused(w.upload("--part", "3", S3_URL=s.url), "part 1, disk.part.1, is not in the bucket")
        refused(w.upload("--part", "9", S3_URL=s.url), "the bundle has 5 parts")
        os.rename(w.path / "bundle", w.path / "parts")
        (w.path / "bundle").mkdir()
        os.rename(w.path / "parts/disk.manifest.xml", w.manifest)
        got = w.upload("-d", w.path / "parts", S3_URL=s.url)
        check((got[0], len(keys_in(s, "b-one"))), (0, 6))


def wrong_words(w):
    none = ["--retry=0"]
    with pvbootd(w) as s:
        at = {"S3_URL": s.url}
        refused(w.upload(keys=["-a", ACCESS, "-s", "x" * 20], **at), "SignatureDoesNotMatch")
        refused(w.upload(keys=["-a", "NOBODY", "-s", SECRET], **at), "InvalidAccessKeyId")
        refused(w.upload(bucket="x", **at), "InvalidBucketName")
        refused(w.upload("--region", "eu-west-1", **at), "AuthorizationHeaderMalformed")
        refused(w.upload(bucket="a?b", **at), "a bucket's name is of letters", 2)
        refused(w.upload(bucket="/x", **at), "a bucket's name is of letters", 2)
        refused(w.upload("--region", "EU west", **at), "a region is of small letters", 2)
        refused(w.upload("--retry=many", **at), "--retry takes a number", 2)
        refused(w.upload("--part", "x", **at), "--part takes the number", 2)
        refused(w.upload("--acl", "a: b", **at), "--acl is a word", 2)
        refused(w.upload("more", **at), '"more" is no option', 2)
        refused(w.upload("--gone", **at), "--gone is no option", 2)
        refused(tool("ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, **at),
                "which account? The access key is given with -a, or in AWS_ACCESS_KEY", 2)
        refused(tool("ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, "-a", "x", **at),
                "which account? The secret key is given with -s, or in AWS_SECRET_KEY", 2)
        refused(tool("ec2-upload-bundle", "-b", "b-one", *KEYS, **at), "which bundle?", 2)
        refused(tool("ec2-upload-bundle", "-m", w.manifest, *KEYS, **at), "which bucket?", 2)
        refused(tool("ec2-upload-bundle", "-m", w.path / "gone", "-b", "b-one", *KEYS, **at),
                "gone cannot be opened")
        refused(tool("ec2-upload-bundle", "-m", w.path / "bundle/dsik.manifest.xml", "-b", "b-one", *KEYS,
                     **at), "cannot be opened: No such file or directory; the manifest there is disk.manifest.xml")
        refused(tool("ec2-download-bundle", "-b", "b-one", "-m", "../x", *KEYS, **at),
                "the manifest's name is a file's name", 2)
        got = w.upload(**at)
        check(got[0], 0)
        client(s, "s3", "444455556666").create_bucket(Bucket="theirs")
        refused(w.upload(bucket="theirs", **at), "AccessDenied")
        # An encrypted bundle's kernel of another region is worth a warning.
        text = w.manifest.read_text()
        w.manifest.write_text(text.replace("aki-427d952b", "aki-9ba0f1de"))
        good(w.upload(**at), "warning: the bundle's kernel aki-9ba0f1de belongs to us-west-1")
        url = s.url
    refused(w.upload(*none), "which service? Its address is given with --url, in S3_URL, or as s3-url", 2)
    refused(w.upload(*none, S3_URL=url), "cannot be reached")
    refused(w.upload(*none, S3_URL="ftp://x"), "the address of a service is https://")
    refused(w.upload(*none, S3_URL="http://x/?a"), "the address of a service is https://")
    conf = w.path / "conf"
    for text, said in (("s3-url http://x\n", 'conf:1: a line is "name = value"'),
                       ("\nurl = x\n", 'conf:2: there is no setting "url"'),
                       ("x" * 2000, "conf:1: the line is longer")):
        conf.write_text(text)
        refused(w.upload(PVBOOT_EC2_CONF=str(conf)), said, 2)
    refused(w.upload(PVBOOT_EC2_CONF="/nowhere"), "/nowhere cannot be opened", 2)
    with socket.socket() as listener:  # takes connections and says what is no HTTP
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = listener.accept()
                    c.recv(10000)
                    c.sendall(b"SSH-2.0-x\r\n")
                    c.close()

        threading.Thread(target=answer, daemon=True).start()
        got = w.upload(*none, S3_URL="http://127.0.0.1:%d" % listener.getsockname()[1])
        check(got[0], 1)
        listener.shutdown(socket.SHUT_RDWR)
    with FakeS3() as f:
        f.buckets.add("/b-one")
        f.objects["/b-one/disk.manifest.xml"] = b"<!DOCTYPE x [<!ENTITY a 'b'>]><manifest/>"
        refused(w.download(w.path / "o", "-p", "disk", S3_URL=f.url), "disk.manifest.xml: line 1")


def hides_the_secret(w):
    let = threading.Event()
    with FakeS3(lambda handler, nr: nr > 1 and let.wait(60) and False) as f:
        p = held_upload(w, f, 1, "-t", "a-delegation-token")
        shown = Path("/proc/%d/cmdline" % p.pid).read_bytes()
        let.set()
        check(p.wait(60), 0)
        check((SECRET.encode() in shown, b"a-delegation-token" in shown, ACCESS.encode() in shown),
              (False, False, True))
        p.communicate()
        check(SECRET in str([str(h) for h in f.headers]), False)
        check({h["X-Amz-Security-Token"] for h in f.headers}, {"a-delegation-token"})


def leaves_no_core(w):
    """Where another program leaves one: keys and secrets are in the memory."""
    program = EC2.removesuffix("-asan")  # the sanitizers leave none by themselves

    def dumps(p):
        return bool(os.WCOREDUMP(os.waitpid(p.pid, 0)[1]))

    def start(args, **more):
        return subprocess.Popen(args, cwd=w.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more,
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))

    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    other = start(["sleep", "60"])
    other.send_signal(signal.SIGABRT)
    if not dumps(other):
        raise Skip("nothing leaves a core on this machine")
    let = threading.Event()
    with FakeS3(lambda handler, nr: let.wait(60) and False) as f:
        p = start([program, "ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, *KEYS],
                  env=environment(S3_URL=f.url))
        while not f.puts:
            check(p.poll(), None)
            time.sleep(0.01)
        p.send_signal(signal.SIGABRT)
        check(dumps(p), False)
        let.set()


def download_follows_no_links(w):
    victim, out = w.path / "victim", w.path / "out"
    victim.write_bytes(b"mine")
    out.mkdir()
    with pvbootd(w) as s:
        good(w.upload(S3_URL=s.url), "made")
        for name, said in (("disk.part.1", "disk.part.1 is there already, and is not"),
                           ("disk.part.1.part", "disk.part.1.part cannot be written"),
                           ("disk.manifest.xml.part", "disk.manifest.xml.part cannot be written")):
            (out / name).symlink_to(victim)
            refused(w.download(out, "-p", "disk", S3_URL=s.url), said)
            check((victim.read_bytes(), (out / name).is_symlink()), (b"mine", True))
            (out / name).unlink()
        (out / "disk.manifest.xml").symlink_to(victim)
        good(w.download(out, "-p", "disk", S3_URL=s.url))
        check((victim.read_bytes(), (out / "disk.manifest.xml").is_symlink()), (b"mine", False))
        w.same_image(out)


def deletes(w):
    def delete(*more, **env):
        return tool("ec2-delete-bundle", "-b", "b-one/p", *KEYS, *more, **env)

    with pvbootd(w) as s:
        at = {"S3_URL": s.url}
        good(w.upload(bucket="b-one/p", **at), "made")
        s3 = client(s, "s3")
        s3.put_object(Bucket="b-one", Key="p/disk.part.note", Body=b"")
        check(good(delete("-m", w.manifest, "--clear", **at), "holds other things and stays"),
              "removed p/disk.manifest.xml and 5 parts from b-one")
        check(keys_in(s, "b-one"), ["p/disk.part.note"])
        # The manifest is gone and parts are left: found by their names.
        good(w.upload("--skipmanifest", bucket="b-one/p", **at))
        s3.delete_object(Bucket="b-one", Key="p/disk.part.2")
        check(good(delete("-p", "disk", **at)), "removed 4 parts from b-one")
        check(keys_in(s, "b-one"), ["p/disk.part.note"])
        refused(delete("-p", "disk", **at), "there is no bundle disk in b-one/p")
        refused(delete("-m", w.manifest, "--clear", **at), "there is no bundle disk in b-one/p")
        # The file here names what is not there: what goes is told, and only that.
        good(w.upload("--skipmanifest", bucket="b-one/p", **at))
        s3.delete_object(Bucket="b-one", Key="p/disk.part.0")
        check(good(delete("-m", w.manifest, **at)), "removed 4 parts from b-one")
        refused(delete("-m", w.manifest, **at), "there is no bundle disk in b-one/p")
        good(w.upload(bucket="b-one/p", **at))
        s3.delete_object(Bucket="b-one", Key="p/disk.part.4")
        check(good(delete("-p", "disk", **at)), "removed p/disk.manifest.xml and 4 parts from b-one")
        check(keys_in(s, "b-one"), ["p/disk.part.note"])
        s3.delete_object(Bucket="b-one", Key="p/disk.part.note")
        good(w.upload(bucket="b-one/p", **at))
        good(delete("-p", "disk", "-y", "--clear", **at))
        check(s3.list_buckets()["Buckets"], [])
        refused(delete("-p", "disk", **at), "NoSuchBucket")
        refused(delete("-p", "disk", "-m", "x", **at), "which bundle?", 2)
        refused(delete("-p", "a/b", **at), "-p takes a bundle's name", 2)


def on_terminal(w, answer, name, *args):
    """(status, what the terminal showed) of a tool whose terminal is a person's."""
    person, terminal = pty.openpty()
    p = subprocess.Popen([EC2, name, *map(str, args)], stdin=terminal, stdout=terminal, stderr=terminal,
                         env=environment())
    os.close(terminal)
    os.write(person, answer)
    shown = b""
    with contextlib.suppress(OSError):  # its other end closes
        while piece := os.read(person, 65536):
            shown += piece
    os.close(person)
    return p.wait(60), shown.decode()


def terminals(w):
    with pvbootd(w) as s:
        status, shown = on_terminal(w, b"", "ec2-upload-bundle", "-b", "b-one", "-m", w.manifest, *KEYS,
                                    "--url", s.url)
        check((status, "[##############################] 100%" in shown, "\x1b[K" in shown), (0, True, True))
        delete = ["ec2-delete-bundle", "-b", "b-one", "-p", "disk", *KEYS, "--url", s.url]
        for answer in (b"n\n", b"\n", b"\4"):
            status, shown = on_terminal(w, answer, *delete)
            check((status, "Remove disk.manifest.xml and 5 parts from b-one? [y/N]" in shown,
                   "nothing was removed" in shown), (1, True, True))
        check(len(keys_in(s, "b-one")), 6)
        check(on_terminal(w, b"y\n", *delete)[0], 0)
        check(keys_in(s, "b-one"), [])
        good(w.upload(S3_URL=s.url))
        status, shown = on_terminal(w, b"", *delete, "-y")
        check((status, "[y/N]" in shown), (0, False))


def same_memory(w):
    """Parts are streamed: much less memory than one part on each connection. (Without the
    sanitizers, which keep what was freed.)"""
    program = EC2.removesuffix("-asan")
    with pvbootd(w) as s:
        for command in (["ec2-upload-bundle", "-b", "b-one", "-m", w.manifest],
                        ["ec2-download-bundle", "-b", "b-one", "-p", "disk", "-d", w.path]):
            p = subprocess.Popen([program, *map(str, command), *KEYS], env=environment(S3_URL=s.url),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            most = 0
            while p.poll() is None:
                found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/%d/status" % p.pid).read_text())
                most = max(most, int(found.group(1)) if found else 0)
            check((p.returncode, 0 < most < 32 * 1024 or most), (0, True))


CASES = [round_trip, other_server, over_tls, resumes, resumes_at_pvbootd, download_resumes,
         tries_again, server_dies, server_lies, server_ignores_the_prefix, damaged_parts, wrong_words,
         hides_the_secret, leaves_no_core, download_follows_no_links, deletes,
         terminals, same_memory, *tools_api.CASES]


try:
    STATUS = suite.run_cases(CASES, lambda _case: Work(), sys.argv[3:])
finally:
    if Work.made is not None:
        shutil.rmtree(Work.made, ignore_errors=True)
sys.exit(STATUS)
