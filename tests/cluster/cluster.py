"""What the tests of this folder share: a place to work in, programs for the jobs, and looks at what they leave.

The scripts beside this one are started by ctest, which says where the programs are.
"""

import os
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py
import numpy

JOBS = Path(os.environ["PARCEL_SOURCE"]) / "jobs"
PARSQUARES = Path(os.environ["PARSQUARES"])
SLOW_PARSQUARES = Path(os.environ["SLOW_PARSQUARES"])
ACTIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED"}


def skip(why):
    """Ends this script as skipped, in ctest's and tests/run.sh's words."""
    print(f"skipped: {why}")
    sys.exit(77)


def make_folder():
    """A new folder that daemons of other users may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="parcel-cluster-"))
    folder.chmod(0o755)
    return folder


def use_environment_of_a_user():
    """Forgets what ctest sets for MPI: jobs must do with what they set themselves. Programs are found on the PATH."""
    for name in list(os.environ):
        if name.startswith(("OMPI_MCA_", "SLURM_", "PMIX_")):
            del os.environ[name]
    os.environ["PATH"] = f"{PARSQUARES.parent}:{os.environ['PATH']}:/usr/sbin:/sbin"


def slow(milliseconds, folder, **changes):
    """For submit: the environment in which parsquares takes so long for each block, and logs it into the folder."""
    return {**os.environ, **changes, "PATH": f"{SLOW_PARSQUARES.parent}:{os.environ['PATH']}",
            "SLOW_MILLISECONDS": str(milliseconds), "SLOW_LOG": str(folder / "blocks.log")}


def wait_until(is_so, seconds, failure):
    """Looks again and again; a failure (text, or what makes it) after so many seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(failure() if callable(failure) else failure)
        time.sleep(0.05)


def lines_of(path):
    """The lines of a file, none if it does not exist yet."""
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


class ClusterTest(unittest.TestCase):
    """Each test works in a folder of its own below the shared one."""

    shared = None  # set by the scripts' setUpModule

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="test-", dir=self.shared))
        os.chdir(self.folder)
        self.addCleanup(os.chdir, "/")

    def assert_squares(self, path, first, last):
        """The file is complete, and holds the squares that numpy has."""
        with h5py.File(path, "r") as file:
            self.assertEqual(file.attrs["status"], b"complete")
            numpy.testing.assert_array_equal(file["squares"], numpy.arange(first, last + 1, dtype=numpy.uint64) ** 2)

    def blocks_computed(self):
        """FIRST of every block in the order of the slow program's log."""
        return [int(line.split()[0]) for line in lines_of(self.folder / "blocks.log")]

    def wait_for_blocks(self, count, seconds=90):
        """Waits until so many blocks are computed, which is well within a run."""
        def failure():
            said = "".join(path.read_text() for path in sorted(self.folder.glob("slurm-*")))
            return f"only {len(self.blocks_computed())} of {count} blocks: {said}"

        wait_until(lambda: len(self.blocks_computed()) >= count, seconds, failure)


class SlurmTest(ClusterTest):
    """A test with jobs."""

    slurm = None  # set by the scripts' setUpModule

    def submit(self, script, *words, options=(), environment=None):
        """Submits a script of jobs/, unchanged; words go to the program."""
        how = {"env": {**environment, "SLURM_CONF": self.slurm.environment["SLURM_CONF"]}} if environment else {}
        return self.slurm.submit(*options, JOBS / script, *words, **how)

    def output_of(self, job):
        """What the job, or all members of an array, printed."""
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"slurm-{job}[._]*")))

    def wait_for_end(self, job, *states, seconds=60):
        """Waits for the end of the job, which must be in one of these states (COMPLETED if none is given)."""
        last = []

        def has_ended():
            last[:] = self.slurm.states(job)  # none while the controller is too busy to answer
            return last and not ACTIVE & set(last)

        wait_until(has_ended, seconds, lambda: f"job {job} is still {last}: {self.output_of(job)}")
        for state in last:
            self.assertIn(state, states or ["COMPLETED"], self.output_of(job))

    def run_job(self, script, *words, **how):
        """Submits a job that must succeed; what it printed."""
        job = self.submit(script, *words, **how)
        self.wait_for_end(job)
        return self.output_of(job)


def remove(folder):
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)


def main():
    unittest.main(verbosity=2, argv=sys.argv)
