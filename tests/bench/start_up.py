#!/usr/bin/python3
"""What the smallest job costs above an MPI program that does nothing.

`mpirun -n R parsquares 1..1000000` as a whole process, against MPI_Init and MPI_Finalize alone, for R = 1, 2, 8; below 1
where Parcel spares Open MPI the search for network hardware that is absent (core/fabric.c).

usage: start_up.py BUILD_FOLDER [--rounds N] [--ranks R ...]
"""
import argparse
import os
import tempfile
import time

from side_by_side import compare, run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 8])
    arguments = parser.parse_args()

    def seconds(command):
        begin = time.monotonic()
        run(command)
        return time.monotonic() - begin

    with tempfile.TemporaryDirectory(dir=".") as folder:
        output = os.path.join(folder, "squares.h5")
        for ranks in arguments.ranks:
            launch = ["mpirun", "-n", str(ranks)]
            job = [f"{arguments.build}/apps/parsquares", "-q", "--force", "-o", output, "1..1000000"]
            compare(f"whole process, {ranks} ranks",
                    {"empty MPI program": lambda: seconds(launch + [f"{arguments.build}/tests/bench/empty_mpi"]),
                     "parsquares 1..1000000": lambda: seconds(launch + job)},
                    arguments.rounds)


if __name__ == "__main__":
    main()
