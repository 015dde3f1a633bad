#!/usr/bin/python3
"""compress_speed.py BUILD [ROUNDS [COUNT]]: squares of 1..COUNT into a compressed file, by parsquares with two threads
and by h5py, that is HDF5's own filters, with the same chunks and the same level; in turns.

parsquares is timed as a whole program, from start to end, and also less the time of a run over one position; h5py
only from the creation of the file to the end of fsync, its array being there. CPU seconds tell what a busy machine
hides: two threads need half of theirs where two cores are free.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy

BLOCK = 131072  # 1 MiB
LEVELS = (1, 4, 6)


def cpu_seconds(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def timed(who, work):
    """Seconds on the clock, and of CPU."""
    cpu, began = cpu_seconds(who), time.perf_counter()
    work()
    return time.perf_counter() - began, cpu_seconds(who) - cpu


def by_parsquares(program, path, count, level):
    command = [program, "-q", "-t", "2", "-b", str(BLOCK), f"--compress=deflate,{level}", "-o", path, f"1..{count}"]
    return timed(resource.RUSAGE_CHILDREN, lambda: subprocess.run(command, check=True))


def write_by_h5py(path, values, level):
    with h5py.File(path, "w") as file:
        file.create_dataset("squares", data=values, chunks=(BLOCK,), compression="gzip", compression_opts=level,
                            shuffle=True)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def measure(program, folder, values, level, rounds):
    """(clock, CPU) of parsquares, h5py, and parsquares over one position; and the sizes of the first two's files."""
    paths = [folder / "parsquares.h5", folder / "h5py.h5"]
    times = ([], [], [])
    for _ in range(rounds):
        for path in paths:
            path.unlink(missing_ok=True)
        times[0].append(by_parsquares(program, paths[0], len(values), level))
        times[1].append(timed(resource.RUSAGE_SELF, lambda: write_by_h5py(paths[1], values, level)))
        times[2].append(by_parsquares(program, folder / "one.h5", 1, level))
        (folder / "one.h5").unlink()
    with h5py.File(paths[0]) as file:
        assert numpy.array_equal(file["squares"][:], values)
    medians = [[statistics.median(column) for column in zip(*each)] for each in times]
    return medians, [path.stat().st_size for path in paths]


def main():
    program = Path(sys.argv[1]) / "apps" / "parsquares"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 25_000_000
    values = numpy.arange(1, count + 1, dtype="u8") ** 2
    print("level  parsquares (CPU)     h5py (CPU)      ratio  less start-up  CPU ratio x 2       bytes  h5py's bytes")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as folder:
        for level in LEVELS:
            (own, other, one), sizes = measure(program, Path(folder), values, level, rounds)
            print(f"{level:5}  {own[0]:6.3f} s ({own[1]:6.3f})  {other[0]:6.3f} s ({other[1]:6.3f})"
                  f"  {other[0] / own[0]:6.2f}  {other[0] / (own[0] - one[0]):13.2f}"
                  f"  {2 * other[1] / (own[1] - one[1]):13.2f}  {sizes[0]:10}  {sizes[1]:12}")


if __name__ == "__main__":
    main()
