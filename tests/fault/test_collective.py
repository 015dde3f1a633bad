"""--io=collective keeps the promises too: one message and one exit code when a rank fails, no hang with many ranks."""

import os
import signal
import unittest.mock

import faults

COLLECTIVE = ("--io=collective", "-q")


class CollectiveTest(faults.FaultTest):
    def test_a_write_that_fails_on_any_rank_ends_all(self):
        for ranks in (1, 3, 8):
            for rank in {0, ranks - 1}:
                with self.subTest(ranks=ranks, rank=rank):
                    os.environ["PARCEL_FAULT"] = f"results.write:rank={rank}:nth=3:errno=ENOSPC"
                    self.addCleanup(os.environ.pop, "PARCEL_FAULT", None)
                    run = self.start(ranks, faults.PARSQUARES, "-o", self.output, "-b", 100, *COLLECTIVE, "1..20000")
                    run.end()
                    self.assertEqual(run.code, 1)
                    self.assert_one_message(run, f"parsquares: rank {rank} on ", "No space left on device")
                    self.assertEqual(run.survivors, [])
                    self.assert_only_part("failed")

    def test_many_ranks_end(self):
        run = self.start(31, faults.PARSQUARES, "-o", self.output, *COLLECTIVE, "1..31000")
        run.end()
        self.assertEqual(run.code, 0, run.stderr)
        with faults.open_quietly(self.output) as file:
            self.assertEqual(file["squares"][:].tolist(), [i * i for i in range(1, 31001)])

    def test_it_ends_whatever_locks_mpi_takes(self):
        """MPI-IO locks the bytes that it writes: Open MPI's OMPIO if it is told to, ROMIO always."""
        for setting in ("fs_ufs_lock_algorithm=2", "fs_ufs_lock_algorithm=3", "io=romio321"):
            name, value = setting.split("=")
            with self.subTest(setting=setting), unittest.mock.patch.dict(os.environ, {f"OMPI_MCA_{name}": value}):
                run = self.start(2, faults.PARSQUARES, "-o", self.output, "-b", 1000, *COLLECTIVE, "1..20000")
                run.end()
                self.assertEqual((run.code, run.messages), (0, []), run.stderr)
                with faults.open_quietly(self.output) as file:
                    self.assertEqual(file["squares"][:].tolist(), [i * i for i in range(1, 20001)])
                self.assertEqual(os.listdir(self.folder), [self.output.name])

    def test_a_block_whose_values_failed_has_no_entry(self):
        for ranks in (1, 3):
            with self.subTest(ranks=ranks):
                fault = {"PARCEL_FAULT": f"results.write:rank={ranks - 1}:nth=1:errno=ENOSPC"}
                with unittest.mock.patch.dict(os.environ, fault):
                    run = self.start(ranks, faults.PARSQUARES, "-o", self.output, "-b", 100000, *COLLECTIVE, "1..300")
                    run.end()
                self.assertEqual(run.code, 1)
                self.assert_nothing_left()  # no block is done, on any rank

    def test_a_killed_rank_leaves_a_file_that_opens(self):
        run = self.start(3, faults.PARSQUARES, "-o", self.output, "-b", 16, *COLLECTIVE, "1..10_000_000")
        self.wait_until_begun(run)
        os.kill(max(run.rank_pids()), signal.SIGKILL)
        run.end()
        self.assertNotEqual(run.code, 0)
        self.assertEqual(run.survivors, [])
        self.assert_only_part("running")


if __name__ == "__main__":
    faults.main()
