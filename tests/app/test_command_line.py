"""What a person sees of a run that goes well: help, reports, progress, warnings, each where it belongs."""

import os
import re
import signal
import time
import unittest
from pathlib import Path

import h5py

from parsquares_runner import ProgramTest, command_of, finish, limit_file_size, main, run_on_terminal, start
from platform_facts import BINDING, not_open_mpi_5_with_bars

OPTIONS = {
    "--output": "-o",
    "--power": "-p",
    "--threads": "-t",
    "--block": "-b",
    "--force": None,
    "--progress": None,
    "--quiet": "-q",
    "--verbose": "-v",
    "--help": "-?",
    "--version": "-V",
}
# Tiny blocks make a run last for half a second, so that there is progress to see, and write only 42 MB.
LASTING = ["-b", "10", "1..4_000_000"]
CPUS = sorted(os.sched_getaffinity(0))
needs_two_cpus = unittest.skipUnless(len(CPUS) > 1, "with one CPU every binding is the same")


def has_cpu_quota():
    """A container's quota allows fewer threads than there are CPUs."""
    for name in ("cpu.max", "cpu/cpu.cfs_quota_us"):
        path = Path("/sys/fs/cgroup", name)
        if path.exists() and path.read_text().split()[0] not in ("max", "-1"):
            return True
    return False


class HelpAndReports(ProgramTest):
    def test_help_tells_every_option_once_and_computes_nothing(self):
        for arguments, ranks in ((["--help"], None), (["-?"], None), (["--help", "1..7"], 3)):
            with self.subTest(arguments=arguments, ranks=ranks):
                text = self.run_well(*arguments, ranks=ranks).stdout
                self.assertEqual(text.count("Usage: parsquares "), 1)
                for long, short in OPTIONS.items():
                    entry = f"  {short}, {long}" if short else f"      {long}"
                    self.assertEqual(len(re.findall(rf"(?m)^{re.escape(entry)}\b", text)), 1, entry)
                self.assertEqual(self.names(), [])

    def test_help_hides_the_digits_that_stand_for_negative_ranges(self):
        text = self.run_well("--help").stdout
        self.assertNotRegex(text, r"(?m)(^|[\s\[,])-\d")
        self.assertNotRegex(text, r"\[-[^\]]*\d")

    def test_help_explains_range_default_and_exit_codes(self):
        text = " ".join(self.run_well("--help").stdout.split())
        for phrase in ("FIRST..LAST[..STEP]", "1..1000000", "Exit status: 0 complete", "2 wrong usage"):
            self.assertIn(phrase, text)

    def test_version_is_one_line(self):
        for arguments, ranks in ((["--version"], None), (["-V"], None), (["-V"], 3)):
            with self.subTest(arguments=arguments, ranks=ranks):
                text = self.run_well(*arguments, ranks=ranks).stdout
                self.assertRegex(text, r"^parsquares \(Parcel\) \d+\.\d+\.\d+\n$")
                self.assertEqual(self.names(), [])

    def test_report_tells_file_count_threads_times_and_sums(self):
        text = self.run_well("-o", "a.h5", "-t", 1, "-p", "2,3", "1..100", ranks=3).stdout
        lines = text.splitlines()
        self.assertEqual(lines[0], "a.h5: 100 positions, 3 ranks x 1 threads")
        self.assertRegex(lines[1], r"^elapsed \d+\.\d+ s; per thread: compute \d+\.\d+ s, write \d+\.\d+ s$")
        self.assertEqual(lines[2], "sum of squares: 338350, as the closed form says")
        self.assertEqual(lines[3], "sum of cubes: 25502500, as the closed form says")
        self.assertEqual(len(lines), 4)

    def test_quiet_run_prints_nothing(self):
        for arguments in (["-q"], ["--quiet", "--progress=bar", *LASTING]):
            for ranks in (None, 3):
                with self.subTest(arguments=arguments, ranks=ranks):
                    self.assertEqual(self.run_well("--force", *arguments, ranks=ranks).stdout, "")
                    self.assertEqual(self.names(), ["squares.h5"])

    def test_verbose_run_prints_more(self):
        usual = self.run_well("-o", "a.h5", ranks=3).stdout.splitlines()
        verbose = self.run_well("-o", "b.h5", "-v", ranks=3).stdout.splitlines()
        self.assertGreater(len(verbose), len(usual))
        self.assertRegex(verbose[-2], r"ranks: .* positions/s each")


class Words(ProgramTest):
    """How options and numbers may be written."""

    def count_of(self, name):
        with h5py.File(self.folder / name) as file:
            return len(file["squares"])

    def test_options_may_stand_anywhere_and_be_written_either_way(self):
        for arguments in (
            ["--output=out.h5", "-t1", "-b10", "1..70"],
            ["1..70", "-o", "out.h5", "-t", "1", "-b", "10"],
            ["-oout.h5", "1..70", "--threads", "1", "--block", "10"],
            ["-vo", "out.h5", "--threads=1", "--", "1..70"],
        ):
            with self.subTest(arguments=arguments):
                outcome = self.run_well("--force", *arguments)
                self.assertEqual(outcome.threads, 1)
                self.assertEqual((self.names(), self.count_of("out.h5")), (["out.h5"], 70))

    def test_long_options_may_be_abbreviated(self):
        options = ["--out", "x.h5", "--pow=2", "--thr", "1", "--bl=9", "--prog=none", "--forc", "--verb"]
        self.assertIn("blocks", self.run_well(*options, "1..7").stdout)
        self.assertEqual(self.count_of("x.h5"), 7)
        self.assertEqual(self.run_well("--q", "--out=y.h5").stdout, "")
        self.assertIn("Usage", self.run_well("--he").stdout)
        self.assertIn("(Parcel)", self.run_well("--vers").stdout)

    def test_numbers_may_have_underscores(self):
        outcome = self.run_well("-v", "-b", "1_0_0", "-t", "0_1", "1..1_000_0")
        self.assertEqual(outcome.threads, 1)
        self.assertIn("\n100 blocks: ", outcome.stdout)
        self.assertEqual(self.count_of("squares.h5"), 10000)


class Replacing(ProgramTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "squares.h5"
        self.path.write_text("old")
        self.inode = self.path.stat().st_ino

    def assert_old_file_is_untouched(self):
        self.assertEqual((self.path.read_text(), self.path.stat().st_ino), ("old", self.inode))

    def test_success_replaces_the_name_and_not_the_bytes(self):
        (self.folder / "squares.h5.part").write_text("of another run")
        with open(self.path, encoding="ascii") as reader:  # that holds the old file open
            self.run_well("--force", "1..1000", ranks=3)
            self.assertEqual(reader.read(), "old")
        self.assertNotEqual(self.path.stat().st_ino, self.inode)
        self.assertEqual(self.names(), ["squares.h5"])
        with h5py.File(self.path) as file:
            self.assertEqual(file["squares"][:].tolist(), [value**2 for value in range(1, 1001)])

    def test_failure_keeps_the_old_file(self):
        outcome = self.run_program("--force", "1..4000000", **limit_file_size(2**24))
        self.assert_refused(outcome, 1, "the limit on the size of files")
        self.assert_old_file_is_untouched()

    def test_stop_keeps_the_old_file(self):
        process = start(command_of(["--force", *LASTING]), self.folder)
        give_up = time.monotonic() + 30
        while not (self.folder / "squares.h5.part").exists() and time.monotonic() < give_up:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        self.assert_refused(finish(process), 75, "stopped")
        self.assert_old_file_is_untouched()


class Progress(ProgramTest):
    def assert_bar(self, text):
        """At least one bar, and a clean line at the end."""
        self.assertRegex(text, r"\r\[=* *\] +\d+\.\d %  .*/s  ETA ")
        self.assertTrue(text.endswith("\r\x1b[K"), repr(text[-80:]))

    @not_open_mpi_5_with_bars
    def test_bar_is_drawn_on_request(self):
        for ranks in (None, 2):
            with self.subTest(ranks=ranks):
                outcome = self.run_program("--force", "-t", 1, "--progress=bar", *LASTING, ranks=ranks)
                self.assertEqual(outcome.code, 0)
                self.assert_bar(outcome.stderr)

    def test_bar_shows_percents_that_rise(self):
        outcome = self.run_program("-t", 1, "--progress=bar", *LASTING)
        percents = [float(percent) for percent in re.findall(r"(\d+\.\d) %", outcome.stderr)]
        self.assertEqual(percents, sorted(percents))
        self.assertLessEqual(percents[-1], 100)

    def test_nothing_is_drawn_where_nobody_looks(self):
        for kind, ranks in (("auto", None), ("auto", 2), ("log", 2), ("none", None)):
            with self.subTest(kind=kind, ranks=ranks):
                self.run_well("--force", "-t", 1, f"--progress={kind}", *LASTING, ranks=ranks)

    @not_open_mpi_5_with_bars
    def test_bar_is_drawn_on_a_terminal_behind_mpirun_too(self):
        for kind, ranks in (([], None), ([], 1), ([], 2), (["--progress=auto"], None)):
            with self.subTest(kind=kind, ranks=ranks):
                command = command_of(["--force", "-t", 1, *kind, *LASTING], ranks)
                outcome = run_on_terminal(command, self.folder)
                self.assertEqual(outcome.code, 0)
                self.assert_bar(outcome.stderr)

    def test_no_bar_on_a_terminal_that_shall_have_none(self):
        for option, ranks in (("--progress=none", 2), ("--progress=log", None), ("-q", None), ("-q", 2)):
            with self.subTest(option=option, ranks=ranks):
                command = command_of(["--force", "-t", 1, option, *LASTING], ranks)
                outcome = run_on_terminal(command, self.folder)
                self.assertEqual((outcome.code, outcome.stderr), (0, ""))


class Threads(ProgramTest):
    def threads_by_default(self, *launcher, ranks=None, environment=None):
        return self.run_well("--force", ranks=ranks, launcher=launcher, environment=environment).threads

    @unittest.skipIf(has_cpu_quota(), "this machine has a CPU quota")
    def test_default_is_every_cpu_of_an_unbound_rank(self):
        self.assertEqual(self.threads_by_default(), len(CPUS))
        self.assertEqual(self.threads_by_default("--bind-to", "none", ranks=1, environment=BINDING), len(CPUS))

    @unittest.skipIf(has_cpu_quota(), "this machine has a CPU quota")
    def test_ranks_with_the_same_cpus_share_them(self):
        ranks = len(CPUS)
        launcher = ("--bind-to", "none")
        self.assertEqual(self.threads_by_default(*launcher, ranks=ranks, environment=BINDING), 1)

    @needs_two_cpus
    def test_default_is_the_one_cpu_that_a_rank_is_bound_to(self):
        bound = self.run_program(ranks=1, launcher=("--bind-to", "core"), environment=BINDING)
        self.assertEqual((bound.code, bound.threads), (0, 1))
        self.assertEqual(self.threads_by_default("taskset", "--cpu-list", str(CPUS[-1])), 1)

    @needs_two_cpus
    @unittest.skipIf(has_cpu_quota(), "this machine has a CPU quota")
    def test_cpus_that_stay_idle_are_told_once_with_the_line_to_use(self):
        outcome = self.run_program("--force", ranks=1, launcher=("--bind-to", "core"), environment=BINDING)
        self.assertEqual(len(outcome.messages), 1, outcome.stderr)
        idle = len(CPUS) - 1
        self.assertRegex(outcome.messages[0], rf"^parsquares: warning: {idle} CPUs? of the host of rank 0 stays? idle")
        self.assertIn("start with: mpirun --bind-to none -n 1 parsquares", outcome.messages[0])
        for quiet in (["-t", 1], ["-q"]):
            self.run_well("--force", *quiet, ranks=1, launcher=("--bind-to", "core"), environment=BINDING)

    @needs_two_cpus
    def test_default_obeys_slurm(self):
        self.assertEqual(self.threads_by_default(environment={"SLURM_CPUS_PER_TASK": "1"}), 1)

    @needs_two_cpus
    def test_more_threads_than_cpus_are_warned_of_with_a_remedy(self):
        arguments = ["--force", "-t", 2, "1..1000"]
        outcome = self.run_program(*arguments, ranks=2, launcher=("--bind-to", "core"), environment=BINDING)
        self.assertEqual((outcome.code, outcome.threads), (0, 2))
        self.assertEqual(len(outcome.messages), 1, outcome.stderr)
        self.assertRegex(outcome.messages[0], "^parsquares: warning: 2 threads per rank")
        if len(CPUS) >= 4:
            self.assertIn("start with: mpirun --bind-to none -n 2 parsquares", outcome.messages[0])
        else:  # the same line would be of no help
            self.assertIn("; use 1 thread per rank", outcome.messages[0])

    def test_more_ranks_than_cpus_are_not_told_to_start_the_same(self):
        ranks = len(CPUS) + 1
        outcome = self.run_program("--force", "-t", 2, "1..1000", ranks=ranks)
        self.assertEqual(outcome.code, 0)
        warning = next(line for line in outcome.messages if "threads per rank" in line)
        self.assertIn(f"start fewer ranks: mpirun --bind-to none -n {len(CPUS)} parsquares", warning)

    @needs_two_cpus
    def test_quiet_run_does_not_warn(self):
        outcome = self.run_well("-q", "-t", 2, ranks=2, launcher=("--bind-to", "core"), environment=BINDING)
        self.assertEqual(outcome.stdout, "")

    @needs_two_cpus
    @unittest.skipIf(has_cpu_quota(), "this machine has a CPU quota")
    def test_as_many_threads_as_cpus_are_not_warned_of(self):
        self.run_well("-t", 2, ranks=1, launcher=("--bind-to", "none"), environment=BINDING)


if __name__ == "__main__":
    main()
