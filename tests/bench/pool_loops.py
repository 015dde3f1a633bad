#!/usr/bin/python3
"""Parallel loops of Parcel's pool beside those of oneTBB, libgomp and libomp, whichever were found at build time.

Empty loops again and again, and after 1 ms of idling with the CPU time that costs; a million empty bodies; a loop whose
bodies grow; and, for each pool alone, twice and four times as many threads as CPUs against one thread per CPU.

usage: pool_loops.py BUILD_FOLDER [--rounds N] [--only SCENARIO]
"""
import argparse
import os
import statistics
import sys

from side_by_side import run

PEERS = ["parcel", "tbb", "libgomp", "libomp"]


def figures(programs, scenario, threads, rounds):
    """peer -> the medians, over rounds in turns, of each figure that the scenario prints, and the spread of the first."""
    seen = {peer: [] for peer in programs}
    for _ in range(rounds):
        for peer, program in programs.items():
            seen[peer].append([float(word) for word in run([program, scenario, str(threads)]).split()])
    return {peer: ([statistics.median(column) for column in zip(*rows)], min(rows)[0], max(rows)[0])
            for peer, rows in seen.items()}


def show(title, results, units):
    print(title)
    for peer, (medians, least, most) in results.items():
        shown = ", ".join(f"{median:.3f} {unit}" for median, unit in zip(medians, units))
        print(f"  {peer:<8} {shown:<44} ({least:.3f} to {most:.3f})")
    sys.stdout.flush()


def compare_crowds(programs, rounds):
    """64 equal bodies: threads one, two and four times the CPUs, in turns."""
    cpus = len(os.sched_getaffinity(0))
    crowds = [cpus, 2 * cpus, 4 * cpus]
    print("64 equal bodies, time over that with one thread per CPU")
    for peer, program in programs.items():
        times = {threads: [] for threads in crowds}
        for _ in range(rounds):
            for threads in crowds:
                times[threads].append(float(run([program, "even", str(threads)])))
        base = statistics.median(times[cpus])
        ratios = ", ".join(f"{threads} threads {statistics.median(times[threads]) / base:.3f}" for threads in crowds)
        print(f"  {peer:<8} {ratios}   ({base / 1000:.2f} ms)")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["fork-join", "idle", "tiny", "uneven", "crowd"])
    arguments = parser.parse_args()
    paths = {peer: f"{arguments.build}/tests/bench/pool_loops_{peer}" for peer in PEERS}
    programs = {peer: path for peer, path in paths.items() if os.path.exists(path)}

    def wanted(scenario):
        return arguments.only in (None, scenario)

    for threads in (2, 4, 8):
        if wanted("fork-join"):
            show(f"empty loop, {threads} threads", figures(programs, "fork-join", threads, arguments.rounds), ["us"])
    if wanted("idle"):
        show("empty loop after 1 ms, 2 threads", figures(programs, "idle", 2, arguments.rounds), ["us", "us of CPU"])
    if wanted("tiny"):
        show("a million empty bodies, 2 threads", figures(programs, "tiny", 2, arguments.rounds), ["us"])
    if wanted("uneven"):
        show("growing bodies, 2 threads", figures(programs, "uneven", 2, arguments.rounds), ["of ideal"])
    if wanted("crowd"):
        compare_crowds(programs, arguments.rounds)


if __name__ == "__main__":
    main()
