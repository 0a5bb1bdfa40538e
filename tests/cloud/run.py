#!/usr/bin/python3
"""The service, driven by other people's clients: boto3, botocore's signers, and `aws`.

usage: tests/cloud/run.py PVBOOTD WORK [NAME]...

Each case is a function; it fails by an AssertionError. WORK is made anew.
"""
import os
import shutil
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases_ec2  # noqa: E402
import cases_s3  # noqa: E402
import cases_server  # noqa: E402

CASES = cases_server.CASES + cases_s3.CASES + cases_ec2.CASES


def main():
    program, work, names = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    failures = 0
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        folder = f"{work}/{case.__name__}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            case(program, folder)
            print(f"ok    {case.__name__}")
        except Exception:  # pylint: disable=broad-except
            failures += 1
            traceback.print_exc()
            print(f"FAIL  {case.__name__}")
    print(f"{failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
