# SPDX-License-Identifier: MIT
"""Guest cases in which pvboot's host command takes the kernel out of the disk before xl builds the
domain: `bootloader = "pvboot-extract"`, in dom0, with xl itself."""

import io
import re
import subprocess
import tarfile
import time

from common import ARGS, LZ4, MARKER_HASH, case, system
from images import KERNELS
from rig import Guest

READER = 65533 # nobody in dom0: not the number that is taken when xl names none
CONFIG = """name = "extracted"
memory = 256
bootloader = "/opt/pvboot/pvboot-extract"
extra = "from=xl"
bootloader_args = ["--verbose"]
disk = ["vdev=xvda, access=w, format=raw, target=DISK"]
on_poweroff = "preserve"
on_crash = "preserve"
"""

# Runs by itself, because building a domain takes longer than the agent waits for an answer. The
# guest's console is read from before its first instruction until it has shut down.
SCRIPT = """set +f
rm -f /tmp/extracted.*
grep -q ^nobody: /etc/passwd || echo nobody:x:%d:%d::/:/bin/false >>/etc/passwd
cat >/tmp/extracted.cfg <<END
%s
END
cat >/tmp/extracted.sh <<'END'
. /etc/path
export PATH LIBXL_BOOTLOADER_RESTRICT=1 LIBXL_BOOTLOADER_USER=nobody
xl -vvv create -e -p /tmp/extracted.cfg >/tmp/extracted.xl 2>&1 || exit 1
id=$(xl domid extracted)
tty=$(xenstore-read /local/domain/$id/console/tty)
stty -F $tty raw -echo
cat $tty >/tmp/extracted.console &
reader=$!
xl unpause extracted
until xl list -v extracted | awk 'NR == 2 && $5 ~ /s/ { found = 1 } END { exit !found }'; do
    usleep 200000
done
usleep 300000
kill $reader
echo "shutdown code $(xl list -v extracted | awk 'NR == 2 { print $8 }')" >>/tmp/extracted.console
xl destroy extracted
END
tar xf /tmp/files/program -C /
ln -sf pvboot /opt/pvboot/pvboot-extract
for s in /sys/block/vd*/serial; do
    [ "$(cat $s)" != d0 ] || sed -i "s,DISK,/dev/$(basename $(dirname $s))," /tmp/extracted.cfg
done
{
    sh /tmp/extracted.sh
    echo "ended with $?" >/tmp/extracted.end
} >/dev/null 2>&1 3>&- &
"""

SHOW = """set +f
cat /tmp/extracted.console
echo "---- xl"
grep -i -e bootloader -e error /tmp/extracted.xl
echo "---- bootloader"
cat /var/log/xen/bootloader.*.log
echo "---- left"
ls -d /var/lib/xen/bootloader.* 2>/dev/null
rm -f /var/log/xen/bootloader.*
xl destroy extracted 2>/dev/null || :
"""


def program(t):
    """The host command and its libraries as a tar archive."""
    pvboot = t.host.proc.args[0]
    libs = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", pvboot], check=True,
                                                    stdout=subprocess.PIPE).stdout.decode())
    out = t.images.work / "program.tar"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", dereference=True) as tar:
        tar.add(pvboot, "opt/pvboot/pvboot")
        for lib in libs:
            # Where the program looks for it; a loader that is there already is the same one.
            tar.add(lib, lib.lstrip("/"))
    if not out.exists() or out.read_bytes() != data.getvalue():
        out.write_bytes(data.getvalue())
    return out


def extracted(t, disk):
    t.host.file("program", program(t))
    t.add_disks([(disk, "xvda")])
    t.host.command("sh", SCRIPT % (READER, READER, CONFIG))
    end = time.monotonic() + 150 * t.slow
    while "ended" not in t.host.command("sh", "cat /tmp/extracted.end 2>/dev/null || echo runs")["out"]:
        if time.monotonic() > end:
            break
        time.sleep(1)
    reply = t.host.command("sh", SHOW)["out"]
    g = Guest("extracted")
    g.console, _, rest = reply.partition("---- xl\n")
    xl, _, rest = rest.partition("---- bootloader\n")
    said, _, left = rest.partition("---- left\n")
    t.guests.append(g)
    t.equal(left.strip(), "", "what the boot loader left in dom0")
    r = g.report()
    t.check("shutdown code 0" in g.console, "the guest powered off")
    t.check("done" in r, "the guest's init ran to its end")
    t.equal(r["kernel"], [KERNELS.version(LZ4)], "kernel")
    t.equal(r["initrd"], [t.images.manifest[t.images.initrd(LZ4)]], "initrd's hash")
    t.equal(r["read"], ["xvda:etc/marker " + MARKER_HASH], "file read by the guest's own driver")
    return r, xl, said


@case
def extract_as_bootloader(t):
    """xl with bootloader="pvboot-extract", restricted to a user, boots the disk's kernel by its menu"""
    d = system(t, LZ4, "pv.read=xvda:etc/marker", first=("bad", "(hd0)", "/boot/gone", None))
    r, xl, said = extracted(t, d)
    t.equal(r["cmdline"][0].split(), (ARGS + " entry=good pv.read=xvda:etc/marker from=xl").split(),
            "the menu's command line, and xl's behind it")
    t.check("bootloader execution successful" in xl, "xl took the answer: " + xl)
    t.check("falling back to entry 1" in said, "its log says why: " + said)
    t.check("seccomp, " in said and "user %d," % READER in said, "the fence is around it: " + said)
    if "--runas=%d" % READER not in xl: # a libxl older than that option
        t.note("xl named no user")
