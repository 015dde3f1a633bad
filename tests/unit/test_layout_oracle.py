"""Layouts against numpy (array_split, searchsorted, whole-array arithmetic) and Python's exact fractions."""
import ctypes
import fractions
import os
import unittest

import numpy

library = ctypes.CDLL(os.path.join(os.environ["PARCEL_BUILD"], "partition", "libparcel_partition.so"))
int64, handle = ctypes.c_int64, ctypes.c_void_p
for name, arguments in {
    "block": [int64, ctypes.c_int],
    "aligned": [int64, ctypes.c_int, int64],
    "ceiling": [int64, ctypes.c_int],
    "cyclic": [int64, ctypes.c_int, int64],
    "weighted": [int64, ctypes.c_int, ctypes.POINTER(ctypes.c_double)],
    "explicit": [ctypes.c_int, ctypes.POINTER(int64)],
}.items():
    getattr(library, "parcel_layout_" + name).argtypes = arguments + [ctypes.POINTER(handle)]
for name, result, arguments in (
    ("count", int64, [handle, ctypes.c_int]),
    ("owner", ctypes.c_int, [handle, int64]),
    ("local", int64, [handle, int64]),
    ("global", int64, [handle, ctypes.c_int, int64]),
    ("free", None, [ctypes.POINTER(handle)]),
):
    function = getattr(library, "parcel_layout_" + name)
    function.restype, function.argtypes = result, arguments


class Layout:
    def __init__(self, rule, *arguments):
        self.handle = handle()
        if getattr(library, "parcel_layout_" + rule)(*arguments, ctypes.byref(self.handle)) != 0:
            raise ValueError((rule, arguments))

    def __del__(self):
        library.parcel_layout_free(ctypes.byref(self.handle))

    def __getattr__(self, name):
        return lambda *arguments: getattr(library, "parcel_layout_" + name)(self.handle, *arguments)

    def counts(self, parts):
        return [self.count(part) for part in range(parts)]

    def positions(self, part):
        return [getattr(self, "global")(part, local) for local in range(self.count(part))]


def doubles(values):
    return (ctypes.c_double * len(values))(*values)


def largest_remainders(n, weights):
    """Hamilton's method on the exact values of the doubles."""
    total = sum(map(fractions.Fraction, weights))
    quotas = [n * fractions.Fraction(weight) / total for weight in weights]
    counts = [int(quota) for quota in quotas]
    order = sorted(range(len(weights)), key=lambda part: (counts[part] - quotas[part], part))
    for part in order[: n - sum(counts)]:
        counts[part] += 1
    return counts


class LayoutsFollowNumpy(unittest.TestCase):
    random = numpy.random.default_rng(1)

    def draw(self, largest, most_parts):
        return int(self.random.integers(0, largest)), int(self.random.integers(1, most_parts))

    def test_block_is_array_split(self):
        for _ in range(300):
            n, parts = self.draw(300, 50)
            layout = Layout("block", n, parts)
            for part, piece in enumerate(numpy.array_split(numpy.arange(n), parts)):
                self.assertEqual(layout.positions(part), piece.tolist(), (n, parts, part))

    def test_block_of_many_is_array_split(self):
        for _ in range(30):
            n, parts = self.draw(10**7, 2000)
            pieces = numpy.array_split(numpy.empty(n, numpy.int8), parts)
            self.assertEqual(Layout("block", n, parts).counts(parts), [len(piece) for piece in pieces])

    def test_aligned_splits_the_pages(self):
        for _ in range(200):
            n, parts = self.draw(300, 20)
            align = int(self.random.integers(1, 40))
            pages = [numpy.arange(n)[begin : begin + align] for begin in range(0, n, align)]
            pieces = numpy.array_split(numpy.arange(len(pages)), parts)
            layout = Layout("aligned", n, parts, align)
            for part, piece in enumerate(pieces):
                expected = [int(p) for page in piece for p in pages[page]]
                self.assertEqual(layout.positions(part), expected, (n, parts, align, part))

    def test_cyclic_takes_strides_of_blocks(self):
        for _ in range(200):
            n, parts = self.draw(300, 20)
            block = int(self.random.integers(1, 40))
            whole = -(-n // (block * parts)) * block * parts
            dealt = numpy.arange(whole).reshape(-1, parts, block)
            layout = Layout("cyclic", n, parts, block)
            for part in range(parts):
                mine = dealt[:, part, :].ravel()
                self.assertEqual(layout.positions(part), mine[mine < n].tolist(), (n, parts, block, part))

    def test_explicit_owner_is_searchsorted(self):
        for _ in range(100):
            parts = int(self.random.integers(1, 30))
            offsets = numpy.sort(self.random.integers(0, 2**63 - 1, parts + 1))
            offsets[0] = 0
            positions = numpy.concatenate([offsets[:-1], offsets[1:] - 1, offsets[1:] // 2])
            positions = positions[(positions >= 0) & (positions < offsets[-1])]
            layout = Layout("explicit", parts, (int64 * (parts + 1))(*offsets.tolist()))
            owners = [layout.owner(position) for position in positions.tolist()]
            self.assertEqual(owners, (numpy.searchsorted(offsets, positions, "right") - 1).tolist())

    def test_weighted_is_exact_in_fractions(self):
        for _ in range(300):
            parts = int(self.random.integers(1, 40))
            n = int(self.random.integers(0, 2**63 - 1)) >> int(self.random.integers(0, 63))
            weights = (self.random.random(parts) * 9 + 0.01).tolist()  # all bits within the largest's first 63
            counts = Layout("weighted", n, parts, doubles(weights)).counts(parts)
            self.assertEqual(counts, largest_remainders(n, weights), (n, weights))

    def test_weighted_ties_go_to_the_lower_part(self):
        for _ in range(300):
            n, parts = self.draw(200, 12)
            weights = self.random.integers(0, 4, parts).astype(float).tolist()
            weights[0] += 1
            counts = Layout("weighted", n, parts, doubles(weights)).counts(parts)
            self.assertEqual(counts, largest_remainders(n, weights), (n, weights))


unittest.main()
