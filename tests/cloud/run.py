#!/usr/bin/python3
"""The service, driven by other people's clients: boto3, botocore's signers, and `aws`.

usage: tests/cloud/run.py PVBOOTD WORK [NAME]...

Each case is a function; it fails by an AssertionError, and raises Skip where it cannot run. WORK is
made anew.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases_api  # noqa: E402
import cases_chunked  # noqa: E402
import cases_config  # noqa: E402
import cases_disks  # noqa: E402
import cases_ec2  # noqa: E402
import cases_hostile  # noqa: E402
import cases_image_crash  # noqa: E402
import cases_images  # noqa: E402
import cases_instances  # noqa: E402
import cases_keeper  # noqa: E402
import cases_life  # noqa: E402
import cases_live  # noqa: E402
import cases_quota  # noqa: E402
import cases_s3  # noqa: E402
import cases_s3_conditions  # noqa: E402
import cases_server  # noqa: E402
import cases_source  # noqa: E402
import cases_volumes  # noqa: E402
from harness import run_cases  # noqa: E402

MODULES = [cases_server, cases_config, cases_api, cases_chunked, cases_disks, cases_ec2,
           cases_hostile, cases_image_crash, cases_images,
           cases_instances, cases_keeper, cases_life, cases_live, cases_quota, cases_s3,
           cases_s3_conditions, cases_source, cases_volumes]
CASES = [case for module in MODULES for case in module.CASES]


if __name__ == "__main__":
    sys.exit(run_cases(CASES, __doc__))
