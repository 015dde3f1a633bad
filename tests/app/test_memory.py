"""The memory of a run does not grow with the range: 4 GB of results take a few MiB."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import h5py

from parsquares_runner import ProgramTest, command_of, finish, main, start

COUNT = 500_000_000
FREE_BYTES = 6 * 10**9
MEBIBYTE = 2**20
TIMEOUT_SECONDS = 360
MPICC = os.environ.get("MPICC") or "mpicc"
MOST_ABOVE_EMPTY = 64 * MEBIBYTE
EMPTY_PROGRAM = """
#include <mpi.h>
int main(int argc, char **argv) { MPI_Init(&argc, &argv); return MPI_Finalize(); }
"""
# Prints the peak of a command in KiB. A process that Python itself starts would count Python's memory as its
# own: the peak outlives the exec.
PEAK_PROGRAM = """
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
  struct rusage usage;
  int status = 1;
  const pid_t child = argc > 1 ? fork() : -1;
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }
  if (wait4(child, &status, 0, &usage) != child || status != 0)
    return 1;
  printf("%ld", usage.ru_maxrss);
  return 0;
}
"""


def is_sanitized():
    """Sanitizers keep books on all memory, in memory."""
    cache = Path(os.environ["PARCEL_BUILD"], "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(r"^PARCEL_SANITIZE:\w+=.+$", cache, re.M) is not None


@unittest.skipIf(is_sanitized(), "a sanitizer's own memory would be measured")
@unittest.skipUnless(shutil.which(MPICC), "there is no mpicc to compile the empty program")
class Memory(ProgramTest):
    def setUp(self):
        super().setUp()
        free = shutil.disk_usage(self.folder).free
        if free < FREE_BYTES:
            self.skipTest(f"needs {FREE_BYTES} bytes on the disk of {self.folder}, which has {free}")

    def compile(self, name, source):
        (self.folder / f"{name}.c").write_text(source, encoding="ascii")
        subprocess.run([MPICC, f"{name}.c", "-o", name], cwd=self.folder, timeout=60, check=True)

    def peak_memory(self, command):
        """Peak resident bytes of a command, which must succeed."""
        outcome = finish(start(["./peak", *command], self.folder), TIMEOUT_SECONDS)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), command)
        return int(outcome.stdout) * 1024

    def test_half_a_billion_squares_take_little_more_memory_than_an_empty_program(self):
        self.compile("empty", EMPTY_PROGRAM)
        self.compile("peak", PEAK_PROGRAM)
        empty = self.peak_memory(["./empty"])
        self.assertGreater(empty, MEBIBYTE)
        for block in ([], ["-b", "1000"]):
            with self.subTest(block=block):
                used = self.peak_memory(command_of(["-q", "--force", *block, f"1..{COUNT}"])) - empty
                print(f"{used / MEBIBYTE:.1f} MiB above an empty program, blocks {block or 'by default'}")
                self.assertLess(used, MOST_ABOVE_EMPTY)
                with h5py.File(self.folder / "squares.h5") as file:
                    self.assertEqual(file["squares"][COUNT - 1], COUNT**2)


if __name__ == "__main__":
    main()
