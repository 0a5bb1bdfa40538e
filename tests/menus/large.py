# SPDX-License-Identifier: MIT
"""Menus that are too large to be kept as files: name -> content."""

CAP_BYTES = 4 << 20
CAP_COMMANDS = 262144
CAP_ENTRIES = 65536
XEN_CMDLINE = 1023


def entries(nr):
    return b"default %d\ntimeout 0\n" % (nr - 1) + b"".join(
        b"title Entry %d\nroot (hd0,%d)\nkernel /boot/vmlinuz-%d root=/dev/xvda1 ro %d\n"
        b"initrd /boot/initrd-%d\n\n" % (i, i % 4, i % 7, i, i % 7) for i in range(nr))


def one(title=b"x", arguments=b"ro"):
    return b"timeout 0\ntitle " + title + b"\nkernel /boot/k " + arguments + b"\n"


def filled(line, nr_bytes):
    """An entry, and as many comment lines as make the menu so large."""
    head = one()
    rest = nr_bytes - len(head)
    return head + line * (rest // len(line)) + b"#" * (rest % len(line) - 1) + b"\n" * (
        rest % len(line) > 0)


READ = {
    "a title of 500 characters": one(title=b"T" * 499 + b"!"),
    "a title of 500 characters of UTF-8": one(title="\u2603".encode() * 499 + b"!"),
    "a title of 100,000 characters": one(title=b"T" * 100000),
    "the longest kernel line that Xen passes": one(arguments=b"a" * XEN_CMDLINE),
    "a kernel line of 4,096 bytes": one(arguments=b"a" * 4096),
    "a kernel line of 65,536 bytes in words": one(arguments=(b"word=1 " * 9363)[:65536].strip()),
    "10,000 entries": entries(10000),
    "1 MiB of menu": filled(b"# nothing to see in this line\n", 1 << 20),
    "as many bytes as are read": filled(b"# nothing to see in this line\n", CAP_BYTES),
    "as many commands as are read": one() + b"a\n" * (CAP_COMMANDS - 2),
    "as many entries as are read": b"timeout 0\n" + b"title\n" * CAP_ENTRIES,
}

# And what is said of those that are larger.
REFUSED = {
    "one byte more": (filled(b"#\n", CAP_BYTES + 1),
                      "a menu of 4194305 bytes; at most 4194304 are read"),
    "one command more": (one() + b"a\n" * (CAP_COMMANDS - 1),
                         "the menu has more than 262144 lines with commands"),
    "one entry more": (b"title\n" * (CAP_ENTRIES + 1), "the menu has more than 65536 entries"),
}

# What is wrong with one that is read; "" where nothing is.
PROBLEMS = {
    "a kernel line of 4,096 bytes":
        "entry 0: a kernel command line of 4096 bytes; Xen passes at most 1023",
    "a kernel line of 65,536 bytes in words": "a kernel command line of 65536 bytes",
    "as many commands as are read": "`a': unknown command",
}
