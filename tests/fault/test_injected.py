"""Every step on the way of a results file fails or dies, on the first and the last rank: one message, one exit code, no
hang; what is left opens, and --resume ends with the file of an undisturbed run."""

import os
import subprocess
import unittest

import numpy

import faults

COUNT, BLOCK = 20000, 50
OPTIONS = ("-t", 1, "-b", BLOCK, "--schedule=static", "-q", f"1..{COUNT}")
RANKS = 3

# The points that a plain run passes.
ON_RANK_0 = (
    "results.create", "results.reserve", "results.reserve:nth=2", "results.part", "results.seal",
    "results.outcome", "results.rename", "results.folder",
)
ON_ANY_RANK = ("results.open", "results.read", "results.write:nth=3", "results.ledger:nth=2", "results.sync")


class InjectedTest(faults.FaultTest):
    def start_squares(self, fault, *options, has_fault=True):
        """Like start, but in the folder as it is."""
        os.environ["PARCEL_FAULT"] = fault
        run = faults.Run(RANKS, faults.PARSQUARES, "-o", self.output, *options, *OPTIONS, has_fault=has_fault)
        del os.environ["PARCEL_FAULT"]
        self.addCleanup(self.kill, run)
        return run.end()

    def empty_folder(self):
        for entry in self.folder.iterdir():
            entry.unlink()

    def assert_squares(self):
        with faults.open_quietly(self.output) as file:
            self.assertEqual(file.attrs["status"], b"complete")
            expected = numpy.arange(1, COUNT + 1, dtype=numpy.uint64) ** 2
            self.assertTrue(numpy.array_equal(file["squares"][:], expected))

    def assert_resumable(self):
        """A second run completes the file, and the folder holds nothing else then."""
        if self.part.exists():
            faults.status_of(self.part)
        if self.output.exists():
            self.assert_squares()
        run = self.start_squares("", "--resume")
        self.assertEqual((run.code, run.messages), (0, []))
        self.assert_squares()
        self.assertEqual([entry.name for entry in self.folder.iterdir()], [self.output.name])

    def cases(self):
        for point in ON_RANK_0:
            yield point, 0
        for point in ON_ANY_RANK:
            yield point, RANKS - 1
            if point != "results.open":  # rank 0 has it open since it made it
                yield point, 0

    def test_a_step_that_fails_ends_all_ranks_with_one_message(self):
        for point, rank in self.cases():
            needs_room = "write" in point or "reserve" in point
            errno, words = ("EDQUOT", "Disk quota exceeded") if needs_room else ("EIO", "Input/output error")
            with self.subTest(point=point, rank=rank, errno=errno):
                self.empty_folder()
                run = self.start_squares(f"{point}:rank={rank}:errno={errno}")
                self.assertEqual(run.code, 1, run.stderr)
                self.assert_one_message(run, "" if "outcome" in point else words)
                self.assertEqual(run.survivors, [])
                self.assert_resumable()

    def test_a_process_that_dies_at_a_step_leaves_what_can_be_resumed(self):
        for point, rank in self.cases():
            with self.subTest(point=point, rank=rank):
                self.empty_folder()
                run = self.start_squares(f"{point}:rank={rank}:action=kill")
                self.assertNotEqual(run.code, 0)
                self.assertEqual(run.survivors, [])
                self.assert_resumable()

    def test_a_fault_that_is_not_known_ends_the_program(self):
        for fault in ("results.wirte", "results.write:nht=2", "results.write:errno=EWHAT", "results.write,:", "results.write,what:rank=1"):
            with self.subTest(fault=fault):
                run = self.start_squares(fault, has_fault=False)
                self.assertEqual((run.code, list(self.folder.iterdir())), (2, []), run.stderr)
                self.assertIn("is not understood", run.stderr)

    def test_a_fault_that_does_not_come_fails_its_test(self):
        with self.assertRaisesRegex(AssertionError, "no fault came at results.clear"):
            self.start_squares("results.clear")

    def test_a_name_that_cannot_be_brought_to_the_disk_is_told_of_a_complete_file(self):
        run = self.start_squares("results.folder:errno=EIO")
        self.assertEqual(run.code, 1)
        self.assert_one_message(run, f"'{self.output}' is complete, but its folder cannot be brought to the disk")
        self.assertNotIn("warning", run.stderr)
        self.assert_squares()
        self.assertEqual([entry.name for entry in self.folder.iterdir()], [self.output.name])

    def test_a_damaged_block_whose_entry_cannot_be_cleared_is_told(self):
        self.start_squares("results.ledger:nth=2:rank=1:action=kill")
        with faults.open_quietly(self.part) as file:
            place = file["squares"].id.get_offset()
            block = (file["parcel/ledger"]["state"] == 1).nonzero()[0][0]
        with open(self.part, "r+b") as file:
            file.seek(place + 8 * int(block) * BLOCK)
            file.write(b"damage!!")
        run = self.start_squares("results.clear:errno=EIO", "--resume")
        self.assertEqual(run.code, 1)
        self.assert_one_message(run, "cannot write", "Input/output error")
        self.assert_resumable()

    def test_a_retry_that_breaks_leaves_the_file(self):
        for fault in ("results.create", "results.part", "results.outcome"):
            with self.subTest(fault=fault):
                self.empty_folder()
                self.start_squares("", "--on-error=record")
                run = self.start_squares(fault, "--retry-failed", has_fault=False)
                self.assertEqual((run.code, run.messages), (0, []), "nothing had failed: nothing is touched")
                self.assert_squares()


class NoLocksTest(faults.FaultTest):
    """On a file system without locks, the owner's process tells."""

    def resume_without_locks(self):
        environment = {**os.environ, "PARCEL_FAULT": "results.lock:nth=1+:errno=ENOLCK"}
        command = faults.under_mpi(2, faults.PARSQUARES, "-o", self.output, "--resume", "-q", "1..1_000_000_000")
        return subprocess.run([*command, "--deadline=1"], env=environment, capture_output=True, text=True,
                              timeout=faults.TIMEOUT_SECONDS, check=False)

    def test_a_living_owner_is_respected_and_a_dead_one_is_not(self):
        run = self.start(1, faults.PARSQUARES, "-o", self.output, "-b", 16, "-q", "1..1_000_000_000")
        self.wait_until_begun(run)
        refused = self.resume_without_locks()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(f"is being written by process {run.rank_pids()[0]} on ", refused.stderr)
        self.kill(run)
        run.end()
        resumed = self.resume_without_locks()
        self.assertEqual(resumed.returncode, 75, resumed.stderr)


if __name__ == "__main__":
    if not faults.HAS_FAULTS:
        print("skipped: built without PARCEL_FAULTS")
        raise SystemExit(77)
    unittest.main(verbosity=2)
