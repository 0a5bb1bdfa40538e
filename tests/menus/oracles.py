# SPDX-License-Identifier: MIT
"""Menus as other readers of menu.lst see them, in one form to compare:

    {"default": "0", "timeout": "5", "fallback": "1",
     "entries": [{"title", "root", "kernel", "arguments": [word...], "loads": [[word...]...]}]}

`loads` are the lines behind the kernel: initrd and module, each as its words. What a
reader does not tell is left out.
"""

import glob
import re
import shlex
import shutil
import subprocess
import sys


def words(text):
    return re.findall(r"[^ ]+", text or "")


def pvboot(report):
    """From `pvboot inspect --menu --json`."""
    menu = {"default": "0", "timeout": None, "fallback": None, "entries": []}
    for line in report["settings"]:
        if line["command"] in menu and line["status"] == "used":
            menu[line["command"]] = " ".join(words(line["arguments"]))
    for e in report["entries"]:
        loads = []
        for line in e["commands"]:
            if line["status"] == "not reached":
                break
            if line["command"] == "kernel":
                loads = []
            if line["command"] in ("initrd", "module", "modulenounzip"):
                loads.append(words(line["arguments"]))
        menu["entries"].append({"title": e["title"], "root": e["root"] or None, "kernel": e["kernel"],
                                "arguments": words(e["arguments"]), "loads": loads})
    return menu


# ---- grub-menulst2cfg ----------------------------------------------------------------------------

def menulst2cfg_root(device):
    """(hd0,1) for GRUB 0.97's (hd0,0): GRUB 2 counts partitions from 1."""
    m = re.fullmatch(r"\(hd(\d+),(\d+)\)", device)
    return "(hd%s,%d)" % (m[1], int(m[2]) - 1) if m else device


def menulst2cfg_line(line, menu, entry):
    """One line of its output; returns the entry that is open then."""
    if line.startswith("menuentry "):
        entry = {"title": shlex.split(line)[1], "root": None, "kernel": None, "arguments": [],
                 "loads": []}
        menu["entries"].append(entry)
    setting = re.match(r"set (default|fallback|timeout)='?([^';]*)", line)
    if setting and entry is None:
        menu[setting[1]] = setting[2]
    if entry is None or line.lstrip().startswith("#"):
        return entry
    root = re.search(r"set root='([^']*)'", line)
    uuid = re.search(r"search --set=root --fs-uuid '([^']*)'", line)
    if root:
        entry["root"] = menulst2cfg_root(root[1])
    elif uuid:
        entry["root"] = uuid[1]
    elif line.startswith("  legacy_kernel") or line.startswith("  legacy_initrd"):
        args = shlex.split(line)[1:]
        while args and args[0].startswith("--"):
            args.pop(0)
        # The file, then all words, the file once more among them; a blank at the end is one more.
        args = args[1:]
        while args and args[-1] == "":
            args.pop()
        if "legacy_kernel" in line:
            entry.update(kernel=args[0] if args else "", arguments=args[1:], loads=[])
        else:
            entry["loads"].append(args)
    return entry


class Menulst2cfg:
    """grub-menulst2cfg, of grub-common. It knows no line that begins with a blank, which each
    menu has that is indented; it gets them without."""

    def __init__(self):
        self.missing = None if shutil.which("grub-menulst2cfg") else "no grub-menulst2cfg here"

    @staticmethod
    def output(content):
        r = subprocess.run(["grub-menulst2cfg", "/dev/stdin"], input=content, check=True,
                           stdout=subprocess.PIPE)
        return r.stdout.decode("utf-8", "replace")

    def read(self, content):
        menu, entry = {"default": "0", "timeout": None, "fallback": None, "entries": []}, None
        for line in self.output(re.sub(rb"(?m)^[ \t\v\f]+", b"", content)).split("\n"):
            if line == "}":
                entry = None
            else:
                entry = menulst2cfg_line(line, menu, entry)
        return menu


# ---- pygrub --------------------------------------------------------------------------------------

class Pygrub:
    """The parser of pygrub, of xen-utils."""

    def __init__(self):
        self.missing, found = None, glob.glob("/usr/lib/xen-*/lib/python/grub/GrubConf.py")
        if not found:
            self.missing = "no pygrub here"
            return
        sys.path.insert(0, sorted(found)[-1].rsplit("/", 2)[0])
        import logging
        logging.disable(logging.CRITICAL)
        from grub import GrubConf
        self.conf = GrubConf

    def read(self, content):
        file = self.conf.GrubConfigFile()
        file.parse(content.decode("utf-8", "replace"))
        menu = {"default": str(file.default), "timeout": None if file.timeout == -1 else file.timeout,
                "fallback": getattr(file, "fallback", None), "entries": []}
        for image in file.images:
            e = {"title": image.title, "root": None, "kernel": None, "arguments": words(image.args),
                 "loads": []}
            if image.root is not None:
                part = "" if image.root.part is None else ",%d" % image.root.part
                e["root"] = "(hd%d%s)" % (image.root.disk, part)
            if image.kernel is not None:
                e["kernel"] = self.name(image.kernel)
            if image.initrd is not None:
                e["loads"] = [words(self.name(image.initrd))]
            menu["entries"].append(e)
        return menu

    @staticmethod
    def name(place):
        disk, path = place
        if disk is None:
            return path
        return "(hd%d%s)%s" % (disk.disk, "" if disk.part is None else ",%d" % disk.part, path)


def differences(ours, theirs):
    """What is not the same: a list of "timeout", "entries", "2.title", ..."""
    found = [k for k in ("default", "timeout", "fallback") if (ours[k] or None) != (theirs[k] or None)]
    if len(ours["entries"]) != len(theirs["entries"]):
        return found + ["entries"]
    for i, (a, b) in enumerate(zip(ours["entries"], theirs["entries"])):
        found += ["%d.%s" % (i, k) for k in a if a[k] != b[k]]
    return found
