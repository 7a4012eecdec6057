"""One line for each check, and whether one failed."""
import sys

failures = 0


def report(name, ok, detail):
    global failures
    failures += 0 if ok else 1
    print(f"{'ok' if ok else 'FAILED':7} {name}: {detail}", flush=True)


def not_run(name, reason):
    print(f"not run {name}: {reason}", flush=True)


def end():
    sys.exit(1 if failures else 0)
