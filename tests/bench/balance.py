#!/usr/bin/python3
"""Uneven work under every schedule, beside OpenMP's dynamic and static loops of the same kernel and blocks, in turns.

    tests/bench/balance.py BUILD [--rounds N] [--kernels NAME,...] [--schedules NAME,...] [--indices N]

For each kernel and 2 ranks x 1 thread, 1 rank x 2 threads: the median time; its ratio to OpenMP's dynamic loop (median of
the ratios of each round); and time / ideal, the ideal being what the workers spent inside the kernel / workers in the
same round: 1.00 says that no worker ever waited for work.
"""
import argparse
import statistics

from side_by_side import run

SHAPES = {"2 ranks x 1 thread": (2, 1), "1 rank x 2 threads": (1, 2)}


def measure(command):
    """(seconds, seconds / ideal)"""
    elapsed, inside, workers = (float(word) for word in run(command).split())
    return elapsed, elapsed / (inside / workers)


def competitors(build, kernel, schedules, indices):
    """name -> command; the first is the one that the others are measured against."""
    work = [str(indices), str(max(indices // 1000, 1))]
    commands = {f"OpenMP {kind}": [f"{build}/tests/bench/balance_openmp", kernel, kind, "2", *work]
                for kind in ("dynamic", "static")}
    for schedule in schedules:
        for shape, (ranks, threads) in SHAPES.items():
            commands[f"{schedule}, {shape}"] = ["mpirun", "--bind-to", "none", "-n", str(ranks),
                                                f"{build}/tests/bench/balance", kernel, schedule, str(threads), *work]
    return commands


def compare(title, commands, rounds):
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seen[name].append(measure(command))
    first = next(iter(seen.values()))
    print(f"| {title} | time | to OpenMP dynamic | to ideal | (least to most) |\n|---|---|---|---|---|")
    for name, figures in seen.items():
        time = statistics.median(seconds for seconds, _ in figures)
        ratio = statistics.median(own[0] / peer[0] for own, peer in zip(figures, first))
        ideals = [ideal for _, ideal in figures]
        print(f"| {name} | {time:.3f} s | {ratio:.3f} | {statistics.median(ideals):.3f} "
              f"| {min(ideals):.3f} to {max(ideals):.3f} |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kernels", default="uniform,linear,lognormal,huge")
    parser.add_argument("--schedules", default="steal,static,dynamic,guided,factoring")
    parser.add_argument("--indices", type=int, default=20_000)
    arguments = parser.parse_args()
    for kernel in arguments.kernels.split(","):
        compare(kernel, competitors(arguments.build, kernel, arguments.schedules.split(","), arguments.indices),
                arguments.rounds)


if __name__ == "__main__":
    main()
