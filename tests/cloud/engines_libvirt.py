# SPDX-License-Identifier: MIT
"""The libvirt engine: on libvirt's own test driver, and on a QEMU that boots a kernel."""
import os
import subprocess

from engines_common import ID, Driver, info, overlay, run

TEST = "uri=test:///default"


def images(work):
    run("qemu-img", "create", "-q", "-f", "qcow2", f"{work}/base", "16M")
    overlay("base", f"{work}/root")
    with open(f"{work}/data", "wb") as f:
        f.write(b"as it was".ljust(1 << 20, b"\0"))
    return [f"{work}/root,qcow2,sda1", f"{work}/data,raw,sdb"]


def guests_live_and_end(driver, work):
    """Every operation on libvirt's test driver, each twice"""
    disks = images(work)
    with Driver(driver, "libvirt", work, TEST) as d:
        assert d.state_of() == "absent"
        for _ in range(2):
            d.start(disks=disks, kernel="/boot/k", cmdline="a<b & 'c' \"d\"")
            assert d.state_of() == "running"
        d.ask("reboot", ID)
        assert d.state_of() == "running"
        for _ in range(2):
            d.ask("shutdown", ID)
            assert d.state_of() == "ended poweroff"
        d.start(disks=disks, kernel="/boot/k")
        assert d.state_of() == "running", "started again after it ended"
        assert d.console() == "", "the test driver has no consoles"
        for _ in range(2):
            d.ask("destroy", ID)
            assert d.state_of() == "absent"
        d.ask("reboot", ID)
        d.ask("shutdown", ID)
        d.ask("detach", ID, "sdb")
        for _ in range(2):
            d.ask("forget", ID)


def disks_are_copied(driver, work):
    """A copy is qcow2 with the same backing file, and a failed one leaves nothing"""
    with Driver(driver, "libvirt", work, TEST) as d:
        d.start(disks=images(work), kernel="/boot/k")
        d.ask("copy", ID, "sda1", f"{work}/copy")
        assert info(f"{work}/copy")["backing-filename"] == "base"
        d.ask("copy", ID, "sdb", f"{work}/copy2")
        assert info(f"{work}/copy2")["format"] == "qcow2"
        run("qemu-img", "compare", f"{work}/data", f"{work}/copy2")
        assert "no disk sdc" in d.refused("copy", ID, "sdc", f"{work}/copy3")
        assert "File exists" in d.refused("copy", ID, "sda1", f"{work}/copy")
        assert d.state_of() == "running", "it goes on"
        left = {f for f in os.listdir(work) if f.startswith("copy")}
        assert left == {"copy", "copy2"}, left
        assert os.listdir(f"{work}/engine/libvirt") == [], "no pause is left"
        d.ask("destroy", ID)
        assert "does not run" in d.refused("copy", ID, "sda1", f"{work}/copy3")


def folders_let_others_pass(driver, work):
    """QEMU of another user goes through the folders to the consoles, whatever the umask"""
    before = os.umask(0o077)
    try:
        with Driver(driver, "libvirt", work, TEST) as d:
            d.start(kernel="/boot/k")
            for folder in (f"{work}/engine", f"{work}/engine/libvirt"):
                assert os.stat(folder).st_mode & 0o777 == 0o711, folder
            d.ask("destroy", ID)
    finally:
        os.umask(before)


def odd_input_is_refused(driver, work):
    """Ids, devices and command lines that no description can hold"""
    disks = images(work)
    with Driver(driver, "libvirt", work, TEST) as d:
        for bad in ("../../x", "i-", "i-0123456789abcdefg", "x" * 100):
            assert "not the id" in d.refused("status", bad)
            assert "not the id" in d.refused("console", bad)
        assert "0x01" in d.refused_start(disks=disks, kernel="/boot/k", cmdline="a\x01b")
        assert "not the name of a disk" in d.refused_start(kernel="/k", disks=[f"{work}/data,raw,a'b"])
        d.start(disks=disks, kernel="/boot/k")
        assert "another disk" in d.refused("attach", ID, f"{work}/base,qcow2,sdb")
        d.ask("attach", ID, f"{work}/data,raw,sdb")
        d.ask("destroy", ID)


def many_guests(driver, work):
    """A thousand guests at once, each found by its id"""
    with Driver(driver, "libvirt", work, TEST) as d:
        ids = [f"i-{n:017x}" for n in range(1000)]
        for i in ids:
            d.start(i, kernel="/boot/k", memory=1)
        assert {d.state_of(i) for i in ids} == {"running"}
        for i in ids[::2]:
            d.ask("destroy", i)
        assert [d.state_of(i) for i in ids] == ["absent", "running"] * 500


def connections_fail(driver, work):
    """Addresses where nobody is"""
    for uri, expected in (("nosuch:///x", "nosuch:///x"), ("test:///nosuch", "test:///nosuch"),
                          ("qemu+unix:///system?socket=/nosuch", "no connection to the hypervisor")):
        p = subprocess.run([driver, "libvirt", work, "uri=" + uri], stdin=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, check=False, timeout=60)
        said = p.stderr.decode()
        assert p.returncode == 1 and expected in said.split("\n")[-2], said
    p = subprocess.run([driver, "libvirt", work], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert "libvirt-uri" in p.stderr.decode()


CASES = [guests_live_and_end, disks_are_copied, folders_let_others_pass, odd_input_is_refused,
         many_guests, connections_fail]
