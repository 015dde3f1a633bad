"""`parcel job`: scripts that the shell reads as they were meant; mistakes in one line."""

import os
import re
import subprocess
import unittest

from parsquares_runner import ProgramTest, main

PARCEL = os.environ["PARCEL_TOOL"]

# Options before `-- parsquares`, and what the line must mention.
MISTAKES = [
    (["--nodes=0"], "--nodes"),
    (["-N", "2147483648"], "--nodes"),
    (["-r", "x"], "'x'"),
    (["--threads=-1"], "--threads"),
    (["--kind=lsf"], "slurm, pbs"),
    (["--kind=pbs", "--requeue=3"], "--requeue"),
    (["--requeue=0"], "--requeue"),
    (["--name="], "--name"),
    (["--queue=a b"], "'a b'"),
    (["--account=a\nb"], "--account"),
    (["-N", "2", "--nodes=2"], "--nodes was given twice"),
    (["--bogus"], "--bogus"),
    *[([f"--time={text}"], "--time") for text in ("", "60", "1:00", "0:00:00", "1:60:00", "1:00:60", "-1:00:00",
                                                  "1:00:00 ", "1:00:00x", "1-1:1", "x", "99999999999:00:00")],
]

TIMES = {"12:00:00": "12:00:00", "2-00:00:01": "48:00:01", "100:59:59": "100:59:59", "0:0:9": "00:00:09"}

# Words that only quotes keep together.
WORDS = ["it's", "", "a b", "$HOME", "`id`", "*", "-5..5", "--output=x y.h5", "back\\slash", '"', "new\nline", "~"]


class JobTest(ProgramTest):
    def job(self, *arguments):
        return self.run_program(*arguments, program=PARCEL, launcher=())

    def script(self, *arguments):
        outcome = self.job("job", *arguments)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), arguments)
        return outcome.stdout

    def test_mistakes_are_told_in_one_line(self):
        for arguments, mentions in [*[(a + ["--", "parsquares"], m) for a, m in MISTAKES], ([], "no PROGRAM"),
                                    (["--"], "no PROGRAM")]:
            with self.subTest(arguments=arguments):
                outcome = self.job("job", *arguments)
                self.assertEqual((outcome.code, outcome.stdout), (2, ""))
                self.assertRegex(outcome.stderr, r"\Aparcel: [^\n]*\n\Z")
                self.assertIn(mentions, outcome.stderr)

    def test_every_word_reaches_the_program(self):
        for kind, launcher in (("slurm", "srun"), ("pbs", "mpirun")):
            with self.subTest(kind=kind):
                show = self.folder / launcher
                show.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n')
                show.chmod(0o755)
                environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "1",
                               "PBS_O_WORKDIR": str(self.folder), "PBS_NODEFILE": "nodes"}
                done = subprocess.run(["bash", "-eu"], input=self.script("--kind", kind, "--", "program", *WORDS),
                                      env=environment, capture_output=True, text=True, timeout=30, check=True)
                words = done.stdout.split("\0")[:-1]
                self.assertEqual(words[-len(WORDS) - 1:], ["program", *WORDS])

    def test_shellcheck_has_nothing_to_say(self):
        for options in ([], ["--requeue", "3"], ["--kind", "pbs", "--queue", "short", "--account", "us"]):
            with self.subTest(options=options):
                done = subprocess.run(["shellcheck", "-"], input=self.script(*options, "--", "program", *WORDS[2:3]),
                                      capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual(done.stdout, "")

    def test_times(self):
        for text, expected in TIMES.items():
            self.assertIn(f"#SBATCH --time={expected}\n", self.script("--time", text, "--", "program"))
            self.assertIn(f"#PBS -l walltime={expected}\n", self.script("--kind=pbs", "--time", text, "--", "program"))

    def test_the_request_is_in_the_script(self):
        request = ("-N", 3, "-r", 4, "-t", 5, "--queue=short", "--account=us", "--", "/opt/bin/program")
        slurm = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)$", self.script(*request), re.M))
        self.assertEqual(slurm, {"job-name": "program", "partition": "short", "account": "us", "nodes": "3",
                                 "ntasks-per-node": "4", "cpus-per-task": "5", "time": "01:00:00",
                                 "open-mode": "append"})
        pbs = self.script("--kind=pbs", *request)
        self.assertIn("#PBS -l select=3:ncpus=20:mpiprocs=4:ompthreads=5\n", pbs)
        self.assertIn("#PBS -q short\n#PBS -A us\n", pbs)

    def test_a_file_is_written_but_not_over_another(self):
        self.assertEqual(self.script("-o", "job.sh", "--", "program"), "")
        self.assertEqual((self.folder / "job.sh").read_text(), self.script("--", "program"))
        outcome = self.job("job", "-o", "job.sh", "--", "program")
        self.assertEqual(outcome.code, 2)
        self.assertIn("'job.sh'", outcome.stderr)
        self.assertEqual(self.job("job", "-o", "missing/job.sh", "--", "program").code, 2)


if __name__ == "__main__":
    main()
