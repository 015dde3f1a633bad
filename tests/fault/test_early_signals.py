"""A request to stop that comes outside of the sweep, in the midst of a call: the run ends with 75, and can be resumed."""

import os

import faults


class EarlySignalTest(faults.FaultTest):
    def run_signalled(self, ranks, at, *options):
        """A run to which a signal comes in the midst of a call (shim.c). Returns it, ended."""
        run = self.start_again(
            ranks, faults.PARSQUARES, "-t", 1, "-q", "-b", 1000, "-o", self.output, *options, "1..5_000_000", shim=at
        )
        run.end()
        self.assert_shim_hit(run)
        self.assertEqual(run.survivors, [])
        return run

    def finish(self, *options):
        run = faults.Run(2, faults.PARSQUARES, "-q", "-b", 1000, "-o", self.output, "--resume", *options, "1..5_000_000")
        self.assertEqual(run.end().code, 0, run.stderr)
        self.assertEqual(os.listdir(self.folder), [self.output.name])
        self.output.unlink()

    def test_a_signal_before_the_sweep_stops_the_run(self):
        calls = ("fallocate:.part.new:1:{}:0", "ftruncate:.part.new:1:{}:0", "mpi_bcast:*:1:{}", "mpi_comm_dup:*:1:{}")
        for ranks, names in ((0, ("int", "usr1")), (2, ("term",))):
            for at in calls:
                for name in names:
                    with self.subTest(ranks=ranks, at=at, signal=name):
                        run = self.run_signalled(ranks, at.format(name))
                        self.assertEqual(run.code, 75, run.stderr)
                        self.assert_one_message(run, f"stopped early by SIG{name.upper()}")
                        self.finish()

    def test_a_question_before_the_sweep_does_not_end_the_run(self):
        for at in ("fallocate:.part.new:1:usr2:0", "mpi_bcast:*:1:usr2"):
            with self.subTest(at=at):
                self.assertEqual(self.run_signalled(2, at).code, 0)
                self.output.unlink()

    def leave_part(self, *options):
        """All blocks are done, but rank 0 was killed before the last renaming."""
        at = "rename:.part.new:1:kill:0" if options else "renameat2:results.h5.part:2:kill:0"
        self.assertNotIn(self.run_signalled(2, at, *options).code, (0, 75))
        self.assertTrue(self.part.exists())

    def test_a_signal_while_blocks_are_compared_stops_the_run(self):
        for options in ((), ("--compress",)):
            self.leave_part(*options)
            right = os.stat(self.part).st_size
            for nth in (30, 50):
                with self.subTest(options=options, nth=nth):
                    run = self.run_signalled(2, f"pread:.part:{nth}:usr1:0", *options, "--resume")
                    self.assertEqual(run.code, 75, run.stderr)
                    self.assert_one_message(run, "stopped early by SIGUSR1")
                    self.assertEqual(os.stat(self.part).st_size, right)
            self.finish(*options)

    def test_a_signal_while_a_compressed_file_is_completed_stops_the_run(self):
        run = self.run_signalled(2, "copy_file_range:.part.new:1:term:0", "--compress")
        self.assertEqual(run.code, 75, run.stderr)
        self.assert_one_message(run, "stopped early by SIGTERM while ")
        self.finish("--compress")


if __name__ == "__main__":
    faults.main()
