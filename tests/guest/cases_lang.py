# SPDX-License-Identifier: MIT
"""Guest cases for commands of the menu that reach the machine itself."""

from pathlib import Path

from common import ARGS, LZ4, booted, case
from images import KERNELS, Missing


def lines(g):
    return [line.strip() for line in g.console.replace("\r", "").split("\n")]


@case
def menu_of_a_xen_host(t):
    """The entry of a Xen host boots Linux, its first module; what commands show is on the console"""
    xens = sorted(Path("/boot").glob("xen-*.gz"))
    if not xens:
        raise Missing("no /boot/xen-*.gz; package xen-hypervisor-4.17-amd64 has it")
    commands = ("uuid 01234567-89ab-cdef-0123-456789abcdef", "displaymem", "find /boot/vmlinuz",
                "testload /etc/digits", "cat /etc/digits", "geometry (hd0)", "pause nobody is there",
                "kernel /boot/xen.gz dom0_mem=512M loglvl=all",
                "module /boot/vmlinuz %s entry=good" % ARGS, "module /boot/initrd")
    d = t.images.disk({
        "/boot/xen.gz": xens[0], "/boot/vmlinuz": KERNELS.vmlinuz(LZ4),
        "/boot/initrd": t.images.initrd(LZ4), "/etc/digits": b"123456789\n",
        "/boot/grub/menu.lst": ("timeout 0\ntitle x\n" + "\n".join(commands)).encode(),
    }, options=("-U", "01234567-89ab-cdef-0123-456789abcdef"))
    g = t.boot(disks=[(d, "xvda")])
    booted(t, g, LZ4)
    said = lines(g)
    for line in ("the root is now (hd0)", "(hd0)", "123456789", "nobody is there",
                 "(hd0)/etc/digits: 10 bytes read, CRC-32 0xe0117757"):
        t.check(line in said, "%r is a line of the console" % line)
    t.check(any(line.startswith("256 MiB of memory, ") for line in said), "the memory's size")
    t.check("(hd0)/boot/xen.gz is a hypervisor, and this guest runs on one" in g.console,
            "that Xen is not booted is said")


@case
def menu_halt_and_reboot(t):
    """halt powers the guest off, reboot asks for its restart"""
    d = t.images.disk({"/boot/grub/menu.lst": b"timeout 0\ntitle x\nhalt\n",
                       "/reboot.lst": b"timeout 0\ntitle x\nreboot\n"})
    off = t.boot(disks=[(d, "xvda")])
    again = t.boot(disks=None, name="again", extra="(hd0)/reboot.lst")
    t.equal((off.reason, again.reason), ("poweroff", "reboot"), "the ends of the two guests")
    t.check("pvboot-failed" not in off.console + again.console, "it is no failure")


@case
def no_menu_starts_the_guests_loader(t):
    """Without a menu /boot/xen/pvboot-x86_64.elf starts; it is pvboot, and does not go round"""
    # Its bytes: an image is kept by the names that it is made of, and this file changes.
    d = t.images.disk({"/boot/xen/pvboot-x86_64.elf": t.image.read_bytes(),
                       "/boot/grub/grub.cfg": b"# GRUB 2\n"})
    g = t.boot(disks=[(d, "xvda")], extra="root=/dev/sda1 ro 4")
    said = lines(g)
    t.equal(g.console.count("of memory"), 2, "banners")
    t.check("There is no menu; starting the guest's own boot loader, (hd0)/boot/xen/pvboot-x86_64.elf"
            in said, "what is started is said")
    t.check("This pvboot was started by another one that found no menu: no further boot loader is "
            "looked for." in said, "the second one stops")
    t.equal([line for line in said if line][-1],
            'pvboot-failed: error=no-menu entry=none line=none file=""', "the last line")
    t.equal(g.reason, "crash", "the guest's end")
