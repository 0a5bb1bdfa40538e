#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#
# dom0-agent.sh - runs guests on behalf of the program that started QEMU.
#
# Lines come in on the virtio port "pv.ctl" and answers go out on it:
#   COMMAND SEQ WORD...     a word's odd characters are \0OOO (octal)
#   out SEQ TEXT            a line that the command printed
#   ok SEQ WORD... | err SEQ TEXT
#   ev WORD...              something happened by itself
# Commands run side by side. Guest N's console is the port "pv.conN", raw in
# both directions; it is attached before the guest runs. Times are seconds of
# dom0's uptime.
set -f
run=/tmp/pv

say() { printf '%s\n' "$*" >&3; }
now() {
	read -r _up _ </proc/uptime
	echo "$_up"
}
text() { printf '%b' "$1"; }

port() { # port NAME: its device
	for _d in $(set +f; echo /sys/class/virtio-ports/*); do
		if [ "$(cat "$_d/name")" = "$1" ]; then
			echo "/dev/${_d##*/}"
			return
		fi
	done
}

# answer SEQ FILE RC: a command's output, then how it ended.
answer() {
	sed "s/^/out $1 /" "$2" >&3
	if [ "$3" = 0 ]; then
		say ok "$1"
	else
		say err "$1" "$(grep -E 'error|failed' "$2" | sed 's/^.*: error: //; q')"
	fi
	rm -f "$2"
}

# dump NAME DOMID: what the hypervisor knows of a guest that crashed.
dump() {
	xenctx "$2" 2>&1 | sed "s/^/ev dump $1 /" >&3
}

# attach NAME DOMID CON: joins the guest's console with the port, and stays
# until the guest and its console are gone.
attach() {
	tty=
	n=0
	while [ -z "$tty" ] && [ "$n" -lt 200 ]; do
		tty=$(xenstore-read "/local/domain/$2/console/tty" 2>/dev/null) || usleep 20000
		n=$((n + 1))
	done
	[ -n "$tty" ] || return 1
	stty -F "$tty" raw -echo
	cat <"$tty" >&4 2>/dev/null &
	echo $! >"$run/$1.out"
	cat <&4 >"$tty" 2>/dev/null &
	echo $! >"$run/$1.in"
	echo "$2" >"$run/$1.id"
}

linger() { # linger NAME: after attach
	wait "$(cat "$run/$1.out")"
	kill "$(cat "$run/$1.in")" 2>/dev/null
	rm -f "$run/$1.id" "$run/$1.out" "$run/$1.in" "$run/$1.gone"
	exec 4>&-
	say ev ended "$1" "$(now)"
}

# start_guest SEQ CON NAME xl...: create or restore, then the console.
start_guest() {
	seq=$1 con=$2 name=$3
	shift 3
	[ ! -e "$run/$name.id" ] || { say err "$seq" "there is a guest named $name already"; return; }
	command exec 4<>"$(port "pv.con$con")" || { say err "$seq" "console $con is in use"; return; }
	say ev creating "$name" "$(now)"
	if ! "$@" >"$run/$name.log" 2>&1; then
		xl destroy "$name" >/dev/null 2>&1
		answer "$seq" "$run/$name.log" 1
		return
	fi
	t=$(now)
	domid=$(xl domid "$name")
	for cd in $(cat "$run/$name.cds" 2>/dev/null); do
		empty_cd "$domid" "${cd%:*}" "${cd#*:}" >/dev/null 2>&1 &
	done
	rm -f "$run/$name.cds"
	if ! attach "$name" "$domid" "$con"; then
		xl destroy "$name"
		say err "$seq" "the console of $name did not appear"
		return
	fi
	say ok "$seq" "$domid" "$t"
	linger "$name"
}

# empty_cd DOMID VDEV NAME: the backend of a CD drive with nothing in it, as the
# one in QEMU (qdisk) plays it: it connects, with no sectors. blkback never
# connects without a device, and a Linux guest would wait five minutes for it.
empty_cd() {
	exec 4>&- # the guest's console, which must not stay open here
	fe=/local/domain/$1/device/vbd/$2
	be=/local/domain/0/backend/qdisk/$1/$2
	xenstore-write "$be/frontend" "$fe" "$be/frontend-id" "$1" "$be/online" 1 \
		"$be/removable" 1 "$be/bootable" 1 "$be/dev" "$3" "$be/type" qdisk "$be/mode" r \
		"$be/device-type" cdrom "$be/params" "" "$be/info" 5 "$be/sector-size" 512 \
		"$be/sectors" 0 "$be/state" 2 \
		"$fe/backend" "$be" "$fe/backend-id" 0 "$fe/virtual-device" "$2" \
		"$fe/device-type" cdrom "$fe/state" 1
	xenstore-chmod -r "$be" n0 "r$1"
	xenstore-chmod -r "$fe" "n$1" r0
	pipe=$run/cd.$1.$2
	mkfifo "$pipe"
	xenstore-watch "$fe/state" >"$pipe" &
	watcher=$!
	while read -r _; do
		case $(xenstore-read "$fe/state" 2>/dev/null) in
		'') break ;; # the guest is gone
		1 | 2) xenstore-write "$be/state" 2 ;;
		3 | 4) xenstore-write "$be/state" 4 ;;
		5) xenstore-write "$be/state" 5 ;;
		6) xenstore-write "$be/state" 6 ;;
		esac
	done <"$pipe"
	kill "$watcher"
	rm -f "$pipe"
	xenstore-rm "/local/domain/0/backend/qdisk/$1"
}

# quiet NAME: waits until the console has said what it had to say.
quiet() {
	pid=$(cat "$run/$1.out")
	old=
	n=0
	while [ "$n" -lt 40 ]; do
		new=$(sed -n 's/^wchar: //p' "/proc/$pid/io" 2>/dev/null)
		[ "$new" != "$old" ] || return 0
		old=$new
		n=$((n + 1))
		usleep 300000
	done
}

# gone NAME DOMID CODE: a guest has shut down. 2 (suspend) belongs to xl save
# while that runs; otherwise it is an end, because nobody would wake the guest.
gone() {
	say ev shutdown "$1" "$3" "$(now)"
	[ "$3" != 2 ] || [ ! -e "$run/$1.saving" ] || return
	quiet "$1"
	if [ "$3" = 3 ]; then
		: >"$run/$1.dump"
		dump "$1" "$2"
		rm -f "$run/$1.dump"
	fi
	[ -e "$run/$1.keep" ] || xl destroy "$2" || say ev trouble "$1" "xl destroy failed"
}

watch_guests() {
	xenstore-watch @releaseDomain | while read -r _; do
		xl list -v 2>/dev/null >$run/list
		for f in $(set +f; echo $run/*.id); do
			[ -e "$f" ] || continue
			name=${f##*/}
			name=${name%.id}
			id=$(cat "$f")
			# Name ID Mem VCPUs State Time UUID Reason Label
			code=$(awk -v id="$id" '$2 == id && $5 ~ /s/ { print $8 }' $run/list)
			case $code in
			'' | -) continue ;;
			2) [ "$(cat "$run/$name.gone" 2>/dev/null)" != 2 ] || continue ;;
			*) [ ! -e "$run/$name.gone" ] || [ "$(cat "$run/$name.gone")" = 2 ] || continue ;;
			esac
			echo "$code" >"$run/$name.gone"
			gone "$name" "$id" "$code" &
		done
	done
}

# Commands; $1 is the sequence number.
do_drive() { # SERIAL -> its device, as soon as the kernel has it
	n=0
	while [ "$n" -lt 200 ]; do
		for f in $(set +f; echo /sys/block/vd*/serial); do
			[ -e "$f" ] && [ "$(cat "$f")" = "$2" ] || continue
			d=${f%/serial}
			d=${d##*/}
			[ ! -b "/dev/$d" ] || { say ok "$1" "/dev/$d"; return; }
		done
		n=$((n + 1))
		usleep 20000
	done
	say err "$1" "dom0 does not see the drive $2"
}

do_file() { # NAME SIZE DEVICE: a file for xl, out of a drive
	if dd if="$4" of="/tmp/files/$2" bs=1M count="$3" iflag=count_bytes >"$run/$1.log" 2>&1; then
		say ok "$1" "/tmp/files/$2"
	else
		answer "$1" "$run/$1.log" 1
	fi
	rm -f "$run/$1.log"
}

do_create() { # CON NAME CONFIG keep|- [VDEV:NAME of an empty CD drive]...
	text "$4" >"$run/$3.cfg"
	rm -f "$run/$3.keep"
	[ "$5" != keep ] || : >"$run/$3.keep"
	c_seq=$1 c_con=$2 c_name=$3
	shift 5
	echo "$*" >"$run/$c_name.cds"
	set -- "$c_seq" "$c_con" "$c_name"
	start_guest "$1" "$2" "$3" xl create -e -p "$run/$3.cfg"
}
do_restore() { # CON NAME FILE
	start_guest "$1" "$2" "$3" xl restore -e -p "$4"
}
do_unpause() { # NAME
	t=$(now)
	say ev unpausing "$2" "$t"
	xl unpause "$2" >"$run/$1.log" 2>&1
	rc=$?
	[ "$rc" = 0 ] || { answer "$1" "$run/$1.log" "$rc"; return; }
	rm -f "$run/$1.log"
	say ok "$1" "$t"
}
do_destroy() { # NAME
	quiet "$2"
	n=0
	while [ -e "$run/$2.dump" ] && [ "$n" -lt 100 ]; do
		usleep 100000
		n=$((n + 1))
	done
	do_sh "$1" "xl destroy $2"
}
# A disk of a guest that runs. libxl takes a disk by force from a guest that does not let go of it
# within ten seconds, so the guest is asked here, and libxl does the rest.
do_detach() { # NAME NUMBER VDEV
	be=/local/domain/0/backend/vbd/$(cat "$run/$2.id")/$3
	case $(xenstore-read "$be/state" 2>/dev/null) in
	4) xenstore-write "$be/online" 0 "$be/state" 5 ;; # connected: now it closes
	5) ;;                                             # it was asked before
	*)                                                # the guest never took it
		do_sh "$1" "xl block-detach --force $2 $4"
		return
		;;
	esac
	n=0
	while [ "$n" -lt 40 ]; do
		case $(xenstore-read "$be/state" 2>/dev/null) in
		'' | 6)
			do_sh "$1" "xl block-detach --force $2 $4"
			return
			;;
		esac
		n=$((n + 1))
		usleep 200000
	done
	say err "$1" "the guest does not let go of $4"
}
do_save() { # NAME FILE
	: >"$run/$2.saving"
	do_sh "$1" "xl save $2 $3"
	rm -f "$run/$2.saving"
}
do_sh() { # SCRIPT
	(eval "$(text "$2")") >"$run/$1.log" 2>&1 </dev/null
	answer "$1" "$run/$1.log" $?
}

exec 3<>"$(port pv.ctl)" || exit 1
watch_guests 3>&3 &
say ev ready "$(now)" "$(uname -r)"
while read -r cmd args <&3; do
	# shellcheck disable=SC2086 # words are what the protocol is made of
	set -- $args
	case $cmd in
	drive | file | create | restore | unpause | destroy | detach | save | sh) "do_$cmd" "$@" & ;;
	*) say err "${1:-0}" "unknown command $cmd" ;;
	esac
done
