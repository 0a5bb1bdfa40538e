# SPDX-License-Identifier: MIT
"""What the files of guest cases (cases*.py) share.

A case is a function with the decorator @case or @case32; its docstring is what it shows.
It gets a Trial: `disk()` makes an image, `boot()` runs a guest to its end and
returns it, `check*()` compare. Raise Missing to skip.
"""

import hashlib

from images import KERNELS, random_bytes

XZ, LZ4, ZSTD = "debian12-amd64", "debian12-cloud-amd64", "debian13-cloud-amd64"
MARKER = random_bytes(100000, "marker")
MARKER_HASH = hashlib.sha256(MARKER).hexdigest()
# 2010's mke2fs made these; today's defaults have extents, 64bit, metadata_csum.
OLD = ("-O", "^64bit,^metadata_csum,^flex_bg,^huge_file,^dir_nlink,^extra_isize")

CASES = []


def case(fn):
    fn.xen32 = False
    fn.also_newest = False
    CASES.append(fn)
    return fn


def also_newest(fn):
    """Stands above @case: the case also runs on the newest Xen that Debian's releases hold."""
    fn.also_newest = True
    return fn


def case32(fn):
    """A case with 32-bit guests: it runs on a Xen that has them."""
    fn.xen32 = True
    fn.also_newest = False
    CASES.append(fn)
    return fn


def menu(*entries, head="default 0\ntimeout 0\n"):
    """menu.lst; an entry is (title, root, kernel line, initrd)."""
    text = "# made by the guest tests\n" + head
    for title, root, kernel, initrd in entries:
        text += "\ntitle %s\nroot %s\nkernel %s\n" % (title, root, kernel)
        text += "initrd %s\n" % initrd if initrd else ""
    return text.encode()


ARGS = "console=hvc0 earlyprintk=xen"


def system(t, kernel, args="", root="(hd0)", blob_mib=1, head=None, first=None, fallback=None, **fs):
    """A disk with a kernel, its initrd, a menu and a file to read. `first` is
    an entry to stand before the good one."""
    files = {
        "/boot/vmlinuz": KERNELS.vmlinuz(kernel),
        "/boot/initrd": t.images.initrd(kernel, blob_mib),
        "/etc/marker": MARKER,
    }
    files.update(fs.pop("files", {}))
    good = ("good", root, "/boot/vmlinuz %s entry=good %s" % (ARGS, args), "/boot/initrd")
    lines = head or "default 0\ntimeout 0\n" + ("fallback 1\n" if first else "")
    files["/boot/grub/menu.lst"] = menu(*([first] if first else []), good, head=lines)
    return t.images.disk(files, **fs)


def booted(t, g, kernel, blob_mib=1, entry="good"):
    """The kernel that the menu named reached its init with what the menu named."""
    r = g.report()
    t.check("done" in r, "the guest's init ran to its end")
    t.equal(r["kernel"], [KERNELS.version(kernel)], "kernel")
    t.check("entry=" + entry in r["cmdline"][0].split(), "command line of the entry")
    t.equal(r["initrd"], [t.images.manifest[t.images.initrd(kernel, blob_mib)]], "initrd's hash")
    t.check("trouble" not in r, "no trouble in the guest: %s" % r.get("trouble"))
    t.equal(g.reason, "poweroff", "the guest's end")
    return r
