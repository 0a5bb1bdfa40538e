#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fold-tables.py OUT.h - the tables of core/fs/fold.c, from Debian's package unicode-data.

Linux folds the names of case-insensitive directories by Unicode 12.1, whatever came later: code
points that are younger fold to themselves, as unassigned ones do. What is written here never
changes for the older ones (the stability policies of the Unicode Consortium), so any later version
of the data gives the same tables.
"""

import os
import sys

DATA = "/usr/share/unicode"
VERSION = (12, 1)
HANGUL = range(0xAC00, 0xD7A4)  # by arithmetic, in fold.c
GROUP = 64  # mappings between two entries of the index


def fields(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line:
                yield [x.strip() for x in line.split(";")]


def code_range(text):
    ends = text.split("..")
    return range(int(ends[0], 16), int(ends[-1], 16) + 1)


def codes(text):
    return [int(x, 16) for x in text.split()]


def read_ages():
    ages = {}
    for codes_, age in fields("DerivedAge.txt"):
        version = tuple(int(x) for x in age.split("."))
        for c in code_range(codes_):
            ages[c] = version
    return ages


def runs(numbers):
    """[first, last, value] of neighbours with one value."""
    out = []
    for c in sorted(numbers):
        if out and out[-1][1] == c - 1 and out[-1][2] == numbers[c]:
            out[-1][1] = c
        else:
            out.append([c, c, numbers[c]])
    return out


def packed(v):
    """A number with a sign as bytes of seven bits, lowest first; the sign is the lowest bit."""
    v = v << 1 if v >= 0 else -v << 1 | 1
    out = []
    while v >= 128:
        out.append(v & 127 | 128)
        v >>= 7
    return out + [v]


def read_data():
    ages = read_ages()
    in_time = {c for c, age in ages.items() if age <= VERSION}
    mappings, classes, ignored = {}, {}, {}
    for f in fields("UnicodeData.txt"):
        c = int(f[0], 16)
        if c not in in_time:
            continue
        if f[3] != "0":
            classes[c] = int(f[3])
        if f[5] and not f[5].startswith("<"):
            mappings[c] = codes(f[5])
    for f in fields("CaseFolding.txt"):
        c = int(f[0], 16)
        if c in in_time and f[1] in "CF":
            mappings[c] = codes(f[2])
    for f in fields("DerivedCoreProperties.txt"):
        if f[1] == "Default_Ignorable_Code_Point":
            for c in code_range(f[0]):
                if c in in_time or c not in ages:
                    ignored[c] = 0
                    mappings.pop(c, None)
    assert not any(c in HANGUL for c in mappings)
    return mappings, classes, ignored


def depth(mappings, c):
    return 1 + max(depth(mappings, x) for x in mappings[c]) if c in mappings else 0


def whole(mappings, c):
    return [y for x in mappings[c] for y in whole(mappings, x)] if c in mappings else [c]


def array(kind, name, values, per_line):
    lines = [values[i:i + per_line] for i in range(0, len(values), per_line)]
    body = "\n".join("    " + ", ".join(str(v) for v in line) + "," for line in lines)
    return f"static const {kind} {name}[{len(values)}] = {{\n{body}\n}};\n"


def main(path):
    mappings, classes, ignored = read_data()
    stream, index, last = [], [], 0
    for i, c in enumerate(sorted(mappings)):
        if i % GROUP == 0:
            index.append(f"{{0x{c:x}, {len(stream)}}}")
            last = c
        to = mappings[c]
        stream += packed(c - last) + [len(to)] + packed(to[0] - c)
        for x in to[1:]:
            stream += packed(x - 0x300)
        last = c
    assert len(stream) < 65536
    combining, last = [], 0
    for first, end, value in runs(classes):
        combining += packed(first - last) + packed(end - first) + [value]
        last = end
    ranges = [f"{{0x{a:x}, 0x{b:x}}}" for a, b, _ in runs(ignored)]
    text = f"""/* Made by tools/fold-tables.py. */
#define FOLD_GROUP     {GROUP}
#define FOLD_DEPTH_MAX {max(depth(mappings, c) for c in mappings)}
#define FOLD_TO_MAX    {max(len(to) for to in mappings.values())}
#define FOLD_LEN_MAX   {max(len(whole(mappings, c)) for c in mappings)}
""" + array("uint8_t", "fold_mappings", stream, 20) + array(
        "struct fold_index", "fold_index", index, 6) + array(
        "uint8_t", "fold_combining", combining, 20) + array(
        "struct fold_range", "fold_ignored", ranges, 5)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".tmp", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


main(sys.argv[1])
