"""parsquares --sample: what it says, and that it leaves nothing."""

import re

from parsquares_runner import ProgramTest, main


class SampleTest(ProgramTest):
    def sample(self, *arguments, ranks=None):
        """What is printed, in lines; the folder is as it was."""
        before = self.names()
        outcome = self.run_program(*arguments, ranks=ranks)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        self.assertEqual(self.names(), before)
        return outcome.stdout

    def test_it_says_how_much_and_for_how_much(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                text = self.sample("--sample=10%", "-t", 1, "-b", 1000, "1..3000000", ranks=ranks)
                self.assertRegex(text, r"^sample: 300 of 3000 blocks, 300000 of 3000000 positions, in \S+ s\n")
                self.assertRegex(text, r"\n  elapsed  \S+ (ms|s) \(\S+ to \S+\), if all \d workers are busy")
                self.assertRegex(text, r"\n  work     \S+ core hours \(\S+ to \S+\)\n")
                self.assertRegex(text, r"\n  disk    \S+ \S+ at the pace of the sample, ")
                size = float(re.search(r"\n  file    (\S+) MB\n", text).group(1))
                self.assertTrue(24 <= size < 24.3, text)

    def test_a_packed_file_is_as_large_as_it_said(self):
        arguments = ("--compress=deflate,1", "-p", "2,3", "1..2000000")
        text = self.sample("--sample=20%,11", *arguments)
        low, high = map(float, re.search(r"\n  file    \S+ MB \((\S+) to (\S+)\)\n", text).groups())
        self.run_well("-q", *arguments)
        size = (self.folder / "squares.h5").stat().st_size / 1e6
        self.assertLess(low * 0.98, size)
        self.assertLess(size, high * 1.02)

    def test_a_seed_makes_the_same_sample_again(self):
        texts = [self.sample(f"--sample=5%,{seed}", "--compress", "-b", 500, "1..1000000") for seed in (1, 1, 2)]
        sizes = [re.search(r"\n  file .*", text).group() for text in texts]
        self.assertEqual(sizes[0], sizes[1])
        self.assertNotEqual(sizes[0], sizes[2])

    def test_the_output_is_left_alone(self):
        self.run_well("-q", "1..10")
        before = (self.folder / "squares.h5").read_bytes()
        for options in ((), ("--force",), ("--resume",)):
            self.sample("--sample=1%", *options, "1..1000000")
            self.assertEqual((self.folder / "squares.h5").read_bytes(), before)

    def test_a_file_with_the_name_of_a_sample_is_left_alone(self):
        mine = self.folder / "squares.h5.sample"
        mine.write_text("mine")
        for ranks in (None, 3):
            self.sample("--sample=1%", "1..1000000", ranks=ranks)
            self.assertEqual(mine.read_text(), "mine")

    def test_processes_compute_samples_too(self):
        self.assertIn("16 of 20 blocks", self.sample("--sample=1%", "--workers=processes", "-b", 50, "1..1000"))

    def test_what_is_no_sample_is_refused(self):
        for text, words in (("1", "no percentage"), ("0%", "no percentage"), ("101%", "no percentage"),
                            ("1%%", "follows '%'"), ("1%,x", "the seed"), ("nan%", "no percentage")):
            self.assert_refused(self.run_program(f"--sample={text}", "1..10"), 2, words)
        self.assert_refused(self.run_program("--sample=1%", "--report=x.json", "1..10"), 2, "excludes")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    main()
