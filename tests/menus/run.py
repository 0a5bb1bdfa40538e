#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Menus in the form that tools write them, as `pvboot inspect --menu` reads them.

    tests/menus/run.py build/pvboot [NAME...]

Beside each menu lies NAME.expect, what it has to come to. The same menus are given to
other readers of this format, and each difference is explained in differences.py. Menus
that are large are made here.
"""

import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]

import large
import oracles
from box import pvboot_argument
from differences import EXPLAINED

PVBOOT = pvboot_argument(__doc__)
# Commands that the lines of an entry show already.
SHOWN = ("root", "rootnoverify", "uuid", "kernel", "initrd", "module", "modulenounzip")
counts = {"passed": 0, "failed": 0, "skipped": 0}


def inspect(path):
    """(status, object)"""
    r = subprocess.run([PVBOOT, "inspect", "--menu", "--json", str(path)], stdout=subprocess.PIPE)
    return r.returncode, json.loads(r.stdout)


def readable(status, report):
    """The report as lines for people to check."""
    menu = report["menu"]
    lines = ["status %d" % status, "default %d" % menu["default"], "timeout %d" % menu["timeout"]]
    lines += [key for key in ("default_saved", "hidden", "password") if menu[key]]
    if menu["fallback"]:
        lines.append("fallback " + " ".join(map(str, menu["fallback"])))
    lines += ["%s %s" % (s["status"], s["command"]) for s in report["settings"]
              if s["status"] != "used"]
    for e in report["entries"]:
        lines.append("entry " + e["title"])
        for key in ("root", "kernel", "arguments"):
            if e[key]:
                lines.append("  %s %s" % (key, e[key]))
        lines += ["  initrd " + i for i in e["initrds"]]
        lines += ["  module %s %s" % (m["file"], m["arguments"]) for m in e["modules"]]
        for c in e["commands"]:
            if c["status"] != "used":
                lines.append("  %s %s" % (c["status"], c["command"]))
            elif c["command"] not in SHOWN:
                lines.append("  also %s %s" % (c["command"], c["arguments"]))
    return [line.rstrip() for line in lines]


def result(name, problem):
    counts["failed" if problem else "passed"] += 1
    print("%s %s" % ("not ok" if problem else "ok", name))
    for line in problem or []:
        print("# " + line)


def skip(name, why):
    counts["skipped"] += 1
    print("ok %s # skip: %s" % (name, why))


def compare(name, report, reader, content):
    """Every difference is explained, and every explanation is still about a difference."""
    label = type(reader).__name__.lower()
    if reader.missing:
        return skip("%s, %s" % (name, label), reader.missing)
    explained = EXPLAINED.get((label, name), {})
    try:
        found = oracles.differences(oracles.pvboot(report), reader.read(content))
    except Exception as e:  # a reader that gives up is a difference like others
        found = ["fails: %s" % type(e).__name__]
    problem = ["%s differs, unexplained" % d for d in found if d not in explained]
    problem += ["%s does not differ any more: %s" % (d, why) for d, why in explained.items()
                if d not in found]
    return result("%s, %s (%d explained)" % (name, label, len(explained)), problem)


def read_large(name, content, readers, folder):
    """A menu whose expected result is reckoned by the line, and what the readers say of it."""
    path = folder / "menu.lst"
    path.write_bytes(content)
    status, report = inspect(path)
    lines = content.decode().splitlines()
    titles = [x[6:] for x in lines if x.startswith("title")]
    kernels = [x.split(" ", 2)[1:] for x in lines if x.startswith("kernel ")]
    entries = report["entries"]
    got = [[e["kernel"], e["arguments"]] for e in entries if e["kernel"] is not None]
    stops = [p["text"] for p in report["problems"] if p["severity"] == "stops"]
    want = large.PROBLEMS.get(name)
    problem = [what for what, bad in (
        ("status", status != 0), ("size", report["menu"]["size"] != len(content)),
        ("titles", [e["title"] for e in entries] != titles), ("kernels", got != kernels),
        ("problems: %s" % stops[:3], bool(stops) != bool(want) or want and want not in stops[0]))
        if bad]
    result(name, problem)
    for reader in readers:
        compare(name, report, reader, content)


def refuse_large(name, content, want, folder):
    path = folder / "menu.lst"
    path.write_bytes(content)
    status, report = inspect(path)
    stops = [p["text"] for p in report["problems"] if p["severity"] == "stops"]
    result("refused: " + name, [] if status == 1 and len(stops) == 1 and want in stops[0] and
           not report["entries"] else ["status %d, %r; expected %r" % (status, stops, want)])


def main():
    menus = sorted(p for p in HERE.iterdir() if p.suffix in (".lst", ".conf"))
    wanted = sys.argv[2:]
    readers = [oracles.Menulst2cfg(), oracles.Pygrub()]
    for path in menus:
        if wanted and path.name not in wanted:
            continue
        status, report = inspect(path)
        want = path.with_name(path.name + ".expect").read_text(encoding="utf-8").splitlines()
        got = readable(status, report)
        result(path.name, list(difflib.unified_diff(want, got, "expected", "read", lineterm="")))
        for reader in readers:
            compare(path.name, report, reader, path.read_bytes())
    names = {path.name for path in menus} | set(large.READ)
    if not wanted:
        with tempfile.TemporaryDirectory(prefix="pvboot-menus-") as folder:
            for name, content in large.READ.items():
                read_large(name, content, readers, Path(folder))
            for name, (content, want) in large.REFUSED.items():
                refuse_large(name, content, want, Path(folder))
        if not readers[0].missing:
            # The reason why that reader gets its menus without indentation.
            said = readers[0].output(b"title x\n\tkernel /k\n")
            result("menulst2cfg knows no indented line",
                   [] if "# Unsupported legacy command" in said else [said])
        result("every explanation is about a menu",
               ["%s, %s" % key for key in EXPLAINED if key[1] not in names])
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
