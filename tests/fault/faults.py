"""Runs a program that is going to be hurt, and looks at what it leaves.

The scripts beside this one are started by ctest, which says where the programs are and sets what MPI needs.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py

FAILING = os.environ["FAILING"]
PARSQUARES = os.environ["PARSQUARES"]
MPIRUN = os.environ["MPIRUN"]
HAS_FAULTS = os.environ["PARCEL_HAS_FAULTS"] == "1"
TIMEOUT_SECONDS = 180
RANKS = (1, 3, 8)


def under_mpi(ranks, *command):
    """The command line of so many ranks; 0: the program alone, without mpirun."""
    words = [str(word) for word in command]
    return words if ranks == 0 else [MPIRUN, "-n", str(ranks), *words]


def shimmed(ranks, fault, *command):
    """The same, of ranks in which the layer that SHIM_LIBRARY is fails what `fault` says (shim.c)."""
    inject = ["env", f"SHIM={fault}", "SHIM_LOG=1", f"LD_PRELOAD={os.environ['SHIM_LIBRARY']}"]
    return under_mpi(ranks, *inject, *command)


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def children_of(pid):
    """The processes started by this one, by their ids."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[1] == str(pid) and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def ranks_below(launcher):
    """The ranks that mpirun has started: its children, or those of its helper on this host (MPICH)."""
    children = children_of(launcher)
    helpers = [pid for pid in children if name_of(pid) == "hydra_pmi_proxy"]
    return [pid for pid in children if pid not in helpers] + [pid for helper in helpers for pid in children_of(helper)]


def open_quietly(path):
    """The file without HDF5's locks: looking at it must not disturb who writes it."""
    return h5py.File(path, "r", locking=False)


def failures_of(file):
    """Index, code and message of each failure in the table of a file, if it has one."""
    table = file["parcel"].get("failures", {})
    if "index" not in table:
        return []
    messages = (row.tobytes() for row in table["message"][()])
    return list(zip(table["index"][()].tolist(), table["code"][()].tolist(), messages))


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_all(pids):
    """Kills the ranks, some of which a launcher may end once it misses the first."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for_end(pids, timeout=10):
    """Those of the processes that are still there after a while: ranks outlive a killed mpirun for a moment."""
    deadline = time.monotonic() + timeout
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [pid for pid in pids if is_alive(pid)]


def points_of(faults):
    """The points that PARCEL_FAULT names."""
    return {fault.partition(":")[0] for fault in faults.split(",") if fault}


class Run:
    """A program under way. The faults that its environment asks for must come before it ends, unless has_fault says that
    this is no matter."""

    def __init__(self, ranks, *command, has_fault=True, shim=None):
        """shim: a fault for the layer below the program (shim.c)."""
        self.name = Path(FAILING if FAILING in command else command[0]).name
        self.ranks = ranks
        self.faults = points_of(os.environ.get("PARCEL_FAULT", "")) if has_fault else set()
        self.log = None
        if self.faults:
            if not HAS_FAULTS:
                raise unittest.SkipTest("built without PARCEL_FAULTS")
            descriptor, self.log = tempfile.mkstemp(prefix="parcel-fault-log-")
            os.close(descriptor)
        self.process = subprocess.Popen(
            shimmed(ranks, shim, *command) if shim else under_mpi(ranks, *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PARCEL_FAULT_LOG": self.log} if self.log else None,
        )
        self.code = None
        self.stdout = self.stderr = ""
        self.seconds_to_end = None

    def rank_pids(self):
        return [self.process.pid] if self.ranks == 0 else ranks_below(self.process.pid)

    def end(self, timeout=TIMEOUT_SECONDS):
        """Waits for the end; a run that hangs is killed and fails the test."""
        pids = self.rank_pids()
        begin = time.monotonic()
        try:
            self.stdout, self.stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for pid in [*pids, self.process.pid]:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
            self.process.communicate()
            raise AssertionError(f"'{' '.join(self.process.args)}' did not end within {timeout} s") from None
        self.seconds_to_end = time.monotonic() - begin
        self.code = self.process.returncode
        self.survivors = wait_for_end(pids)
        self.check_faults()
        return self

    def check_faults(self):
        if self.log:
            came = set(Path(self.log).read_text().split())
            os.unlink(self.log)
            self.log = None
            if not self.faults <= came:
                raise AssertionError(f"no fault came at {', '.join(self.faults - came)}: {self.stderr}")

    @property
    def messages(self):
        """The program's own lines on stderr, its warnings left out."""
        beginning = f"{self.name}: "
        lines = [line for line in self.stderr.splitlines() if line.startswith(beginning)]
        return [line for line in lines if not line.startswith(beginning + "warning: ")]


def status_of(path):
    """The file's status attribute. Opens the whole structure, so a broken file is an error here."""
    with open_quietly(path) as file:
        for name in file:
            file[name]
        status = file.attrs["status"]
        return status.decode() if isinstance(status, bytes) else str(status)


def has_begun(part):
    """True once a block is in the ledger of the .part."""
    try:
        with open_quietly(part) as file:
            ledger = file["parcel/ledger"]
            step = max(1, len(ledger) // 8)
            samples = [ledger[start : start + 64]["state"] for start in range(0, len(ledger), step)]
            return any((sample == 1).any() for sample in samples)
    except (OSError, KeyError):
        return False


class FaultTest(unittest.TestCase):
    """A folder of its own for each test, and what the tests say about runs and files."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="parcel-fault-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.output = self.folder / "results.h5"
        self.part = self.folder / "results.h5.part"

    def start(self, ranks, *command, shim=None):
        """Starts a program in an empty folder, whatever the last one left there."""
        for entry in self.folder.iterdir():
            entry.unlink()
        return self.start_again(ranks, *command, shim=shim)

    def start_again(self, ranks, *command, shim=None):
        """The same, with what the last one left."""
        run = Run(ranks, *command, shim=shim)
        self.addCleanup(self.kill, run)
        return run

    def assert_shim_hit(self, run):
        self.assertIn("shim: ", run.stderr)

    @staticmethod
    def kill(run):
        for pid in [*run.rank_pids(), run.process.pid] if run.code is None else []:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        if run.code is None:
            run.process.communicate()

    def start_failing(self, ranks, what="none", index=-1, count=1000, block=10, milliseconds=0, stall=0, timeout=None):
        in_processes = [] if timeout is None else [timeout]
        return self.start(
            ranks, FAILING, self.output, count, block, what, index, milliseconds, stall, *in_processes
        )

    def wait_until_begun(self, run):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not has_begun(self.part):
            self.assertIsNone(run.process.poll(), f"ended too early: {run.process.poll()}")
            self.assertLess(time.monotonic(), deadline, "no block was written")
            time.sleep(0.02)

    def assert_one_message(self, run, *words):
        self.assertEqual(len(run.messages), 1, run.stderr)
        for word in words:
            self.assertIn(word, run.messages[0])

    def assert_nothing_left(self):
        self.assertEqual(sorted(os.listdir(self.folder)), [])

    def assert_only_part(self, *statuses):
        """A run that was killed leaves its lock, too, and its status file if it wrote one."""
        left = set(os.listdir(self.folder))
        if "running" in statuses:
            left -= {f"{self.part.name}.status.json", f"{self.part.name}.lock"}
        self.assertEqual(left, {self.part.name})
        self.assertIn(status_of(self.part), statuses)


def main():
    unittest.main(verbosity=2, argv=sys.argv[:1])
