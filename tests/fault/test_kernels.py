"""A kernel that fails or crashes ends the run on every rank, with one message and no final file."""

import faults


class KernelTest(faults.FaultTest):
    def test_a_failure_at_the_first_index_leaves_nothing_done_by_that_rank(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_failing(ranks, "fail", index=0).end()
                self.assertEqual(run.code, 1)
                self.assert_one_message(run, "rank 0 on ", "at index 0: 0 is an unlucky number")
                self.assertFalse(self.output.exists())

    def test_a_failure_late_in_the_run_names_rank_and_index(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_failing(ranks, "fail", index=997, milliseconds=2).end()
                self.assertEqual(run.code, 1)
                self.assert_one_message(run, "kernel 'twice' failed at index 997: 997 is an unlucky number")
                # blocks are stolen: who is behind may not come to its own last one
                self.assertRegex(run.messages[0], rf": rank [0-{ranks - 1}] on ")
                self.assert_only_part("failed")

    def test_a_single_block_that_fails_leaves_nothing(self):
        run = self.start_failing(1, "fail", index=3, count=10).end()
        self.assertEqual(run.code, 1)
        self.assert_one_message(run, "rank 0 on ", "at index 3: ")
        self.assert_nothing_left()

    def test_a_failure_without_mpirun_has_the_same_exit_code(self):
        run = self.start_failing(0, "fail", index=500).end()
        self.assertEqual(run.code, 1)
        self.assert_one_message(run, "rank 0 on ", "at index 500: ")

    def test_a_crash_ends_the_run_and_the_part_still_opens(self):
        for ranks in faults.RANKS:
            with self.subTest(ranks=ranks):
                run = self.start_failing(ranks, "crash", index=997, milliseconds=2).end()
                self.assertNotEqual(run.code, 0)
                self.assertEqual(run.survivors, [])
                self.assert_only_part("running")

    def test_a_signal_that_a_kernel_raises_ends_the_run(self):
        run = self.start_failing(1, "raise", index=997).end()
        self.assertNotEqual(run.code, 0)
        self.assertFalse(self.output.exists())

    def test_a_run_without_faults_is_complete(self):
        run = self.start_failing(3).end()
        self.assertEqual((run.code, run.messages), (0, []))
        self.assertEqual(faults.status_of(self.output), "complete")
        self.assertFalse(self.part.exists())


if __name__ == "__main__":
    faults.main()
