# SPDX-License-Identifier: MIT
"""A person at a guest's console: a terminal (python3-pyte) shows what the guest writes, and keys are
typed into it. What is on the screen is compared, not what was sent."""

import sys
import time

from images import Missing
from rig import NoAnswer

PACKAGES = "/usr/lib/python3/dist-packages"  # where another python3 comes first in the path

KEYS = {"up": "\x1b[A", "down": "\x1b[B", "home": "\x1b[H", "end": "\x1b[F", "page up": "\x1b[5~",
        "page down": "\x1b[6~", "enter": "\r", "esc": "\x1b", "tab": "\t"}


def screen_class():
    if PACKAGES not in sys.path:
        sys.path.append(PACKAGES)
    try:
        import pyte
    except ImportError:
        raise Missing("install the package python3-pyte") from None

    class Screen(pyte.Screen):
        """Answers to questions about the terminal go where keys go."""
        answer = None

        def write_process_input(self, data):
            self.answer(data)

    return Screen, pyte.Stream


class Terminal:
    def __init__(self, trial, guest, columns=80, rows=24):
        self.host, self.guest, self.slow = trial.host, guest, trial.slow
        kind, stream = screen_class()
        self.screen = kind(columns, rows)
        self.screen.answer = self.send
        self.stream = stream(self.screen)
        self.shown = 0  # of the guest's console, how much the terminal has seen

    def send(self, data):
        self.host.command("input", self.guest.name, data)

    def type(self, text):
        """Types text as it stands."""
        self.send(text)

    def press(self, *keys):
        """Presses keys by name; a name that is not known is typed."""
        for key in keys:
            self.send(KEYS.get(key, key))

    def resize(self, columns, rows):
        """As a window is resized: whoever writes to it is not told."""
        self.screen.resize(rows, columns)
        self.screen.reset()

    def update(self):
        text = self.guest.console
        self.stream.feed(text[self.shown:].encode("latin-1").decode("utf-8", "replace"))
        self.shown = len(text)

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines()).rstrip()

    def reversed_lines(self):
        """Lines that stand out."""
        return [self.lines()[y].strip("| ") for y in range(self.screen.lines)
                if any(self.screen.buffer[y][x].reverse for x in range(self.screen.columns))]

    def wait(self, what, seconds=20):
        """Until what(terminal) holds, or the text is on the screen."""
        holds = what if callable(what) else lambda term: what in term.text()
        end = time.monotonic() + seconds * self.slow
        while True:
            self.update()
            if holds(self):
                return
            if time.monotonic() > end:
                raise NoAnswer("the screen does not show %r; it shows:\n%s" % (what, self.text()))
            try:
                self.host.note_next(min(end, time.monotonic() + 0.5))
            except NoAnswer:
                if self.guest.ended:
                    raise NoAnswer("the guest ended (%s) and the screen does not show %r:\n%s" % (
                        self.guest.reason, what, self.text())) from None
