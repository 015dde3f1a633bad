#!/usr/bin/python3
"""How close parsquares comes to the file system's limit.

Time inside the sweep of parsquares, against a plain C program whose two threads pwrite() the same bytes to a
preallocated file. Neither syncs; both overwrite nothing.

usage: write_limit.py BUILD_FOLDER [--folder FOLDER] [--rounds N] [--gigabytes G ...]
"""
import argparse
import os
import re
import tempfile

from side_by_side import compare, run


def forget(path):
    """Removes a file and waits until the disk is done with it: parsquares has synced its file, and what the disk does
    for blocks that are freed would otherwise fall into the time of whoever comes next."""
    os.unlink(path)
    os.sync()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--folder", default=".", help="where to write; the disk to measure")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.8, 4])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        output = os.path.join(folder, "squares.h5")

        def plain(count):
            seconds = float(run([f"{arguments.build}/tests/bench/plain_writer", output, str(count)]))
            forget(output)
            return seconds

        def parsquares(count, ranks, threads):
            printed = run(["mpirun", "--bind-to", "none", "-n", str(ranks), f"{arguments.build}/apps/parsquares",
                           "--progress=none", "-t", str(threads), "-o", output, f"1..{count}"])
            forget(output)
            return float(re.search(r"elapsed ([0-9.]+) s", printed)[1])

        for gigabytes in arguments.gigabytes:
            count = int(gigabytes * 1e9 / 8)
            compare(f"{gigabytes:g} GB, {count} squares, time inside the sweep",
                    {"plain C, 2 threads": lambda: plain(count),
                     "parsquares, 1 rank x 2 threads": lambda: parsquares(count, 1, 2),
                     "parsquares, 2 ranks x 1 thread": lambda: parsquares(count, 2, 1)},
                    arguments.rounds)


if __name__ == "__main__":
    main()
