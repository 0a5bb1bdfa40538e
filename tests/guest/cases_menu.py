# SPDX-License-Identifier: MIT
"""Guest cases with somebody at the console: the menu, the editors, the command line."""

from common import ARGS, LZ4, also_newest, case, menu
from images import KERNELS
from rig import NoAnswer
from terminal import Terminal

KERNEL = "/boot/vmlinuz"


def disk(t, head, *titles, files=None, entries=None):
    """A disk whose menu has an entry for each title; its kernel is told "entry=TITLE"."""
    content = {
        KERNEL: KERNELS.vmlinuz(LZ4),
        "/boot/initrd": t.images.initrd(LZ4),
        "/boot/grub/menu.lst": menu(*(entries or [
            (title, "(hd0)", "%s %s entry=%s" % (KERNEL, ARGS, title), "/boot/initrd")
            for title in titles]), head=head),
    }
    content.update(files or {})
    return t.images.disk(content)


def boots(t, g, *words):
    """The kernel starts, and its command line has the words."""
    m = t.host.wait_console(g, r"(?:Kernel c|C)ommand line: ([^\r\n]*)[\r\n]", 60 * t.slow)
    given = m.group(1).split()
    for word in words:
        t.check(word in given, "%r is on the kernel's command line: %s" % (word, given))


def at_menu(t, d, columns=80, rows=24, **config):
    g = t.start([(d, "xvda")], **config)
    term = Terminal(t, g, columns, rows)
    term.wait("booted automatically")
    return g, term


@also_newest
@case
def menu_second_entry(t):
    """Somebody moves to the second entry, which stands out, and boots it"""
    g, term = at_menu(t, disk(t, "default 0\ntimeout 60\n", "one", "two", "three"))
    term.press("down")
    term.wait(lambda term: any("two" in line for line in term.reversed_lines()))
    t.check(not any("one" in line or "three" in line for line in term.reversed_lines()),
            "one line stands out: %s" % term.reversed_lines())
    term.press("enter")
    boots(t, g, "entry=two")


def still_waiting(t, g, term, seconds=4):
    """For so long nothing boots."""
    try:
        term.wait(lambda term: "Booting" in g.console, seconds)
    except NoAnswer:
        return
    t.check(False, "nothing boots while somebody chooses")


@case
def menu_countdown(t):
    """With nobody there the seconds show, and no byte steers a terminal before the kernel starts"""
    g = t.start([(disk(t, "default 1\ntimeout 3\n", "one", "two"), "xvda")])
    boots(t, g, "entry=two")
    before = g.console.split("Linux version")[0]
    t.check("3 seconds. 2 1" in before, "the seconds are counted down")
    t.check("\x1b" not in before, "no escape sequences")
    t.check("one" in before and "two" in before, "the entries are shown")


@case
def menu_any_key_stops_the_countdown(t):
    """A key that means nothing stops the countdown; later Enter boots"""
    g, term = at_menu(t, disk(t, "default 0\ntimeout 3\n", "one", "two"))
    term.press("x")
    still_waiting(t, g, term)
    term.press("enter")
    boots(t, g, "entry=one")


@case
def menu_sizes(t):
    """At ^L the menu fits terminals of 80x24, 40x10 and 200x60; then it leaves the terminal clean"""
    titles = ["e%d" % i for i in range(60)]
    g, term = at_menu(t, disk(t, "default 3\ntimeout 90\n", *titles))
    for columns, rows in ((80, 24), (40, 10), (200, 60)):
        term.resize(columns, rows)
        term.press("\x0c")
        edge = " +" + "-" * (columns - 4) + "+"
        term.wait(lambda term: term.lines().count(edge) == 2 and "command-line" in term.text())
        term.wait(lambda term: [line.split()[:3] for line in term.reversed_lines()] ==
                  [[">", "3", "e3"]])
        term.press("down", "up")
    term.press("end")
    term.wait("> 59  e59")
    term.press("enter")
    boots(t, g, "entry=e59")
    term.update()
    t.equal(term.reversed_lines(), [], "lines that stand out after the menu")
    t.check(not any("+----" in line for line in term.lines()), "the box is gone")


@case
def menu_fallback_chain(t):
    """Three entries fail, each in its own way, and the fourth boots"""
    def entry(title, kernel, initrd="/boot/initrd"):
        return title, "(hd0)", "%s %s entry=%s" % (kernel, ARGS, title), initrd

    d = disk(t, "default 0\nfallback 1 2 3\ntimeout 0\n",
             files={"/boot/text": b"not a kernel\n" * 1000},
             entries=[entry("gone", "/boot/gone"), entry("text", "/boot/text"),
                      entry("noinitrd", KERNEL, "/boot/gone"), entry("good", KERNEL)])
    g = t.start([(d, "xvda")])
    boots(t, g, "entry=good")
    errors = [line.split(":")[0] for line in g.console.replace("\r", "").split("\n")
              if line.startswith("Error ")]
    t.equal(errors, ["Error 15", "Error 13", "Error 15"], "the errors, in order")


@case
def menu_edit_an_entry(t):
    """`e` edits the kernel's line, a line is opened and another deleted, `b` boots the result"""
    g, term = at_menu(t, disk(t, "default 0\ntimeout 60\n", "one", "two"))
    term.press("down", "e")
    term.wait("kernel " + KERNEL)
    term.press("down", "e")
    term.wait("entry=two")
    term.type(" edited=1")
    term.wait("edited=1")
    term.press("enter", "down", "d", "o", "e")
    term.type("initrd /boot/initrd")
    term.press("enter")
    term.wait("initrd /boot/initrd")
    term.press("b")
    boots(t, g, "entry=two", "edited=1")


@case
def menu_edit_the_arguments(t):
    """`a` edits the kernel's arguments and boots"""
    g, term = at_menu(t, disk(t, "default 0\ntimeout 60\n", "one", "two"))
    term.press("a")
    term.wait("entry=one")
    term.type("\x01first=1 \x05 last=1")
    term.press("enter")
    boots(t, g, "first=1", "entry=one", "last=1")


@case
def menu_command_line(t):
    """`c`: a kernel is booted by hand, names completed with Tab"""
    g, term = at_menu(t, disk(t, "default 0\ntimeout 60\n", "one"))
    term.press("c")
    term.wait("> ")
    term.type("root (hd0)\r")
    term.wait("Filesystem type is ext4")
    term.type("kernel /boot/vml\t")
    term.wait("kernel /boot/vmlinuz")
    term.type("%s by=hand\r" % ARGS)
    term.type("initrd /bo\tin\t\r")
    term.wait("initrd /boot/initrd")
    term.type("boot\r")
    boots(t, g, "by=hand")


@case
def menu_password(t):
    """With a password nothing can be edited before it has been typed"""
    secret = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"
    g, term = at_menu(t, disk(t, "default 0\ntimeout 60\npassword --md5 %s\n" % secret, "one", "two"))
    term.press("down")
    term.wait(lambda term: any("two" in line for line in term.reversed_lines()))
    term.press("e", "c", "a")
    still_waiting(t, g, term, 1)
    t.check("kernel /boot" not in term.text(), "no entry is shown: %s" % term.text())
    term.press("p")
    term.wait("assword:")
    term.type("wrong\r")
    term.wait("Must be authenticated")
    term.press(" ")
    term.press("p")
    term.wait("assword:")
    term.type("secret")
    t.check("secret" not in term.text(), "what is typed is not shown")
    term.press("enter", "e")
    term.wait("kernel " + KERNEL)
    term.press("b")
    boots(t, g, "entry=two")


@case
def menu_is_not_there(t):
    """Without a menu, who typed something before gets a command line, whose long output stops"""
    d = t.images.disk({KERNEL: KERNELS.vmlinuz(LZ4), "/boot/initrd": t.images.initrd(LZ4)})
    g = t.start([(d, "xvda")], typed="x")
    term = Terminal(t, g)
    term.wait("pvboot>")
    t.check("No menu found" in term.text(), "it says why: %s" % term.text())
    term.type("help --all\r")
    term.wait("--More--")
    term.type("qkernel /boot/vm\t%s by=rescue\r" % ARGS)
    term.type("initrd /boot/in\t\rboot\r")
    boots(t, g, "by=rescue")
