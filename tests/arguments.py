# SPDX-License-Identifier: MIT
"""The arguments of test programs: programs that make builds, and what follows them."""
import os
import sys
from pathlib import Path


def program_arguments(usage, nr_programs, nr_more=0):
    """The first arguments, which are programs, as absolute paths; `nr_more` others must follow. Otherwise
    the usage ends the test."""
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        print(usage)
        sys.exit(0)
    if len(sys.argv) <= nr_programs + nr_more:
        sys.exit("%s: an argument is missing\n%s" % (sys.argv[0], usage))
    programs = sys.argv[1:1 + nr_programs]
    for program in programs:
        if not os.path.isfile(program) or not os.access(program, os.X_OK):
            sys.exit("%s: %s is no program; `make host cloud` builds build/%s\n%s" % (
                sys.argv[0], program, os.path.basename(program), usage))
    return [str(Path(p).resolve()) for p in programs]
