"""Kernels in processes: whatever a kernel does, its index goes on record and all others are right."""

import os
import signal

import faults
import numpy as np

FILL = -9223372036854775806


class ProcessTest(faults.FaultTest):
    def check_record(self, ranks, what, words, index=997, timeout=0):
        run = self.start_failing(ranks, what, index=index, block=50, timeout=timeout).end()
        self.assertEqual(run.code, 3, run.stderr)
        self.assert_one_message(run, "1 of 1000 indices failed")
        self.assertEqual(run.survivors, [])
        with faults.open_quietly(self.output) as file:
            expected = 2 * np.arange(1000)
            expected[index] = FILL
            np.testing.assert_array_equal(file["value"][:], expected)
            table = file["parcel/failures"]
            self.assertEqual(table["index"][:].tolist(), [index])
            self.assertRegex(table["message"][0].tobytes().decode(), words)
        self.assertEqual(os.listdir(self.folder), [self.output.name])
        self.output.unlink()

    def test_every_kind_of_death_is_one_failure(self):
        for ranks in (1, 3):
            for what, words, timeout in (
                ("fail", "997 is an unlucky number", 0),
                ("crash", r"worker process \d+ died of SIGSEGV", 0),
                ("raise", r"worker process \d+ died of SIGFPE", 0),
                ("exit", r"worker process \d+ left by exit\(0\)", 0),
                ("hang", r"worker process \d+", 0.2),
            ):
                with self.subTest(ranks=ranks, what=what):
                    self.check_record(ranks, what, words, timeout=timeout)

    def test_squares_from_processes_are_the_same(self):
        for ranks in (1, 3):
            command = [faults.PARSQUARES, "-o", self.output, "-t", 2, "-p", "2,3", "--force"]
            run = self.start(ranks, *command, "--workers=processes").end()
            self.assertEqual((run.code, run.messages), (0, []), run.stderr)
            self.assertIn("sum of squares: 333333833333500000, as the closed form says", run.stdout)
            with faults.open_quietly(self.output) as file:
                np.testing.assert_array_equal(file["squares"][:], np.arange(1, 1000001, dtype=np.uint64) ** 2)

    def test_a_killed_rank_takes_its_processes_along(self):
        run = self.start_failing(1, count=100000, block=1, milliseconds=1, timeout=0)
        self.wait_until_begun(run)
        (rank,) = run.rank_pids()
        server = faults.children_of(rank)
        workers = [pid for parent in server for pid in faults.children_of(parent)]
        self.assertEqual((len(server), len(workers)), (1, 1))
        os.kill(rank, signal.SIGKILL)
        run.end()
        self.assertEqual(faults.wait_for_end(server + workers), [])

    def test_a_killed_worker_costs_at_most_its_index(self):
        run = self.start_failing(1, count=400, block=1, milliseconds=5, timeout=0)
        self.wait_until_begun(run)
        (rank,) = run.rank_pids()
        for server in faults.children_of(rank):
            for worker in faults.children_of(server):
                os.kill(worker, signal.SIGKILL)
        run.end()
        self.assertIn(run.code, (0, 3), run.stderr)
        with faults.open_quietly(self.output) as file:
            wrong = np.flatnonzero(file["value"][:] != 2 * np.arange(400))
            self.assertEqual(file["parcel/failures/index"][:].tolist(), wrong.tolist())
            self.assertLessEqual(len(wrong), 1)


if __name__ == "__main__":
    faults.main()
