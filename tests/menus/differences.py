# SPDX-License-Identifier: MIT
"""Where other readers see something else in a menu than pvboot does, and who is right.

(reader, menu) -> {what differs: why}. run.py checks that nothing else differs, and that
each of these still does. "2.loads" are the initrd and module lines of entry 2.
"""

MODULE = "pygrub passes `module' over, so it would boot Xen itself; GRUB 0.97 has the command"
JOINED = "it does not join lines at a backslash; GRUB 0.97 does"
TAB = "it keeps a tab in a title; GRUB 0.97 makes a space of it"
WORD = "for it a tab does not end a file's name; GRUB 0.97 makes spaces of tabs first"
BOM = "a byte order mark hides the first line from it"
NUL = "for it a NUL is no blank; GRUB 0.97 says nothing of them, here they are blanks, with a line"
GIVES_UP = "fails: ValueError"

EXPLAINED = {
    ("menulst2cfg", "gentoo-wiki.conf"): {"2.arguments": JOINED},
    ("menulst2cfg", "hard-bom-crlf.lst"): {"default": BOM},
    ("menulst2cfg", "hard-continuation.lst"): {"timeout": JOINED, "entries": JOINED},
    ("menulst2cfg", "hard-entries.lst"): {
        "4.loads": "it translates what stands behind `boot', which is never run",
        "7.root": "(hd0,msdos1) is not GRUB 0.97's; it counts the first digit up: (hd0,1msdos1)",
    },
    ("menulst2cfg", "hard-globals.lst"): {
        "fallback": "it takes an empty list; here the line is wrong, and the one before counts",
    },
    ("menulst2cfg", "hard-nuls.lst"): {"1.kernel": NUL, "1.arguments": NUL},
    ("menulst2cfg", "hard-tabs.lst"): {"0.title": TAB},

    ("pygrub", "as many entries as are read"): {
        "entries": "a title at the end with no command behind it is no entry for it",
    },
    ("pygrub", "debian-grub-legacy.lst"): {"2.loads": MODULE},
    ("pygrub", "gentoo-wiki.conf"): {"2.arguments": JOINED, "3.loads": MODULE},
    ("pygrub", "hard-bom-crlf.lst"): {"default": BOM},
    ("pygrub", "hard-continuation.lst"): {"timeout": JOINED, "entries": JOINED},
    ("pygrub", "hard-entries.lst"): {
        GIVES_UP: "it knows no (lvm/VG-LV), and then reads nothing of the menu",
    },
    ("pygrub", "hard-equals.conf"): {
        GIVES_UP: "`root = (hd0,0)', with blanks around the `=', loses it the menu",
    },
    ("pygrub", "hard-globals.lst"): {
        GIVES_UP: "`default -1' loses it the menu; here it costs that line",
    },
    ("pygrub", "hard-nuls.lst"): {"0.arguments": NUL, "1.kernel": NUL, "1.arguments": NUL},
    ("pygrub", "hard-tabs.lst"): {
        "default": "`default<TAB>=<TAB>1' is 0 for it: it looks for one blank or one `='",
        "0.title": TAB, "0.kernel": WORD, "0.arguments": WORD, "0.loads": WORD,
    },
    ("pygrub", "hard-utf8.lst"): {
        "1.kernel": "Python splits at U+00A0, which is a blank in no loader",
        "1.arguments": "as its kernel",
    },
    ("pygrub", "rhel5-xen.conf"): {"0.loads": MODULE},
    ("pygrub", "sles10.lst"): {"0.loads": MODULE},
    ("pygrub", "ubuntu-uuid.lst"): {
        GIVES_UP: "it does not know that `root' may stand alone, as Ubuntu's divider has it",
    },
    ("pygrub", "vps-chain.lst"): {
        "default": "it has no saved default: entry 0",
        "1.kernel": "it does not know the options of `kernel', and takes one for the file",
        "1.arguments": "as its kernel",
    },
}
