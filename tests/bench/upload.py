#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ec2-upload-bundle and ec2-download-bundle against `aws s3 cp --recursive`, in turn, to and from a
pvbootd on the same machine.

    tests/bench/upload.py build/pvboot-ec2 build/pvbootd [--runs N] [--mib N]
"""
import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cloud"))

from clients import ONE, aws, client  # noqa: E402
from service import ACCOUNTS, Service, write_config  # noqa: E402

MIB = 1 << 20


def bundle(tool, work, mib):
    run = lambda *args: subprocess.run([str(a) for a in args], check=True, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
        "-keyout", work / "key", "-out", work / "crt")
    with open(work / "disk", "wb") as f:
        for _ in range(mib):
            f.write(os.urandom(MIB))
    (work / "bundle").mkdir()
    run(tool, "ec2-bundle-image", "-i", work / "disk", "-r", "x86_64", "-d", work / "bundle", "-k",
        work / "key", "-c", work / "crt", "-u", ONE, "--ec2cert", work / "crt")
    return work / "bundle"


def seconds(call):
    """On the clock, and of the processor for the client alone."""
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)


def empty(s3, bucket):
    for o in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=o["Key"])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("tool")
    p.add_argument("pvbootd")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--mib", type=int, default=200)
    o = p.parse_args()
    work = Path(tempfile.mkdtemp(prefix="pvboot-upload-"))
    s = None
    try:
        folder = bundle(o.tool, work, o.mib)
        s = Service(o.pvbootd, write_config(str(work)))
        s3 = client(s, "s3")
        key, secret = ACCOUNTS[ONE]
        s3.create_bucket(Bucket="bench")

        def ours(name, *more):
            subprocess.run([o.tool, name, "-b", "bench", "-a", key, "-s", secret, "--url", s.url,
                            *map(str, more)], check=True, stdout=subprocess.DEVNULL)

        times = {}
        for nr in range(o.runs):
            for way, send, fetch in (
                    ("pvboot-ec2", lambda: ours("ec2-upload-bundle", "-m", folder / "disk.manifest.xml"),
                     lambda: ours("ec2-download-bundle", "-p", "disk", "-d", work / "out")),
                    ("aws s3 cp", lambda: aws(s, "s3", "cp", "--recursive", str(folder), "s3://bench"),
                     lambda: aws(s, "s3", "cp", "--recursive", "s3://bench", str(work / "out")))):
                empty(s3, "bench")
                (work / "out").mkdir()
                times.setdefault((way, "up"), []).append(seconds(send))
                times.setdefault((way, "down"), []).append(seconds(fetch))
                shutil.rmtree(work / "out")
        for direction in ("up", "down"):
            middle = {way: [statistics.median(x) for x in zip(*t)]
                      for (way, d), t in times.items() if d == direction}
            for way, (clock, used) in middle.items():
                print("%-4s  %-10s  %5.2f s  %4.0f MiB/s  ratio %.2f   processor %5.2f s  ratio %.2f" % (
                    direction, way, clock, o.mib / clock, clock / middle["aws s3 cp"][0], used,
                    used / middle["aws s3 cp"][1]))
    finally:
        if s:
            s.stop()
        shutil.rmtree(work)


main()
