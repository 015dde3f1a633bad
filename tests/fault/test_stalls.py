"""A rank that is stopped, whatever the run is at: with --stall-timeout the others end it, and say where they were."""

import os
import signal
import time
from pathlib import Path

import faults

STALL_SECONDS = 2
RANGE = ("-b", 1000, "1..1_000_000")


def is_stopped(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class StallTest(faults.FaultTest):
    def run_stopped(self, ranks, at, *options):
        """A run of which a rank stops in a call (shim.c), ended."""
        stall = f"--stall-timeout={STALL_SECONDS}"
        run = self.start_again(
            ranks, faults.PARSQUARES, "-t", 1, "-q", "-o", self.output, stall, *options, *RANGE, shim=at
        )
        run.end()
        self.assert_shim_hit(run)
        self.assertEqual(run.survivors, [])
        self.assertEqual(run.code, 1, run.stderr)
        return run

    def assert_ended(self, run, *steps):
        self.assertRegex(run.stderr, rf"parsquares: no progress for {STALL_SECONDS} s on rank \d")
        if steps:
            self.assertRegex(run.stderr, rf"on rank \d on \S+ while ({'|'.join(steps)});")

    def finish(self, *options):
        run = faults.Run(2, faults.PARSQUARES, "-q", "-o", self.output, "--resume", *options, *RANGE).end()
        self.assertEqual(run.code, 0, run.stderr)

    def test_a_rank_stopped_before_the_sweep(self):
        steps = ("the run is prepared", "the output is opened")
        for at in ("mpi_ibcast:*:1:stop:1", "mpi_bcast:*:1:stop:2", "fallocate:.part.new:1:stop:0", "open:.part:1:stop:1"):
            with self.subTest(at=at):
                self.assert_ended(self.run_stopped(3, at), *steps)
                self.finish()
                self.output.unlink()

    def leave_part(self):
        """All blocks are done, but rank 0 was killed before the last renaming."""
        command = (faults.PARSQUARES, "-t", 1, "-q", "-o", self.output, *RANGE)
        run = self.start_again(2, *command, shim="renameat2:results.h5.part:2:kill:0").end()
        self.assert_shim_hit(run)
        self.assertTrue(self.part.exists())

    def test_a_rank_stopped_as_the_sweep_begins(self):
        self.assert_ended(self.run_stopped(3, "mpi_win_allocate_shared:*:1:stop:0"), "the sweep runs")
        self.finish()

    def test_a_rank_stopped_while_blocks_are_compared(self):
        self.leave_part()
        run = self.run_stopped(3, "pread:.part:40:stop:1", "--resume")
        self.assert_ended(run, "the blocks of an earlier run are compared")
        self.finish()

    def test_a_rank_that_works_for_longer_than_that_is_no_stall(self):
        self.leave_part()
        command = (faults.PARSQUARES, "-t", 1, "-q", "-o", self.output, "--resume", f"--stall-timeout={STALL_SECONDS}", *RANGE)
        run = self.start_again(3, *command, shim="pread:.part:1+:pause:0").end()
        self.assertEqual(run.code, 0, run.stderr)
        self.assertGreater(run.stderr.count("pause"), 100 * STALL_SECONDS)
        self.assertEqual(run.messages, [])

    def test_a_rank_stopped_while_blocks_are_written_together(self):
        for nth in (1, 3):
            with self.subTest(nth=nth):
                run = self.run_stopped(2, f"mpi_barrier:*:{nth}:stop:1", "--io=collective")
                self.assert_ended(run, "blocks are written together", "the output is opened", "the sweep runs")
                self.finish("--io=collective")
                self.output.unlink()

    def test_a_rank_stopped_while_the_output_is_completed(self):
        for at in ("renameat2:results.h5.part:2:stop:0", "fsync:.part:1:stop:1", "fsync:.part:3:stop:0"):
            with self.subTest(at=at):
                self.assert_ended(self.run_stopped(2, at), "the output is completed", "the output is opened")
                self.finish()
                self.output.unlink()

    def test_a_second_request_ends_a_run_that_is_stuck_in_mpi(self):
        run = self.start(
            2, faults.PARSQUARES, "-t", 1, "-q", "-o", self.output, *RANGE, shim="mpi_win_allocate_shared:*:1:stop:1"
        )
        deadline = time.monotonic() + faults.TIMEOUT_SECONDS
        while not (ranks := run.rank_pids()) or not any(map(is_stopped, ranks)):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        stuck = next(pid for pid in ranks if not is_stopped(pid))
        for _ in range(2):
            time.sleep(0.5)
            os.kill(stuck, signal.SIGTERM)
        run.end()
        self.assertNotEqual(run.code, 0)
        self.assertEqual(run.survivors, [])


if __name__ == "__main__":
    faults.main()
