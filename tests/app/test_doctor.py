"""`parcel doctor`: each fault is provoked and must be named, with a line against it; without faults there are none."""

import json
import os
import shutil
import subprocess
import sys
import unittest

from parsquares_runner import ProgramTest, finish, main, start, command_of
from platform_facts import not_open_mpi_5_with_two_programs, only_open_mpi, only_open_mpi_4

PARCEL = os.environ["PARCEL_TOOL"]
NOT_YIELDING = {"OMPI_MCA_mpi_yield_when_idle": None}  # which the tests' environment sets
CPUS = sorted(os.sched_getaffinity(0))

# In a mount namespace of its own, a program sees what is mounted there.
IN_NAMESPACE = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"']


def has_mount_namespaces():
    """Whether this user may mount in a namespace."""
    return subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def in_namespace(folder, size="10m"):
    """The words before a program that make it see a small disk in memory as this folder."""
    return [word.format(size=size) for word in IN_NAMESPACE] + [str(folder)]


needs_namespaces = unittest.skipUnless(has_mount_namespaces(), "this user may not mount in a namespace")
needs_two_cpus = unittest.skipUnless(len(CPUS) >= 2, "needs two CPUs")


class DoctorTest(ProgramTest):
    def examine(self, *arguments, ranks=1, launcher=(), before=(), environment=None):
        """The exit code, and the findings that are not fine by the name of the check."""
        command = [*before, *command_of(["doctor", "--json", *arguments], ranks, launcher, PARCEL)]
        outcome = finish(start(command, self.folder, environment))
        self.stderr = outcome.stderr
        self.findings = json.loads(outcome.stdout)
        return outcome.code, {f["check"]: f for f in self.findings if f["severity"] != "ok"}

    def assert_found(self, findings, check, severity, fact, line):
        self.assertIn(check, findings, self.findings)
        self.assertEqual(findings[check]["severity"], severity)
        self.assertIn(fact, findings[check]["fact"])
        self.assertIn(line, findings[check]["line"])

    def test_a_good_launch_is_fine(self):
        code, findings = self.examine("-t", 1, ranks=len(CPUS), launcher=["--bind-to", "none"])
        self.assertEqual(code, 0)
        self.assertEqual(set(findings) - {"versions", "HDF5", "file system", "start-up", "speed", "space"}, set())
        self.assertEqual(self.names(), [])

    def test_lines_say_the_same_as_json(self):
        outcome = finish(start(command_of(["doctor", "-t", 1], 1, (), PARCEL), self.folder))
        self.examine("-t", 1)
        self.assertEqual(outcome.code, 0)
        lines = outcome.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines],
                         [finding["severity"] for finding in self.findings])

    @needs_two_cpus
    def test_bound_to_one_core(self):
        code, findings = self.examine("-t", 2, ranks=2, launcher=["--bind-to", "core"])
        self.assertEqual(code, 0)
        helps = "-n 2" if len(CPUS) >= 4 else "-t 1"  # 2 x 2 threads on fewer CPUs are too many unbound, too
        self.assert_found(findings, "binding", "warning", "has 2 threads, but only 1 of CPUs", helps)

    @needs_two_cpus
    def test_idle_cpus(self):
        _, findings = self.examine(ranks=1, launcher=["--bind-to", "core"])
        self.assert_found(findings, "idle CPUs", "warning", "stay idle", "--bind-to none")

    @needs_two_cpus
    def test_ranks_that_share_a_cpu(self):
        _, findings = self.examine(ranks=2, launcher=["--bind-to", "none", "taskset", "-c", str(CPUS[0])])
        self.assert_found(findings, "sharing", "warning", f"2 threads of 2 ranks share CPUs {CPUS[0]}",
                          "--bind-to none")

    def test_oversubscription(self):
        ranks = len(CPUS) + 2
        _, findings = self.examine("-t", 1, ranks=ranks)
        self.assert_found(findings, "sharing", "warning", f"{ranks} threads of {ranks} ranks",
                          f"-n {len(CPUS)} ")
        self.assertNotIn("waiting", findings)

    @only_open_mpi
    def test_more_ranks_than_cpus_by_an_invented_host(self):
        ranks = len(CPUS) + 2
        launcher = ["--host", f"localhost:{ranks}", "--bind-to", "none"]
        _, findings = self.examine("-t", 1, ranks=ranks, launcher=launcher, environment=NOT_YIELDING)
        self.assert_found(findings, "waiting", "warning", "does not yield", "OMPI_MCA_mpi_yield_when_idle=1")

    @only_open_mpi_4
    def test_a_search_for_adapters(self):
        _, findings = self.examine(environment={"OMPI_MCA_mtl": "^ofi", "OMPI_MCA_pml": None})
        if "start-up" in findings:  # not where there is such an adapter
            self.assert_found(findings, "start-up", "note", "network adapters", "OMPI_MCA_pml=ob1")
        else:
            self.assertIn("is there", next(f["fact"] for f in self.findings if f["check"] == "start-up"))

    def test_few_open_files(self):
        before = ["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh"]
        _, findings = self.examine(before=before)
        self.assert_found(findings, "limits", "warning", "no more than 100 files", "ulimit -n")

    def test_no_folder(self):
        code, findings = self.examine("-o", "nowhere/squares.h5", ranks=2)
        self.assertEqual(code, 1)
        self.assert_found(findings, "output", "error", "'nowhere'", "mkdir -p 'nowhere'")
        self.assertIn("parcel: a run started like this would go wrong", self.stderr)

    @needs_namespaces
    def test_read_only_folder(self):
        before = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"', str(self.folder)]
        code, findings = self.examine("-o", self.folder / "squares.h5", before=before)
        self.assertEqual(code, 1)
        self.assert_found(findings, "output", "error", "Read-only file system", "-o ")

    @needs_namespaces
    def test_tiny_disk(self):
        output = self.folder / "squares.h5"
        _, findings = self.examine("-o", output, before=in_namespace(self.folder))
        self.assert_found(findings, "space", "warning", "are free", "df -h")
        self.assert_found(findings, "file system", "warning", "tmpfs", "-o ")
        code, findings = self.examine("-o", output, ranks=3, before=in_namespace(self.folder, size="4k"))
        self.assertEqual(code, 1)
        self.assert_found(findings, "output", "error", "No space left on device", "df -h")

    @not_open_mpi_5_with_two_programs
    @needs_namespaces
    def test_node_local_folder(self):
        program = [PARCEL, "doctor", "--json", "-o", str(self.folder / "squares.h5")]
        command = [os.environ["MPIRUN"], "-n", "1", *program, ":", "-n", "1", *in_namespace(self.folder), *program]
        outcome = finish(start(command, "/"))
        findings = {finding["check"]: finding for finding in json.loads(outcome.stdout)}
        self.assertEqual(outcome.code, 1)
        self.assertEqual(findings["node-local"]["severity"], "error")
        self.assertIn("rank 1 on", findings["node-local"]["fact"])
        self.assertEqual(self.names(), [])

    @not_open_mpi_5_with_two_programs
    def test_clock_that_is_off(self):
        faketime = shutil.which("faketime")
        libraries = subprocess.run(["ldd", PARCEL], stdout=subprocess.PIPE, text=True, check=True).stdout
        if not faketime or "san.so" in libraries:
            self.skipTest("faketime is not installed, or a sanitizer does not stand it")
        program = [PARCEL, "doctor", "--json"]
        command = [os.environ["MPIRUN"], "-n", "1", *program, ":", "-n", "1", faketime, "-f", "-100s", *program]
        outcome = finish(start(command, self.folder, {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}))
        findings = {finding["check"]: finding for finding in json.loads(outcome.stdout)}
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.assertIn("100 s behind", findings["clocks"]["fact"])

    def test_mistakes_are_told_once(self):
        for arguments, mention in [(["--bogus"], "--bogus"), (["-t", "0"], "--threads")]:
            outcome = finish(start(command_of(["doctor", *arguments], 2, (), PARCEL), self.folder))
            told = [line for line in outcome.stderr.splitlines() if line.startswith("parcel: ")]
            self.assertEqual(outcome.code, 2, outcome.stderr)
            self.assertEqual(len(told), 1, outcome.stderr)
            self.assertIn(mention, told[0])


class SweepTest(ProgramTest):
    """The checks that matter, at the start of every sweep."""

    @only_open_mpi
    def test_no_yielding_is_warned_of_once(self):
        ranks = len(CPUS) + 2
        launcher = ["--host", f"localhost:{ranks}", "--bind-to", "none"]
        outcome = self.run_program("-t", 1, "1..1000", ranks=ranks, launcher=launcher,
                                   environment=NOT_YIELDING)
        self.assertEqual(outcome.code, 0)
        self.assertEqual(len(outcome.messages), 1, outcome.stderr)
        self.assertIn("OMPI_MCA_mpi_yield_when_idle=1", outcome.messages[0])


if __name__ == "__main__":
    sys.exit(main())
