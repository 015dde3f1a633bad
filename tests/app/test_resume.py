"""--resume and failures on record, as a user meets them."""

import os
import signal
import time

import h5py
import xarray
import numpy

from parsquares_runner import ProgramTest, command_of, finish, main, start

COUNT = 1_000_003
RANGE = f"1..{COUNT}"
BATCH = 64  # entries that are written together


class ResumeTest(ProgramTest):
    def part_of_a_killed_run(self, ranks, block=100):
        """A .part with some blocks done, left by a run that was killed as it wrote."""
        fault = f"results.ledger:nth={COUNT // block // ranks // BATCH // 2}:rank=0:action=kill"
        own_share = "--schedule=static"  # or rank 0 might be too late to write so often
        outcome = self.run_with_fault(fault, "-t", 2, "-b", block, own_share, "-q", RANGE, ranks=ranks)
        self.assertNotEqual(outcome.code, 0)
        with h5py.File(self.folder / "squares.h5.part", locking=False) as file:
            return int((file["parcel/ledger"]["state"] == 1).sum()), len(file["parcel/ledger"])

    def assert_squares(self):
        with h5py.File(self.folder / "squares.h5") as file:
            self.assertTrue(numpy.array_equal(file["squares"][:], numpy.arange(1, COUNT + 1, dtype="u8") ** 2))
        self.assertEqual(self.names(), ["squares.h5"])

    def test_other_ranks_and_threads_go_on_where_a_run_was_killed(self):
        for before, after, threads in ((1, 3, 1), (3, 8, 1), (8, 1, 2)):
            with self.subTest(before=before, after=after, threads=threads):
                done, blocks = self.part_of_a_killed_run(before)
                outcome = self.run_well("--resume", "-t", threads, RANGE, ranks=after, launcher=("--bind-to", "none"))
                missing = blocks - done
                expected = f"resumed: {done} blocks kept, {missing} computed ({missing} were missing, 0 were damaged)"
                self.assertIn(expected, outcome.stdout.splitlines())
                self.assertEqual(outcome.sums["squares"], COUNT * (COUNT + 1) * (2 * COUNT + 1) // 6)
                self.assert_squares()
                (self.folder / "squares.h5").unlink()

    def test_damaged_blocks_are_counted_and_computed_again(self):
        done, _ = self.part_of_a_killed_run(2)
        part = self.folder / "squares.h5.part"
        with h5py.File(part, locking=False) as file:
            grid = file["parcel"].attrs
            place = file["squares"].id.get_offset()
            first = int((file["parcel/ledger"]["state"] == 1).nonzero()[0][0])
            pieces = [piece for part_ in numpy.array_split(numpy.arange(COUNT), int(grid["parts"]))
                      for piece in numpy.array_split(part_, int(grid["blocks_per_part"]))]
        with open(part, "r+b") as file:
            file.seek(place + 8 * int(pieces[first][-1]))
            file.write(b"\xff")
        outcome = self.run_well("--resume", RANGE, ranks=2)
        self.assertRegex(outcome.stdout, rf"resumed: {done - 1} blocks kept, .*, 1 were damaged\)")
        self.assert_squares()

    def test_a_complete_file_is_left_alone(self):
        self.run_well("-q", RANGE)
        before = (self.folder / "squares.h5").stat()
        outcome = self.run_well("--resume", RANGE, ranks=2)
        self.assertEqual(outcome.stdout, "squares.h5: complete already\n")
        self.assertEqual((self.folder / "squares.h5").stat().st_mtime_ns, before.st_mtime_ns)

    def test_another_sweep_is_refused_with_both_values(self):
        self.part_of_a_killed_run(2)
        for arguments, words in (
            (("1..5",), "range is 1..1000003 there, 1..5 here"),
            (("-p", 4, "1..50"), "column 1 is squares UINT64 [1] there, quads UINT64 [1] here"),
        ):
            self.assert_refused(self.run_program("--resume", *arguments, ranks=2), 2, words)

    def test_of_two_runs_on_one_output_the_second_is_refused(self):
        first = start(command_of(("-q", "-b", 16, "1..1_000_000_000")), self.folder)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        deadline = time.monotonic() + 30
        while not (self.folder / "squares.h5.part").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        for option in ("--resume", "--force", "-q"):
            outcome = self.run_program(option, "1..1_000_000_000", ranks=2)
            self.assert_refused(outcome, 2, f"is being written by process {first.pid} on {os.uname().nodename} since 20")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(finish(first).code, 75)
        self.assertEqual(self.run_program("--resume", "--deadline=1", "-q", "1..1_000_000_000").code, 75)


class RecordTest(ProgramTest):
    def test_a_run_without_failures_has_neither_fill_values_nor_a_table(self):
        self.run_well("--on-error=record", "--max-failures=1%", "-p", "2,3", "1..1000", ranks=2)
        with h5py.File(self.folder / "squares.h5") as file:
            self.assertNotIn("_FillValue", file["squares"].attrs)
            self.assertNotIn("_FillValue", file["cubes"].attrs)
            self.assertNotIn("failures", file["parcel"])
        with xarray.open_dataset(self.folder / "squares.h5") as dataset:
            self.assertEqual((dataset.squares.dtype, dataset.cubes.dtype), ("uint64", "int64"))
        self.assertIn("complete already", self.run_well("--retry-failed", "-p", "2,3", "1..1000").stdout)

    def test_nonsense_is_refused(self):
        for arguments, words in (
            (("--on-error=ignore",), "unknown 'ignore'; one of: stop, record"),
            (("--max-failures=3",), "--max-failures needs --on-error=record"),
            (("--on-error=record", "--max-failures=0"), "--max-failures: 0 is outside 1.."),
            (("--on-error=record", "--max-failures=101%"), "'101%' is no percentage"),
            (("--on-error=record", "--max-failures=x%"), "'x%' is no percentage"),
            (("--retry-failed", "--force"), "--retry-failed excludes --force and --resume"),
        ):
            self.assert_refused(self.run_program(*arguments), 2, words)
        self.assert_refused(self.run_program("--retry-failed"), 1, "squares.h5")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    main()
