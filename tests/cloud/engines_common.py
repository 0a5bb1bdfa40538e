# SPDX-License-Identifier: MIT
"""What the engines' cases share: the driver, disks, and something small to boot."""
import json
import os
import shutil
import subprocess
import time

ID = "i-0123456789abcdef0"


class Skip(Exception):
    pass


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


class Driver:
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

    def refused_start(self, **settings):
        try:
            self.start(**settings)
        except Refused as e:
            return str(e)
        raise AssertionError(f"{settings} did not fail")

    def state_of(self, guest_id=ID):
        a = self.ask("status", guest_id)
        return f"{a['state']} {a['reason']}" if "reason" in a else a["state"]

    def wait_state(self, state, seconds, guest_id=ID):
        end = time.monotonic() + seconds
        while self.state_of(guest_id) != state:
            assert time.monotonic() < end, (f"{guest_id} is {self.state_of(guest_id)}, not {state}\n" +
                                            self.console(guest_id))
            time.sleep(0.3)

    def console(self, guest_id=ID):
        return self.ask("console", guest_id)["console"].replace("\r", "")

    def wait_console(self, text, seconds, guest_id=ID):
        end = time.monotonic() + seconds
        while text not in self.console(guest_id):
            assert time.monotonic() < end, (f"no \"{text}\" in {seconds} s, {self.state_of(guest_id)}:\n" +
                                            self.console(guest_id))
            time.sleep(0.5)


def overlay(base, path, base_format="qcow2"):
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, path)


def info(path):
    return json.loads(run("qemu-img", "info", "--output=json", path))
