"""A mistake is told in one line, with the documented exit code; nothing is computed, changed or left."""

import os
import resource
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parsquares_runner import NOBODY, ProgramTest, limit_file_size, main
from platform_facts import HAS_PARALLEL_HDF5

USAGE = 2
FAILED = 1
AT_A_TIME = 4
LARGEST = 2**63 - 1
LOWEST = -(2**63)

# Arguments, and what the line must mention.
MISTAKES = [
    (["--bogus"], "--bogus"),
    (["-X"], "X"),
    (["--usage"], "--usage"),
    (["--ver"], "--verbose"),  # or --version
    (["--quiet=3"], "--quiet"),
    (["-o"], "o"),
    (["--output"], "--output"),
    (["--threads"], "--threads"),
    (["-o", ""], "empty"),
    (["5x"], "'5x'"),
    ([""], "range ''"),
    (["7"], "'7'"),
    (["1..2..3..4"], "'1..2..3..4'"),
    (["1,,5"], "'1,,5'"),
    (["1..5 "], "'1..5 '"),
    (["1..5."], "'1..5.'"),
    (["1_..5"], "'1_..5'"),
    (["_1..5"], "'_1..5'"),
    (["1__0..50"], "'1__0..50'"),
    (["0x1..0x5"], "'0x1..0x5'"),
    (["+1..5"], "'+1..5'"),
    (["-3"], "'-3'"),
    (["--", "-3"], "'-3'"),
    (["1..5..0"], "step"),
    (["5..1"], "step"),
    (["1..5..-1"], "step"),
    (["1..9223372036854775808"], "64 bits"),
    (["--", "-9223372036854775809..1"], "64 bits"),
    (["-p", "1", "--", f"{LOWEST}..{LARGEST}"], "9223372036854775807"),
    (["-t", "0"], "--threads"),
    (["-t", "-1"], "--threads"),
    (["-t", "x"], "'x'"),
    (["-t", "2x"], "'2x'"),
    (["-t", ""], "--threads"),
    (["-t", "99999999999"], "99999999999"),
    (["-t", "99999999999999999999"], "64 bits"),
    (["-b", "0"], "--block"),
    (["-b", "-3"], "-3"),
    (["-b", "1e6"], "'1e6'"),
    (["-b", "99999999999999999999"], "64 bits"),
    (["-p", "0"], "'0'"),
    (["-p", "10"], "'10'"),
    (["-p", "2,2"], "twice"),
    (["-p", ""], "''"),
    (["-p", "2,"], "'2,'"),
    (["-p", ",2"], "',2'"),
    (["-p", "2 3"], "'2 3'"),
    (["-p", "-2"], "'-2'"),
    (["--progress=foo"], "'foo'"),
    (["--progress="], "''"),
    (["1..5", "6..7"], "'6..7'"),
    (["1..5", "-6..7"], "'-6..7'"),
    (["-6..7", "--", "-1..5"], "'-6..7'"),
    (["-o", "a", "-o", "b"], "twice"),
    (["-q", "--quiet"], "twice"),
    (["-b", "5", "--block=5"], "twice"),
    (["-q", "-v"], "--quiet and --verbose"),
    (["-vq", "1..5"], "--quiet and --verbose"),
    (["1..4294967296"], "4294967296"),
    (["-p", "4", "1..70000"], "65536"),
]

# Of these, enough to see that several ranks speak with one voice.
MISTAKES_OF_RANKS = ["--bogus", "-o", "5x", "", "1..5..0", "-3", "--progress=foo", "-q", "1..4294967296"]


def largest_base(power, limit):
    """The largest integer whose power is at most limit."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**power <= limit else (low, middle - 1)
    return low


def limits_of(power):
    """The lowest and the highest value whose power fits its column."""
    if power % 2 == 0:
        base = largest_base(power, 2**64 - 1)
        return -base, base
    return -largest_base(power, 2**63), largest_base(power, LARGEST)


class Usage(ProgramTest):
    def make_mistake(self, arguments, ranks):
        folder = self.make_folder()
        outcome = self.run_program(*arguments, ranks=ranks, folder=folder)
        return outcome, os.listdir(folder)

    def check_mistakes(self, mistakes, ranks):
        """Several at a time: mpirun waits for a second before it ends a run that failed."""
        with ThreadPoolExecutor(AT_A_TIME) as executor:
            ends = list(executor.map(lambda mistake: self.make_mistake(mistake[0], ranks), mistakes))
        for (arguments, mentions), (outcome, left) in zip(mistakes, ends):
            with self.subTest(arguments=arguments, ranks=ranks):
                self.assert_refused(outcome, USAGE, mentions)
                self.assertEqual(left, [])

    def test_every_mistake_alone(self):
        self.check_mistakes(MISTAKES, None)

    def test_mistakes_are_told_once_by_three_ranks(self):
        chosen = [mistake for mistake in MISTAKES if mistake[0][0] in MISTAKES_OF_RANKS]
        self.assertGreater(len(chosen), len(MISTAKES_OF_RANKS))
        self.check_mistakes(chosen, 3)

    def test_mistake_with_force_leaves_the_old_file_alone(self):
        old = self.folder / "squares.h5"
        old.write_text("old")
        for arguments in (["--force", "5x"], ["5x", "--force"], ["--force", "1..4294967296"]):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_program(*arguments), USAGE)
                self.assertEqual((self.names(), old.read_text()), (["squares.h5"], "old"))

    def test_existing_output_is_refused_and_untouched(self):
        for name, mentions in (("squares.h5", "--force"), ("squares.h5.part", "--force")):
            path = self.folder / name
            path.write_text("precious")
            before = path.stat()
            for ranks in (None, 3):
                with self.subTest(name=name, ranks=ranks):
                    self.assert_refused(self.run_program("1..7", ranks=ranks), USAGE, mentions)
                    after = path.stat()
                    self.assertEqual(self.names(), [name])
                    self.assertEqual(path.read_text(), "precious")
                    self.assertEqual((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns))
            path.unlink()

    def test_dangling_link_is_an_existing_output(self):
        (self.folder / "squares.h5").symlink_to("nowhere")
        self.assert_refused(self.run_program("1..7"), USAGE, "squares.h5")
        self.assertEqual(self.names(), ["squares.h5"])


@unittest.skipIf(HAS_PARALLEL_HDF5, "HDF5 is parallel")
class SerialHDF5(ProgramTest):
    def test_collective_writing_is_refused_and_nothing_left(self):
        for ranks in (None, 3):
            outcome = self.run_program("--io=collective", "1..1000", ranks=ranks)
            self.assert_refused(outcome, 2, "built with a serial HDF5")
            self.assertEqual(self.names(), [])

    def test_compressed_columns_need_no_parallel_hdf5(self):
        self.run_well("-q", "--io=collective", "--compress", "1..1000", ranks=3)


class WhatFits(ProgramTest):
    """A range that passes is seen by the error that comes next: its folder is missing."""

    def check(self, power, first, last, step, overflow):
        arguments = ["-p", power, "-o", "missing/x.h5", "--", f"{first}..{last}..{step}"]
        with self.subTest(power=power, first=first, last=last, overflow=overflow):
            code, mentions = (FAILED, "missing") if overflow is None else (USAGE, f"index {overflow} ")
            self.assert_refused(self.run_program(*arguments), code, mentions)

    def test_largest_and_lowest_value_of_every_power(self):
        for power in range(2, 10):
            lowest, highest = limits_of(power)
            self.check(power, lowest, highest, 1, None)
            self.check(power, lowest, highest + 1, 1, highest + 1)
            self.check(power, highest, lowest - 1, -1, lowest - 1)

    def test_any_64_bit_value_is_its_own_first_power(self):
        self.check(1, 1, LARGEST, 1, None)
        self.check(1, LOWEST, -2, 1, None)

    def test_first_value_that_overflows_is_named_whatever_the_step(self):
        self.check(2, 2**32 - 10, LARGEST, 7, 2**32 + 4)
        self.check(2, 2**32 - 10, 2**32 + 3, 7, None)
        self.check(3, 0, LOWEST, -(2**40), -(2**40))
        self.check(9, LOWEST, LARGEST, 3, LOWEST)
        self.check(2, 2**32, 2**32, 1, 2**32)

    def test_index_is_the_first_of_all_powers(self):
        arguments = ("-p", "2,4,3,9", "-o", "missing/x.h5", "1..5000000000")
        self.assert_refused(self.run_program(*arguments), USAGE, "index 128 ")

    def test_all_squares_that_fit(self):
        self.assert_refused(self.run_program("-o", "missing/x.h5", "1..4294967295"), FAILED, "missing")


class InputOutput(ProgramTest):
    def test_missing_folder(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                self.assert_refused(self.run_program("-o", "no/x.h5", "1..7", ranks=ranks), FAILED, "no")
                self.assertEqual(self.names(), [])

    def test_output_is_a_folder(self):
        (self.folder / "results").mkdir()
        for arguments, ranks in (
            (["-o", "results"], None),
            (["-o", "results"], 3),
            (["-o", "results/"], None),
            (["-o", "."], None),
            (["--force", "-o", "results"], None),
        ):
            with self.subTest(arguments=arguments, ranks=ranks):
                self.assert_refused(self.run_program(*arguments, ranks=ranks), FAILED, "folder")
                self.assertEqual(self.names(), ["results"])
                self.assertEqual(list((self.folder / "results").iterdir()), [])

    def test_folder_of_the_output_is_a_file(self):
        (self.folder / "file").write_text("mine")
        self.assert_refused(self.run_program("-o", "file/x.h5", "1..7"), FAILED, "file")
        self.assertEqual((self.folder / "file").read_text(), "mine")

    def test_name_longer_than_the_file_system_allows(self):
        most = 255 - len(".part.status.json.") - 16  # with what lies beside it until it is complete
        for length in (most + 1, 251, 300):
            with self.subTest(length=length):
                outcome = self.run_program("-o", "x" * length, "1..7")
                self.assert_refused(outcome, USAGE, f"too long: it has {length} bytes, and there {most} are possible")
                self.assertEqual(self.names(), [])
        for how in ((), ("--compress", "-b", 1)):
            self.run_well("-q", *how, "-o", "x" * most, "1..7")
            self.assertEqual(self.names(), ["x" * most])
            (self.folder / ("x" * most)).unlink()

    def test_path_longer_than_mpi_allows(self):
        """Open MPI's buffer overflows."""
        for ranks in (None, 3):
            outcome = self.run_program("--io=collective", "-o", "x" * 220, "1..7", ranks=ranks)
            self.assert_refused(outcome, USAGE, "too long to be written together")
            self.assertEqual(self.names(), [])

    def test_path_longer_than_the_system_allows(self):
        folder = "/".join(["f" * 200] * 20)
        (self.folder / folder).mkdir(parents=True)
        working = self.folder / "/".join(["f" * 200] * 10)
        outcome = self.run_program("-o", "/".join(["f" * 200] * 10) + "/" + "x" * 200, "1..7", folder=working)
        self.assert_refused(outcome, USAGE, "path is too long")

    def test_a_name_with_control_characters_is_one_line(self):
        for name in ("a\nb.h5", "a\tb\033[1m.h5"):
            with self.subTest(name=name):
                self.run_well("-q", "-o", name, "1..7")
                self.assert_refused(self.run_program("-o", name, "1..7"), USAGE, "exists already")
                (self.folder / name).unlink()

    def test_folder_without_permission(self):
        self.folder.chmod(0o555)
        scratch = self.make_folder()
        scratch.chmod(0o777)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        environment = {"TMPDIR": str(scratch), "HOME": str(scratch)}
        program = self.install()
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                outcome = self.run_program("1..7", ranks=ranks, environment=environment, program=program, **user)
                self.assert_refused(outcome, FAILED, "Permission denied")
                self.assertEqual(self.names(), [])

    def test_file_larger_than_its_limit(self):
        outcome = self.run_program("1..4000000", **limit_file_size(2**24))
        self.assert_refused(outcome, FAILED, "the limit on the size of files (ulimit -f) is 16777216")
        self.assertEqual(self.names(), [])

    def test_file_larger_than_its_limit_is_told_and_not_a_death_by_signal(self):
        limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**23, 2**23))}
        for arguments in (["1..4000000"], ["--compress=deflate,1", "-p", "2,3", "1..2000000"]):
            with self.subTest(arguments=arguments):
                outcome = self.run_program("-q", "-t", 1, *arguments, **limited)
                self.assert_refused(outcome, FAILED, "ulimit -f")
                for name in self.names():
                    self.assertIn(".part", name)
                    (self.folder / name).unlink()

    def test_more_than_the_disk_holds(self):
        self.assert_refused(self.run_program("-p", "1", f"1..{LARGEST}"), FAILED, "free")
        self.assertEqual(self.names(), [])

    def test_blocks_that_do_not_fit_into_memory(self):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
        positions = memory // 8
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                outcome = self.run_program("-p", 1, "-t", 1, "-b", positions, f"1..{positions}", ranks=ranks)
                self.assert_refused(outcome, FAILED, "of memory are available")
                self.assertEqual(self.names(), [])

    def test_blocks_that_do_not_fit_into_the_limit_of_a_process(self):
        limit = (400_000_000, resource.RLIM_INFINITY)
        outcome = self.run_program(*LARGE_BLOCKS, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, limit))
        self.assert_refused(outcome, FAILED, "of memory are available to a process (ulimit -d); use a smaller block")
        self.assertEqual(self.names(), [])

    def test_blocks_that_do_not_fit_into_the_control_group(self):
        group = self.make_group(400_000_000)
        for ranks in (None, 2):
            with self.subTest(ranks=ranks):
                outcome = self.run_program(*LARGE_BLOCKS, ranks=ranks, preexec_fn=lambda: enter_group(group))
                self.assert_refused(outcome, FAILED, f"of memory are available to the control group (cgroup) '{group}'")
                self.assertEqual(self.names(), [])

    def make_group(self, limit):
        """A control group below this process's own with so many bytes of memory."""
        for folder, name in memory_groups():
            group = folder / f"parcel-test-{os.getpid()}"
            try:
                group.mkdir()
                self.addCleanup(group.rmdir)
                (group / name).write_text(str(limit))
                return group
            except OSError:
                continue
        return self.skipTest("no control group with a memory limit can be made here")


LARGE_BLOCKS = ("-p", 1, "-t", 2, "-b", 60_000_000, "1..120_000_000")  # twice 480 MB


def memory_groups():
    """The folders of this process's group in the hierarchies of both versions, and the name of the limit there."""
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        _, _, _, top, point, *_ = line.split()
        kind, _, options = line.split(" - ")[1].split()[:3]
        for _, controllers, path in groups:
            below = Path(point, path.removeprefix(top).lstrip("/"))
            if kind == "cgroup" and "memory" in options.split(",") and "memory" in controllers.split(","):
                yield below, "memory.limit_in_bytes"
            if kind == "cgroup2" and not controllers:
                yield below, "memory.max"


def enter_group(group):
    (group / "cgroup.procs").write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
