#!/usr/bin/python3
"""The service, driven by other people's clients: boto3, botocore's signers, and `aws`.

usage: tests/cloud/run.py PVBOOTD WORK [NAME]...

Each case is a function; it fails by an AssertionError, and raises Skip where it cannot run. WORK is
made anew.
"""
import os
import shutil
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases_api  # noqa: E402
import cases_chunked  # noqa: E402
import cases_disks  # noqa: E402
import cases_ec2  # noqa: E402
import cases_hostile  # noqa: E402
import cases_image_crash  # noqa: E402
import cases_images  # noqa: E402
import cases_instances  # noqa: E402
import cases_life  # noqa: E402
import cases_live  # noqa: E402
import cases_s3  # noqa: E402
import cases_server  # noqa: E402
import cases_source  # noqa: E402
import cases_volumes  # noqa: E402
from service import Skip  # noqa: E402

MODULES = [cases_server, cases_api, cases_chunked, cases_disks, cases_ec2, cases_hostile,
           cases_image_crash, cases_images,
           cases_instances, cases_life, cases_live, cases_s3, cases_source, cases_volumes]
CASES = [case for module in MODULES for case in module.CASES]


def main():
    program, work, names = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    passed = failed = skipped = 0
    unknown = set(names) - {case.__name__ for case in CASES}
    if unknown:
        sys.exit(f"no such case: {' '.join(sorted(unknown))}")
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        folder = f"{work}/{case.__name__}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            case(program, folder)
            passed += 1
            print(f"ok    {case.__name__}", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {case.__name__}: {e}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAIL  {case.__name__}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
