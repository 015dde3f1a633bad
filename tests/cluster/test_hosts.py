"""Several hosts by mpirun: results as on one host, and an end within bounds when a host is lost in mid-run."""

import os
import signal
import subprocess
import unittest
from pathlib import Path

import h5py
import numpy

import cluster
import hosts
from cluster import JOBS, ClusterTest

BLOCKS = 400
RANGE = f"1..{BLOCKS * 10}"
SOON_SECONDS = 45  # the keepalives of jobs/hosts.sh take 25


def setUpModule():
    cluster.use_environment_of_a_user()
    ClusterTest.shared = cluster.make_folder()
    unittest.addModuleCleanup(cluster.remove, ClusterTest.shared)
    HostsTest.hosts = hosts.Hosts(ClusterTest.shared, 3)
    unittest.addModuleCleanup(HostsTest.hosts.close)
    os.environ["OMPI_MCA_plm_rsh_agent"] = str(HostsTest.hosts.remote_shell)


class HostsTest(ClusterTest):
    hosts = None  # set by setUpModule

    def start(self, names, *words, environment=None):
        """jobs/hosts.sh with two ranks on each of these hosts, started on the head."""
        hostfile = self.folder / "hosts.txt"
        hostfile.write_text("".join(f"{name} slots=2\n" for name in names))
        command = self.hosts.command("head", JOBS / "hosts.sh", hostfile, *words)
        run = subprocess.Popen(command, env=environment or os.environ, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(self.end, run)
        return run

    @staticmethod
    def end(run):
        run.kill()
        run.communicate()

    def run_well(self, names, *words, environment=None):
        run = self.start(names, *words, environment=environment)
        said = run.communicate(timeout=60)[0]
        self.assertEqual(run.returncode, 0, said)
        return said

    def start_slow(self, milliseconds):
        """A run on all hosts that takes so long for each block, and is under way."""
        run = self.start(self.hosts.names, "-b", 10, "-o", "squares.h5", RANGE,
                         environment=cluster.slow(milliseconds, self.folder))
        self.wait_for_blocks(30)
        return run

    def ranks_on(self, host):
        """The machine's ids of the ranks on a host."""
        tree = os.readlink(f"/proc/{self.hosts.pids[host]}/ns/pid")
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "comm").read_text() == "parsquares\n" and \
                        os.readlink(entry / "ns/pid") == tree:
                    found.append(int(entry.name))
            except OSError:
                continue  # it has just ended
        return found

    def assert_ends_soon(self, run):
        said = run.communicate(timeout=SOON_SECONDS)[0]
        self.assertNotEqual(run.returncode, 0, said)
        with h5py.File("squares.h5.part", "r") as part:
            self.assertEqual(part.attrs["status"], b"running")

    def assert_resumed_on(self, names):
        """The run goes on elsewhere, and computes what is missing only."""
        before = self.blocks_computed()
        self.run_well(names, "--resume", "-b", 10, "-o", "squares.h5", RANGE,
                      environment=cluster.slow(0, self.folder))
        self.assert_squares("squares.h5", 1, BLOCKS * 10)
        again = len(self.blocks_computed()) - BLOCKS
        self.assertLess(again, len(before) // 2)


class HealthyTest(HostsTest):
    def test_results_are_those_of_one_host(self):
        self.run_well(self.hosts.names, "-p", "2,3", "-o", "three.h5", "1..300_001")
        self.run_well(["node2"], "-p", "2,3", "-o", "one.h5", "1..300_001")
        with h5py.File("three.h5") as three, h5py.File("one.h5") as one:
            for name in ("squares", "cubes"):
                numpy.testing.assert_array_equal(three[name], one[name])
            names = three["parcel/provenance/hosts"][()].decode()
            for host in self.hosts.names:
                self.assertIn(host, names)
        self.assert_squares("three.h5", 1, 300_001)


class LossTest(HostsTest):
    def test_killed_ranks_of_a_host_end_the_run(self):
        run = self.start_slow(100)
        for rank in self.ranks_on("node2"):
            os.kill(rank, signal.SIGKILL)
        self.assert_ends_soon(run)
        self.assert_resumed_on(["node1", "node3"])

    @unittest.skipUnless("CLUSTER_LONG" in os.environ, "CLUSTER_LONG is not set")
    def test_a_crashed_host_ends_the_run(self):
        run = self.start_slow(100)
        self.hosts.crash("node3")
        self.addCleanup(self.hosts.start, "node3")
        self.assert_ends_soon(run)
        self.assert_resumed_on(["node1", "node2"])

    # The last in the order of names: a host whose cable was out for long may not be reached by MPI again.
    def test_the_run_ends_when_a_host_is_cut_off(self):
        run = self.start_slow(600)  # 40 seconds
        self.hosts.cut("node3")
        self.addCleanup(self.hosts.mend, "node3")
        self.assert_ends_soon(run)
        cluster.wait_until(lambda: not self.ranks_on("node3"), SOON_SECONDS, "ranks go on beyond the cut")
        self.assert_resumed_on(["node1", "node2"])


if __name__ == "__main__":
    why_not = hosts.why_not()
    if why_not:
        cluster.skip(why_not)
    cluster.main()
