"""`parcel top` beside runs that go on, have ended, and were killed."""

import json
import os
import re
import signal
import time

from parsquares_runner import command_of, end, finish, main, start
from tool_runner import ToolTest

STATUS = "squares.h5.part.status.json"
COUNT = 1000
BLOCK = 100
SLOW = ("-q", "-t", "1", "-b", "8", "1..6000000")


class Top(ToolTest):
    """A run that is held before its last block is done, and who looks at it."""

    def status(self):
        """What the status file says; {} if there is none."""
        try:
            return json.loads((self.folder / STATUS).read_text())
        except FileNotFoundError:
            return {}

    def begin(self, ranks=None, how="hold"):
        """A run that is held; it is ended with the test at the latest."""
        command = command_of(("squares.h5", f"1..{COUNT}", how, "go on"), ranks, program=os.environ["WAVES"])
        run = start(command, self.folder)
        self.addCleanup(run.communicate)
        self.addCleanup(end, run)
        return run

    def begin_seen(self, ranks=None):
        """The same, when its status file says that only the last block is left."""
        run = self.begin(ranks)
        while self.status().get("done") != COUNT - BLOCK:
            self.assertIsNone(run.poll())
            time.sleep(0.05)
        return run

    def wake(self):
        (self.folder / "go on").touch()

    def test_a_run_is_seen_until_it_ends(self):
        for ranks in (None, 2):
            run = self.begin_seen(ranks)
            seen = self.tool_says("top", "squares.h5", "--once")
            status = self.status()
            self.assertEqual(status["total"], COUNT)
            self.assertIn(f"squares.h5: computing by waves on {status['host']}", seen)
            self.assertIn(f"(process {status['process']}), {ranks or 1} ranks x 1 threads: ", seen)
            percent, done = re.search(r" ([\d.]+) %, (\d+) of \d+, .*/s, ETA ", seen).groups()
            self.assertEqual(int(done), COUNT - BLOCK)
            self.assertAlmostEqual(float(percent), 100 * int(done) / COUNT, delta=0.051)

            watcher = start(command_of(("top", "squares.h5"), program=os.environ["PARCEL_TOOL"]), self.folder)
            self.wake()
            self.assertEqual(finish(run).code, 0)
            self.assertTrue(finish(watcher).stdout.endswith("squares.h5: finished\n"))
            self.assertEqual(self.names(), ["go on", "squares.h5"])
            self.assertEqual(self.tool_says("top", "squares.h5", "--once"), "squares.h5: finished\n")
            for name in self.names():
                (self.folder / name).unlink()

    def test_a_run_without_a_status_file_is_seen_by_its_ledger(self):
        for ranks in (None, 2):
            run = self.begin(ranks, "hide")
            blocks = COUNT // BLOCK
            outcome = self.run_tool("top", "squares.h5", "--once")
            while f" {blocks - 1} of {blocks} blocks" not in outcome.stdout:
                self.assertIsNone(run.poll(), outcome)
                time.sleep(0.05)
                outcome = self.run_tool("top", "squares.h5", "--once")
            self.assertEqual((outcome.code, outcome.stderr), (0, ""))
            self.assertRegex(outcome.stdout, r"^squares.h5: computing by waves \(process \d+ on .* since .*\): 90.0 %, ")
            watcher = start(command_of(("top", "squares.h5"), program=os.environ["PARCEL_TOOL"]), self.folder)
            self.wake()
            self.assertEqual(finish(run).code, 0)
            self.assertTrue(finish(watcher).stdout.endswith("squares.h5: finished\n"))
            for name in self.names():
                (self.folder / name).unlink()

    def test_a_killed_run_without_a_status_file_is_gone(self):
        run = self.begin(None, "hide")
        while "of" not in self.run_tool("top", "squares.h5", "--once").stdout:
            self.assertIsNone(run.poll())
            time.sleep(0.05)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        outcome = self.run_tool("top", "squares.h5", "--once")
        self.assert_fails(outcome, 1, f"process {run.pid} on ", "is gone", "--resume")

    def test_a_run_ends_early(self):
        outcome = self.run_program("--deadline=0.001", *SLOW)
        self.assertEqual((outcome.code, self.names()), (75, ["squares.h5.part"]))
        self.assert_fails(self.run_tool("top", "squares.h5"), 1, "'squares.h5.part' is there", "--resume")

    def test_a_killed_run_is_said_to_be_stale(self):
        run = self.begin_seen()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        outcome = self.run_tool("top", "squares.h5", "--once")
        self.assert_fails(outcome, 1, f"(process {run.pid})", "last heard of", "--resume")

    def test_a_silent_run_on_another_host_is_stale(self):
        self.begin_seen()
        status = {**self.status(), "host": "elsewhere"}
        cases = (("computing", -3600, 0), ("computing", 60, 1), ("closing", 60, 0), ("closing", 3600, 1))
        for phase, age, code in cases:
            changed = {**status, "phase": phase, "updated": time.time() - age}
            (self.folder / "other.h5.part.status.json").write_text(json.dumps(changed))
            outcome = self.run_tool("top", "other.h5", "--once")
            self.assertEqual(outcome.code, code, (phase, age, outcome))

    def test_a_status_that_cannot_be_written_is_a_warning(self):
        (self.folder / STATUS).mkdir()
        outcome = self.run_program("--progress=none", "1..1000")
        self.assertEqual(outcome.code, 0)
        self.assertEqual(len(outcome.messages), 1)
        self.assertIn("warning: no status for others to read: cannot write '", outcome.messages[0])
        self.assertIn(f"/{STATUS}': it is a folder", outcome.messages[0])
        self.assertEqual(self.names(), ["squares.h5", STATUS])

    def test_mistakes(self):
        self.assert_fails(self.run_tool("top"), 2, "no FILE")
        self.assert_fails(self.run_tool("top", "a", "b"), 2, "more than one FILE")
        self.assert_fails(self.run_tool("top", "a.h5", "--often"), 2, "--often")
        self.assert_fails(self.run_tool("top", "a.h5"), 1, "no 'a.h5'")
        (self.folder / "a.h5.part.status.json").write_text("[]")
        self.assert_fails(self.run_tool("top", "a.h5"), 2, "no status file of Parcel")


if __name__ == "__main__":
    main()
