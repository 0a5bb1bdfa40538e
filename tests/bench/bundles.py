#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bundling and unbundling cost: tests/bench/bundles.py build/pvboot-ec2 [--runs N] [--folder DIR]

An image of --gib (10) that begins with --data-gib (1) of files from /usr and is a hole behind that, as a
volume that is not full; against the pipeline of usual programs that does the same work:

    tar -c | tee >(sha1sum) | pigz -p2 | openssl enc -aes-128-cbc | split
    cat | openssl enc -d | pigz -d | tee >(sha1sum) | tar -x

The ways take turns; the least of the runs counts. Prints Markdown for docs/benchmarks.md. The last table
is the peak of resident memory of our programs, for an image of 1 GiB and for the large one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GIB = 1 << 30
KEY, IV = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"


def make_image(path, data_bytes, size_bytes):
    tar = subprocess.Popen(["tar", "-cf", "-", "-C", "/usr", "."], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with open(path, "wb") as f:
        while f.tell() < data_bytes:
            piece = tar.stdout.read(1 << 20)
            if not piece:
                break
            f.write(piece[:data_bytes - f.tell()])
        f.truncate(size_bytes)
    tar.kill()
    tar.wait()
    os.sync()


def measured(args):
    """(seconds, seconds of processors, peak resident MiB of the largest process)"""
    began = time.monotonic()
    p = subprocess.Popen([str(a) for a in args], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    if status:
        raise SystemExit("%s failed" % args[0])
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, program, folder):
        self.program, self.at = program, folder
        for who in ("user", "ec2"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                            "/CN=" + who, "-keyout", folder / (who + ".key"), "-out", folder / (who + ".crt")],
                           check=True, stderr=subprocess.DEVNULL)

    def empty(self, name):
        folder = self.at / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def bundle(self, image):
        at = self.at
        return measured([self.program, "ec2-bundle-image", "-i", image, "-r", "x86_64", "-d", self.empty("bundle"),
                         "-k", at / "user.key", "-c", at / "user.crt", "-u", "123456789012", "--ec2cert",
                         at / "ec2.crt"])

    def unbundle(self, image):
        manifest = self.at / "bundle" / (image.name + ".manifest.xml")
        return measured([self.program, "ec2-unbundle", "-m", manifest, "-k", self.at / "user.key", "-d",
                         self.empty("out")])

    def pipeline(self, image):
        return measured(["bash", "-c", "set -o pipefail; tar -cf - -C \"$1\" \"$2\" | tee >(sha1sum >\"$3/sum\") | "
                         "pigz -p2 | openssl enc -aes-128-cbc -K %s -iv %s | split -b 10485760 - \"$3/part.\"" %
                         (KEY, IV), "bash", self.at, image.name, self.empty("parts")])

    def pipeline_back(self, image):
        return measured(["bash", "-c", "set -o pipefail; cat \"$1\"/part.* | openssl enc -d -aes-128-cbc -K %s "
                         "-iv %s | pigz -d -p2 | tee >(sha1sum >/dev/null) | tar -xf - -C \"$2\"" % (KEY, IV),
                         "bash", self.at / "parts", self.empty("out")])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program", type=Path)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--gib", type=int, default=10)
    p.add_argument("--data-gib", type=int, default=1)
    p.add_argument("--folder", type=Path, help="where 30 GiB are free; a temporary one")
    o = p.parse_args()
    for program in ("pigz", "openssl", "tar", "sha1sum", "split", "tee"):
        if not shutil.which(program):
            print("skip  bundles: there is no %s here" % program)
            return
    with tempfile.TemporaryDirectory(dir=o.folder) as folder:
        bench = Bench(o.program.resolve(), Path(folder))
        small, large = Path(folder) / "small", Path(folder) / "large"
        make_image(small, o.data_gib * GIB // 10, GIB)
        make_image(large, o.data_gib * GIB, o.gib * GIB)
        ways = {"ec2-bundle-image": bench.bundle, "its pipeline": bench.pipeline,
                "ec2-unbundle": bench.unbundle, "its pipeline back": bench.pipeline_back}
        seen = {name: [] for name in ways}
        for _ in range(o.runs):
            for name, way in ways.items():
                seen[name].append(way(large))
        print("| way | seconds | seconds of processors | ratio of seconds | ratio of processors |")
        print("|---|---|---|---|---|")
        names = list(ways)
        for i, name in enumerate(names):
            wall, cpu = (min(run[k] for run in seen[name]) for k in (0, 1))
            base_wall, base_cpu = (min(run[k] for run in seen[names[i | 1]]) for k in (0, 1))
            print("| %s | %.1f | %.1f | %.2f | %.2f |" % (name, wall, cpu, wall / base_wall, cpu / base_cpu))
        print("\n| peak of resident memory | 1 GiB | %d GiB |\n|---|---|---|" % o.gib)
        for name in ("ec2-bundle-image", "ec2-unbundle"):
            first = ways[name](small)
            print("| %s | %.1f MiB | %.1f MiB |" % (name, first[2], max(run[2] for run in seen[name])))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
