# SPDX-License-Identifier: MIT
"""What runs the cases of a test program and counts them."""
import signal
import traceback


class Skip(Exception):
    """This case cannot run here; the text says why."""


def cases_of(module, argument="box"):
    """The functions of a module (its globals()) that take this one argument, in order; those whose
    name begins with _ are not cases."""
    return [f for name, f in list(module.items())
            if callable(f) and not name.startswith("_") and getattr(f, "__code__", None) and
            f.__code__.co_argcount == 1 and f.__code__.co_varnames[0] == argument]


def run_cases(cases, make, names=(), call=lambda case, made: case(made)):
    """Each case, or those of these names, with what `make(case)` makes for it alone, a context
    manager. The exit status."""
    # A shell has these ignored in what it puts into the background, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    passed = failed = skipped = 0
    unknown = set(names) - {case.__name__ for case in cases}
    if unknown or not cases:
        print("no such case: %s" % " ".join(sorted(unknown)))
        return 1
    for case in cases:
        name = case.__name__
        if names and name not in names:
            continue
        try:
            with make(case) as made:
                call(case, made)
            passed += 1
            print("ok    " + name, flush=True)
        except Skip as e:
            skipped += 1
            print("skip  %s: %s" % (name, e), flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(traceback.format_exc()[-4000:])
            print("FAIL  " + name, flush=True)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0
