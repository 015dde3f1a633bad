"""A Slurm of three hosts: the scripts of jobs/ across them, and hosts that are lost in mid-run."""

import unittest

import h5py
import numpy

import cluster
import hosts
import slurm
from cluster import SlurmTest

BLOCKS = 400
RANGE = f"1..{BLOCKS * 10}"


def setUpModule():
    cluster.use_environment_of_a_user()
    SlurmTest.shared = cluster.make_folder()
    unittest.addModuleCleanup(cluster.remove, SlurmTest.shared)
    machines = hosts.Hosts(SlurmTest.shared, 3)
    unittest.addModuleCleanup(machines.close)
    SlurmTest.slurm = slurm.Slurm(SlurmTest.shared / "slurm", machines)
    unittest.addModuleCleanup(SlurmTest.slurm.close)


class HealthyTest(SlurmTest):
    def test_results_are_those_of_one_host(self):
        files = {}
        for script in ("parsquares.sbatch", "parsquares-mpirun.sbatch"):
            for nodes in (1, 3):
                said = self.run_job(script, "1..300_001", options=(f"--nodes={nodes}",))
                name, _, rest = said.partition(":")
                self.assertIn(f" {2 * nodes} ranks x 1 threads", rest)
                files[script, nodes] = name
        with h5py.File(next(iter(files.values()))) as first:
            expected = first["squares"][:]
        for name in files.values():
            self.assert_squares(name, 1, 300_001)
            with h5py.File(name) as file:
                numpy.testing.assert_array_equal(file["squares"], expected)
        with h5py.File(files["parsquares.sbatch", 3]) as file:
            names = file["parcel/provenance/hosts"][()].decode()
        for host in self.slurm.nodes:
            self.assertIn(host, names)


class LossTest(SlurmTest):
    def submit_slow(self, milliseconds, nodes):
        return self.submit("requeue.sbatch", "-b", 10, "-o", "squares.h5", RANGE, options=(f"--nodes={nodes}",),
                           environment=cluster.slow(milliseconds, self.folder))

    def assert_hardly_any_block_twice(self):
        again = len(self.blocks_computed()) - BLOCKS
        self.assertLessEqual(again, 12)  # what six ranks had in hand, and not yet in the ledger

    def test_killed_ranks_of_a_host_fail_the_job_which_goes_on_elsewhere(self):
        job = self.submit_slow(100, nodes=3)
        self.wait_for_blocks(30)
        self.slurm.hosts.run("node2", "pkill", "-KILL", "-x", "parsquares")
        self.wait_for_end(job, "FAILED", seconds=20)
        self.wait_for_end(self.submit_slow(0, nodes=2))
        self.assert_squares("squares.h5", 1, BLOCKS * 10)
        self.assert_hardly_any_block_twice()

    def test_without_a_host_that_was_cut_off_the_job_goes_on(self):
        job = self.submit_slow(200, nodes=2)  # 20 seconds
        self.wait_for_blocks(12)
        allocated = self.slurm.job(job)[0]
        names = self.slurm.ask("scontrol", "show", "hostnames", allocated["NodeList"])
        lost = next(name for name in names if name != allocated["BatchHost"])
        self.slurm.hosts.cut(lost)
        self.addCleanup(self.slurm.hosts.mend, lost)
        self.wait_for_end(job, seconds=120)
        self.assertEqual(self.slurm.job(job)[0]["Restarts"], "1")
        self.assert_squares("squares.h5", 1, BLOCKS * 10)


if __name__ == "__main__":
    why_not = hosts.why_not()
    missing = slurm.missing_programs()
    if why_not or missing:
        cluster.skip(why_not or f"no Slurm to test with, not installed: {', '.join(missing)}")
    cluster.main()
