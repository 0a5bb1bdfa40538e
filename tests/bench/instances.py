#!/usr/bin/python3
"""How many answers a second pvbootd gives, on this machine, to 64 connections at once.

usage: tests/bench/instances.py PVBOOTD WORK [--seconds N] [--connections N]

The account has 1,000 instances, each with a volume and two tags, as rows: nothing runs. Requests are
signed once; their signatures are checked each time. The load runs on the same machine and takes its
share of it.
"""
import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import threading

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/cloud")
from clients import ONE, client  # noqa: E402
from instances import fill, image, instances, service  # noqa: E402
from service import ACCOUNTS, REGION  # noqa: E402

INSTANCES = 1000


def signed(s, **parameters):
    """A request as bytes."""
    key, secret = ACCOUNTS[ONE]
    body = "&".join(f"{k.replace('_', '.')}={v}" for k, v in
                    dict(parameters, Version="2016-11-15").items())
    request = botocore.awsrequest.AWSRequest(
        "POST", s.url + "/", data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "ec2",
                            REGION).add_auth(request)
    head = {"Host": s.url.split("/")[2], "Content-Length": str(len(body)), **request.headers}
    return ("POST / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items()) +
            f"\r\n{body}").encode()


def cpu_s(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(options, s, name, request, work):
    """One row of the table."""
    with open(f"{work}/request", "wb") as f:
        f.write(request)
    before = cpu_s(s.process.pid)
    said = subprocess.run([f"{work}/cloud_load", s.url.rsplit(":", 1)[1], str(options.connections),
                           str(options.seconds), f"{work}/request"],
                          check=True, capture_output=True, text=True).stdout.split()
    nr, seconds, refused, size = int(said[0]), float(said[1]), int(said[2]), int(said[3])
    assert refused == 0, f"{name}: {refused} of {nr} were refused"
    print(f"| {name} | {nr / seconds:.0f} | {size / max(nr, 1) / 1024:.0f} KiB | {said[4]} ms | "
          f"{said[5]} ms | {(cpu_s(s.process.pid) - before) / max(nr, 1) * 1e3:.2f} ms |", flush=True)


@contextlib.contextmanager
def changes(c, volume):
    """Ten changes of the state a second, meanwhile."""
    done = threading.Event()

    def work():
        n = 0
        while not done.wait(0.1):
            n += 1
            c.create_tags(Resources=[volume], Tags=[{"Key": "n", "Value": str(n)}])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pvbootd")
    parser.add_argument("work")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    work = os.path.abspath(options.work)
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o",
                    f"{work}/cloud_load", f"{ROOT}/tests/bench/cloud_load.c"], check=True)
    with service(os.path.abspath(options.pvbootd), work) as s:
        c = client(s, "ec2")
        fill(work, image(work), INSTANCES)
        one = instances(c)
        assert len(one) == INSTANCES
        volume, one = one[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"], one[0]["InstanceId"]
        everything = signed(s, Action="DescribeInstances")
        print("| request | answers/s | size | median | 99 % | processor time of each |")
        print("|---|---|---|---|---|---|")
        load(options, s, "DescribeRegions", signed(s, Action="DescribeRegions"), work)
        load(options, s, "DescribeInstances, one id",
             signed(s, Action="DescribeInstances", InstanceId_1=one), work)
        load(options, s, "DescribeInstances, a page of 100",
             signed(s, Action="DescribeInstances", MaxResults=100), work)
        load(options, s, "DescribeInstances, 1,000 instances", everything, work)
        with changes(c, volume):
            load(options, s, "the same, with 10 changes a second", everything, work)


if __name__ == "__main__":
    main()
