"""A disk that cannot take the results: refused before anything is computed, or reported where it happens."""

import os
import resource
import shlex
import shutil
import subprocess
import sys
import unittest

import faults

KIB = 1024


def with_tiny_disk(kib, folder, command):
    """A command line that runs another with a file system of so many KiB at the folder, then lists that."""
    script = (
        f"mount -t tmpfs -o size={kib}k tiny {shlex.quote(str(folder))} || exit 77\n"
        f"{shlex.join(command)}\ncode=$?\n"
        f"ls -A {shlex.quote(str(folder))}\nexit $code"
    )
    user = [] if os.geteuid() == 0 else ["-r"]
    return ["unshare", *user, "-m", "sh", "-c", script]


def can_mount(folder):
    probe = with_tiny_disk(64, folder, ["true"])
    return shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0


class TinyDiskTest(faults.FaultTest):
    def setUp(self):
        super().setUp()
        if not can_mount(self.folder):
            self.skipTest("neither root nor user namespaces: no tmpfs can be mounted here")

    def run_on_tiny_disk(self, kib, ranks, count):
        command = faults.under_mpi(ranks, faults.FAILING, self.output, count, 1000, "none", -1, 0)
        tiny = with_tiny_disk(kib, self.folder, command)
        run = subprocess.run(tiny, capture_output=True, text=True, timeout=faults.TIMEOUT_SECONDS)
        messages = [line for line in run.stderr.splitlines() if line.startswith("failing: ")]
        return run.returncode, run.stdout.split(), [line for line in messages if "warning" not in line]

    def test_a_disk_that_is_too_small_is_refused_and_nothing_left(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                code, left, messages = self.run_on_tiny_disk(1024, ranks, 10_000_000)
                self.assertEqual((code, left, len(messages)), (1, [], 1), messages)
                self.assertRegex(messages[0], r"needs \d+ bytes, but only \d+ are free on the disk of")

    def test_sizes_about_the_limit_succeed_or_leave_nothing(self):
        endings = set()
        for kib in range(1024 - 160, 1024, 20):
            code, left, messages = self.run_on_tiny_disk(1024, 2, kib * KIB // 8)
            endings.add(code)
            with self.subTest(kib=kib, code=code):
                if code == 0:
                    self.assertEqual((left, messages), ([self.output.name], []))
                else:
                    self.assertEqual((code, left, len(messages)), (1, [], 1), messages)
        self.assertEqual(endings, {0, 1}, "the sizes tried are not about the limit")


class FileSizeLimitTest(faults.FaultTest):
    """RLIMIT_FSIZE stands in for every write error there is; the signal that comes with it is ignored."""

    def start_limited(self, ranks, mib, count, block=1000, milliseconds=0):
        """Every rank under the limit, but not mpirun, whose own files would hit it."""
        limit = f'trap "" XFSZ; ulimit -S -f {mib * 2 * KIB}; exec "$@"'
        command = ["sh", "-c", limit, "sh", faults.FAILING]
        return self.start(ranks, *command, self.output, count, block, "none", -1, milliseconds)

    def limit_further(self, pid, size):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_a_file_that_may_not_become_so_large_is_refused_and_nothing_left(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_limited(ranks, mib=100, count=20_000_000).end()
                self.assert_one_message(run, str(self.output), "the limit on the size of files (ulimit -f) is 104857600")
                self.assertEqual(run.code, 1, run.stderr)
                self.assert_nothing_left()

    def test_a_file_within_the_limit_is_complete(self):
        run = self.start_limited(2, mib=100, count=1_000_000).end()
        self.assertEqual((run.code, run.messages), (0, []))

    def test_a_rank_that_cannot_write_any_more_is_named(self):
        for ranks in (3, 8):
            with self.subTest(ranks=ranks):
                run = self.start_limited(ranks, mib=100, count=100_000, block=10, milliseconds=3)
                self.wait_until_begun(run)
                self.limit_further(max(run.rank_pids()), 0)
                run.end()
                self.assertEqual(run.code, 1, run.stderr)
                self.assert_one_message(run, "rank ", f"cannot write '{self.part}': File too large")
                self.assert_only_part("failed")

    def test_rank_0_that_cannot_write_any_more_says_so_and_ends_with_code_1(self):
        for ranks in (1, 3):
            with self.subTest(ranks=ranks):
                run = self.start_limited(ranks, mib=100, count=100_000, block=10, milliseconds=3)
                self.wait_until_begun(run)
                self.limit_further(min(run.rank_pids()), 0)
                run.end()
                self.assert_one_message(run, "rank 0 on ", f"cannot write '{self.part}': File too large")
                self.assertEqual(run.code, 1, run.stderr)
                self.assert_only_part("running", "failed")


if __name__ == "__main__":
    outcome = unittest.main(verbosity=2, argv=sys.argv[:1], exit=False).result
    if outcome.wasSuccessful() and len(outcome.skipped) == outcome.testsRun:
        sys.exit(77)
    sys.exit(not outcome.wasSuccessful())
