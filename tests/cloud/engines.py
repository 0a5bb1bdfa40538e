#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""engines.py DRIVER WORK [NAME]... - the engines that run the service's instances.

DRIVER is the program of tests/cloud/engine_driver.c; pvboot and its images lie beside it. Each case is
a function; it raises Skip where this machine cannot run it.
"""
import os
import shutil
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import engines_embedded  # noqa: E402
import engines_libvirt  # noqa: E402
import engines_qemu  # noqa: E402
import engines_service  # noqa: E402
import engines_xl  # noqa: E402
from engines_common import Skip  # noqa: E402

CASES = (engines_embedded.CASES + engines_libvirt.CASES + engines_qemu.CASES + engines_xl.CASES +
         engines_service.CASES)


def main():
    driver, work, names = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    passed = failed = skipped = 0
    for case in CASES:
        name = case.__name__
        if names and name not in names:
            continue
        folder = f"{work}/{name}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            case(driver, folder)
            passed += 1
            print(f"ok    {name}", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {name}: {e}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAIL  {name}", flush=True)
    engines_xl.finish()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
