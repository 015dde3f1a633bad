"""`parcel info` tells what h5py finds in the file; of an unfinished file how far it is."""

import json

import h5py

from parsquares_runner import main
from tool_runner import ToolTest


class Info(ToolTest):
    def json_of(self, name):
        return json.loads(self.tool_says("info", "--json", name))

    def test_json_is_what_h5py_reads(self):
        self.make_waves("waves.h5", "-7..993..4")
        told = self.json_of("waves.h5")
        with h5py.File(self.folder / "waves.h5") as file:
            attributes = {name: file.attrs[name] for name in ("title", "status")}
            self.assertEqual({name: told[name].encode() for name in attributes}, attributes)
            self.assertEqual(told["range"], {"first": -7, "step": 4, "count": 251})
            self.assertEqual(told["bytes"], (self.folder / "waves.h5").stat().st_size)
            for column in told["columns"]:
                dataset = file[column["name"]]
                self.assertEqual(column["type"], dataset.dtype.name)
                self.assertEqual(column["width"], dataset.shape[1] if dataset.ndim > 1 else 1)
                self.assertEqual(column["units"].encode(), dataset.attrs["units"])
            ledger = file["parcel/ledger"][:]
            self.assertEqual(told["blocks"]["count"], len(ledger))
            self.assertEqual(told["blocks"]["done"], (ledger["state"] == 1).sum())
            names = set(file["parcel/provenance"])
            self.assertEqual(set(told["provenance"]), names - {"owner"})
            for name in told["provenance"]:
                dataset = file["parcel/provenance"][name]
                self.assertEqual(told["provenance"][name].encode(), bytes(dataset[()]).rstrip(b"\0"))
        self.assertEqual([column["name"] for column in told["columns"]], ["sine", "cosine", "vector", "rest"])
        self.assertTrue(told["complete"])

    def test_text_tells_what_and_by_whom(self):
        self.make_squares("squares.h5", "1..5000", "-p", "3,2")
        text = self.tool_says("info", "squares.h5")
        for part in ("complete", "1..5000, 5000 positions", "cubes: int64", "squares: uint64", "kernel         powers",
                     "parsquares -q -o squares.h5 -p 3,2 1..5000", "HDF5".lower()):
            self.assertIn(part, text)
        self.assertNotIn("--resume", text)
        self.assertNotIn("owner", text)

    def test_unfinished_file_tells_how_to_go_on(self):
        self.make_part("squares.h5", "1..100000", "-b", "10")
        text = self.tool_says("info", "squares.h5.part")
        self.assertIn("stopped", text)
        self.assertIn("--resume", text)
        self.assertRegex(text, r"(?m)^owner          process \d+ on ")
        told = self.json_of("squares.h5.part")
        self.assertFalse(told["complete"])
        self.assertLess(told["blocks"]["done"], told["blocks"]["count"])

    def test_no_results_file_is_refused(self):
        h5py.File(self.folder / "other.h5", "w").close()
        (self.folder / "text.h5").write_text("text")
        for name, code in (("other.h5", 2), ("text.h5", 1), ("absent.h5", 1), (".", 2)):
            with self.subTest(name=name):
                self.assert_fails(self.run_tool("info", name), code, name)
        self.assert_fails(self.run_tool("info"), 2, "FILE")
        self.assert_fails(self.run_tool("info", "a", "b"), 2, "'b'")


if __name__ == "__main__":
    main()
