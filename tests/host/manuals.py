#!/usr/bin/python3
"""Each option that --help names stands in the manual, and each of the manual in --help.

usage: tests/host/manuals.py PVBOOT PVBOOT_EC2 PVBOOTD
"""
import os
import re
import shutil
import subprocess
import sys

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
    pvboot, ec2, pvbootd = sys.argv[1:4]
    commands = {f"pvboot-{c}.1": [pvboot, c]
                for c in ("aki", "cat", "extract", "host", "inspect", "ls", "run")}
    commands.update({f"{t}.1": [ec2, t] for t in (
        "ec2-bundle-image", "ec2-bundle-vol", "ec2-unbundle", "ec2-upload-bundle",
        "ec2-download-bundle", "ec2-delete-bundle", "ec2-register", "ec2-run-instances")})
    commands["pvbootd.8"] = [pvbootd]
    pages, bad = {}, 0
    for name, command in commands.items():
        page, flags = manual(name)
        pages.setdefault(page, (flags, set()))[1].update(help_of(command))
    for page, (flags, told) in sorted(pages.items()):
        for option in sorted(told - flags):
            print(f"FAIL  man/{page} lacks {option}, which --help names")
            bad += 1
        for option in sorted(flags - told - MANUAL_ALONE.get(page, set())):
            print(f"FAIL  --help of what man/{page} describes lacks {option}")
            bad += 1
    if not shutil.which("man"):
        print("skip  rendered: there is no man")
    else:
        for name in sorted(os.listdir(f"{TOP}/man")):
            page = manual(name)[0]
            said = subprocess.run(["man", "-l", "--warnings", f"{TOP}/man/{page}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  check=False)
            if said.returncode or said.stderr:
                print(f"FAIL  man/{page}: {said.stderr}")
                bad += 1
    print(f"{len(pages)} manuals, {bad} failed")
    return 1 if bad else 0


sys.exit(main())
