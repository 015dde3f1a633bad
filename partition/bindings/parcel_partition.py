"""Parcel's partition library for Python 3.8 and later: one file, the standard library only.

    from parcel_partition import *
    layout = parcel_layout_block(1_000_000, 8)
    begin, end = parcel_layout_span(layout, 3, 0)

The manual is the C headers, parcel/*.h: names, parameters and their order are the same here. What differs:

- What C returns through pointers is returned, several things as a tuple. Where C says with false that there
  is nothing, None is returned.
- A status other than PARCEL_OK is raised as ParcelError, with .status and .text (parcel_last_error).
- Arrays go in as sequences, whose lengths are checked, and come out as lists. Text is str, without a buffer.
- A layout is freed when nobody refers to it any more; parcel_layout_free or `with` does it earlier.
- Everything can be copied (copy, deepcopy) and pickled, and so sent to other processes.
- A whole number that does not fit the C type is an OverflowError; nothing wraps around.
- Where C says `from`, which Python reserves, it is `from_`.

libparcel_partition.so is loaded from the path in the environment variable PARCEL_LIBRARY, or else from beside
this file, from two folders up (as installed: LIBDIR/parcel/python), or by the system's loader.
"""
import copy
import ctypes
import inspect
import operator
import os
from ctypes import byref, c_bool, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p

__version__ = "0.1.0"


def _load():
    if os.environ.get("PARCEL_LIBRARY"):
        return ctypes.CDLL(os.environ["PARCEL_LIBRARY"])
    name = "libparcel_partition.so"
    names = (name + "." + __version__.split(".")[0], name)
    here = os.path.dirname(os.path.realpath(__file__))
    for folder in (here, os.path.dirname(os.path.dirname(here))):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.exists(path):
                return ctypes.CDLL(path)
    try:
        return ctypes.CDLL(names[0])
    except OSError as error:
        raise ImportError(f"{names[0]} is not found; set PARCEL_LIBRARY to its path") from error


_library = _load()


# ---- the types

PARCEL_VERSION = __version__
PARCEL_GRID_DIMENSIONS = 8

(PARCEL_OK, PARCEL_INVALID, PARCEL_RANGE, PARCEL_MEMORY, PARCEL_IO, PARCEL_MPI, PARCEL_HDF5, PARCEL_SYSTEM,
 PARCEL_KERNEL, PARCEL_EXISTS, PARCEL_SPACE, PARCEL_STOPPED, PARCEL_TIMEOUT, PARCEL_CRASHED, PARCEL_CANCELLED,
 PARCEL_FULL, PARCEL_FAILURES, PARCEL_STALLED, PARCEL_DIFFERS, PARCEL_CORRUPT,
 PARCEL_UNEQUAL) = range(0, -21, -1)

PARCEL_GRID_BLOCK, PARCEL_GRID_CYCLIC, PARCEL_GRID_WHOLE = range(3)

(PARCEL_SCHEDULE_STATIC, PARCEL_SCHEDULE_SELF, PARCEL_SCHEDULE_FIXED, PARCEL_SCHEDULE_GUIDED,
 PARCEL_SCHEDULE_TRAPEZOID, PARCEL_SCHEDULE_FACTORING, PARCEL_SCHEDULE_WEIGHTED) = range(7)


class ParcelError(Exception):
    """A call that failed: its status (PARCEL_INVALID, ...) and the reason in words."""

    def __init__(self, status, text):
        super().__init__(status, text)
        self.status, self.text = status, text

    def __str__(self):
        return self.text


class _Value(ctypes.Structure):
    """A struct of C, with the habits of a tuple: it is compared, unpacked and shown by its fields."""

    def __iter__(self):
        return (getattr(self, name) for name, *_ in self._fields_)

    def __eq__(self, other):
        return type(self) is type(other) and _plain(self) == _plain(other)

    def __repr__(self):
        fields = (f"{name}={_plain(getattr(self, name))}" for name, *_ in self._fields_)
        return f"{type(self).__name__}({', '.join(fields)})"


def _plain(value):
    return tuple(map(_plain, value)) if isinstance(value, (_Value, ctypes.Array)) else value


class Span(_Value):
    _fields_ = [("begin", c_int64), ("end", c_int64)]


class Range(_Value):
    _fields_ = [("first", c_int64), ("step", c_int64), ("count", c_int64)]


class BlockGrid(_Value):
    _fields_ = [("positions", c_int64), ("parts", c_int64), ("blocks_per_part", c_int64),
                ("exact", c_int64)]


class GridAxis(_Value):
    """One dimension of a grid: GridAxis(100, 4, is_periodic=True)."""

    _fields_ = [("extent", c_int64), ("parts", c_int), ("kind", c_int), ("block", c_int64),
                ("is_periodic", c_bool)]


class Grid(_Value):
    _fields_ = [("dimensions", c_int), ("axes", GridAxis * PARCEL_GRID_DIMENSIONS)]


class Box(_Value):
    _fields_ = [("begin", c_int64 * PARCEL_GRID_DIMENSIONS), ("end", c_int64 * PARCEL_GRID_DIMENSIONS)]


class _Pointing(ctypes.Structure):
    """A struct that points to layouts or grids, and keeps them. A copy keeps them, too; one that is deep, or pickled,
    points to copies of its own."""

    _pointers = ()  # the bytes at which they are, in the order of the arguments that they were

    def __reduce__(self):
        return _restore, (type(self), bytes(self), getattr(self, "_kept", ()))


def _restore(kind, data, kept):
    value = kind.from_buffer_copy(data)
    value._kept = kept
    targets = [item for item in kept if isinstance(item, (Layout, Grid))]
    for place, item in zip(kind._pointers, targets):
        address = item._handle.value if isinstance(item, Layout) else ctypes.addressof(item)
        c_void_p.from_buffer(value, place).value = address
    return value


class Schedule(_Value, _Pointing):
    _pointers = (56,)
    _fields_ = [("kind", c_int), ("parts", c_int), ("n", c_int64), ("chunk", c_int64), ("steps", c_int64),
                ("head", c_int64), ("first", c_int64), ("decrement", c_int64), ("shares", c_void_p)]


class Slab(_Value):
    _fields_ = [("start", c_int64), ("stride", c_int64), ("block", c_int64), ("count", c_int64),
                ("tail", c_int64)]


class Move(_Value):
    _fields_ = [("sender", c_int), ("receiver", c_int), ("count", c_int64), ("from_", Span), ("to", Span),
                ("positions", Span)]


class GridMove(_Value):
    _fields_ = [("sender", c_int), ("receiver", c_int), ("from_", Box), ("to", Box), ("points", Box)]


class Plan(_Pointing):
    """A walk over moves; `for move in plan` goes on with it by parcel_plan_next."""

    _pointers = (0, 88)
    _fields_ = [("_own", c_int64 * 42)]

    def __iter__(self):
        return iter(lambda: parcel_plan_next(self), None)


class GridPlan(_Pointing):
    """A walk over boxes; `for move in plan` goes on with it by parcel_grid_plan_next."""

    _pointers = (8, 16)
    _fields_ = [("_own", c_int64 * 740)]

    def __iter__(self):
        return iter(lambda: parcel_grid_plan_next(self), None)


class Layout:
    """Made by parcel_layout_block and its kind; freed with its last reference, or at the end of `with`."""

    def __init__(self, handle):
        self._handle = handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        parcel_layout_free(self)

    def __del__(self, free=_library.parcel_layout_free, byref=byref):
        if hasattr(self, "_handle"):  # one whose __init__ was never called has none
            free(byref(self._handle))

    def __reduce__(self):
        """A copy, also one that is pickled, is a layout of its own, made from the text of this one."""
        return parcel_layout_parse, (parcel_layout_format(self),)

    def __copy__(self):
        return parcel_layout_parse(parcel_layout_format(self))

    def __deepcopy__(self, _):
        return copy.copy(self)

    def __repr__(self):
        return parcel_layout_format(self) if self._handle else "a layout that was freed"


# ---- how a function of C becomes one of Python

class _In:
    """A parameter that takes a struct or a layout of one class, by value."""

    is_in, is_out = True, False

    def __init__(self, kind):
        self.kind = kind

    def take(self, value, _):
        """The argument for C. `_`: all arguments of the call."""
        if not isinstance(value, self.kind):
            raise TypeError(f"a {self.kind.__name__} is needed, not {value!r}")
        if self.kind is not Layout:
            return value
        if not value._handle:
            raise ValueError("the layout was freed")
        return value._handle


class _Reference(_In):
    """const kind *"""

    def take(self, value, _):
        return byref(super().take(value, _))


class _Number(_In):
    """A number that must fit: ctypes alone would cut it off."""

    def take(self, value, _):
        if self.kind is c_double:
            return c_double(value)
        value, bits = operator.index(value), 8 * ctypes.sizeof(self.kind)
        if not -1 << bits - 1 <= value < 1 << bits - 1:
            raise OverflowError(f"{value} does not fit in {bits} bits")
        return self.kind(value)


class _Text(_In):
    """const char *; of kind "format", one that says just this text"""

    def take(self, value, _):
        value = value.replace("%", "%%") if self.kind == "format" else value
        if "\0" in value:
            raise ValueError("there is a zero in the text")
        return c_char_p(value.encode())


class _Array(_In):
    """const kind[length(arguments of the call)], from a sequence; with or_none also from None"""

    def __init__(self, kind, length, or_none=False):
        super().__init__(kind)
        self.length, self.or_none = length, or_none

    def take(self, value, arguments):
        if value is None and self.or_none:
            return None
        values, length = list(value), self.length(*arguments)
        if len(values) != length:
            raise ValueError(f"{length} values are needed, not {len(values)}")
        if self.kind is GridAxis:
            return (GridAxis * length)(*values)
        return (self.kind * length)(*(_Number(self.kind).take(item, arguments) for item in values))


class _Out:
    """A parameter through which C returns a number or a struct; with a length, an array."""

    is_in, is_out = False, True

    def __init__(self, kind, length=None):
        self.kind, self.length = kind, length

    def take(self, _, arguments):
        return (self.kind * self.length(*arguments))() if self.length else self.kind()

    def give(self, value, arguments):
        if self.length:
            return list(value)
        if self.kind is c_void_p:
            return Layout(value)
        if self.kind in (Plan, GridPlan, Schedule):
            value._kept = arguments  # the layouts or grids that it points to
        return value if isinstance(value, ctypes.Structure) else value.value


class _InOut(_Array):
    """An array that C changes; the caller's sequence stays as it was."""

    is_out = True

    @staticmethod
    def give(value, _):
        return list(value)


class _Status(c_int):
    """The result of a function that can fail."""


class _Found(c_bool):
    """The result of a function that says with false that there is nothing."""


def _function(name, result, **parameters):
    """The function of that name. Takes the parameters that are in, returns those that are out."""
    function = getattr(_library, name)
    function.restype = c_char_p if result is str else result
    kinds = tuple(parameters.values())
    names = [key for key, kind in parameters.items() if kind.is_in]

    def call(*arguments):
        if len(arguments) != len(names):
            raise TypeError(f"{name}({', '.join(names)}) was given {len(arguments)} arguments")
        given = iter(arguments)
        passed = [kind.take(next(given) if kind.is_in else None, arguments) for kind in kinds]
        returned = function(*(byref(value) if kind.is_out else value for kind, value in zip(kinds, passed)))
        if result is _Status and returned.value != PARCEL_OK:
            raise ParcelError(returned.value, parcel_last_error())
        if result is _Found and not returned.value:
            return None
        if result not in (None, _Status, _Found):
            return returned.decode(errors="replace") if result is str else returned
        outs = [kind.give(value, arguments) for kind, value in zip(kinds, passed) if kind.is_out]
        return outs[0] if len(outs) == 1 else tuple(outs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "The manual is the C header."
    call.__signature__ = inspect.Signature(
        [inspect.Parameter(key, inspect.Parameter.POSITIONAL_ONLY) for key in names])
    return call


_index, _int, _text = _Number(c_int64), _Number(c_int), _Text(str)
_layout, _grid = _In(Layout), _Reference(Grid)
_out_index, _out_int, _out_layout = _Out(c_int64), _Out(c_int), _Out(c_void_p)


def _dimensions(grid, *_):
    return grid.dimensions


def _ints(kind):
    return kind(c_int, _dimensions)


def _point(kind):
    return kind(c_int64, _dimensions)


# ---- parcel/base.h

parcel_status_name = _function("parcel_status_name", str, status=_int)
parcel_status_text = _function("parcel_status_text", str, status=_int)
parcel_status_exit_code = _function("parcel_status_exit_code", c_int, status=_int)
parcel_last_error = _function("parcel_last_error", str)
parcel_fail = _function("parcel_fail", c_int, status=_int,
                        text=_Text("format"))  # returns status, raises nothing

# ---- parcel/range.h

parcel_range_make = _function("parcel_range_make", _Status, first=_index, last=_index, step=_index,
                              out=_Out(Range))
parcel_range_parse = _function("parcel_range_parse", _Status, text=_text, out=_Out(Range))
parcel_index_parse = _function("parcel_index_parse", _Status, text=_text, out=_out_index)
parcel_range_at = _function("parcel_range_at", c_int64, range=_In(Range), position=_index)


def parcel_range_format(range, /):
    """The manual is the C header."""
    text = ctypes.create_string_buffer(72)  # PARCEL_RANGE_TEXT_SIZE
    _library.parcel_range_format(_In(Range).take(range, None), text, c_size_t(72))
    return text.value.decode()


# ---- parcel/block.h

parcel_block_span = _function("parcel_block_span", Span, n=_index, parts=_index, part=_index)
parcel_block_owner = _function("parcel_block_owner", c_int64, n=_index, parts=_index, position=_index)
parcel_block_grid_make = _function("parcel_block_grid_make", _Status, positions=_index, parts=_index,
                                   block=_index, out=_Out(BlockGrid))
parcel_block_grid_count = _function("parcel_block_grid_count", c_int64, grid=_In(BlockGrid))
parcel_block_grid_span = _function("parcel_block_grid_span", Span, grid=_In(BlockGrid), block=_index)
parcel_block_grid_owner = _function("parcel_block_grid_owner", c_int64, grid=_In(BlockGrid),
                                    position=_index)
parcel_block_grid_largest = _function("parcel_block_grid_largest", c_int64, grid=_In(BlockGrid))

# ---- parcel/layout.h

parcel_layout_block = _function("parcel_layout_block", _Status, n=_index, parts=_int, out=_out_layout)
parcel_layout_aligned = _function("parcel_layout_aligned", _Status, n=_index, parts=_int, align=_index,
                                  out=_out_layout)
parcel_layout_ceiling = _function("parcel_layout_ceiling", _Status, n=_index, parts=_int, out=_out_layout)
parcel_layout_cyclic = _function("parcel_layout_cyclic", _Status, n=_index, parts=_int, block=_index,
                                 out=_out_layout)
parcel_layout_weighted = _function("parcel_layout_weighted", _Status, n=_index, parts=_int,
                                   weights=_Array(c_double, lambda n, parts, _: parts), out=_out_layout)
parcel_layout_explicit = _function("parcel_layout_explicit", _Status, parts=_int,
                                   offsets=_Array(c_int64, lambda parts, _: parts + 1), out=_out_layout)


def parcel_layout_free(layout, /):
    """The manual is the C header."""
    _library.parcel_layout_free(byref(layout._handle))


parcel_layout_parts = _function("parcel_layout_parts", c_int, layout=_layout)
parcel_layout_size = _function("parcel_layout_size", c_int64, layout=_layout)
parcel_layout_count = _function("parcel_layout_count", c_int64, layout=_layout, part=_int)
parcel_layout_owner = _function("parcel_layout_owner", c_int, layout=_layout, position=_index)
parcel_layout_local = _function("parcel_layout_local", c_int64, layout=_layout, position=_index)
parcel_layout_global = _function("parcel_layout_global", c_int64, layout=_layout, part=_int, local=_index)
parcel_layout_spans = _function("parcel_layout_spans", c_int64, layout=_layout, part=_int)
parcel_layout_span = _function("parcel_layout_span", Span, layout=_layout, part=_int, k=_index)
parcel_layout_is_contiguous = _function("parcel_layout_is_contiguous", c_bool, layout=_layout)
parcel_layout_is_balanced = _function("parcel_layout_is_balanced", c_bool, layout=_layout)
parcel_layout_min = _function("parcel_layout_min", c_int64, layout=_layout)
parcel_layout_max = _function("parcel_layout_max", c_int64, layout=_layout)
parcel_layout_imbalance = _function("parcel_layout_imbalance", c_double, layout=_layout)
parcel_layout_equal = _function("parcel_layout_equal", c_bool, a=_layout, b=_layout)
parcel_layout_parse = _function("parcel_layout_parse", _Status, text=_text, out=_out_layout)
parcel_layout_hash = _function("parcel_layout_hash", c_uint64, layout=_layout)

_layout_format = _library.parcel_layout_format
_layout_format.restype = c_int64


def parcel_layout_format(layout, /):
    """The manual is the C header."""
    handle = _layout.take(layout, None)
    size = _layout_format(handle, None, c_size_t(0)) + 1
    text = ctypes.create_string_buffer(size)
    _layout_format(handle, text, c_size_t(size))
    return text.value.decode()


# ---- parcel/grid.h

parcel_dims_balanced = _function("parcel_dims_balanced", _Status, parts=_int, dimensions=_int,
                                 extents=_Array(c_int64, lambda _, dimensions, *rest: dimensions, True),
                                 dims=_InOut(c_int, lambda _, dimensions, *rest: dimensions))
parcel_grid_make = _function("parcel_grid_make", _Status, dimensions=_int,
                             axes=_Array(GridAxis, lambda dimensions, _: dimensions), out=_Out(Grid))
parcel_grid_parts = _function("parcel_grid_parts", c_int, grid=_grid)
parcel_grid_size = _function("parcel_grid_size", _Status, grid=_grid, out=_out_index)
parcel_grid_is_equal = _function("parcel_grid_is_equal", c_bool, one=_grid, other=_grid)
parcel_grid_coordinates = _function("parcel_grid_coordinates", _Found, grid=_grid, part=_int,
                                    coordinates=_ints(_Out))
parcel_grid_part = _function("parcel_grid_part", c_int, grid=_grid, coordinates=_ints(_Array))
parcel_grid_neighbour = _function("parcel_grid_neighbour", c_int, grid=_grid, part=_int,
                                  direction=_ints(_Array))
parcel_grid_directions = _function("parcel_grid_directions", c_int, grid=_grid)
parcel_grid_direction = _function("parcel_grid_direction", _Found, grid=_grid, k=_int,
                                  direction=_ints(_Out))
parcel_grid_shift = _function("parcel_grid_shift", _Found, grid=_grid, part=_int, dimension=_int,
                              steps=_int, source=_out_int, destination=_out_int)
parcel_grid_owner = _function("parcel_grid_owner", c_int, grid=_grid, point=_point(_Array))
parcel_grid_wrap = _function("parcel_grid_wrap", _Found, grid=_grid, point=_point(_InOut))
parcel_grid_count = _function("parcel_grid_count", c_int64, grid=_grid, part=_int, dimension=_int)
parcel_grid_volume = _function("parcel_grid_volume", _Status, grid=_grid, part=_int, out=_out_index)
parcel_grid_local = _function("parcel_grid_local", c_int64, grid=_grid, point=_point(_Array))
parcel_grid_global = _function("parcel_grid_global", _Found, grid=_grid, part=_int, local=_index,
                               point=_point(_Out))
parcel_grid_spans = _function("parcel_grid_spans", c_int64, grid=_grid, part=_int, dimension=_int)
parcel_grid_span = _function("parcel_grid_span", Span, grid=_grid, part=_int, dimension=_int, k=_index)
parcel_grid_box = _function("parcel_grid_box", _Status, grid=_grid, part=_int, out=_Out(Box))
parcel_grid_halo = _function("parcel_grid_halo", _Status, grid=_grid, part=_int, widths=_point(_Array),
                             out=_Out(Box))

# ---- parcel/schedule.h

parcel_schedule_make = _function("parcel_schedule_make", _Status, kind=_int, n=_index, parts=_int,
                                 chunk=_index, out=_Out(Schedule))
parcel_schedule_make_weighted = _function("parcel_schedule_make_weighted", _Status, n=_index,
                                          shares=_layout, chunk=_index, out=_Out(Schedule))
parcel_schedule_steps = _function("parcel_schedule_steps", c_int64, schedule=_Reference(Schedule))
parcel_schedule_span = _function("parcel_schedule_span", Span, schedule=_Reference(Schedule), step=_index)
parcel_schedule_name = _function("parcel_schedule_name", str, kind=_int)
parcel_schedule_parse = _function("parcel_schedule_parse", _Status, text=_text, kind=_out_int,
                                  chunk=_out_index)

# ---- parcel/plan.h

parcel_plan_slab = _function("parcel_plan_slab", _Status, layout=_layout, part=_int, out=_Out(Slab))
parcel_slab_size = _function("parcel_slab_size", c_int64, slab=_In(Slab))
parcel_plan_of_sender = _function("parcel_plan_of_sender", _Status, from_=_layout, to=_layout, part=_int,
                                  out=_Out(Plan))
parcel_plan_of_receiver = _function("parcel_plan_of_receiver", _Status, from_=_layout, to=_layout,
                                    part=_int, out=_Out(Plan))
parcel_plan_between = _function("parcel_plan_between", _Status, from_=_layout, sender=_int, to=_layout,
                                receiver=_int, out=_Out(Plan))
parcel_plan_of_slabs = _function("parcel_plan_of_slabs", None, from_=_In(Slab), sender=_int, to=_In(Slab),
                                 receiver=_int, out=_Out(Plan))
parcel_plan_next = _function("parcel_plan_next", _Found, plan=_Reference(Plan), move=_Out(Move))
parcel_plan_count = _function("parcel_plan_count", None, plan=_Reference(Plan), moves=_out_index,
                              positions=_out_index)
parcel_grid_plan_of_sender = _function("parcel_grid_plan_of_sender", _Status, from_=_grid, to=_grid,
                                       part=_int, out=_Out(GridPlan))
parcel_grid_plan_of_receiver = _function("parcel_grid_plan_of_receiver", _Status, from_=_grid, to=_grid,
                                         part=_int, out=_Out(GridPlan))
parcel_grid_plan_next = _function("parcel_grid_plan_next", _Found, plan=_Reference(GridPlan),
                                  move=_Out(GridMove))


def _parts(layout, *_):
    return parcel_layout_parts(layout)


parcel_plan_mpi_counts = _function("parcel_plan_mpi_counts", _Status, layout=_layout, width=_index,
                                   counts=_Out(c_int, _parts), displacements=_Out(c_int, _parts))
parcel_plan_hyperslabs = _function("parcel_plan_hyperslabs", c_int, layout=_layout, part=_int)
parcel_plan_hyperslab = _function("parcel_plan_hyperslab", _Found, layout=_layout, part=_int, k=_int,
                                  start=_Out(c_uint64), stride=_Out(c_uint64), count=_Out(c_uint64),
                                  block=_Out(c_uint64))
parcel_grid_plan_hyperslabs = _function("parcel_grid_plan_hyperslabs", c_int, grid=_grid, part=_int)
parcel_grid_plan_hyperslab = _function("parcel_grid_plan_hyperslab", _Found, grid=_grid, part=_int, k=_int,
                                       start=_Out(c_uint64, _dimensions),
                                       stride=_Out(c_uint64, _dimensions),
                                       count=_Out(c_uint64, _dimensions), block=_Out(c_uint64, _dimensions))

__all__ = [name for name, value in list(globals().items())
           if name.startswith("PARCEL_") or name[0] != "_" and getattr(value, "__module__", None) == __name__]
