"""Two hosts with a folder on a network file system: each has a cache of its own (nfs_client.c)."""

import os
import subprocess
import unittest

import cluster
import hosts
from cluster import ClusterTest, JOBS

NFS_CLIENT = os.environ.get("NFS_CLIENT", "")
BLOCKS = 100
BLOCK = 333  # neither rows nor entries end where pages do
LAST = BLOCKS * BLOCK
BOTH = ("node1", "node2")
# What Open MPI does of its own accord where it recognises NFS: locks around each access.
AS_ON_NFS = {"OMPI_MCA_fs_ufs_lock_algorithm": "3"}


def setUpModule():
    cluster.use_environment_of_a_user()
    ClusterTest.shared = cluster.make_folder()
    unittest.addModuleCleanup(cluster.remove, ClusterTest.shared)
    NetworkFolderTest.hosts = hosts.Hosts(ClusterTest.shared, 3)
    unittest.addModuleCleanup(NetworkFolderTest.hosts.close)
    os.environ["OMPI_MCA_plm_rsh_agent"] = str(NetworkFolderTest.hosts.remote_shell)


def mount(host, server, folder):
    """Mounts the folder of the server on a host, with an empty cache. What runs there can be ended by close."""
    machines = NetworkFolderTest.hosts
    client = subprocess.Popen(machines.command(host, NFS_CLIENT, server, folder), stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    is_there = machines.command(host, "mountpoint", "-q", folder)
    cluster.wait_until(lambda: subprocess.run(is_there, check=False).returncode == 0, 20, f"no mount on {host}")
    return client


class NetworkFolderTest(ClusterTest):
    hosts = None  # set by setUpModule

    def setUp(self):
        super().setUp()
        self.server = self.folder / "server"
        self.home = self.folder / "home"
        self.server.mkdir()
        self.home.mkdir()
        self.output = self.home / "squares.h5"
        self.part = self.server / "squares.h5.part"
        for host in BOTH:
            self.addCleanup(self.unmount, host, mount(host, self.server, self.home))

    def unmount(self, host, client):
        subprocess.run(self.hosts.command(host, "umount", "-l", self.home), check=False)
        client.wait(20)

    def start(self, names, *words, milliseconds=0, more=None):
        """jobs/hosts.sh with two ranks on each of these hosts; rank 0 is on the first."""
        hostfile = self.folder / f"{'-'.join(names)}.txt"
        hostfile.write_text("".join(f"{name} slots=2\n" for name in names))
        environment = {**cluster.slow(milliseconds, self.folder), "OMPI_MCA_mpi_yield_when_idle": "1", **(more or {})}
        run = subprocess.Popen(self.hosts.command("head", JOBS / "hosts.sh", hostfile, *words), env=environment,
                               stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(self.end, run)
        return run

    @staticmethod
    def end(run):
        run.kill()
        run.communicate()

    def run_to_end(self, names, *words, **how):
        run = self.start(names, "-b", BLOCK, "-o", self.output, *words, f"1..{LAST}", **how)
        said = run.communicate(timeout=120)[0]
        return run.returncode, said

    def run_well(self, names, *words, **how):
        code, said = self.run_to_end(names, *words, **how)
        self.assertEqual(code, 0, said)
        return said

    def assert_finished(self):
        """A host that has never seen the file reads what numpy has, and finds every byte in order."""
        fresh = mount("node3", self.server, self.home)
        copy = self.folder / "copy.h5"
        try:
            self.hosts.run("node3", cluster.PARSQUARES.with_name("parcel"), "verify", self.output)
            self.hosts.run("node3", "cp", self.output, copy)
        finally:
            self.unmount("node3", fresh)
        self.assert_squares(copy, 1, LAST)
        # Open MPI's shared file pointers of a run that was killed stay: NAME.part-JOB-PROCESS.lock.
        left = [name for name in os.listdir(self.server) if not name.startswith("squares.h5.part-")]
        self.assertEqual(left, ["squares.h5"])

    def interrupt(self, *words):
        """A run on both hosts that is killed when some blocks are done."""
        run = self.start(BOTH, "-b", BLOCK, "-o", self.output, *words, f"1..{LAST}", milliseconds=40)
        self.wait_for_blocks(30)
        for host in BOTH:
            self.hosts.run(host, "pkill", "-KILL", "-x", "parsquares")
        self.assertNotEqual(run.wait(60), 0)
        self.assertTrue(self.part.exists())
        return len(self.blocks_computed())


class FinishedTest(NetworkFolderTest):
    def test_by_itself_a_run_writes_together(self):
        said = self.run_well(BOTH)
        self.assertIn("is on FUSE", said)
        self.assertIn("all ranks write together", said)
        self.assert_finished()

    def test_ranks_of_one_host_write_by_themselves(self):
        said = self.run_well(["node2"])
        self.assertNotIn("warning", said)
        self.assert_finished()

    def test_writing_together_under_the_locks_of_nfs(self):
        self.run_well(BOTH, "--io=collective", more=AS_ON_NFS)
        self.assert_finished()

    def test_writing_together_through_romio(self):
        self.run_well(BOTH, "--io=collective", more={"OMPI_MCA_io": "romio321"})
        self.assert_finished()

    def test_compressed_columns(self):
        for mode in ("auto", "direct"):
            with self.subTest(io=mode):
                self.run_well(BOTH, "--compress", f"--io={mode}", "--force")
                self.assert_finished()

    def test_overwritten_bytes_are_found_before_the_file_has_its_name(self):
        code, said = self.run_to_end(BOTH, "--io=direct", milliseconds=1)
        if code == 0:  # hosts that were lucky
            self.assert_finished()
            return
        self.assertEqual(code, 1, said)
        self.assertIn("hosts have overwritten each other's bytes", said)
        self.assertEqual([name for name in os.listdir(self.server) if name == "squares.h5"], [])
        self.run_well(["node1"], "--resume")
        self.assert_finished()


class ResumedTest(NetworkFolderTest):
    def test_a_killed_run_goes_on_on_both_hosts(self):
        before = self.interrupt()
        self.run_well(BOTH, "--resume")
        self.assert_finished()
        self.assertLess(len(self.blocks_computed()) - BLOCKS, before)

    def test_a_killed_run_goes_on_on_the_other_host(self):
        before = self.interrupt()
        self.run_well(["node2"], "--resume")
        self.assert_finished()
        self.assertLess(len(self.blocks_computed()) - BLOCKS, before)

    def test_a_killed_compressed_run_goes_on_with_the_hosts_exchanged(self):
        before = self.interrupt("--compress")
        self.run_well(("node2", "node1"), "--compress", "--resume")
        self.assert_finished()
        self.assertLess(len(self.blocks_computed()) - BLOCKS, before)


class RaceTest(NetworkFolderTest):
    def test_of_two_runs_for_one_output_one_is_refused(self):
        runs = [self.start([host], "-b", BLOCK, "-o", self.output, f"1..{LAST}", milliseconds=10) for host in BOTH]
        said = [run.communicate(timeout=120)[0] for run in runs]
        codes = [run.returncode for run in runs]
        self.assertEqual(sum(code == 0 for code in codes), 1, said)
        refused = said[0] if codes[0] else said[1]
        self.assertRegex(refused, "is being written by|exists already|has appeared")
        self.assert_finished()

    def test_a_run_is_not_resumed_while_it_goes_on_elsewhere(self):
        run = self.start(["node1"], "-b", BLOCK, "-o", self.output, f"1..{LAST}", milliseconds=40)
        self.wait_for_blocks(10)
        code, said = self.run_to_end(["node2"], "--resume")
        self.assertNotEqual(code, 0, said)
        self.assertIn("is being written by", said)
        self.assertEqual(run.wait(120), 0)
        self.assert_finished()


def why_not():
    if not NFS_CLIENT:
        return "built without libfuse3"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no FUSE here: /dev/fuse cannot be opened"
    return hosts.why_not()


if __name__ == "__main__":
    reason = why_not()
    if reason:
        cluster.skip(reason)
    cluster.main()
