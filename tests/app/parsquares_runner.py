"""Runs parsquares as a user does: alone or by mpirun, in a folder of its own, never longer than a timeout.

The scripts beside this one are started by ctest, which says where the program is and sets what MPI needs.
"""

import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tty
import unittest
from dataclasses import dataclass
from pathlib import Path

PARSQUARES = os.environ["PARSQUARES"]
MPIRUN = os.environ["MPIRUN"]
HAS_FAULTS = os.environ["PARCEL_HAS_FAULTS"] == "1"
TIMEOUT_SECONDS = 180
NOBODY = 65534


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def messages(self):
        """The program's own lines on stderr."""
        return without_mpirun_text(self.stderr)

    @property
    def sums(self):
        """The sum of each column by its name, as printed."""
        lines = re.findall(r"^sum of (\w+): (-?\d+),", self.stdout, re.M)
        return {name: int(value) for name, value in lines}

    @property
    def threads(self):
        """Threads per rank, as printed."""
        return int(re.search(r"^.*: \d+ positions, \d+ ranks x (\d+) threads$", self.stdout, re.M).group(1))


def without_mpirun_text(text):
    """The lines outside the blocks between dashes that mpirun prints when a rank exits non-zero."""
    lines = []
    is_mpirun = False
    for line in text.splitlines():
        if re.fullmatch(r"[-=]{60,}", line):
            is_mpirun = not is_mpirun
        elif not is_mpirun or line.startswith("parsquares: "):
            lines.append(line)
    return lines


def environment_with(changes):
    """This process's environment without what a batch job would add; a change to None removes a variable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "OMP_"))}
    kept.update(changes or {})
    return {name: value for name, value in kept.items() if value is not None}


def command_of(arguments, ranks=None, launcher=(), program=PARSQUARES):
    """The whole command: alone (ranks None) or by mpirun, whose further options are the launcher's."""
    command = [str(program), *map(str, arguments)]
    if ranks is not None:
        return [MPIRUN, "-n", str(ranks), *launcher, *command]
    return [*launcher, *command]


def start(command, folder, environment=None, **how):
    """A process in a group of its own, so that all of it can be ended."""
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    how = {"cwd": folder, "env": environment_with(environment), "start_new_session": True, **how}
    return subprocess.Popen(command, **how)


def end(process):
    """Ends a process that took too long, and what it started; mpirun gets the time to end its ranks."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def limit_file_size(most_bytes):
    """For start: the process gets EFBIG where a file would grow beyond, because SIGXFSZ stays ignored."""
    limit = (most_bytes, most_bytes)
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit), "restore_signals": False}


def finish(process, timeout_seconds=TIMEOUT_SECONDS):
    """Waits for a started process."""
    try:
        stdout, stderr = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        end(process)
        raise AssertionError(f"still running after {timeout_seconds} s: {process.args}") from error
    return Outcome(process.returncode, (stdout or b"").decode(), (stderr or b"").decode())


def read_terminal(master):
    """All that is written to a terminal until its last user closes it."""
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            piece = b""
        if not piece:
            return b"".join(pieces).decode()
        pieces.append(piece)


def run_on_terminal(command, folder):
    """Runs a command whose stderr is a terminal; its output is the bytes as they were written."""
    master, terminal = pty.openpty()
    tty.setraw(terminal)
    process = start(command, folder, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    watch = threading.Timer(TIMEOUT_SECONDS, end, [process])
    watch.start()
    shown = read_terminal(master)
    code = process.wait()
    watch.cancel()
    os.close(master)
    return Outcome(code, "", shown)


class ProgramTest(unittest.TestCase):
    """A test with a folder of its own, in which the program runs."""

    def setUp(self):
        self.folder = self.make_folder()

    def make_folder(self):
        folder = Path(tempfile.mkdtemp(prefix="parsquares-"))
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def run_program(self, *arguments, ranks=None, launcher=(), environment=None, folder=None, program=PARSQUARES,
                    **how):
        command = command_of(arguments, ranks, launcher, program)
        return finish(start(command, folder or self.folder, environment, **how))

    def run_with_fault(self, fault, *arguments, **how):
        """Runs the program with a fault (core/fault_impl.h), which must come."""
        if not HAS_FAULTS:
            self.skipTest("built without PARCEL_FAULTS")
        log = self.make_folder() / "log"
        outcome = self.run_program(*arguments, environment={"PARCEL_FAULT": fault, "PARCEL_FAULT_LOG": str(log)}, **how)
        came = log.read_text().split() if log.exists() else []
        self.assertIn(fault.partition(":")[0], came, f"the fault did not come: {outcome}")
        return outcome

    def install(self):
        """The program, installed where any user may run it: the checkout may be out of their reach."""
        prefix = self.make_folder()
        prefix.chmod(0o755)
        subprocess.run(["cmake", "--install", os.environ["PARCEL_BUILD"], "--prefix", prefix], check=True,
                       stdout=subprocess.DEVNULL)
        return prefix / "bin" / "parsquares"

    def run_well(self, *arguments, **how):
        """Runs the program, which must succeed and have nothing to say on stderr."""
        outcome = self.run_program(*arguments, **how)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), f"{arguments} {how}")
        return outcome

    def assert_refused(self, outcome, code, mentions=""):
        """One line of explanation, and nothing else."""
        self.assertEqual(outcome.code, code, outcome.stderr)
        self.assertEqual(outcome.stdout, "")
        self.assertEqual(len(outcome.messages), 1, outcome.stderr)
        self.assertTrue(outcome.messages[0].startswith("parsquares: "), outcome.messages[0])
        self.assertIn(mentions, outcome.messages[0])

    def names(self):
        """What is in the folder."""
        return sorted(entry.name for entry in self.folder.iterdir())


def main():
    """Runs the calling script's tests; exits with 77, ctest's word for skipped, if every one was skipped."""
    result = unittest.main(exit=False, verbosity=2).result
    if result.wasSuccessful() and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
