#!/usr/bin/python3
"""Each option that --help names stands in the manual, and each of the manual in --help.

usage: tests/host/manuals.py PVBOOT PVBOOT_EC2 PVBOOTD
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from arguments import program_arguments  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
# Taken from pygrub's command line and described as such, and what is refused with a reason.
MANUAL_ALONE = {"pvboot-extract.1": {
    "-i", "-n", "-q", "--args", "--interactive", "--isconfig", "--kernel", "--list-entries",
    "--not-really", "--offset", "--output", "--output-directory", "--output-format", "--quiet",
    "--ramdisk", "--runas"},
    "ec2-bundle-image.1": {"-S", "--script"}}
MACROS = {"Ar", "Ns", "Op", "Cm", "No", "Xr", "Pa", "Ev", "Li", "Ql", "Dq", "|"}


def manual(name):
    """The page's flags; a page of one line ".so" is another one."""
    with open(f"{TOP}/man/{name}") as f:
        text = f.read()
    found = re.match(r"\.so man\d/(\S+)", text)
    if found:
        return manual(found.group(1))
    flags = set()
    for line in text.splitlines():
        in_flag = False
        for word in line[1:].split() if line.startswith(".") else []:
            if word == "Fl" or word in MACROS:
                in_flag = word == "Fl"
            elif in_flag and re.fullmatch(r"-?[A-Za-z0-9][\w-]*", word):
                flags.add("-" + word)
    return name, flags


def help_of(command):
    done = subprocess.run(command + ["--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, (command, done.stderr)
    return set(re.findall(r"(?<![\w-])--?[A-Za-z0-9][\w-]*", done.stdout))


def main():
    pvboot, ec2, pvbootd = program_arguments(__doc__, 3)
    commands = {f"pvboot-{c}.1": [pvboot, c]
                for c in ("aki", "cat", "extract", "host", "inspect", "ls", "run")}
    commands.update({f"{t}.1": [ec2, t] for t in (
        "ec2-bundle-image", "ec2-bundle-vol", "ec2-unbundle", "ec2-upload-bundle",
        "ec2-download-bundle", "ec2-delete-bundle", "ec2-register", "ec2-run-instances")})
    commands["pvbootd.8"] = [pvbootd]
    pages, results = {}, []
    for name, command in commands.items():
        page, flags = manual(name)
        pages.setdefault(page, (flags, set()))[1].update(help_of(command))
    for page, (flags, told) in sorted(pages.items()):
        lacks = [f"it lacks {option}, which --help names" for option in sorted(told - flags)]
        lacks += [f"--help lacks its {option}"
                  for option in sorted(flags - told - MANUAL_ALONE.get(page, set()))]
        results.append(("options of", page, lacks))
    rendered = sorted({manual(name)[0] for name in os.listdir(f"{TOP}/man")})
    skipped = 0 if shutil.which("man") else len(rendered)
    for page in rendered:
        if skipped:
            print(f"skip  rendering of {page}: there is no man")
            continue
        said = subprocess.run(["man", "-l", "--warnings", f"{TOP}/man/{page}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False)
        results.append(("rendering of", page, [said.stderr.strip() or "man failed"]
                        if said.returncode or said.stderr else []))
    for what, page, wrong in results:
        print(f"FAIL  {what} {page}: {'; '.join(wrong)}" if wrong else f"ok    {what} {page}")
    failed = sum(1 for r in results if r[2])
    print(f"{len(results) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
