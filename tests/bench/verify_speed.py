#!/usr/bin/python3
"""How close `parcel verify` comes to reading the file: the time of its check, which it prints, against a plain C program
whose two threads pread() the same bytes. Both read from the page cache, which is the harder case.

usage: verify_speed.py BUILD_FOLDER [--folder FOLDER] [--rounds N] [--gigabytes G]
"""
import argparse
import os
import re
import tempfile

from side_by_side import compare, run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--folder", default=".", help="where the file is made")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gigabytes", type=float, default=0.8)
    arguments = parser.parse_args()
    build = arguments.build
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = os.path.join(folder, "squares.h5")
        count = int(arguments.gigabytes * 1e9 / 8)
        run([f"{build}/apps/parsquares", "--progress=none", "-o", path, f"1..{count}"])

        def verify(ranks, threads):
            command = ["mpirun", "--bind-to", "none", "-n", str(ranks), f"{build}/apps/parcel", "verify"]
            return float(re.search(r"in ([0-9.]+) s$", run([*command, "-t", str(threads), path]), re.M)[1])

        compare(f"{arguments.gigabytes:g} GB from the page cache",
                {"plain C, 2 threads": lambda: float(run([f"{build}/tests/bench/plain_reader", path])),
                 "parcel verify, 1 rank x 2 threads": lambda: verify(1, 2),
                 "parcel verify, 2 ranks x 1 thread": lambda: verify(2, 1)},
                arguments.rounds)


if __name__ == "__main__":
    main()
