#!/usr/bin/python3
"""Empty tasks per second of the executor and of Python's ThreadPoolExecutor: executor_tasks.py BUILD [ROUNDS]"""
import concurrent.futures
import os
import re
import statistics
import sys
import time

import side_by_side

THREADS = 2
TASKS = 50_000


def python_rate():
    """Submits, waits for each result, as the executor's benchmark does."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as executor:
        begin = time.perf_counter()
        futures = [executor.submit(int) for _ in range(TASKS)]
        for future in futures:
            future.result()
        return TASKS / (time.perf_counter() - begin)


def parcel_rate(program):
    output = side_by_side.run([program, "1", str(THREADS)])
    return float(re.search(r"a future each +([0-9.]+)", output)[1]) * 1e6


def main():
    program = os.path.join(sys.argv[1], "tests", "bench", "executor_tasks")
    rates = {"ThreadPoolExecutor": [], "parcel, a future each": []}
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
        rates["ThreadPoolExecutor"].append(python_rate())
        rates["parcel, a future each"].append(parcel_rate(program))
    base = statistics.median(rates["ThreadPoolExecutor"])
    for name, values in rates.items():
        median = statistics.median(values)
        spread = f"{min(values):,.0f} to {max(values):,.0f}"
        print(f"  {name:<24} {median:12,.0f} /s   ratio {median / base:6.1f}   ({spread})")


main()
