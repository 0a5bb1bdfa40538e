# SPDX-License-Identifier: MIT
"""What the embedded engine takes for the process that runs a guest: its lock and its socket. For
guests that do what a real one does only when it is in trouble."""
import fcntl
import os
import socket
import struct
import threading

F_OFD_SETLK = 37


def folder(work, instance):
    return f"{work}/state/engine/{instance}"


def ran(work, instance, result=None):
    """The folder of a guest that was started in this boot of the machine and has ended."""
    at = folder(work, instance)
    os.makedirs(at)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot = f.read()
    for name, text in (("started", boot), ("lock", ""), ("result", result)):
        if text is not None:
            with open(f"{at}/{name}", "w", encoding="ascii") as f:
                f.write(text)
    return at


class Runner:
    """`answer(request)` gives the bytes of the answer, or None: then none ever comes."""

    def __init__(self, work, instance, answer):
        at = ran(work, instance)
        self.asked, self.answer, self.silent = [], answer, []
        self.lock = os.open(f"{at}/lock", os.O_RDWR)
        fcntl.fcntl(self.lock, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        at_fd = os.open(at, os.O_PATH)
        self.listener.bind(f"/proc/self/fd/{at_fd}/control")  # its whole path may be too long
        os.close(at_fd)
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            request = peer.recv(8192).decode()
            self.asked.append(request)
            text = self.answer(request)
            if text is None:
                self.silent.append(peer)  # open, so that it is waited for
                continue
            try:
                peer.send(text)
            except OSError:
                pass
            peer.close()

    def times(self, word):
        return len([r for r in self.asked if r.split()[0] == word])

    def end(self):
        """As if the process were gone."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.silent:
            peer.close()
        os.close(self.lock)
