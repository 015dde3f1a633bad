"""The scripts of jobs/ in a real Slurm on this machine, submitted as they are."""

import os
import re
import subprocess
import unittest

import cluster
import slurm
from cluster import JOBS, SlurmTest

LAUNCHERS = ("parsquares.sbatch", "parsquares-mpirun.sbatch")
ONE_RANK_TWO_THREADS = ("--ntasks-per-node=1", "--cpus-per-task=2")


def setUpModule():
    cluster.use_environment_of_a_user()
    SlurmTest.shared = cluster.make_folder()
    unittest.addModuleCleanup(cluster.remove, SlurmTest.shared)
    SlurmTest.slurm = slurm.Slurm(SlurmTest.shared / "slurm")
    unittest.addModuleCleanup(SlurmTest.slurm.close)


class ScriptTest(SlurmTest):
    def test_every_script_is_accepted(self):
        for script in JOBS.glob("*.sbatch"):
            with self.subTest(script=script.name):
                done = self.slurm.run("sbatch", "--test-only", script)
                self.assertEqual(done.returncode, 0, done.stderr)


class LauncherTest(SlurmTest):
    """Ranks and threads as asked, by srun and by mpirun."""

    def test_a_job_ends_with_the_right_file(self):
        for script in LAUNCHERS:
            with self.subTest(script=script):
                said = self.run_job(script, "1..100_000")
                name = re.match(r"(squares-\d+\.h5): 100000 positions, 2 ranks x 1 threads$", said, re.M).group(1)
                self.assert_squares(name, 1, 100_000)

    def test_threads_as_asked(self):
        for script in LAUNCHERS:
            with self.subTest(script=script):
                said = self.run_job(script, "1..100_000", options=ONE_RANK_TWO_THREADS)
                self.assertIn(" 1 ranks x 2 threads", said)
                self.assertNotIn("warning", said)

    def test_srun_binds_each_rank_to_cpus_of_its_own(self):
        stand_in = self.folder / "parsquares"
        stand_in.write_text("#!/bin/sh\ntaskset -cp $$\n")
        stand_in.chmod(0o755)
        environment = {**self.slurm.environment, "PATH": f"{self.folder}:{self.slurm.environment['PATH']}"}
        said = self.run_job("parsquares.sbatch", environment=environment)
        cpus = re.findall(r"affinity list: (\d+)$", said, re.M)
        self.assertEqual((len(cpus), len(set(cpus))), (2, 2), said)

    def test_a_wrong_command_line_fails_the_job(self):
        for script in LAUNCHERS:
            with self.subTest(script=script):
                job = self.submit(script, "1..x")
                self.wait_for_end(job, "FAILED")
                self.assertEqual(self.slurm.job(job)[0]["ExitCode"], "2:0")
                self.assertIn("parsquares: range '1..x'", self.output_of(job))


class JobTest(SlurmTest):
    """What parcel job prints."""

    def job_script(self, *words):
        done = subprocess.run(["parcel", "job", *map(str, words)], capture_output=True, text=True, check=True)
        script = self.folder / "job.sbatch"
        script.write_text(done.stdout)
        return script

    def test_slurm_accepts_it_and_it_runs(self):
        for options in (["-r", 2], ["-t", 2], ["--requeue", 3, "--time", "1-00:00:00", "--queue", "main"]):
            with self.subTest(options=options):
                script = self.job_script(*options, "--", "parsquares", "--force", "-o", "a b.h5", "1..10_000")
                done = self.slurm.run("sbatch", "--test-only", script)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.run_job(script)
                self.assert_squares("a b.h5", 1, 10_000)


class PbsTest(SlurmTest):
    """parsquares.pbs with what PBS sets: there is no PBS to test with."""

    def test_it_runs(self):
        nodes = self.folder / "nodes"
        nodes.write_text("localhost\n" * 2)
        environment = {**os.environ, "PBS_O_WORKDIR": str(self.folder), "PBS_NODEFILE": str(nodes),
                       "PBS_JOBID": "17.server", "OMP_NUM_THREADS": "1", "RANGE": "1..10_000"}
        done = subprocess.run(["bash", JOBS / "parsquares.pbs"], env=environment, cwd="/", capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(" 2 ranks x 1 threads", done.stdout)
        self.assert_squares("squares-17.h5", 1, 10_000)


if __name__ == "__main__":
    missing = slurm.missing_programs()
    if missing:
        cluster.skip(f"no Slurm to test with, not installed: {', '.join(missing)}")
    cluster.main()
