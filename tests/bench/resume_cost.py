#!/usr/bin/python3
"""What it takes to verify the blocks of a .part on --resume, beside reading the same bytes: medians of turns.

usage: resume_cost.py PARSQUARES [ROUNDS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

COUNT = 100_000_000  # 0.8 GB
PIECE = 1 << 20


def seconds_of(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def read(path):
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(PIECE)
        while file.readinto(buffer):
            pass


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "squares.h5")

        def run(*options, last=COUNT):
            subprocess.run([program, "-q", "-o", path, *options, f"1..{last}"], check=True)

        run()
        reading, resuming, starting = [], [], []
        for _ in range(rounds):
            reading.append(seconds_of(lambda: read(path)))
            os.rename(path, path + ".part")  # all its blocks are verified and kept
            resuming.append(seconds_of(lambda: run("--resume")))
            other = os.path.join(folder, "small.h5")
            starting.append(seconds_of(lambda: subprocess.run([program, "-q", "-o", other, "1..10"], check=True)))
            os.unlink(other)
    verifying = statistics.median(a - b for a, b in zip(resuming, starting))
    print(f"reading {statistics.median(reading):.3f} s, verifying {verifying:.3f} s "
          f"(resume {statistics.median(resuming):.3f} s, of which an empty run {statistics.median(starting):.3f} s), "
          f"ratio {verifying / statistics.median(reading):.2f}")


main()
