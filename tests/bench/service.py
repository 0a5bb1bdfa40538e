#!/usr/bin/python3
"""How many requests a second the service answers, and how long each takes.

usage: tests/bench/service.py [--connections N] [--seconds S] [--action ACTION] [--tls] PVBOOTD

Starts a pvbootd of its own, opens N connections that stay open, and sends one signed request of the
Query API on each as soon as the answer to the one before has come. Requests are signed once, with
version 4 in the Authorization header; each is checked like any other. The load comes from this one
process, on the same machine.
"""
import argparse
import os
import re
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cloud"))
from service import ACCOUNTS, Service, write_config  # noqa: E402
from signer import Signer, sha256  # noqa: E402


def signed_request(url, action):
    body = f"Action={action}&Version=2016-11-15".encode()
    headers = Signer(next(iter(ACCOUNTS)), "ec2").headers("POST", url + "/", sha256(body), {
        "content-type": "application/x-www-form-urlencoded"})
    return b"POST / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode() \
        + f"content-length: {len(body)}\r\n\r\n".encode() + body


class Client:
    """A connection, and the answer that it is waiting for."""

    def __init__(self, url, request, context):
        at = urllib.parse.urlparse(url)
        self.sock = socket.create_connection((at.hostname, at.port), timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(self.sock)
        self.request = request
        self.got = b""
        self.sent_at = 0.0

    def send(self):
        self.got = b""
        self.sent_at = time.monotonic()
        self.sock.sendall(self.request)

    def receive(self):
        """Has the whole answer come?"""
        self.got += self.sock.recv(1 << 18)
        end = self.got.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self.got.startswith(b"HTTP/1.1 200 "):
            sys.exit(self.got.decode())
        length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", self.got).group(1))
        return len(self.got) >= end + 4 + length


def run(clients, seconds):
    """The times that answers took."""
    took = []
    with selectors.DefaultSelector() as selector:
        for c in clients:
            selector.register(c.sock, selectors.EVENT_READ, c)
            c.send()
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for key, _ in selector.select(1):
                c = key.data
                if c.receive():
                    took.append(time.monotonic() - c.sent_at)
                    c.send()
    return took, now


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--action", default="DescribeImages")
    p.add_argument("--tls", action="store_true")
    p.add_argument("program")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        extra, context = "", None
        if a.tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                            "/CN=127.0.0.1", "-keyout", f"{work}/key.pem", "-out",
                            f"{work}/cert.pem"], check=True, capture_output=True)
            extra = f"tls-certificate = {work}/cert.pem\ntls-key = {work}/key.pem\n"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = Service(a.program, write_config(work, extra))
        try:
            request = signed_request(s.url, a.action)
            clients = [Client(s.url, request, context) for _ in range(a.connections)]
            cpu = os.times()
            took, _ = run(clients, a.seconds)
            mine = os.times().user - cpu.user + os.times().system - cpu.system
            with open(f"/proc/{s.process.pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            its = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            s.stop()
    took.sort()
    print(f"{a.action}, {a.connections} connections{', TLS' if a.tls else ''}: "
          f"{len(took) / a.seconds:.0f} requests/s, median {1000 * took[len(took) // 2]:.1f} ms, "
          f"99% {1000 * took[len(took) * 99 // 100]:.1f} ms; processor time for 1,000 requests: "
          f"service {1e6 * its / len(took):.0f} ms, load {1e6 * mine / len(took):.0f} ms")


if __name__ == "__main__":
    main()
