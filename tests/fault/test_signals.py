"""Signals ask for an early stop: within seconds, with one message, and with all that is done in the .part."""

import itertools
import os
import signal
import time

import endurance
import faults
from platform_facts import IS_OPEN_MPI, only_open_mpi

# Small blocks: the run has millions of them to go, but its file stays below a gigabyte.
RANGE = ("-b", 16, "-q", "1..100_000_000")
SOON_SECONDS = 150  # what hangs takes longer; a busy machine is slow


class SignalTest(faults.FaultTest):
    def start_squares(self, ranks):
        run = self.start(ranks, faults.PARSQUARES, "-o", self.output, *RANGE)
        self.wait_until_begun(run)
        return run

    def assert_stopped(self, run, *statuses):
        self.assertLess(run.seconds_to_end, SOON_SECONDS)
        self.assertEqual(run.survivors, [])
        self.assertLessEqual(len(run.messages), 1, run.stderr)
        self.assert_only_part(*statuses)

    @only_open_mpi
    def test_mpirun_passes_a_request_to_stop_on(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for ranks in (1, 3):
                with self.subTest(signal=number.name, ranks=ranks):
                    run = self.start_squares(ranks)
                    run.process.send_signal(number)
                    run.end()
                    self.assertNotEqual(run.code, 0)
                    # mpirun kills whoever needs more than two seconds
                    self.assert_stopped(run, "stopped", "running")

    def test_a_signal_to_one_rank_stops_all(self):
        for which in (min, max):
            run = self.start_squares(3)
            os.kill(which(run.rank_pids()), signal.SIGTERM)
            run.end()
            self.assertEqual(run.code, 75)
            self.assert_one_message(run, "parsquares: stopped early by SIGTERM, with ", " of 100000000 ")
            self.assert_stopped(run, "stopped")

    @only_open_mpi
    def test_mpirun_forwards_the_batch_systems_warning(self):
        for ranks in (1, 3, 8):
            with self.subTest(ranks=ranks):
                run = self.start_squares(ranks)
                run.process.send_signal(signal.SIGUSR1)
                run.end()
                self.assertEqual(run.code, 75)
                self.assert_one_message(run, "parsquares: stopped early by SIGUSR1, with ")
                self.assert_stopped(run, "stopped")

    def test_a_deadline_stops_in_time(self):
        for ranks in (1, 3, 8):
            with self.subTest(ranks=ranks):
                begin = time.monotonic()
                run = self.start(ranks, faults.PARSQUARES, "-o", self.output, "--deadline=3", *RANGE)
                run.end()
                self.assertEqual(run.code, 75)
                self.assertLess(time.monotonic() - begin, 3 + SOON_SECONDS)
                self.assert_one_message(run, "parsquares: stopped early by the deadline of 3 s, with ")
                self.assert_stopped(run, "stopped")

    def test_a_halt_file_stops_all_ranks(self):
        halt = self.folder / "halt"
        run = self.start(3, faults.PARSQUARES, "-o", self.output, f"--halt-file={halt}", *RANGE)
        self.wait_until_begun(run)
        halt.touch()
        run.end()
        self.assertEqual(run.code, 75)
        self.assert_one_message(run, f"parsquares: stopped early by the file '{halt}', with ")
        halt.unlink()
        self.assert_stopped(run, "stopped")

    def test_every_rank_says_what_it_does_when_one_is_asked(self):
        run = self.start_failing(3, count=60, block=1, milliseconds=100)
        self.wait_until_begun(run)
        os.kill(max(run.rank_pids()), signal.SIGUSR2)
        run.end()
        self.assertEqual(run.code, 0)
        for rank in range(3):
            lines = [line for line in run.messages if line.startswith(f"failing: rank {rank} on ")]
            self.assertEqual(len(lines), 1, run.stderr)
            self.assertRegex(lines[0], r": \d+ blocks done; worker 0: (in the kernel|writing|idle)")

    @only_open_mpi
    def test_a_question_that_mpirun_hands_to_all_is_answered_once(self):
        run = self.start_failing(3, count=60, block=1, milliseconds=100)
        self.wait_until_begun(run)
        run.process.send_signal(signal.SIGUSR2)
        run.end()
        self.assertEqual(run.code, 0)
        for rank in range(3):
            lines = [line for line in run.messages if line.startswith(f"failing: rank {rank} on ")]
            self.assertEqual(len(lines), 1, run.stderr)

    def test_a_kernel_that_hangs_ends_the_run_when_it_is_watched(self):
        run = self.start_failing(3, what="hang", index=25, count=60, block=1, milliseconds=1, stall=1)
        run.end()
        self.assertEqual(run.code, 1)
        self.assertIn("failing: no progress for 1 s on rank 1; the run ends here", run.stderr)
        self.assertRegex(run.stderr, r"failing: rank 1 on .*; worker 0: in the kernel for \d\.\d s, block 25 from index 25\n")
        for rank in (0, 2):
            self.assertRegex(run.stderr, rf"failing: rank {rank} on .*.* blocks done; worker 0: idle")
        self.assertEqual(run.survivors, [])
        self.assert_only_part("running")

    def test_a_rank_that_stands_still_ends_the_run_when_it_is_watched(self):
        run = self.start_failing(3, count=60, block=1, milliseconds=200, stall=1)
        self.wait_until_begun(run)
        pids = sorted(run.rank_pids())
        os.kill(pids[2], signal.SIGSTOP)
        run.end()
        self.assertIn(run.code, (1,) if IS_OPEN_MPI else (1, 9))  # MPICH: of the rank that it had to kill
        self.assertRegex(run.stderr, "failing: no progress for 1 s on rank [012]; the run ends here")
        self.assertEqual(run.survivors, [])
        self.assert_only_part("running")

    def test_a_program_without_mpirun_stops_with_code_75(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(signal=number.name):
                run = self.start_squares(0)
                run.process.send_signal(number)
                run.end()
                self.assertEqual(run.code, 75)
                self.assert_one_message(run, f"parsquares: stopped early by {number.name}, with ")
                self.assert_stopped(run, "stopped")

    def stop_and_resume(self, ranks, target, number):
        """Stopped by a signal to mpirun, one rank or all; then resumed by another number of ranks."""
        run = self.start(ranks, *endurance.command([self.output], microseconds=125_000 * ranks))
        self.wait_until_begun(run)
        for pid in {"mpirun": [run.process.pid], "one": [max(run.rank_pids())], "all": run.rank_pids()}[target]:
            os.kill(pid, number)
        run.end()
        if target != "mpirun" or number == signal.SIGUSR1:
            self.assertEqual(run.code, 75, run.stderr)
        self.assert_stopped(run, "stopped", *["running"] * (target == "mpirun"))
        right = endurance.right_blocks(self.part)
        resumed = faults.Run(2, *endurance.command([self.output])).end()
        self.assertEqual(resumed.code, 0, resumed.stderr)
        self.assertIn(f": OK, {len(right)} kept, ", resumed.stdout)
        self.assertTrue(endurance.agrees_with_numpy(self.output, 0))
        self.assertEqual(os.listdir(self.folder), [self.output.name])

    def test_what_was_stopped_is_resumed_to_completion(self):
        numbers = itertools.cycle((signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM))
        targets = ("mpirun", "one", "all") if IS_OPEN_MPI else ("one", "all")
        for ranks in (1, 3, 8):
            for target, number in zip(targets, numbers):
                with self.subTest(ranks=ranks, target=target, signal=number.name):
                    self.stop_and_resume(ranks, target, number)

    def test_a_second_signal_ends_at_once(self):
        run = self.start_failing(0, count=20, block=10, milliseconds=2000)
        self.wait_until_begun(run)  # the second block sleeps now
        run.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertIsNone(run.process.poll())
        run.process.send_signal(signal.SIGTERM)
        run.end()
        self.assertEqual(run.code, -signal.SIGTERM)
        self.assertLess(run.seconds_to_end, 1)
        self.assert_only_part("running")


if __name__ == "__main__":
    faults.main()
