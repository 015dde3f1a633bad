#!/usr/bin/python3
"""Grants per second: empty blocks of Parcel's sweep beside mpi4py.futures' submit of empty tasks, in turns.

    tests/bench/grants.py BUILD [--rounds N] [--schedules NAME,...]

Medians of each round's rates; "scheduler alone" is one worker of each rank that takes turns and does nothing else.
mpi4py (Debian: python3-mpi4py) has one master and one worker here: two processes, as everybody else has two workers.
"""
import argparse
import statistics
import sys

from side_by_side import run

TASKS = 5000
MASTER = f"""
import time
from mpi4py.futures import MPICommExecutor
with MPICommExecutor() as executor:
    if executor is not None:
        executor.submit(abs, 0).result()
        begun = time.perf_counter()
        futures = [executor.submit(abs, number) for number in range({TASKS})]
        assert [future.result() for future in futures] == list(range({TASKS}))
        print({TASKS} / (time.perf_counter() - begun))
"""


def mpirun(ranks, *command):
    return [float(word) for word in run(["mpirun", "--bind-to", "none", "-n", str(ranks), *command]).split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--schedules", default="steal,dynamic,guided")
    arguments = parser.parse_args()
    program = f"{arguments.build}/tests/bench/grants"
    rows = {"mpi4py.futures": lambda: mpirun(2, sys.executable, "-c", MASTER)}
    for schedule in arguments.schedules.split(","):
        rows[f"{schedule}, 2 ranks x 1 thread"] = lambda s=schedule: mpirun(2, program, s, "1", "2000000")
        rows[f"{schedule}, 1 rank x 2 threads"] = lambda s=schedule: mpirun(1, program, s, "2", "2000000")
    seen = {name: [] for name in rows}
    for _ in range(arguments.rounds):
        for name, measure in rows.items():
            seen[name].append(measure())
    print("| | per second | to mpi4py | a worker's time per block | scheduler alone | time per turn |\n"
          "|---|---|---|---|---|---|")
    for name, figures in seen.items():
        medians = [statistics.median(column) for column in zip(*figures)]
        ratio = statistics.median(own[0] / peer[0] for own, peer in zip(figures, seen["mpi4py.futures"]))
        rest = (f"{medians[1]:.3f} us | {medians[2]:,.0f} | {medians[3]:.3f} us" if len(medians) > 1
                else f"{1e6 / medians[0]:.0f} us | |")
        print(f"| {name} | {medians[0]:,.0f} | {ratio:,.0f} | {rest} |")


if __name__ == "__main__":
    main()
