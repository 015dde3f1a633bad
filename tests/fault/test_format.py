"""The structure of a results file through its life: killed at each write of HDF5 a run leaves a file that opens and is
resumed; files of format 1, which Parcel 0.1 has made, are read, verified, resumed and retried.

The files of format1/ are those of `failing` 0.1: `failing NAME 300 10 WHAT 7 MILLISECONDS 0 0 HOW calls`, the stopped one
by SIGKILL."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import numpy

import faults

COUNT, EVERY = 300, 7
FAILED = list(range(0, COUNT, EVERY))
FILL = -(2**63) + 2
PARCEL = os.environ["PARCEL_TOOL"]
OLD = Path(__file__).parent / "format1"


class FormatTest(faults.FaultTest):
    def fail_often(self, ranks=0, how="new", what="often", fault="", has_fault=True):
        """Runs `failing` in the folder as it is."""
        os.environ["PARCEL_FAULT"] = fault
        words = [COUNT, 10, what, EVERY, 0, 0, 0, how, self.folder / "calls"]
        run = faults.Run(ranks, faults.FAILING, self.output, *words, has_fault=has_fault)
        del os.environ["PARCEL_FAULT"]
        self.addCleanup(self.kill, run)
        run.end()
        (self.folder / "calls").unlink(missing_ok=True)
        return run

    def tool(self, *words):
        return subprocess.run([PARCEL, *words], capture_output=True, text=True, check=False)

    def assert_finished(self, failed, file_format=2):
        expected = 2 * numpy.arange(COUNT)
        expected[failed] = FILL
        with faults.open_quietly(self.output) as file:
            numpy.testing.assert_array_equal(file["value"][:], expected)
            self.assertEqual((file.attrs["status"], file.attrs["parcel_format"]), (b"complete", file_format))
            if file_format == 2:
                self.assertEqual([index for index, _, _ in faults.failures_of(file)], failed)
                self.assertEqual("_FillValue" in file["value"].attrs, failed != [])
        self.assertEqual(os.listdir(self.folder), [self.output.name])
        verify = self.tool("verify", self.output)
        self.assertEqual((verify.returncode, verify.stderr), (0, ""))
        info = self.tool("info", self.output)
        self.assertRegex(info.stdout, rf"failures +{len(failed)}\n" if failed else r"status +complete")


class KilledTest(FormatTest):
    def test_killed_at_any_write_of_hdf5_it_opens_and_is_resumed(self):
        for how in ("new", "packed"):
            killed = 0
            for nth in range(1, 300):
                run = self.fail_often(how=how, fault=f"hdf5.write:nth={nth}:action=kill", has_fault=False)
                if run.code == 3:
                    break
                self.assertEqual(run.code, -9, run.stderr)
                killed += 1
                if self.part.exists():
                    self.assertIn(faults.status_of(self.part), ("running", "complete"))
                    with faults.open_quietly(self.part) as file:
                        self.assertIn(len(faults.failures_of(file)), (0, len(FAILED)))
                    if how == "new":  # `packed` is not resumed by `failing`
                        self.assertEqual(self.fail_often(how="resume").code, 3)
                        self.assert_finished(FAILED)
                for entry in self.folder.iterdir():
                    entry.unlink()
            self.assertGreater(killed, 30, how)
            self.assert_finished(FAILED)
            self.output.unlink()


class OldFormatTest(FormatTest):
    def unpack(self, name, output):
        with gzip.open(OLD / f"{name}.gz") as packed, open(output, "wb") as file:
            shutil.copyfileobj(packed, file)

    def test_finished_files_are_read_and_verified(self):
        for name, failed in (("plain.h5", []), ("failures.h5", FAILED), ("packed.h5", FAILED)):
            with self.subTest(file=name):
                self.unpack(name, self.output)
                self.assert_finished(failed, file_format=1)
                export = self.tool("export", self.output)
                self.assertEqual(len(export.stdout.splitlines()), COUNT, export.stderr)

    def test_a_stopped_run_goes_on_and_ends_in_format_2(self):
        for ranks in (0, 1, 3):
            with self.subTest(ranks=ranks):
                self.unpack("stopped.h5.part", self.part)
                self.unpack("stopped.h5.part.failures.0", f"{self.part}.failures.0")
                self.assertRegex(self.tool("info", self.part).stdout, r"failures +[1-9]")
                self.assertEqual(self.fail_often(ranks, "resume").code, 3)
                self.assert_finished(FAILED)
                self.output.unlink()

    def test_a_finished_file_that_became_a_part_again_keeps_its_failures(self):
        self.unpack("failures.h5", self.part)
        self.assertEqual(self.fail_often(how="resume").code, 3)
        self.assert_finished(FAILED)

    def test_failed_indices_are_retried(self):
        for name in ("failures.h5", "packed.h5"):
            for ranks in (0, 3):
                with self.subTest(file=name, ranks=ranks):
                    self.unpack(name, self.output)
                    run = self.fail_often(ranks, "retry", what="none")
                    self.assertEqual(run.code, 0, run.stderr)
                    self.assert_finished([])


if __name__ == "__main__":
    faults.main()
