#!/usr/bin/python3
"""Tasks per second in worker processes: Parcel's executor over processes beside Python's own and joblib's.

    tests/bench/workers_tasks.py BUILD [--processes N] [--rounds N]

Every task squares one number; all are submitted, then all results are collected and checked. Processes are running
before the clock is. In turns; joblib (Debian: python3-joblib) is left out where it is not installed.
"""
import argparse
import concurrent.futures
import statistics
import sys
import time

from side_by_side import run

try:
    import joblib
except ImportError:
    joblib = None

PARCEL_TASKS = 400_000
PYTHON_TASKS = 8_000


def square(value):
    return value * value


def check(results):
    if results != [value * value for value in range(PYTHON_TASKS)]:
        sys.exit("a wrong result")


def python_submits(pool):
    begin = time.perf_counter()
    futures = [pool.submit(square, value) for value in range(PYTHON_TASKS)]
    check([future.result() for future in futures])
    return PYTHON_TASKS / (time.perf_counter() - begin)


def python_map_in_chunks(pool):
    begin = time.perf_counter()
    check(list(pool.map(square, range(PYTHON_TASKS), chunksize=32)))
    return PYTHON_TASKS / (time.perf_counter() - begin)


def joblib_calls(parallel, batch):
    parallel.batch_size = batch
    begin = time.perf_counter()
    check(parallel(joblib.delayed(square)(value) for value in range(PYTHON_TASKS)))
    return PYTHON_TASKS / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    program = [f"{arguments.build}/tests/bench/workers_tasks", str(arguments.processes)]
    pool = concurrent.futures.ProcessPoolExecutor(arguments.processes)
    competitors = {
        "Parcel, executor over processes": lambda: PARCEL_TASKS / float(run([*program, str(PARCEL_TASKS)])),
        "Parcel, one call after another": lambda: 50_000 / float(run([*program, "50000", "call"])),
        "ProcessPoolExecutor.submit": lambda: python_submits(pool),
        "ProcessPoolExecutor.map, chunks of 32": lambda: python_map_in_chunks(pool),
    }
    if joblib:
        parallel = joblib.Parallel(n_jobs=arguments.processes, pre_dispatch="all")
        with pool, parallel:
            competitors["joblib, one by one"] = lambda: joblib_calls(parallel, 1)
            competitors["joblib, its own batches"] = lambda: joblib_calls(parallel, "auto")
            measure(competitors, arguments.rounds)
    else:
        with pool:
            measure(competitors, arguments.rounds)


def measure(competitors, rounds):
    rates = {name: [] for name in competitors}
    for competitor in competitors.values():
        competitor()  # starts what is started late
    for _ in range(rounds):
        for name, competitor in competitors.items():
            rates[name].append(competitor())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"  {name:<38} {median:12,.0f} tasks/s   1/{first / median:<8.1f}"
              f"({min(rates[name]):,.0f} to {max(rates[name]):,.0f}, {rounds} rounds)")


if __name__ == "__main__":
    main()
