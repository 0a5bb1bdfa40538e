"""Where bundles are read from: the own store, and another S3."""
import os
import random
import re
import subprocess
import threading

import boto3
import botocore.config

from clients import ONE, TWO, client, fails, running, running_as
from harness import Skip
from service import ACCOUNTS, REGION, write, write_config

RESULTS = ("good", "missing", "forbidden", "too large", "failed")


def read(program, config, location, account=ONE, bytes_max=1 << 30):
    """(result, bytes or sentence) of the reader beside `program`."""
    done = subprocess.run([f"{os.path.dirname(program)}/read-bucket", config, account, location,
                           str(bytes_max)], capture_output=True, timeout=120, check=False)
    if done.returncode == 0:
        return "good", done.stdout
    assert done.returncode < len(RESULTS), done.stderr
    assert not done.stdout
    return RESULTS[done.returncode], done.stderr.decode()


def fill(s, data):
    c = client(s, "s3")
    c.create_bucket(Bucket="bundles")
    c.put_object(Bucket="bundles", Key="a/b c+d%~ü&=(1)", Body=data)
    c.put_object(Bucket="bundles", Key="empty", Body=b"")


def check_reads(program, config, data):
    name = "bundles/a/b c+d%~ü&=(1)"
    assert read(program, config, name) == ("good", data)
    assert read(program, config, "/" + name) == ("good", data)
    assert read(program, config, name, bytes_max=len(data)) == ("good", data)
    assert read(program, config, "bundles/empty", bytes_max=0) == ("good", b"")
    assert read(program, config, name, bytes_max=len(data) - 1)[0] == "too large"
    for location in ("bundles/none", "elsewhere/none", "bundles", "bundles/", "/", "", "//x",
                     "b" * 70 + "/x"):
        assert read(program, config, location)[0] == "missing", location
    result, said = read(program, config, name, account=TWO)
    assert result == "forbidden", (result, said)


def source_own(program, work):
    """From the own store."""
    data = random.Random(5).randbytes(700_001)
    with running(program, work) as s:
        fill(s, data)
    check_reads(program, f"{work}/pvbootd.conf", data)


def source_elsewhere(program, work):
    """From another S3, with each account's own login there; the own store says where to go."""
    data = random.Random(6).randbytes(3_000_001)
    os.makedirs(f"{work}/far")
    os.makedirs(f"{work}/near/state")
    with running(program, f"{work}/far") as far:
        fill(far, data)
        config = write_config(f"{work}/near", extra=f"s3-url = {far.url}\n")
        with open(config) as f:
            lines = f.read().splitlines()
        out = []
        for line in lines:
            out.append(line)
            if line.startswith("[account "):
                account = line[9:21]
                out += [f"s3-access-key = {ACCOUNTS[account][0]}",
                        f"s3-secret-file = {work}/far/secret-{account}"]
        write(config, "\n".join(out) + "\n")
        check_reads(program, config, data)
        tmp = os.listdir(f"{work}/near/state/tmp")
        assert not tmp, tmp
        write(f"{work}/wrong", "not-the-secret-at-all\n")
        config = write_config(f"{work}/near", extra=f"s3-url = {far.url}\n"
                              f"s3-access-key = {ACCOUNTS[ONE][0]}\n"
                              f"s3-secret-file = {work}/wrong")
        result, said = read(program, config, "bundles/empty")
        assert result == "forbidden" and "403" in said and "not-the-secret" not in said, said
    result, said = read(program, config, "bundles/empty")
    assert result == "failed" and "cannot be read" in said, said
    with running_as(program, config) as near:
        message = fails("NotImplemented", client(near, "s3").list_buckets)
        assert far.url in message, message



def source_s3rver(program, work):
    """From an S3 server of other people."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    got = subprocess.run([f"{top}/tools/fetch-s3-server.sh"], capture_output=True, text=True,
                         check=False)
    if got.returncode:
        raise Skip(f"no S3 server of other people: {got.stdout.strip(' -')}")
    data = random.Random(7).randbytes(900_001)
    with subprocess.Popen([got.stdout.strip(), "-d", f"{work}/s3", "-a", "127.0.0.1", "-p", "0",
                           "--no-vhost-buckets"], stdout=subprocess.PIPE, text=True) as server:
        try:
            at = next(m.group(1) for m in (re.search(r"listening on (\S+)", line)
                                           for line in server.stdout) if m)
            threading.Thread(target=server.stdout.read, daemon=True).start()
            c = boto3.client("s3", endpoint_url=f"http://{at}", region_name=REGION,
                             aws_access_key_id="S3RVER", aws_secret_access_key="S3RVER",
                             config=botocore.config.Config(s3={"addressing_style": "path"}))
            c.create_bucket(Bucket="bundles")
            c.put_object(Bucket="bundles", Key="today/disk.part.0", Body=data)
            os.makedirs(f"{work}/state")
            write(f"{work}/secret", "S3RVER\n")
            config = write_config(work, extra=f"s3-url = http://{at}\ns3-access-key = S3RVER\n"
                                              f"s3-secret-file = {work}/secret\n")
            assert read(program, config, "bundles/today/disk.part.0") == ("good", data)
            assert read(program, config, "bundles/today/disk.part.0", bytes_max=900_000)[0] == \
                "too large"
            assert read(program, config, "bundles/none")[0] == "missing"
            # (It knows who somebody is, but not whether it is true.)
            write_config(work, extra=f"s3-url = http://{at}\ns3-access-key = NOBODY\n"
                                     f"s3-secret-file = {work}/secret\n")
            result, said = read(program, config, "bundles/today/disk.part.0")
            assert result == "forbidden", (result, said[:300])
        finally:
            server.terminate()

CASES = [source_own, source_elsewhere, source_s3rver]
