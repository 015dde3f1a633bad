"""Promise 3: the .part opens in h5py at any moment. So a reader that has it open must not hurt the run."""

import subprocess
import sys

import faults

# As h5py is used by people: with HDF5's file locks where HDF5 takes them by default.
READER = """
import sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    print(file.attrs["status"], flush=True)
    sys.stdin.read()
"""


class ReaderTest(faults.FaultTest):
    def open_reader(self):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, self.part],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(reader.communicate, timeout=faults.TIMEOUT_SECONDS)
        self.assertIn("running", reader.stdout.readline())
        return reader

    def test_a_reader_of_the_part_does_not_hinder_the_end_of_the_run(self):
        run = self.start_failing(2, count=1000, block=10, milliseconds=20)
        self.wait_until_begun(run)
        self.open_reader()
        run.end()
        self.assertEqual((run.code, run.messages), (0, []))
        self.assertEqual(faults.status_of(self.output), "complete")

    def test_a_reader_of_the_part_does_not_hide_why_a_run_failed(self):
        run = self.start_failing(2, "fail", index=999, count=1000, block=10, milliseconds=20)
        self.wait_until_begun(run)
        self.open_reader()
        run.end()
        self.assertEqual(run.code, 1)
        self.assert_one_message(run, "index 999: 999 is an unlucky number")
        self.assert_only_part("failed")


if __name__ == "__main__":
    faults.main()
