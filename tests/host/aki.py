#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which AKI `pvboot aki` names for images that are made here.

    tests/host/aki.py build/pvboot
"""

import json
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from box import check, check_said, kernel, pvboot_argument, run_boxes  # noqa: E402

PVBOOT = pvboot_argument(__doc__)
MENU = "timeout 0\ntitle One\nkernel /boot/k root=/dev/xvda1\n"


def aki(*args):
    """(status, standard output, standard error)"""
    r = subprocess.run([PVBOOT, "aki", *map(str, args)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def refused(args, status, said):
    got, out, err = aki(*args)
    check((got, out, err.count("\n")), (status, "", 1))
    check_said([err], said)


def image(box, bits, name):
    return box.image({"boot/grub/menu.lst": MENU, "boot/k": kernel(bits)}, name)


def lists_and_filters(box):
    status, out, err = aki("list")
    check((status, len(out.splitlines()), err), (0, 16, ""))
    status, out, err = aki("list", "--region", "EU-West-1", "--arch", "x86_64", "--layout", "hd0")
    check((status, out.split(), err),
          (0, ["aki-4feec43b", "eu-west-1", "x86_64", "hd0", "V1.01",
               "ec2-public-images-eu/pv-grub-hd0-V1.01-x86_64.gz.manifest.xml"], ""))
    status, out, err = aki("list", "--json", "--arch", "i386")
    check(sorted({(a["arch"], a["layout"]) for a in json.loads(out)}),
          [("i386", "hd0"), ("i386", "hd00")])
    refused(["list", "--region", "mars"], 2, "no region \"mars\"; it has us-east-1, us-west-1")


def takes_ones_own(box):
    own = box.path / "own.tsv"
    own.write_text("aki-0b0b0b0b\tbox\tx86_64\thd0\t1\tbucket/pvboot.manifest.xml\n")
    status, out, err = aki("select", "--catalogue", own, "--region", "box", "--root-device",
                           "instance-store", "--arch", "x86_64")
    check((status, out), (0, "aki-0b0b0b0b\n"))
    own.write_text("aki-0b0b0b0b box\n")
    refused(["list", "--catalogue", own], 1, "own.tsv, line 1: a line has six cells")
    refused(["list", "--catalogue", box.path / "gone"], 1, "gone cannot be read")


def selects_by_root_device(box):
    for root, arch, want in (("ebs", "i386", "aki-9da0f1d8"), ("ebs", "x86_64", "aki-9fa0f1da"),
                             ("instance-store", "i386", "aki-99a0f1dc"),
                             ("instance-store", "x86_64", "aki-9ba0f1de")):
        status, out, err = aki("select", "--region", "us-west-1", "--arch", arch, "--root-device",
                               root)
        check((status, out), (0, want + "\n"))
        check_said([err], "images on %s have " % root)


def looks_into_images(box):
    for bits, ids in ((64, ("aki-427d952b", "aki-4e7d9527")), (32, ("aki-407d9529", "aki-4c7d9525"))):
        whole = image(box, bits, "whole%d.img" % bits)
        parts = box.partitioned(whole, "parts%d.img" % bits)
        for path, want, table, name in ((whole, ids[0], "no partition table", "(hd0)/boot/k"),
                                        (parts, ids[1], "an MBR partition table", "(hd0,0)/boot/k")):
            status, out, err = aki("select", "--region", "us-east-1", "--image", path)
            check((status, out), (0, want + "\n"))
            check_said([err], "the image has %s, and boots %s, a kernel for %s" %
                       (table, name, "x86_64" if bits == 64 else "i386"))
            right = aki("select", "--region", "us-east-1", "--image", path, "--aki", want)
            check(right[:2], (0, want + "\n"))


def names_the_right_one(box):
    whole = image(box, 64, "right.img")
    at = ["select", "--region", "us-east-1", "--image", whole]
    refused(at + ["--aki", "aki-4feec43b"], 2,
            "belongs to the region eu-west-1, not to us-east-1; use aki-427d952b")
    refused(at + ["--aki", "aki-407d9529"], 2, "boots i386 kernels, but this is x86_64; use aki-427d952b")
    refused(at + ["--aki", "aki-4e7d9527"], 2,
            "is for images with a partition table (hd00), which this one has not; use aki-427d952b")
    refused(at + ["--aki", "aki-12345678"], 2, "aki-12345678 is not in the catalogue; use aki-427d952b")
    refused(at + ["--arch", "i386"], 2, "--arch says i386, but ")
    refused(["select", "--region", "mars", "--image", whole], 2, "it has us-east-1, us-west-1")


def says_why_nothing_boots(box):
    gone = box.image({"boot/grub/menu.lst": MENU}, "gone.img")
    refused(["select", "--region", "us-east-1", "--image", gone], 2,
            "would not boot with any AKI: entry 0, line 3 of (hd0)/boot/grub/menu.lst: "
            "Error 15: File not found")
    none = box.image({"etc/hostname": "x"}, "none.img")
    refused(["select", "--region", "us-east-1", "--image", none], 2, "would not boot with any AKI: ")
    refused(["select", "--region", "us-east-1", "--image", box.path / "no.img"], 1, "no.img")


def refuses_wrong_words(box):
    refused([], 1, "usage: pvboot aki list|select")
    refused(["select", "--arch", "i386", "--root-device", "ebs"], 1, "which region?")
    refused(["select", "--region", "us-east-1", "--arch", "i386"], 1, "what is it for? Name --image")
    refused(["select", "--region", "us-east-1", "--root-device", "ebs"], 1, "which width?")
    refused(["select", "--root-device", "nfs"], 1, "--root-device is ebs or instance-store")
    refused(["list", "--aki", "aki-1"], 1, "belong to pvboot aki select")
    refused(["list", "more"], 1, '"more" is no option')
    check(aki("--help")[0], 0)

run_boxes(globals())
