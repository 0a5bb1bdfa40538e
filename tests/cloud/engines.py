#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""engines.py DRIVER WORK [NAME]... - the engines that run the service's instances.

DRIVER is the program of tests/cloud/engine_driver.c; pvboot and its images lie beside it. Each case is
a function; it raises Skip where this machine cannot run it.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import engines_embedded  # noqa: E402
import engines_libvirt  # noqa: E402
import engines_qemu  # noqa: E402
import engines_service  # noqa: E402
import engines_xl  # noqa: E402
from harness import run_cases  # noqa: E402

CASES = (engines_embedded.CASES + engines_libvirt.CASES + engines_qemu.CASES + engines_xl.CASES +
         engines_service.CASES)


def main():
    try:
        return run_cases(CASES, __doc__)
    finally:
        engines_xl.finish()


if __name__ == "__main__":
    sys.exit(main())
