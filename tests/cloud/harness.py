# SPDX-License-Identifier: MIT
"""What runs the cases of tests/cloud: cases that each get a folder, and ones that cannot run here."""
import os
import shutil
import sys
import traceback

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from arguments import program_arguments  # noqa: E402


class Skip(Exception):
    """This case cannot run here; the text says why."""


def run_cases(cases, usage):
    """Each case, or those that the arguments PROGRAM WORK [NAME]... name, with the program and a
    folder of its own in WORK, which is made anew. The exit status."""
    program = program_arguments(usage, 1, 1)[0]
    work, names = os.path.abspath(sys.argv[2]), sys.argv[3:]
    passed = failed = skipped = 0
    unknown = set(names) - {case.__name__ for case in cases}
    if unknown:
        sys.exit(f"no such case: {' '.join(sorted(unknown))}")
    for case in cases:
        name = case.__name__
        if names and name not in names:
            continue
        folder = f"{work}/{name}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            case(program, folder)
            passed += 1
            print(f"ok    {name}", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {name}: {e}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAIL  {name}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
