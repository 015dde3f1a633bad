"""Is the file of wave.c what its 30 lines promise? Asks h5py and numpy."""
import sys

import h5py
import numpy


def text(value):
    return value.decode() if isinstance(value, bytes) else value


with h5py.File(sys.argv[1]) as file:
    sine = file["sine"]
    assert text(file.attrs["status"]) == "complete"
    assert (file.attrs["first"], file.attrs["step"]) == (1, 1)
    assert text(sine.attrs["units"]) == "1"
    assert text(sine.attrs["long_name"]) == "sine of the index"
    assert sine.shape == (1_000_000,) and sine.dtype == numpy.float64
    assert numpy.allclose(sine[:], numpy.sin(numpy.arange(1, 1_000_001)), rtol=0, atol=1e-15)
