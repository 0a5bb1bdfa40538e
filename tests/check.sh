#!/bin/sh
# SPDX-License-Identifier: MIT
# Run test suites and add up their counts.
#
#     tests/check.sh LOGDIR [+]NAME=COMMAND ...
#
# Suites run one after the other; one with a plus sign runs beside those that follow it (give it to
# a long one that keeps one core busy). Each command ends its output with "N passed, N failed"
# (", N skipped" may follow). A suite without such a line, or with a status that its counts do not
# explain, is one failure. The output of each goes to LOGDIR/NAME.log and is shown where something
# failed; skipped cases are always shown.
set -u

logs=$1
shift
mkdir -p "$logs"
rm -f "$logs"/*.counts
passed=0 failed=0 skipped=0

run_suite() { # NAME COMMAND
    log=$logs/$1.log
    began=$(date +%s)
    sh -c "$2" >"$log" 2>&1 </dev/null
    status=$?
    took=$(($(date +%s) - began))
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tr -d ,)
    p=$(echo "$counts" | awk '{n += $1} END {print n + 0}')
    f=$(echo "$counts" | awk '{n += $3} END {print n + 0}')
    s=$(echo "$counts" | awk '{n += $5} END {print n + 0}')
    if [ "$p" = 0 ] && [ "$f" = 0 ] && [ "$s" = 0 ]; then
        f=1
        echo "no count of tests in $log (exit status $status)" >>"$log"
    elif [ "$status" != 0 ] && [ "$f" = 0 ]; then
        f=1
        echo "exit status $status, though no test failed" >>"$log"
    fi
    echo "$p $f $s $took" >"$logs/$1.counts"
}

report() { # NAME
    log=$logs/$1.log
    read -r p f s took <"$logs/$1.counts" || { p=0 f=1 s=0 took=0; }
    printf '%-12s %4d passed, %d failed, %d skipped   (%d s)\n' "$1" "$p" "$f" "$s" "$took"
    grep -iE '^(ok .*# skip|skip(ped)?:? )' "$log" | sed 's/^/    /'
    [ "$f" = 0 ] || { echo "---- $log"; tail -n 200 "$log"; echo "----"; }
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

beside=
for suite in "$@"; do
    name=${suite%%=*}
    case $name in
    +*)
        run_suite "${name#+}" "${suite#*=}" &
        beside="$beside ${name#+}"
        ;;
    *)
        run_suite "$name" "${suite#*=}"
        report "$name"
        ;;
    esac
done
wait
for name in $beside; do
    report "$name"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
