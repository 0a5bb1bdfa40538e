/* SPDX-License-Identifier: MIT */
/*
 * The table of commands: all of the GRUB 0.97 manual, what distributions added to it, and the names
 * that people bring from elsewhere. docs/menu.lst.md has the same table; a test compares them.
 */
#include "core/base/bytes.h"
#include "core/menu/cmd.h"
#include "core/menu/lex.h"

/* Accepted without effect, because ... */
#define LOOKS    "the menu is drawn with letters, as the terminal shows them"
#define CONSOLE  "there is one console, Xen's"
#define MACHINE  "it is about a PC's BIOS, which a PV guest has not got"
#define NO_WRITE "partition tables are not written"

/* Refused, because ... */
#define NETWORK "there is no network here: files come from the guest's disks"
#define WRITES  "it writes to the disk outside of files; use a running system"
#define BIOS    "it asks a PC's BIOS, which a PV guest has not got"
#define STAGES  "pvboot is not installed on the disk: the toolstack starts it"
#define GRUB_2  "it is GRUB 2's; this file is in the language of GRUB 0.97"
#define SOLARIS "it is Solaris's; ZFS and its variables are not read"
#define RAW     "memory is not shown"

/* clang-format off */
const struct command menu_commands[] = {
    {.name = "background", .ignored = LOOKS},
    {.name = "blocklist", .entry = entry_blocklist, .takes = TAKES_FILE, .usage = "FILE",
     .help = "where the file lies, as a block list"},
    {.name = "boot", .entry = entry_boot, .usage = "", .help = "boot what has been loaded"},
    {.name = "bootfs", .refused = SOLARIS},
    {.name = "bootp", .refused = NETWORK},
    {.name = "cat", .entry = entry_cat, .takes = TAKES_FILE, .usage = "FILE",
     .help = "show what a file holds"},
    {.name = "chainloader", .entry = entry_chainloader, .takes = TAKES_FILE,
     .usage = "FILE [ARGUMENT]...", .help = "another boot loader: any Xen PV image"},
    {.name = "clear", .entry = entry_clear, .usage = "", .help = "clear the screen"},
    {.name = "cmp", .entry = entry_cmp, .takes = TAKES_FILE, .usage = "FILE FILE",
     .help = "compare two files"},
    {.name = "color", .menu = menu_color, .usage = "NORMAL [HIGHLIGHT]",
     .help = "colours of the menu: light-gray/blue black/light-gray"},
    {.name = "configfile", .entry = entry_configfile, .takes = TAKES_FILE, .usage = "FILE",
     .help = "go on with another menu"},
    {.name = "debug", .ignored = "errors always say all that is known"},
    {.name = "default", .menu = menu_default, .usage = "NUMBER|saved",
     .help = "the entry that boots by itself"},
    {.name = "device", .refused = "the guest's disks are what Xen gives it"},
    {.name = "dhcp", .refused = NETWORK},
    {.name = "displayapm", .refused = BIOS},
    {.name = "displaymem", .entry = entry_displaymem, .usage = "",
     .help = "how much memory the guest has"},
    {.name = "dump", .refused = WRITES},
    {.name = "embed", .refused = STAGES},
    {.name = "fallback", .menu = menu_fallback, .usage = "NUMBER...",
     .help = "the entries to try when one fails"},
    {.name = "find", .entry = entry_find, .takes = TAKES_FILE, .usage = "[--set-root] FILE",
     .help = "the devices that hold a file"},
    {.name = "findiso", .refused = "ISO 9660 images are not read; put the kernel beside the image"},
    {.name = "findroot", .refused = SOLARIS},
    {.name = "foreground", .ignored = LOOKS},
    {.name = "fstest", .refused = "it traces GRUB's own readers"},
    {.name = "geometry", .entry = entry_geometry, .takes = TAKES_DEVICE, .usage = "DEVICE",
     .help = "a disk's size and its partitions"},
    {.name = "gfxmenu", .ignored = LOOKS},
    {.name = "halt", .entry = entry_halt, .usage = "", .help = "power the guest off"},
    {.name = "help", .entry = entry_help, .takes = TAKES_COMMAND, .usage = "[COMMAND]...",
     .help = "the commands, or what one of them does"},
    {.name = "hiddenmenu", .menu = menu_hiddenmenu, .usage = "",
     .help = "show the menu only when ESC is pressed"},
    {.name = "hide", .ignored = NO_WRITE},
    {.name = "ifconfig", .refused = NETWORK},
    {.name = "impsprobe", .refused = "Xen starts the processors, and the kernel finds them"},
    {.name = "initrd", .entry = entry_initrd, .takes = TAKES_FILE, .usage = "FILE...",
     .help = "the initrd; several files are put one behind the other"},
    {.name = "initrd16", .refused = GRUB_2 "; here: initrd"},
    {.name = "insmod", .refused = GRUB_2 "; all that there is is always there"},
    {.name = "install", .refused = STAGES},
    {.name = "ioprobe", .refused = BIOS},
    {.name = "kernel", .entry = entry_kernel, .takes = TAKES_FILE, .usage = "FILE [ARGUMENT]...",
     .help = "the kernel and its command line"},
    {.name = "kernel$", .refused = SOLARIS},
    {.name = "linux", .refused = GRUB_2 "; here: kernel"},
    {.name = "linux16", .refused = GRUB_2 "; here: kernel"},
    {.name = "lock", .entry = entry_lock, .usage = "",
     .help = "this entry only for those who know the menu's password"},
    {.name = "makeactive", .ignored = NO_WRITE},
    {.name = "map", .ignored = MACHINE},
    {.name = "md5crypt", .entry = entry_md5crypt, .usage = "[PASSWORD]",
     .help = "the hash of a password, for a `password --md5' line"},
    {.name = "menuentry", .refused = GRUB_2 "; here: title"},
    {.name = "module", .entry = entry_module, .takes = TAKES_FILE, .usage = "FILE [ARGUMENT]...",
     .help = "behind Xen the kernel, then the initrd; else another initrd"},
    {.name = "module$", .refused = SOLARIS},
    {.name = "modulenounzip", .entry = entry_module, .takes = TAKES_FILE,
     .usage = "FILE [ARGUMENT]...", .help = "the same as module"},
    {.name = "pager", .entry = entry_pager, .usage = "[on|off]",
     .help = "whether long output on the command line stops when the screen is full"},
    {.name = "partnew", .refused = WRITES},
    {.name = "parttype", .refused = WRITES},
    {.name = "password", .menu = menu_password, .entry = entry_password,
     .usage = "[--md5|--encrypted] PASSWORD [FILE]",
     .help = "who does not know it may only choose an entry that is not locked"},
    {.name = "pause", .entry = entry_pause, .usage = "[TEXT]",
     .help = "show the text and wait for a key, if somebody is there"},
    {.name = "quiet", .ignored = "nothing is printed that it would silence"},
    {.name = "quit", .refused = "there is nothing to go back to; `halt' powers the guest off"},
    {.name = "rarp", .refused = NETWORK},
    {.name = "read", .refused = RAW},
    {.name = "reboot", .entry = entry_reboot, .usage = "", .help = "start the guest again"},
    {.name = "root", .entry = entry_root, .takes = TAKES_DEVICE, .usage = "DEVICE",
     .help = "where names without a device are looked for"},
    {.name = "rootnoverify", .entry = entry_rootnoverify, .takes = TAKES_DEVICE,
     .usage = "DEVICE", .help = "as root, without mounting"},
    {.name = "savedefault", .entry = entry_savedefault,
     .usage = "[NUMBER|fallback] [--once] [--default=NUMBER] [--wait=SECONDS]",
     .help = "the entry that `default saved' boots next time"},
    {.name = "search", .entry = entry_search,
     .usage = "[--file|--label|--fs-uuid] [--set=root] NAME",
     .help = "the devices that hold a file, or have the label or UUID"},
    {.name = "serial", .ignored = CONSOLE},
    {.name = "set", .refused = GRUB_2 ", which has no variables"},
    {.name = "setkey", .ignored = "keys come as characters: the terminal has the keyboard's map"},
    {.name = "setup", .refused = STAGES},
    {.name = "setvbe", .ignored = "a PV guest has no VESA BIOS; arguments of the kernel that name a "
                                  "mode are passed on"},
    {.name = "shade", .ignored = LOOKS},
    {.name = "splashimage", .ignored = LOOKS},
    {.name = "terminal", .ignored = CONSOLE},
    {.name = "terminfo", .ignored = CONSOLE},
    {.name = "testload", .entry = entry_testload, .takes = TAKES_FILE, .usage = "FILE",
     .help = "read a file whole, and tell its checksum"},
    {.name = "testvbe", .refused = BIOS},
    {.name = "tftpserver", .refused = NETWORK},
    {.name = "timeout", .menu = menu_timeout, .usage = "SECONDS",
     .help = "how long to wait before the default entry boots"},
    {.name = "title", .refused = "it begins an entry of a menu file"},
    {.name = "unhide", .ignored = NO_WRITE},
    {.name = "uppermem", .ignored = "the kernel learns from Xen how much memory it has"},
    {.name = "uuid", .entry = entry_uuid, .usage = "[UUID|DEVICE]",
     .help = "the root by its file system's UUID; alone: the UUIDs that there are"},
    {.name = "vbeprobe", .refused = BIOS},
    {.name = "viewport", .ignored = LOOKS},
    {.name = NULL},
};
/* clang-format on */

STATIC_ASSERT(ARRAY_LEN(menu_commands) <= MENU_TABLE_MAX, "struct menu_said has a mark for each");

const struct command *command_find(const char *name, size_t len)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        if (lex_is(name, len, c->name))
            return c;
    }
    return NULL;
}
