"""Starts a pvbootd of its own for the tests of tests/cloud, on any free port."""
import os
import re
import subprocess
import threading

ACCOUNTS = {
    "111122223333": ("TESTKEYONE", "the-secret-of-account-one-0001"),
    "444455556666": ("TESTKEYTWO", "the-secret-of-account-two-0002"),
}
REGION = "us-east-1"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AKIS = "\n".join([
    "# tests",
    "aki-4e7d9527\tus-east-1\tx86_64\thd00\tV1.01\tec2-public-images/"
    "pv-grub-hd00-V1.01-x86_64.gz.manifest.xml",
    "aki-407d9529\tus-east-1\ti386\thd0\tV1.01\tec2-public-images/"
    "pv-grub-hd0-V1.01-i386.gz.manifest.xml",
    "aki-427d952b\tus-east-1\tx86_64\thd0\tV1.01\tec2-public-images/"
    "pv-grub-hd0-V1.01-x86_64.gz.manifest.xml",
    "aki-9ba0f1de\tus-west-1\tx86_64\thd0\tV1.01\tec2-public-images-us-west-1/"
    "pv-grub-hd0-V1.01-x86_64.gz.manifest.xml",
    ""])


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as f:
        f.write(text)
    os.chmod(path, mode)


def write_config(work, extra="", quota="1G"):
    """A configuration in `work`, and its path."""
    write(f"{work}/akis.tsv", AKIS)
    text = f"listen = 127.0.0.1:0\nstate = {work}/state\nregion = {REGION}\n" \
           f"akis = {work}/akis.tsv\ntypes = {ROOT}/share/pvboot/types.tsv\n{extra}\n"
    for account, (key, secret) in ACCOUNTS.items():
        write(f"{work}/secret-{account}", secret + "\n")
        text += f"[account {account}]\naccess-key = {key}\n" \
                f"secret-file = {work}/secret-{account}\nquota = {quota}\n"
    write(f"{work}/pvbootd.conf", text)
    return f"{work}/pvbootd.conf"


class Service:
    """A running pvbootd; what it writes is collected."""

    def __init__(self, program, config):
        self.process = subprocess.Popen([program, "--config", config], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.log, self.errors = [], []
        self.url = None
        while True:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f"pvbootd did not start: {''.join(self.errors)}")
            self.errors.append(line)
            found = re.search(r" at (https?://\S+), state", line)
            if found:
                self.url = found.group(1)
                break
        self.threads = [threading.Thread(target=self._collect, args=(stream, to), daemon=True)
                        for stream, to in ((self.process.stdout, self.log),
                                           (self.process.stderr, self.errors))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _collect(stream, to):
        for line in stream:
            to.append(line)

    def stop(self):
        """End it; its exit status."""
        self.process.terminate()
        return self.finish()

    def kill(self):
        self.process.kill()
        return self.finish()

    def finish(self):
        status = self.process.wait(30)
        for thread in self.threads:
            thread.join(10)
        return status
