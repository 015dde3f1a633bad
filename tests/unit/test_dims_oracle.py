"""parcel_dims_balanced in 5 to 8 dimensions against every factorisation, in whole numbers of any size."""
import ctypes
import math
import os
import random
import unittest

library = ctypes.CDLL(os.path.join(os.environ["PARCEL_BUILD"], "partition", "libparcel_partition.so"))
HUGE = 2**63 - 1


def balanced(parts, extents):
    count = len(extents)
    dims = (ctypes.c_int * count)()
    status = library.parcel_dims_balanced(parts, count, (ctypes.c_int64 * count)(*extents), dims)
    if status != 0:
        raise AssertionError(f"status {status} for {parts} parts of {extents}")
    return tuple(dims)


def factorisations(parts, count):
    if count == 1:
        yield (parts,)
        return
    for first in range(1, parts + 1):
        if parts % first == 0:
            for rest in factorisations(parts // first, count - 1):
                yield (first, *rest)


def best(parts, extents):
    volume = math.prod(extents)
    faces = [volume // extent for extent in extents]

    def key(dims):
        filled = math.prod(map(min, dims, extents))
        surface = sum(number * face for number, face in zip(dims, faces))
        return -filled, surface, sorted(dims, reverse=True), [-number for number in dims]

    return min(factorisations(parts, len(extents)), key=key)


class Dims(unittest.TestCase):
    def check(self, parts, extents):
        self.assertEqual(balanced(parts, extents), best(parts, extents), (parts, extents))

    def test_nearly_equal_extents_of_63_bits(self):
        draw = random.Random(1)
        for _ in range(150):
            count = draw.randint(5, 8)
            self.check(draw.choice((12, 16, 30, 36, 48)), [HUGE - draw.randint(0, 3) for _ in range(count)])

    def test_extents_of_every_size(self):
        draw = random.Random(2)
        for _ in range(150):
            count = draw.randint(5, 8)
            extents = [draw.randint(1, 2 ** draw.randint(1, 63) - 1) for _ in range(count)]
            self.check(draw.randint(1, 64), extents)

    def test_more_parts_than_points(self):
        draw = random.Random(3)
        for _ in range(100):
            count = draw.randint(5, 7)
            self.check(draw.randint(30, 100), [draw.randint(1, 3) for _ in range(count)])


unittest.main()
