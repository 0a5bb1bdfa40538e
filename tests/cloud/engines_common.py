# SPDX-License-Identifier: MIT
"""What the engines' cases share: the driver, disks, and something small to boot."""
import glob
import json
import os
import re
import shutil
import subprocess
import time

from harness import Skip

ID = "i-0123456789abcdef0"


def run(*argv, **more):
    p = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       check=False, **more)
    assert p.returncode == 0, f"{' '.join(map(str, argv))}: {p.stdout.decode(errors='replace')}"
    return p.stdout.decode(errors="replace")


def need(*programs):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    for p in programs:
        if not shutil.which(p, path=path):
            raise Skip(f"the program {p} is missing")


class Refused(Exception):
    pass


class Asked:
    """What an engine_driver is asked, wherever it runs: `ask` and `start` are its own."""

    @staticmethod
    def answer(line):
        answer = json.loads(line)
        if not answer["ok"]:
            raise Refused(answer["why"])
        return answer

    def refused(self, *words):
        try:
            self.ask(*words)
        except Refused as e:
            return str(e)
        raise AssertionError(f"{words} did not fail")

    def refused_start(self, *args, **settings):
        try:
            self.start(*args, **settings)
        except Refused as e:
            return str(e)
        raise AssertionError(f"{args} {settings} did not fail")

    def state_of(self, guest_id=ID):
        """Asked again while what runs it is too busy to say, as on a machine with other work."""
        end = time.monotonic() + 120
        while (a := self.ask("status", guest_id))["state"] == "silent" and time.monotonic() < end:
            time.sleep(0.3)
        return f"{a['state']} {a['reason']}" if "reason" in a else a["state"]

    def wait_state(self, state, seconds, guest_id=ID):
        end = time.monotonic() + seconds
        while self.state_of(guest_id) != state:
            assert time.monotonic() < end, (f"{guest_id} is {self.state_of(guest_id)}, not {state}\n" +
                                            self.console(guest_id)[-2000:])
            time.sleep(0.3)

    def console(self, guest_id=ID):
        return self.ask("console", guest_id)["console"].replace("\r", "")

    def wait_console(self, text, seconds, guest_id=ID):
        end = time.monotonic() + seconds
        while text not in self.console(guest_id):
            assert time.monotonic() < end, (f"no \"{text}\" in {seconds} s, {self.state_of(guest_id)}:\n" +
                                            self.console(guest_id))
            time.sleep(0.5)


class Driver(Asked):
    """engine_driver, a line and an answer at a time."""

    def __init__(self, driver, engine, state, *options, prefix=(), env=None):
        self.p = subprocess.Popen([*prefix, driver, engine, state, *options], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.state = state

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.p.stdin.close()
        self.p.stdout.read()
        assert self.p.wait(30) == 0, self.p.stderr.read()

    def kill(self):
        self.p.kill()
        self.p.wait()

    def ask(self, *words):
        try:
            self.p.stdin.write(" ".join(words) + "\n")
            self.p.stdin.flush()
            line = self.p.stdout.readline()
        except BrokenPipeError:
            line = ""
        assert line, "the driver ended: " + self.p.stderr.read()
        return self.answer(line)

    def start(self, guest_id=ID, disks=(), **settings):
        """disks: words PATH,FORMAT,VDEV[,ro]"""
        path = f"{self.state}/{guest_id}.guest"
        with open(path, "w", encoding="utf-8") as f:
            for key, value in {"id": guest_id, **settings}.items():
                print(f"{key}={value}", file=f)
            for d in disks:
                print(f"disk={d}", file=f)
        os.chmod(path, 0o644)
        return self.ask("start", path)


def overlay(base, path, base_format="qcow2"):
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, path)


def info(path):
    return json.loads(run("qemu-img", "info", "--output=json", path))


# ---- something to boot ---------------------------------------------------------------------------

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("PVBOOT_CACHE") or os.path.expanduser("~/.cache/pvboot")


def dom0_kernel():
    """The kernel of the embedded host's dom0, which has every module: (vmlinuz, folder of modules)."""
    for root in sorted(glob.glob(f"{CACHE}/debs/linux-image-6.1.0-*")) + ["/"]:
        for vmlinuz in sorted(glob.glob(f"{root}/boot/vmlinuz-*"), reverse=True):
            modules = f"{root}/lib/modules/" + vmlinuz.split("/vmlinuz-")[1]
            if os.path.isdir(modules):
                return vmlinuz, modules
    raise Skip("no kernel with its modules; `pvboot host` fetches one")


def unpack_modules(names, modules, to):
    """The modules and what they need, uncompressed, in the folder `to`; their names in order."""
    os.makedirs(to, exist_ok=True)
    version = os.path.basename(modules)
    os.makedirs(f"{to}.dep/lib/modules")
    run("cp", "-rs", modules, f"{to}.dep/lib/modules/")
    run("depmod", "-b", f"{to}.dep", version)
    with open(f"{to}.dep/lib/modules/{version}/modules.dep", encoding="ascii") as f:
        table = dict(re.findall(r"^(\S+):[ ]*(.*)$", f.read(), re.M))
    shutil.rmtree(f"{to}.dep")
    order = []
    for name in names:
        path = next((p for p in table if re.search(rf"/{name}\.ko(\.\w+)?$", p)), None)
        for p in (table[path].split()[::-1] + [path]) if path else []:
            base = re.sub(r"\.ko.*", ".ko", os.path.basename(p))
            if base in order:
                continue
            order.append(base)
            with open(f"{to}/{base}", "wb") as f:
                unpack = ["xz", "-dc"] if p.endswith(".xz") else ["cat"]
                f.write(subprocess.run([*unpack, f"{modules}/{p}"], stdout=subprocess.PIPE, check=True).stdout)
    with open(f"{to}/order", "w", encoding="ascii") as f:
        f.write("".join(f"{n}\n" for n in order))
    return order


def make_initrd(path, module_names, modules, own_modules=None):
    """own_modules: a folder as unpack_modules makes it, in place of names."""
    need("busybox", "cpio")
    root = path + ".tree"
    for d in ("bin", "sbin", "tmp"):
        os.makedirs(f"{root}/{d}")
    shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
    shutil.copy(f"{HERE}/engines-init.sh", f"{root}/init")
    os.chmod(f"{root}/init", 0o755)
    for what in ("poweroff", "reboot"):
        with open(f"{root}/sbin/{what}", "w", encoding="ascii") as f:
            f.write(f"#!/bin/busybox sh\necho T: {what} >/dev/console\nexec /bin/busybox {what} -f\n")
        os.chmod(f"{root}/sbin/{what}", 0o755)
    if own_modules:
        shutil.copytree(own_modules, f"{root}/modules")
    else:
        unpack_modules(module_names, modules, f"{root}/modules")
    run("sh", "-c", f"cd '{root}' && find . | cpio --quiet -o -H newc >'{path}'")
    shutil.rmtree(root)


def counted(path, fmt="qcow2"):
    """The counter that the guest of engines-init.sh has written to this disk."""
    raw = path + ".as-raw"
    run("qemu-img", "convert", "-U", "-f", fmt, "-O", "raw", path, raw)
    with open(raw, "rb") as f:
        text = f.read(512).rstrip(b"\0").decode()
    os.unlink(raw)
    m = re.match(r"count (\d+)\n$", text)
    assert m, f"{path} holds {text[:40]!r}"
    return int(m[1])
