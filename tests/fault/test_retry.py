"""Failures on record, end to end, with kernels in processes: what is computed again, and what a kill in between leaves."""

import os
import re
import shutil
import signal
import subprocess
import time

import faults
import numpy as np

COUNT = 600
EVERY = 50  # 0, 50, ... fail
FAILED = list(range(0, COUNT, EVERY))
FILL = -9223372036854775806
PARCEL = os.environ["PARCEL_TOOL"]


class RetryTest(faults.FaultTest):
    def setUp(self):
        super().setUp()
        self.calls = self.folder / "calls"

    def start_again(self, ranks, how, what="none", index=-1, milliseconds=0):
        """Starts `failing` in the folder as it is."""
        self.calls.unlink(missing_ok=True)
        words = [COUNT, 10, what, index, milliseconds, 0, 0, how, self.calls]
        run = faults.Run(ranks, faults.FAILING, self.output, *words)
        self.addCleanup(self.kill, run)
        return run

    def record(self, ranks, how="new"):
        """A finished file with failures; its bytes."""
        run = self.start_again(ranks, how, "often", EVERY).end()
        self.assertEqual(run.code, 3, run.stderr)
        self.assert_one_message(run, f"{len(FAILED)} of {COUNT} indices failed")
        return self.output.read_bytes()

    def assert_values(self, failed):
        """The finished file is right but for what failed, which its table lists, and good to `parcel verify`."""
        expected = 2 * np.arange(COUNT)
        expected[failed] = FILL
        with faults.open_quietly(self.output) as file:
            np.testing.assert_array_equal(file["value"][:], expected)
            self.assertEqual([index for index, _, _ in faults.failures_of(file)], failed)
            self.assertEqual("_FillValue" in file["value"].attrs, failed != [])
            self.assertEqual(file.attrs["status"], b"complete")
        self.assertEqual(sorted(os.listdir(self.folder)), ["calls", self.output.name])
        self.assert_good(self.output)

    def assert_good(self, path, code=0, words="blocks are good"):
        verify = subprocess.run([PARCEL, "verify", path], capture_output=True, text=True, check=False)
        self.assertEqual(verify.returncode, code, verify.stderr)
        self.assertIn(words, verify.stdout + verify.stderr)
        self.assertNotIn("damaged", verify.stdout + verify.stderr)
        return verify.stdout

    def test_exactly_the_failed_indices_are_computed_again(self):
        for ranks, how in ((0, "new"), (3, "new"), (0, "packed"), (3, "packed")):
            with self.subTest(ranks=ranks, how=how):
                self.record(ranks, how)
                self.assert_values(FAILED)
                run = self.start_again(ranks, "retry").end()
                self.assertEqual((run.code, run.messages), (0, []), run.stderr)
                calls = sorted(tuple(map(int, line.split())) for line in self.calls.read_text().splitlines())
                self.assertEqual(calls, [(index, 1) for index in FAILED])
                self.assert_values([])
                self.output.unlink()

    def wait_for(self, condition):
        deadline = time.monotonic() + faults.TIMEOUT_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def start_endless_retry(self, ranks):
        """A retry whose kernel hangs, when it has begun."""
        run = self.start_again(ranks, "retry", "hang", FAILED[-1])
        self.wait_for(self.calls.exists)
        return run

    def test_a_killed_retry_is_begun_afresh_but_not_a_living_one(self):
        for ranks in (0, 3):
            with self.subTest(ranks=ranks):
                before = self.record(ranks)
                run = self.start_endless_retry(ranks)
                second = self.start_again(ranks, "retry").end()
                self.assertEqual(second.code, 2, second.stderr)
                self.assert_one_message(second, "is being written by process ")
                for pid in run.rank_pids():
                    os.kill(pid, signal.SIGKILL)
                run.end()
                self.assertTrue(self.part.exists())
                self.assertEqual(self.output.read_bytes(), before)
                run = self.start_again(ranks, "retry").end()
                self.assertEqual((run.code, run.messages), (0, []), run.stderr)
                self.assert_values([])
                self.output.unlink()

    def retry_with(self, fault):
        os.environ["PARCEL_FAULT"] = fault
        try:
            return self.start_again(2, "retry").end()
        finally:
            del os.environ["PARCEL_FAULT"]

    def test_a_retry_that_dies_or_fails_at_any_step_leaves_the_file(self):
        steps = ("results.create", "results.part", "results.write", "results.ledger", "results.outcome", "results.rename")
        packed = ("results.chunk", "results.swap")
        for how, points in (("new", steps), ("packed", (*steps, *packed))):
            before = self.record(2, how)
            for point in points:
                for action in ("action=kill", "errno=ENOSPC"):
                    with self.subTest(how=how, point=point, action=action):
                        run = self.retry_with(f"{point}:{action}")
                        self.assertNotEqual(run.code, 0)
                        self.assertEqual(run.survivors, [])
                        self.assertEqual(self.output.read_bytes(), before)
            run = self.start_again(2, "retry").end()
            self.assertEqual((run.code, run.messages), (0, []), run.stderr)
            self.assert_values([])
            self.output.unlink()

    def test_no_other_part_is_removed(self):
        self.record(0)
        backup = self.folder / "backup"
        shutil.copy(self.output, self.part)
        self.check_part_is_left_alone("a copy that the user has made")
        self.output.rename(backup)
        self.part.unlink()
        run = self.start_again(0, "new", "none", milliseconds=20)
        self.wait_until_begun(run)
        self.kill(run)
        run.end()
        backup.rename(self.output)
        self.check_part_is_left_alone("the unfinished output of another run")
        self.part.write_bytes(b"something else")
        self.check_part_is_left_alone("something else")

    def check_part_is_left_alone(self, what):
        with self.subTest(part=what):
            before = self.part.read_bytes()
            run = self.start_again(0, "retry").end()
            self.assertEqual(run.code, 2, run.stderr)
            self.assert_one_message(run, f"'{self.part}' exists: an unfinished output")
            self.assertEqual(self.part.read_bytes(), before)

    def test_a_stopped_run_keeps_its_failures(self):
        for ranks in (0, 3):
            with self.subTest(ranks=ranks):
                run = self.start_again(ranks, "new", "often", EVERY, milliseconds=50)
                self.wait_for(lambda: list(self.folder.glob("*.part.failures.*")))
                os.kill(run.rank_pids()[0], signal.SIGTERM)
                run.end()
                self.assertEqual(run.code, 75, run.stderr)
                said = self.assert_good(self.part, 1, "the others good")
                known = int(re.search(r"^(\d+) indices failed and are on record$", said, re.M).group(1))
                self.assertGreater(known, 0)
                info = subprocess.run([PARCEL, "info", self.part], capture_output=True, text=True, check=True)
                self.assertRegex(info.stdout, rf"failures +{known}\n")
                run = self.start_again(ranks, "resume").end()
                self.assertEqual(run.code, 3, run.stderr)
                self.assert_one_message(run, f"{known} of {COUNT} indices failed")
                with faults.open_quietly(self.output) as file:
                    kept = file["parcel/failures/index"][:].tolist()
                self.assertEqual(len(kept), known)
                self.assertLessEqual(set(kept), set(FAILED))
                self.assert_values(kept)
                self.output.unlink()


if __name__ == "__main__":
    faults.main()
