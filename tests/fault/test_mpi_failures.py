"""MPI fails on some ranks: it is told once, and the job ends, whoever waits for whom."""

import os
import shutil
import subprocess
import unittest

import faults

MPI_ERR_OTHER = 16


class MpiFailureTest(faults.FaultTest):
    def run_failing(self, ranks, fault, *options):
        run = self.start(
            ranks, faults.PARSQUARES, "-t", 1, "-q", "-b", 1000, "-o", self.output, *options, "1..100_000", shim=fault
        )
        run.end()
        self.assert_shim_hit(run)
        self.assertEqual(run.code, 1, run.stderr)
        self.assertEqual(run.survivors, [])
        self.assertFalse(self.output.exists())
        return run

    def test_a_call_that_fails_on_one_rank_ends_all(self):
        faults_of = {
            "mpi_comm_dup": (1,),
            "mpi_comm_split_type": (1,),
            "mpi_allgather": (1, 2),
            "mpi_bcast": (1, 2, 3, 5),
            "mpi_allreduce": (1, 2, 4, 7),
            "mpi_gather": (1,),
            "mpi_win_allocate_shared": (1,),
            "mpi_iprobe": (1,),
        }
        for function, calls in faults_of.items():
            for nth, rank in ((nth, rank) for nth in calls for rank in (0, 2)):
                with self.subTest(function=function, nth=nth, rank=rank):
                    run = self.run_failing(3, f"{function}:*:{nth}:{MPI_ERR_OTHER}:{rank}")
                    self.assert_one_message(run, f"parsquares: rank {rank} on ", "the job ends here")

    def test_a_call_of_collective_writing_that_fails_on_one_rank_ends_all(self):
        for function, nth in (("mpi_iallreduce", 1), ("mpi_barrier", 1), ("mpi_comm_split", 1)):
            with self.subTest(function=function, nth=nth):
                run = self.run_failing(2, f"{function}:*:{nth}:{MPI_ERR_OTHER}:1", "--io=collective")
                self.assertIn("parsquares: rank 1 on ", run.stderr)

    def test_a_call_that_fails_everywhere_is_told_once(self):
        for function in ("mpi_bcast:*:2", "mpi_allreduce:*:3"):
            with self.subTest(function=function):
                run = self.run_failing(3, f"{function}:{MPI_ERR_OTHER}")
                self.assert_one_message(run, "parsquares: rank 0 on ")

    @unittest.skipUnless(
        os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0,
        "a mount of one's own needs root",
    )
    def test_shared_memory_without_room_is_told(self):
        script = "mount -t tmpfs -o size=1m none /dev/shm && head -c 2m /dev/zero >/dev/shm/fill 2>/dev/null; exec \"$@\""
        command = faults.under_mpi(2, faults.PARSQUARES, "-t", 1, "-q", "-o", self.output, "1..1000")
        done = subprocess.run(
            ["unshare", "-m", "bash", "-c", script, "full", *command], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("parsquares: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("/dev/shm has 0 bytes free", lines[0])
        self.assertFalse(self.output.exists())


if __name__ == "__main__":
    faults.main()
