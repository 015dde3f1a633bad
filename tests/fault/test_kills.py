"""Ranks that are killed end the job; the .part stays as it is and opens."""

import os
import signal

import faults

LONG = {"count": 100000, "block": 10, "milliseconds": 5}


def span_of(block, positions, parts, blocks_per_part):
    """Where numpy.array_split, applied twice, puts the block."""

    def cut(begin, end, pieces, piece):
        size, longer = divmod(end - begin, pieces)
        return begin + piece * size + min(piece, longer), begin + (piece + 1) * size + min(piece + 1, longer)

    part, within = (int(number) for number in divmod(block, blocks_per_part))
    return cut(*cut(0, int(positions), int(parts), part), int(blocks_per_part), within)


class KillTest(faults.FaultTest):
    def assert_ended_badly(self, run):
        self.assertNotEqual(run.code, 0)
        self.assertEqual(run.survivors, [])
        self.assertLess(run.seconds_to_end, 15)
        self.assert_only_part("running")

    def test_killing_one_rank_ends_the_job(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_failing(ranks, **LONG)
                self.wait_until_begun(run)
                os.kill(max(run.rank_pids()), signal.SIGKILL)
                self.assert_ended_badly(run.end())

    def test_killing_the_first_rank_ends_the_job(self):
        run = self.start_failing(3, **LONG)
        self.wait_until_begun(run)
        os.kill(min(run.rank_pids()), signal.SIGKILL)
        self.assert_ended_badly(run.end())

    def test_killing_all_ranks_ends_the_job(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_failing(ranks, **LONG)
                self.wait_until_begun(run)
                faults.kill_all(run.rank_pids())
                self.assert_ended_badly(run.end())

    def test_killing_mpirun_ends_the_ranks(self):
        run = self.start_failing(3, **LONG)
        self.wait_until_begun(run)
        os.kill(run.process.pid, signal.SIGKILL)
        self.assert_ended_badly(run.end())

    def test_blocks_that_were_done_are_in_the_part(self):
        run = self.start_failing(3, **LONG)
        self.wait_until_begun(run)
        faults.kill_all(run.rank_pids())
        run.end()
        with faults.open_quietly(self.part) as file:
            grid = file["parcel"].attrs
            done = (file["parcel/ledger"]["state"] == 1).nonzero()[0]
            self.assertGreater(len(done), 0)
            self.assertEqual(grid["parts"], 3)
            for block in done:
                begin, end = span_of(block, grid["positions"], grid["parts"], grid["blocks_per_part"])
                self.assertEqual(list(file["value"][begin:end]), [2 * index for index in range(begin, end)])


if __name__ == "__main__":
    faults.main()
