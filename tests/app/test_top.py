"""`parcel top` beside runs that go on, have ended, and were killed."""

import json
import os
import re
import signal
import time

from parsquares_runner import command_of, end, finish, main, start
from tool_runner import ToolTest

STATUS = "squares.h5.part.status.json"
LAST = 6_000_000
SLOW = ("-q", "-t", "1", "-b", "8", f"1..{LAST}")
PATIENCE_SECONDS = 30


class Top(ToolTest):
    """A slow run, and who looks at it."""

    def status(self):
        """What the status file says; {} if there is none."""
        try:
            return json.loads((self.folder / STATUS).read_text())
        except FileNotFoundError:
            return {}

    def begin(self, ranks=None):
        """A run that has done something; its rank 0 is stopped. It is ended with the test at the latest."""
        run = start(command_of(SLOW, ranks), self.folder)
        self.addCleanup(run.communicate)
        self.addCleanup(end, run)
        limit = time.monotonic() + PATIENCE_SECONDS
        while not self.status().get("done") and time.monotonic() < limit:
            self.assertIsNone(run.poll())
            time.sleep(0.05)
        os.kill(self.status()["process"], signal.SIGSTOP)
        self.addCleanup(self.wake, run)
        return run

    def wake(self, run):
        if run.poll() is None and self.status():
            os.kill(self.status()["process"], signal.SIGCONT)

    def test_a_run_is_seen_until_it_ends(self):
        for ranks in (None, 3):
            run = self.begin(ranks)
            seen = self.tool_says("top", "squares.h5", "--once")
            status = self.status()
            self.assertEqual(status["total"], LAST)
            self.assertIn(f"squares.h5: computing by powers on {status['host']}", seen)
            self.assertIn(f"(process {status['process']}), {ranks or 1} ranks x 1 threads: ", seen)
            percent, done = re.search(r" ([\d.]+) %, (\d+) of \d+, .*/s, ETA ", seen).groups()
            self.assertEqual(int(done), status["done"])
            self.assertAlmostEqual(float(percent), 100 * int(done) / LAST, delta=0.051)

            watcher = start(command_of(("top", "squares.h5"), program=os.environ["PARCEL_TOOL"]), self.folder)
            self.wake(run)
            self.assertEqual(finish(run).code, 0)
            self.assertTrue(finish(watcher).stdout.endswith("squares.h5: finished\n"))
            self.assertEqual(self.names(), ["squares.h5"])
            self.assertEqual(self.tool_says("top", "squares.h5", "--once"), "squares.h5: finished\n")
            (self.folder / "squares.h5").unlink()

    def test_a_run_ends_early(self):
        outcome = self.run_program("--deadline=0.5", *SLOW)
        self.assertEqual((outcome.code, self.names()), (75, ["squares.h5.part"]))
        self.assert_fails(self.run_tool("top", "squares.h5"), 1, "'squares.h5.part' is there", "--resume")

    def test_a_killed_run_is_said_to_be_stale(self):
        run = self.begin()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        outcome = self.run_tool("top", "squares.h5", "--once")
        self.assert_fails(outcome, 1, f"(process {run.pid})", "last heard of", "--resume")
        self.assertEqual(self.run_program("--resume", *SLOW).code, 0)
        self.assertEqual(self.names(), ["squares.h5"])

    def test_a_silent_run_on_another_host_is_stale(self):
        self.begin()
        status = {**self.status(), "host": "elsewhere"}
        cases = (("computing", 5, 0), ("computing", 60, 1), ("closing", 60, 0), ("closing", 3600, 1))
        for phase, age, code in cases:
            changed = {**status, "phase": phase, "updated": time.time() - age}
            (self.folder / STATUS).write_text(json.dumps(changed))
            outcome = self.run_tool("top", "squares.h5", "--once")
            self.assertEqual(outcome.code, code, (phase, age, outcome))
        (self.folder / STATUS).write_text(json.dumps(status))

    def test_a_status_that_cannot_be_written_is_a_warning(self):
        (self.folder / STATUS).mkdir()
        outcome = self.run_program("--progress=none", "1..1000")
        self.assertEqual(outcome.code, 0)
        self.assertEqual(len(outcome.messages), 1)
        self.assertIn(f"warning: no status for others to read: cannot write '{STATUS}'", outcome.messages[0])
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
