"""--deadline=auto: parsquares in a job of a batch system that is made up, and answers rightly, wrongly or never."""

import os
import time

from parsquares_runner import ProgramTest, main
from platform_facts import WITHOUT_BATCH_SYSTEM


class DeadlineTest(ProgramTest):
    def run_job(self, script, *arguments, ranks=2):
        """Runs inside of a Slurm job, whose squeue is this script."""
        programs = self.make_folder()
        squeue = programs / "squeue"
        squeue.write_text(f"#!/bin/sh\ntouch {programs}/asked\n{script}\n", encoding="ascii")
        squeue.chmod(0o755)
        environment = {"SLURM_JOB_ID": "7", "PATH": f"{programs}:{os.environ['PATH']}"}
        outcome = self.run_program("-t", 1, *arguments, ranks=ranks, environment=environment,
                                   launcher=WITHOUT_BATCH_SYSTEM)
        self.was_asked = (programs / "asked").exists()
        return outcome

    def test_a_job_with_time_left_completes(self):
        outcome = self.run_job(f"echo {int(time.time()) + 1000}")
        self.assertEqual((outcome.code, outcome.messages), (0, []), outcome.stderr)
        self.assertTrue(self.was_asked)

    def test_a_job_at_its_end_stops_resumable(self):
        outcome = self.run_job("date -d '1 minute ago' +%Y-%m-%dT%H:%M:%S")
        self.assertEqual(outcome.code, 75, outcome.stderr)
        self.assertIn("stopped early by the deadline", outcome.messages[-1])
        self.assertEqual(self.names(), ["squares.h5.part"])

    def test_an_own_deadline_and_none_do_not_ask(self):
        for option in ("--deadline=1000", "--deadline=none"):
            outcome = self.run_job("echo 100", option, "--force")
            self.assertEqual((outcome.code, outcome.messages, self.was_asked), (0, [], False), outcome.stderr)

    def test_no_answer_is_a_warning_only(self):
        for script, words in (("echo what", "answered 'what'"), ("exit 1", "failed"), ("sleep 60", "in time")):
            begin = time.monotonic()
            outcome = self.run_job(script, "--force")
            self.assertEqual(outcome.code, 0, outcome.stderr)
            self.assertEqual(len(outcome.messages), 1, outcome.stderr)
            self.assertIn("cannot learn when this job ends", outcome.messages[0])
            self.assertIn(words, outcome.messages[0])
            self.assertLess(time.monotonic() - begin, 30)

    def test_outside_of_jobs_auto_means_none(self):
        self.run_well("--deadline=auto")

    def test_no_other_words(self):
        self.assert_refused(self.run_program("--deadline=soon"), 2, "'soon' is no time")


if __name__ == "__main__":
    main()
