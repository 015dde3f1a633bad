"""What others do to the names that a run uses: nothing of theirs is changed, published or followed."""

import contextlib
import os
import stat
import subprocess
import time
import unittest.mock

import faults

PARCEL = os.environ["PARCEL_TOOL"]
COUNT = 2000


class NamesTest(faults.FaultTest):
    def setUp(self):
        super().setUp()
        self.victim = self.folder / "victim"

    def run_parsquares(self, *arguments, ranks=0):
        """With the folder as it is."""
        run = faults.Run(ranks, faults.PARSQUARES, "-q", *arguments)
        self.addCleanup(self.kill, run)
        return run.end()

    def slow(self, ranks=0, output=None, milliseconds=8):
        run = faults.Run(ranks, faults.FAILING, output or self.output, COUNT, 10, "none", -1, milliseconds)
        self.addCleanup(self.kill, run)
        return run

    def assert_complete(self, path):
        self.assertEqual(faults.status_of(path), "complete")
        verify = subprocess.run([PARCEL, "verify", path], capture_output=True, text=True, check=False)
        self.assertEqual(verify.returncode, 0, verify.stderr)

    # ---- one run at a time ----

    def test_of_two_runs_for_one_output_one_is_refused(self):
        for ranks, how in ((0, "direct"), (2, "direct"), (2, "collective")):
            with self.subTest(ranks=ranks, how=how):
                words = (faults.PARSQUARES, "-q", f"--io={how}", "-b", 10000, "-o", self.output, "1..3_000_000")
                runs = [faults.Run(ranks, *words) for _ in range(3)]
                for run in runs:
                    self.addCleanup(self.kill, run)
                    run.end()
                codes = sorted(run.code for run in runs)
                self.assertEqual((codes[0], {*codes[1:]}), (0, {2}), [run.stderr for run in runs])
                for run in runs:
                    if run.code == 2:
                        self.assertRegex(run.messages[0], "is being written by process [0-9]+ on |exists already")
                self.assertEqual(os.listdir(self.folder), [self.output.name])
                self.assert_complete(self.output)
                self.output.unlink()

    def test_what_a_killed_run_has_locked_is_free(self):
        run = self.slow()
        self.wait_until_begun(run)
        lock = self.folder / f"{self.part.name}.lock"
        self.assertIn(f"process {run.process.pid} on ", lock.read_text())
        refused = self.slow().end()
        self.assertEqual(refused.code, 2, refused.stderr)
        self.assert_one_message(refused, f"is being written by process {run.process.pid} on ")
        self.kill(run)
        run.end()
        self.assertTrue(lock.exists())
        words = (self.output, COUNT, 10, "none", -1, 0, 0, 60, "resume", self.folder / "calls")
        resumed = faults.Run(0, faults.FAILING, *words).end()
        self.assertEqual((resumed.code, resumed.messages), (0, []))
        self.assertEqual(sorted(os.listdir(self.folder)), ["calls", self.output.name])

    # ---- a .part that was taken away ----

    def lose(self, ranks, replacement):
        """A run whose .part is removed, or replaced by this text."""
        run = self.slow(ranks, milliseconds=20)
        self.wait_until_begun(run)
        self.part.unlink()
        if replacement:
            self.part.write_text(replacement)
        return run

    def test_a_run_that_has_lost_its_file_publishes_nothing(self):
        for ranks in (0, 3):
            for replacement in (None, "another's"):
                with self.subTest(ranks=ranks, replacement=replacement):
                    run = self.lose(ranks, replacement).end()
                    self.assertEqual(run.code, 1, run.stderr)
                    self.assert_one_message(run, f"'{self.part}' was removed or replaced during the run")
                    self.assertEqual(os.listdir(self.folder), [self.part.name] if replacement else [])
                    if replacement:
                        self.assertEqual(self.part.read_text(), replacement)
                        self.part.unlink()

    def test_a_stopped_run_that_has_lost_its_file_cannot_be_resumed(self):
        run = self.lose(0, "another's")
        run.process.terminate()
        run.end()
        self.assertEqual(run.code, 1, run.stderr)
        self.assert_one_message(run, "was removed or replaced during the run")
        self.assertEqual(self.part.read_text(), "another's")

    def test_a_kernel_may_leave_the_working_folder(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        decoy = elsewhere / self.part.name
        decoy.write_text("another's")
        for ranks, how in ((0, "new"), (2, "new"), (2, "packed")):
            with self.subTest(ranks=ranks, how=how), contextlib.chdir(self.folder):
                words = ("results.h5", COUNT, 10, "leave", 15, 1, 0, 60, how, self.folder / "calls")
                run = faults.Run(ranks, faults.FAILING, *words[: 6 if how == "new" else None]).end()
                self.assertEqual((run.code, run.messages), (0, []), run.stderr)
                self.assert_complete(self.output)
                self.assertEqual(os.listdir(elsewhere), [decoy.name])
                self.assertEqual(decoy.read_text(), "another's")
                self.output.unlink()

    # ---- planted names ----

    def plant(self, name, kind):
        path = self.folder / name
        self.victim.write_text("precious")
        if kind == "link":
            path.symlink_to(self.victim)
        elif kind == "dangling link":
            path.symlink_to("nowhere")
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        return path

    def clear(self):
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                entry.rmdir()
            else:
                entry.unlink()

    def test_nothing_planted_is_followed_waited_for_or_replaced(self):
        part = self.part.name
        report = ("--report=" + str(self.folder / "r.json"),)
        trace = ("--trace=" + str(self.folder / "t.json"),)
        places = (
            (part, (), 2), (part, ("--resume",), 2), (part, ("--force",), 2), (self.output.name, (), 2),
            (self.output.name, ("--force",), 2), (f"{part}.lock", (), 2), (f"{part}.new", (), 0),
            ("r.json", report, 2), ("r.json.tmp", report, 0), ("t.json", trace, 2),
            (f"{part}.spool.0", ("--compress",), 0),
        )
        for name, options, code in places:
            for kind in ("link", "dangling link", "pipe", "folder"):
                with self.subTest(name=name, options=options, kind=kind):
                    path = self.plant(name, kind)
                    run = self.run_parsquares("-o", self.output, *options, "1..1000")
                    self.assertEqual(self.victim.read_text(), "precious")
                    self.assertFalse((self.folder / "nowhere").exists())
                    is_obstacle = code != 0 or (kind == "folder" and ".spool." in name)
                    if is_obstacle:
                        self.assertIn(run.code, (1, 2), run.stderr)
                        self.assert_one_message(run, f"'{path}'")
                        self.assertTrue(path.is_symlink() or path.exists())
                    else:
                        self.assertEqual((run.code, run.messages), (0, []), run.stderr)
                        self.assert_complete(self.output)
                    self.clear()

    def test_a_journal_that_is_a_pipe_or_a_link_is_refused(self):
        for kind in ("link", "pipe", "folder"):
            with self.subTest(kind=kind):
                run = self.slow()
                self.wait_until_begun(run)
                run.process.terminate()
                self.assertEqual(run.end().code, 75, run.stderr)
                path = self.plant(f"{self.part.name}.failures.0", kind)
                info = subprocess.run([PARCEL, "info", self.part], capture_output=True, text=True, timeout=60)
                self.assertNotEqual(info.returncode, 0)
                self.assertIn(f"'{path}'", info.stderr)
                self.assertEqual(self.victim.read_text(), "precious")
                self.clear()

    def test_merge_follows_the_same_rules(self):
        one = self.folder / "one.h5"
        self.assertEqual(self.run_parsquares("-o", one, "1..1000").code, 0)
        target = self.folder / "merged.h5"
        for name, code in ((target.name, 2), ("merged.h5.part", 2), ("merged.h5.part.new", 0)):
            with self.subTest(name=name):
                path = self.plant(name, "link")
                words = [PARCEL, "merge", "-q", "--force", target, one]
                merge = subprocess.run(words, capture_output=True, text=True, timeout=60)
                self.assertEqual(merge.returncode, code, merge.stderr)
                self.assertEqual(self.victim.read_text(), "precious")
                path.unlink(missing_ok=True)
        self.assert_complete(target)

    # ---- modes ----

    def mode_of(self, path):
        return stat.S_IMODE(path.stat().st_mode)

    def test_what_replaces_a_file_has_its_mode_and_owner(self):
        for mode in (0o600, 0o640, 0o444):
            with self.subTest(mode=oct(mode)):
                calls = self.folder / "calls"
                words = (self.output, 600, 10, "often", 50, 0, 0, 60, "new", calls)
                self.assertEqual(faults.Run(0, faults.FAILING, *words).end().code, 3)
                self.output.chmod(mode)
                if os.geteuid() == 0:
                    os.chown(self.output, 12345, 54321)
                words = (self.output, 600, 10, "none", -1, 0, 0, 60, "retry", calls)
                run = faults.Run(2, faults.FAILING, *words).end()
                self.assertEqual(run.code, 0, run.stderr)
                self.assertEqual(self.mode_of(self.output), mode)
                run = self.run_parsquares("--force", "-o", self.output, "1..1000", ranks=2)
                self.assertEqual(run.code, 0, run.stderr)
                self.assertEqual(self.mode_of(self.output), mode)
                if os.geteuid() == 0:
                    info = self.output.stat()
                    self.assertEqual((info.st_uid, info.st_gid), (12345, 54321))
                self.clear()

    def test_compressed_columns_take_over_the_mode_of_the_part(self):
        words = (self.output, COUNT, 10, "none", -1, 8, 0, 60, "packed", self.folder / "calls")
        run = faults.Run(0, faults.FAILING, *words)
        self.addCleanup(self.kill, run)
        deadline = time.monotonic() + faults.TIMEOUT_SECONDS
        while not self.part.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.part.chmod(0o600)
        self.assertEqual(run.end().code, 0, run.stderr)
        self.assertEqual(self.mode_of(self.output), 0o600)

    # ---- HDF5's own writes ----

    def test_a_failing_write_of_hdf5_is_one_message_and_no_crash(self):
        """HDF5 crashes at the end of a process that could not close a file."""
        for ranks in (0, 2):
            for options, most in ((), 45), (("--compress", "-b", 200), 80):
                for nth in (1, 2, 5, 12, 20, 30, most):
                    fault = {"PARCEL_FAULT": f"hdf5.write:rank=0:nth={nth}+:errno=ENOSPC"}
                    with self.subTest(ranks=ranks, options=options, nth=nth), unittest.mock.patch.dict(os.environ, fault):
                        run = self.run_parsquares("-o", self.output, *options, "1..10000", ranks=ranks)
                        self.assertEqual(run.code, 1, run.stderr)
                        self.assert_one_message(run, "No space left on device")
                        self.assertFalse(self.output.exists())
                    self.clear()


if __name__ == "__main__":
    faults.main()
