# SPDX-License-Identifier: MIT
"""What runs the cases of tests/cloud that get a program and a folder each."""
import contextlib
import os
import shutil
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import suite  # noqa: E402
from arguments import program_arguments  # noqa: E402
from suite import Skip  # noqa: E402, F401


def run_cases(cases, usage):
    """Each case, or those that the arguments PROGRAM WORK [NAME]... name, with the program and a
    folder of its own in WORK, which is made anew. The exit status."""
    program = program_arguments(usage, 1, 1)[0]
    work, names = os.path.abspath(sys.argv[2]), sys.argv[3:]

    @contextlib.contextmanager
    def make(case):
        folder = f"{work}/{case.__name__}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        yield program, folder

    return suite.run_cases(cases, make, names, lambda case, made: case(*made))
