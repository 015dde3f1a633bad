"""Jobs that do not end at once: out of time, preempted, cancelled, an array with a member that fails."""

import os
import time
import unittest

import h5py
import numpy

import cluster
import slurm
from cluster import SlurmTest

BLOCKS = 160
RANGE = f"1..{BLOCKS * 10}"


def setUpModule():
    cluster.use_environment_of_a_user()
    SlurmTest.shared = cluster.make_folder()
    unittest.addModuleCleanup(cluster.remove, SlurmTest.shared)
    SlurmTest.slurm = slurm.Slurm(SlurmTest.shared / "slurm")
    unittest.addModuleCleanup(SlurmTest.slurm.close)
    TimeLimitTest.begin()


class AgainTest(SlurmTest):
    def submit_slow(self, milliseconds, *words, options=(), **changes):
        """requeue.sbatch with 80 blocks for each of two ranks."""
        return self.submit("requeue.sbatch", "-b", 10, "-o", "squares.h5", *words, RANGE, options=options,
                           environment=cluster.slow(milliseconds, self.folder, **changes))

    def assert_each_block_computed_once(self):
        self.assertEqual(sorted(self.blocks_computed()), list(range(1, BLOCKS * 10, 10)))

    def runs_of(self, job):
        return int(self.slurm.job(job)[0]["Restarts"]) + 1


class PreemptionTest(AgainTest):
    """In a Slurm of its own, with partitions that preempt."""

    @classmethod
    def setUpClass(cls):
        cls.slurm = slurm.Slurm(cls.shared / "preempting", preempts=True)
        cls.addClassCleanup(cls.slurm.close)

    def test_a_preempted_job_queues_again_and_ends(self):
        job = self.submit_slow(50, options=("--partition=spare",))  # 4 seconds
        self.wait_for_blocks(20)
        urgent = self.slurm.submit("--partition=urgent", "--ntasks=2", "--wrap", "sleep 1")
        self.wait_for_end(urgent)
        self.wait_for_end(job)
        self.assertEqual(self.runs_of(job), 2, self.output_of(job))
        self.assert_squares("squares.h5", 1, BLOCKS * 10)
        self.assert_each_block_computed_once()


class RequeueTest(AgainTest):
    def test_a_job_that_never_ends_gives_up(self):
        job = self.submit_slow(300, SLURM_RESTART_COUNT="19")
        self.wait_for_blocks(4)
        self.slurm.run("scancel", "--signal=USR1", job)
        self.wait_for_end(job, "FAILED")
        self.assertIn("not complete after 20 runs", self.output_of(job))

    def test_every_rank_says_what_it_does_when_asked(self):
        job = self.submit_slow(30)
        self.wait_for_blocks(20)
        self.slurm.run("scancel", "--signal=USR2", job)
        self.wait_for_end(job)
        for rank in (0, 1):
            self.assertRegex(self.output_of(job), rf"parsquares: rank {rank} on \S+: \d+ blocks done; worker 0: ")

    def test_a_failing_job_does_not_queue_again(self):
        obstacle = self.folder / "obstacle"
        obstacle.write_text("1")
        job = self.submit_slow(10, SLOW_FAILS=str(obstacle))
        self.wait_for_end(job, "FAILED")
        self.assertEqual(self.runs_of(job), 1)
        self.assertIn("is in the way", self.output_of(job))

    def test_a_cancelled_job_goes_on_when_submitted_again(self):
        job = self.submit_slow(50)
        self.wait_for_blocks(20)
        self.slurm.run("scancel", job)
        self.wait_for_end(job, "CANCELLED")
        time.sleep(1)
        self.assertEqual(self.slurm.states(job), ["CANCELLED"])  # not queued again
        before = len(self.blocks_computed())
        self.assertLess(before, BLOCKS)
        self.wait_for_end(self.submit_slow(0))
        self.assert_squares("squares.h5", 1, BLOCKS * 10)
        self.assertLessEqual(len(self.blocks_computed()) - BLOCKS, 2)  # one in hand on each rank


class ArrayTest(SlurmTest):
    """array.sbatch: four members of 400 positions each."""

    step_range = "1..4800..3"
    obstacle_of_member_2 = 3001

    def submit_array(self):
        return self.submit("array.sbatch", self.step_range,
                           environment=cluster.slow(20, self.folder, SLOW_FAILS=str(self.folder / "obstacle")))

    def merge_job(self, before=0):
        """The number of the job that merges, submitted after another one."""
        lines = self.slurm.ask("squeue", "-h", "--name=merge", "--states=all", "-o", "%i")
        numbers = [int(line) for line in lines if int(line) > before]
        self.assertEqual(len(numbers), 1)
        return numbers[0]

    def test_a_failed_member_stops_the_merge_until_all_are_there(self):
        obstacle = self.folder / "obstacle"
        obstacle.write_text(str(self.obstacle_of_member_2))
        first = self.submit_array()
        self.wait_for_end(first, "COMPLETED", "FAILED")
        self.assertEqual(self.slurm.states(first).count("FAILED"), 1)
        self.wait_for_end(self.merge_job(first), "CANCELLED")
        self.assertFalse((self.folder / "squares.h5").exists())
        before = self.blocks_computed()

        obstacle.unlink()
        again = self.submit_array()
        self.wait_for_end(again)
        self.wait_for_end(self.merge_job(again))
        computed = self.blocks_computed()
        self.assertEqual(sorted(computed), sorted(set(computed)))
        self.assertTrue(all(2401 <= index <= 3598 for index in computed[len(before):]), computed)
        with h5py.File("squares.h5") as file:
            numpy.testing.assert_array_equal(file["squares"], numpy.arange(1, 4801, 3, dtype=numpy.uint64) ** 2)


class TimeLimitTest(AgainTest):
    """It takes the longest: begun before all other tests, looked at after them."""

    @classmethod
    def begin(cls):
        cls.beside = cls()
        cls.beside.setUp()
        # Slurm looks at time limits every 30 seconds, and sends the signal by up to a minute too early.
        cls.job = cls.beside.submit_slow(450, options=("--time=1", "--signal=USR1@20"))  # 36 seconds

    def test_a_job_out_of_time_queues_again_and_ends(self):
        self.folder = self.beside.folder
        os.chdir(self.folder)
        self.wait_for_end(self.job, seconds=150)
        self.assertIn(self.runs_of(self.job), (2, 3), self.output_of(self.job))
        self.assert_squares("squares.h5", 1, BLOCKS * 10)
        self.assert_each_block_computed_once()


if __name__ == "__main__":
    missing = slurm.missing_programs()
    if missing:
        cluster.skip(f"no Slurm to test with, not installed: {', '.join(missing)}")
    cluster.main()
