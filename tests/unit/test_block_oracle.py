"""parcel_block_span against numpy.array_split, whose rule it promises to follow."""
import ctypes
import os
import unittest

import numpy


class Span(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_int64), ("end", ctypes.c_int64)]


library = ctypes.CDLL(os.path.join(os.environ["PARCEL_BUILD"], "partition", "libparcel_partition.so"))
block_span = library.parcel_block_span
block_span.argtypes = [ctypes.c_int64] * 3
block_span.restype = Span


def spans(n, parts):
    found = [block_span(n, parts, part) for part in range(parts)]
    return [(span.begin, span.end) for span in found]


def numpy_spans(n, parts):
    ends = numpy.cumsum([len(piece) for piece in numpy.array_split(numpy.empty(n, numpy.int8), parts)])
    return list(zip([0, *ends[:-1].tolist()], ends.tolist()))


class BlockFollowsArraySplit(unittest.TestCase):
    def test_small_sizes(self):
        for n in range(80):
            for parts in range(1, 24):
                self.assertEqual(spans(n, parts), numpy_spans(n, parts), (n, parts))

    def test_random_sizes(self):
        random = numpy.random.default_rng(1)
        for n, parts in zip(random.integers(0, 10**7, 50).tolist(), random.integers(1, 2000, 50).tolist()):
            self.assertEqual(spans(n, parts), numpy_spans(n, parts), (n, parts))

    def test_huge_sizes_by_whole_number_arithmetic(self):
        for n in (2**63 - 1, 2**63 - 2, 2**62 + 1):
            for parts in (1, 2, 3, 1000):
                ends = [0]
                for part in range(parts):
                    ends.append(ends[-1] + n // parts + (part < n % parts))
                self.assertEqual(spans(n, parts), list(zip(ends, ends[1:])), (n, parts))


unittest.main()
