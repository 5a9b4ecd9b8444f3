"""`python -m tests.fuzz`: damaged pictures read by the thousand, and what became of them, in figures.

The exit status is 1 if anything was wrong: an error that is not one line with the path, a crash, a picture that is no
photo, more than two seconds or a gigabyte.
"""

import argparse
import collections
import sys
import time

from tests.fuzz.run import CRASHED, WRONG, fuzz

MAX_SECONDS, MAX_BYTES = 2.0, 1_000_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first file")
    parser.add_argument("--list", action="store_true", help="print every file too")
    options = parser.parse_args()
    start, outcomes, bad = time.perf_counter(), collections.Counter(), []
    slowest = largest = None
    for result in fuzz(options.first, options.count):
        outcomes[result.outcome] += 1
        slowest = result if slowest is None or result.cpu > slowest.cpu else slowest
        largest = result if largest is None or result.memory > largest.memory else largest
        if options.list:
            print(*result)
        if (
            result.outcome in (WRONG, CRASHED)
            or min(result.cpu, result.seconds) > MAX_SECONDS  # a busy machine is not the file's fault
            or result.memory > MAX_BYTES
        ):
            bad.append(result)
            print("bad:", *result)
    assert slowest is not None and largest is not None
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{outcomes.total()} files in {time.perf_counter() - start:.0f} s: {counts}")
    print(f"slowest: {slowest.cpu:.3f} s of CPU, {slowest.name} (seed {slowest.seed}): {slowest.text}")
    print(f"most memory: {largest.memory / 1e6:.1f} MB, {largest.name} (seed {largest.seed}): {largest.text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
