"""Runs competitors in turns (A B A B ...) and compares their medians: what every benchmark here has in common."""
import os
import statistics
import subprocess
import sys

MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


def run(command):
    """The standard output of a command that must succeed."""
    finished = subprocess.run(command, env=os.environ | MPI_ENVIRONMENT, stdout=subprocess.PIPE, check=True,
                              timeout=600, text=True)
    return finished.stdout


def compare(title, competitors, rounds):
    """competitors: name -> function returning seconds; the first is the one that the others are measured against."""
    seconds = {name: [] for name in competitors}
    for measure in competitors.values():
        measure()  # warm up: caches, page tables, the file system's free lists
    for _ in range(rounds):
        for name, measure in competitors.items():
            os.sync()  # nobody pays for what the one before left to be written
            seconds[name].append(measure())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = next(iter(medians.values()))
    print(title)
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.4f} to {max(seconds[name]):.4f}"
        print(f"  {name:<34} {median:8.4f} s   ratio {median / base:5.2f}   ({spread}, {rounds} rounds)")
    sys.stdout.flush()
