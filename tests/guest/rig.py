# SPDX-License-Identifier: MIT
"""Drives `pvboot host`: one Xen host, many guests.

A Host starts the command, sends it lines and collects its JSON events. What
never comes in time raises NoAnswer, which is neither a pass nor a failure.
"""

import json
import os
import queue
import re
import subprocess
import threading
import time


class NoAnswer(Exception):
    pass


class Refused(Exception):
    """The host refused a command; the text is its sentence."""


def word(text):
    text = str(text)
    if text and not re.search(r'[\s"\\]', text):
        return text
    for a, b in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(a, b)
    return '"%s"' % text


class Guest:
    """What has been seen of a guest so far."""

    def __init__(self, name):
        self.name = name
        self.console = ""
        self.chunks = []  # (time, text)
        self.reason = None
        self.ended = False
        self.dump = []
        self.log_from = 0
        self.t = {}  # creating, created, unpausing, unpaused, shutdown, ended

    def report(self):
        """The lines "T: KEY VALUE" of the tests' init, as {key: [values]}."""
        out = {}
        for line in self.console.replace("\r", "").split("\n"):
            m = re.match(r"T: (\S+) ?(.*)$", line)
            if m:
                out.setdefault(m.group(1), []).append(m.group(2).strip())
        return out

    def time_of(self, text):
        """When `text` had been written on the console."""
        seen = ""
        for t, chunk in self.chunks:
            seen += chunk
            if text in seen:
                return t
        return None


class Host:
    def __init__(self, pvboot, memory_mib, verbose=False, xen=None, suite=None):
        """xen: another Xen's file. suite: Xen and its tools are those of that release of Debian."""
        self.verbose = verbose
        self.suite = suite
        self.guests = {}
        self.log = []
        self.events = queue.Queue()
        self.next_id = 0
        self.drives = set()
        self.files = {}
        other = ["--xen", str(xen)] if xen else []
        env = dict(os.environ, PVBOOT_XEN_SUITE=suite) if suite else None
        self.proc = subprocess.Popen([str(pvboot), "host", "--log", "--memory", str(memory_mib), *other],
                                     env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        self.accel = self._wait(lambda e: e["event"] == "ready", 240)["accel"]

    def _read(self):
        for line in self.proc.stdout:
            self.events.put(json.loads(line))
        self.events.put(None)

    def _next(self, end):
        try:
            e = self.events.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise NoAnswer("nothing came in time") from None
        if e is None:
            raise NoAnswer("the host ended with status %s" % self.proc.wait())
        return e

    def _wait(self, want, seconds):
        end = time.monotonic() + seconds
        while True:
            e = self._next(end)
            self._note(e)
            if want(e):
                return e

    def _note(self, e):
        kind = e["event"]
        if kind == "log":
            self.log.append(e["line"])
            return
        g = self.guests.get(e.get("guest"))
        if not g:
            return
        if kind == "console":
            g.console += e["data"]
            g.chunks.append((e["t"], e["data"]))
            if self.verbose:
                print(e["data"].replace("\r", ""), end="", flush=True)
        elif kind == "shutdown":
            g.reason = e["reason"]
            g.t["shutdown"] = e["t"]
        elif kind == "ended":
            g.ended = True
            g.t["ended"] = e["t"]
        elif kind == "dump":
            g.dump.append(e["text"])
        elif kind in ("creating", "unpausing"):
            g.t[kind] = e["t"]

    def note_next(self, end):
        """Wait for the next event, until the time `end`."""
        self._note(self._next(end))

    def command(self, *words, seconds=240):
        line = " ".join(word(w) for w in words if w is not None)
        self.next_id += 1
        wanted = self.next_id
        self.proc.stdin.write(line.encode("latin-1") + b"\n")
        self.proc.stdin.flush()
        e = self._wait(lambda e: e["event"] == "reply" and e["id"] == wanted, seconds)
        if not e["ok"]:
            raise Refused("%s: %s\n%s" % (words[0], e["error"], e.get("out", "")))
        return e

    # drives and files

    def drive(self, name, path, *options):
        self.command("drive", name, "path=%s" % path, *options)
        self.drives.add(name)

    def undrive(self, name):
        self.command("undrive", name)
        self.drives.discard(name)

    def file(self, name, path):
        """Gives dom0 the file once, under a name; another path replaces it."""
        stamp = (str(path), path.stat().st_mtime_ns, path.stat().st_size)
        if self.files.get(name) != stamp:
            self.command("file", name, "path=%s" % path)
            self.files[name] = stamp

    def forget_file(self, name):
        if self.files.pop(name, None):
            self.command("sh", "rm -f /tmp/files/%s" % name)

    # guests

    def create(self, name, **config):
        g = self.guests[name] = Guest(name)
        g.log_from = len(self.log)
        words = []
        for key, value in config.items():
            for v in value if isinstance(value, (list, tuple)) else [value]:
                if v is not None:
                    words.append("%s=%s" % (key, v))
        e = self.command("create", name, *words)
        g.t["created"] = e["t"]
        return g

    def unpause(self, g):
        e = self.command("unpause", g.name)
        g.t["unpaused"] = e["t"]

    def wait_console(self, g, pattern, seconds):
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, g.console)
            if m:
                return m
            if g.ended:
                raise NoAnswer("the guest ended (%s) without writing /%s/" % (g.reason, pattern))
            try:
                self._note(self._next(end))
            except NoAnswer as e:
                raise NoAnswer("the guest did not write /%s/ within %d s: %s" %
                               (pattern, seconds, e)) from None

    def wait_end(self, g, seconds):
        end = time.monotonic() + seconds
        while not g.ended:
            try:
                self._note(self._next(end))
            except NoAnswer as e:
                raise NoAnswer("the guest still ran after %d s: %s" % (seconds, e)) from None
        return g.reason

    def destroy_all(self):
        for g in self.guests.values():
            if "created" in g.t and not g.ended:
                try:
                    self.command("destroy", g.name)
                except Refused:
                    pass
        for d in list(self.drives):
            self.undrive(d)

    def xen_log(self, g):
        return [line for line in self.log[g.log_from:] if line.startswith("(XEN)")]

    def stop(self):
        try:
            self.proc.stdin.write(b"quit\n")
            self.proc.stdin.close()
            self.proc.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self.proc.kill()
            self.proc.wait()
