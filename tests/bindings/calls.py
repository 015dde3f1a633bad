"""The list of calls of calls.c, by parcel_partition.py; must print the same."""
import ctypes
import struct

from parcel_partition import *

INT64_MIN, INT64_MAX, INT_MAX = -2**63, 2**63 - 1, 2**31 - 1


def signed(number):
    return ctypes.c_int64(number).value


def show(what, *numbers):
    print(what + ":", *map(int, numbers))


def show_text(what, text):
    print(f"{what}: '{text}'")


def works(what, function, *arguments):
    """The result, to be looped over: none if it fails, and then the failure is shown."""
    try:
        return (function(*arguments),)
    except ParcelError as error:
        print(f"{what}: {parcel_status_name(error.status)}, '{error}'")
        return ()


def base_calls():
    show("statuses", PARCEL_OK, PARCEL_INVALID, PARCEL_RANGE, PARCEL_MEMORY, PARCEL_IO, PARCEL_MPI,
         PARCEL_HDF5, PARCEL_SYSTEM, PARCEL_KERNEL, PARCEL_EXISTS, PARCEL_SPACE, PARCEL_STOPPED,
         PARCEL_TIMEOUT, PARCEL_CRASHED, PARCEL_CANCELLED, PARCEL_FULL, PARCEL_FAILURES, PARCEL_STALLED,
         PARCEL_DIFFERS, PARCEL_CORRUPT, PARCEL_UNEQUAL)
    show_text("version", PARCEL_VERSION)
    show_text("no error yet", parcel_last_error())
    for status in range(1, -13, -1):
        show("status", status, parcel_status_exit_code(status))
        show_text("  name", parcel_status_name(status))
        show_text("  text", parcel_status_text(status))
    show("fail", parcel_fail(PARCEL_KERNEL, "100% of %d and %s, no\troot"))
    show_text("  error", parcel_last_error())


def range_calls():
    for text in ("1..1_000_000", "10..1..-4", "-9223372036854775808..-9223372036854775807",
                 "-9223372036854775808..9223372036854775807",
                 "-9223372036854775808..9223372036854775807..2", "1..x", "", "1..2..0", "5..1",
                 "9223372036854775808..1"):
        for values in works("range_parse", parcel_range_parse, text):
            show("range_parse", *values, parcel_range_at(values, values.count - 1))
    for text in ("1_000_000", "-9223372036854775808", "1__0", "9223372036854775808"):
        for number in works("index_parse", parcel_index_parse, text):
            show("index_parse", number)
    for made in ((1, 10, 3), (10, 1, -4), (1, 10, 0), (1, 10, -1), (INT64_MIN, -1, 1),
                 (INT64_MIN, INT64_MAX, 1), (1, 1, -1), (INT64_MIN, -1, 1000)):
        for values in works("range_make", parcel_range_make, *made):
            show("range_make", *values)
            show_text("  format", parcel_range_format(values))
    show_text("empty", parcel_range_format(Range(7, 1, 0)))


def block_calls():
    for n in (-1, 0, 1, 10, 1000003, INT64_MAX):
        for p in (0, 1, 3, 7, 1000, INT64_MAX):
            spans = [number for part in (0, p // 2, p - 1, p) for number in parcel_block_span(n, p, part)]
            middle = n // 2 if n >= 0 else 0  # C rounds to zero
            show("block", n, p, *spans, *(parcel_block_owner(n, p, position)
                                          for position in (0, middle, n - 1, n)))
            for grid in works("block_grid", parcel_block_grid_make, n, p, 5):
                count = parcel_block_grid_count(grid)
                show("block_grid", *grid, count, *parcel_block_grid_span(grid, 0),
                     *parcel_block_grid_span(grid, count - 1), parcel_block_grid_owner(grid, n // 2),
                     parcel_block_grid_largest(grid))


def show_layout(what, make, *arguments):
    for layout in works(what, make, *arguments):
        parts, n = parcel_layout_parts(layout), parcel_layout_size(layout)
        text = parcel_layout_format(layout)
        imbalance, = struct.unpack("q", struct.pack("d", parcel_layout_imbalance(layout)))
        show(what, len(text), parts, n, parcel_layout_is_contiguous(layout),
             parcel_layout_is_balanced(layout), parcel_layout_min(layout), parcel_layout_max(layout),
             imbalance, signed(parcel_layout_hash(layout)), parcel_layout_equal(layout, layout))
        show_text("  format", text)
        for part in (-1, 0, 1, parts // 2, parts - 1, parts):
            count, spans = parcel_layout_count(layout, part), parcel_layout_spans(layout, part)
            show("  part", part, count, spans, *parcel_layout_span(layout, part, 0),
                 *parcel_layout_span(layout, part, spans - 1), parcel_layout_global(layout, part, 0),
                 parcel_layout_global(layout, part, count - 1), parcel_layout_global(layout, part, count))
            for slab in works("  slab", parcel_plan_slab, layout, part):
                show("  slab", *slab, parcel_slab_size(slab))
            for k in range(parcel_plan_hyperslabs(layout, part) + 1):
                hyperslab = parcel_plan_hyperslab(layout, part, k)
                if hyperslab:
                    show("  hyperslab", *hyperslab)
        for position in (-1, 0, 1, 6, n // 2, n - 1, n):
            show("  position", position, parcel_layout_owner(layout, position),
                 parcel_layout_local(layout, position))
        parcel_layout_free(layout)
        parcel_layout_free(layout)


def layout_calls():
    weights = [1, 0, 2.5, 1e-3]
    for n in (-1, 0, 1, 11, 1000, INT64_MAX):
        for parts in (0, 1, 4, INT_MAX):
            show_layout("block", parcel_layout_block, n, parts)
            show_layout("aligned", parcel_layout_aligned, n, parts, 8)
            show_layout("ceiling", parcel_layout_ceiling, n, parts)
            show_layout("cyclic", parcel_layout_cyclic, n, parts, 3)
    show_layout("aligned 0", parcel_layout_aligned, 10, 2, 0)
    show_layout("cyclic 0", parcel_layout_cyclic, 10, 2, 0)
    show_layout("weighted", parcel_layout_weighted, 100, 4, weights)
    show_layout("weighted", parcel_layout_weighted, INT64_MAX, 4, weights)
    show_layout("weighted", parcel_layout_weighted, 100, 4, [0] * 4)
    show_layout("weighted", parcel_layout_weighted, 100, 4, [1, -1, 1, 1])
    show_layout("explicit", parcel_layout_explicit, 3, [0, 4, 4, 11])
    show_layout("explicit", parcel_layout_explicit, 3, [0, 4, 3, 11])
    for text in ("block(1_000_000,8)", "ceiling(10,4)", "aligned(1000,3,align=64)",
                 "cyclic(1000,8,block=64)", "cyclic(10,3)", "weighted(100,weights=1:2:3.5)",
                 "explicit(0,10,10,25)", "block(9223372036854775807,2147483647)",
                 "block(9223372036854775808,2)", "block(10)", "blok(10,2)", "cyclic(10,3,block=0)",
                 "explicit(0,3,2)", ""):
        show_layout("parse", parcel_layout_parse, text)
    with parcel_layout_block(10, 5) as layout:
        show("equal", parcel_layout_equal(layout, parcel_layout_ceiling(10, 5)))
        show("equal", parcel_layout_equal(layout, parcel_layout_cyclic(10, 5, 1)))


def show_box(what, box):
    show(what, *(end[dimension] for end in box for dimension in (0, 1, 2, 7)))


def dims_calls():
    for count in range(4):
        for parts, *given in ((72, 0, 0, 0), (12, 0, 2, 0), (16, 0, 0, 0), (1000003, 0, 0, 0), (12, 5, 0, 0),
                              (0, 0, 0, 0)):
            for extents in (None, [4000, 1000, 7][:count]):
                for dims in works("dims", parcel_dims_balanced, parts, count, extents, given[:count]):
                    show("dims", *dims, *given[count:])


def show_part(grid, part):
    coordinates = parcel_grid_coordinates(grid, part)
    known = coordinates or [-7, -7, -7]
    show("part", part, coordinates is not None, *known, parcel_grid_part(grid, known),
         parcel_grid_neighbour(grid, part, [1, -1, 0]))
    for dimension in range(-1, 4):
        spans = parcel_grid_spans(grid, part, dimension)
        show("  dimension", dimension, parcel_grid_count(grid, part, dimension), spans,
             *parcel_grid_span(grid, part, dimension, 0),
             *parcel_grid_span(grid, part, dimension, spans - 1))
        shift = parcel_grid_shift(grid, part, dimension, 1)
        if shift:
            show("  shift", *shift)
    for volume in works("  volume", parcel_grid_volume, grid, part):
        show("  volume", volume)
    for box in works("  box", parcel_grid_box, grid, part):
        show_box("  box", box)
    for widths in ([1, 2, 0], [0, 0, -1]):
        for box in works("  halo", parcel_grid_halo, grid, part, widths):
            show_box("  halo", box)
    for local in (-1, 0, 5, INT64_MAX):
        point = parcel_grid_global(grid, part, local)
        if point:
            show("  global", *point, parcel_grid_local(grid, point))
    show("  hyperslabs", parcel_grid_plan_hyperslabs(grid, part))
    for k in range(parcel_grid_plan_hyperslabs(grid, part) + 1):
        hyperslab = parcel_grid_plan_hyperslab(grid, part, k)
        if hyperslab:
            for dimension in zip(*hyperslab):
                show("  hyperslab", *dimension)


def show_grid(grid, other):
    directions = parcel_grid_directions(grid)
    axis = grid.axes[1]
    show("grid", grid.dimensions, grid.axes[0].extent, axis.parts, axis.kind, axis.block, axis.is_periodic,
         parcel_grid_parts(grid), directions, parcel_grid_is_equal(grid, grid),
         parcel_grid_is_equal(grid, other), *(parcel_grid_part(grid, [*place, 0])
                                              for place in ((0, 1), (0, 7), (9, 0))))
    for size in works("size", parcel_grid_size, grid):
        show("size", size)
    for k in (-1, 0, 13, 25, directions):
        direction = parcel_grid_direction(grid, k)
        if direction:
            show("direction", *direction, parcel_grid_neighbour(grid, 0, direction))
    for point in ((0, 0, 0), (3, 8, 1), (-1, 12, 0), (0, -1, 0), (0, 0, 2), (9, 9, 1)):
        show("point", parcel_grid_owner(grid, point), parcel_grid_local(grid, point))
        wrapped = parcel_grid_wrap(grid, point)
        if wrapped:
            show("  wrapped", *wrapped)
    for part in range(-1, 7):
        show_part(grid, part)


def show_grid_moves(from_, to):
    for part in (-1, 0, 1):
        for what, make in (("grid sender", parcel_grid_plan_of_sender),
                           ("grid receiver", parcel_grid_plan_of_receiver)):
            for plan in works(what, make, from_, to, part):
                while move := parcel_grid_plan_next(plan):
                    show(what, move.sender, move.receiver)
                    show_box("  from", move.from_)
                    show_box("  to", move.to)
                    show_box("  points", move.points)


def grid_calls():
    show("kinds", PARCEL_GRID_BLOCK, PARCEL_GRID_CYCLIC, PARCEL_GRID_WHOLE, PARCEL_GRID_DIMENSIONS)
    boxes = parcel_grid_make(3, [GridAxis(10, 2), GridAxis(9, 3, is_periodic=True), GridAxis(2, 1)])
    mixed = parcel_grid_make(3, [GridAxis(10, 3), GridAxis(9, 2, PARCEL_GRID_CYCLIC, 2, True),
                                 GridAxis(2, kind=PARCEL_GRID_WHOLE)])
    huge = parcel_grid_make(3, [GridAxis(INT64_MAX, 3), GridAxis(INT64_MAX, 2, is_periodic=True),
                                GridAxis(INT64_MAX, 1)])
    show_grid(boxes, mixed)
    show_grid(mixed, boxes)
    show_grid(huge, boxes)
    show_grid_moves(boxes, mixed)
    show_grid_moves(boxes, huge)
    for _ in works("grid", parcel_grid_make, 3, [GridAxis(10, 2), GridAxis(-1, 2), GridAxis(1)]):
        show("grid of wrong axes", 3)
    for _ in works("grid", parcel_grid_make, 0, []):
        show("grid of no axes", 0)


def show_schedule(what, make, *arguments):
    for schedule in works(what, make, *arguments):
        *numbers, shares = schedule
        steps = parcel_schedule_steps(schedule)
        show(what, *numbers, shares is not None, steps)
        for step in (-1, 0, 1, 2, steps // 2, steps - 1, steps):
            show("  step", step, *parcel_schedule_span(schedule, step))


def schedule_calls():
    sizes = (-1, 0, 100, INT64_MAX)
    show("kinds", PARCEL_SCHEDULE_STATIC, PARCEL_SCHEDULE_SELF, PARCEL_SCHEDULE_FIXED, PARCEL_SCHEDULE_GUIDED,
         PARCEL_SCHEDULE_TRAPEZOID, PARCEL_SCHEDULE_FACTORING, PARCEL_SCHEDULE_WEIGHTED)
    for kind in range(8):
        show_text("kind", parcel_schedule_name(kind))
        for n in sizes:
            for chunk in (-1, 0, 7):
                show_schedule("schedule", parcel_schedule_make, kind, n, 4, chunk)
    for text in ("static", "guided,4", "fixed,1_000", "dinamic", "fixed,", "self,99999999999999999999"):
        for parsed in works("schedule_parse", parcel_schedule_parse, text):
            show("schedule_parse", *parsed)
    for n in sizes:  # the schedule keeps the layout
        show_schedule("weighted", parcel_schedule_make_weighted, n,
                      parcel_layout_weighted(1000, 4, [1, 2, 0, 0.5]), 3)
    show_schedule("weighted", parcel_schedule_make_weighted, 100, parcel_layout_cyclic(1000, 4, 1), 3)


def show_moves(what, plan):
    show(what, *parcel_plan_count(plan))
    while move := parcel_plan_next(plan):
        show("  move", move.sender, move.receiver, move.count, *move.from_, *move.to, *move.positions)


def show_plans(one, other):
    from_, to = parcel_layout_parse(one), parcel_layout_parse(other)
    for part in range(-1, 4):
        for plan in works("sender", parcel_plan_of_sender, from_, to, part):
            show_moves("sender", plan)
        for plan in works("receiver", parcel_plan_of_receiver, from_, to, part):
            show_moves("receiver", plan)
        for plan in works("between", parcel_plan_between, from_, 1, to, part):
            show_moves("between", plan)
    show_moves("slabs", parcel_plan_of_slabs(parcel_plan_slab(from_, 0), 10, parcel_plan_slab(to, 1), 11))
    for width in range(3):
        for counts, displacements in works("counts", parcel_plan_mpi_counts, from_, width):
            show("counts", *counts, *displacements)


def plan_calls():
    show("sizes", *map(ctypes.sizeof, (Span, Range, BlockGrid, GridAxis, Grid, Box, Schedule, Slab, Move,
                                       Plan, GridMove, GridPlan)))
    show_plans("block(100,4)", "cyclic(100,4,block=7)")
    show_plans("cyclic(100,4,block=7)", "explicit(0,10,10,70,100)")
    show_plans("block(9223372036854775807,4)", "ceiling(9223372036854775807,3)")
    show_plans("block(100,4)", "block(99,4)")


base_calls()
range_calls()
block_calls()
layout_calls()
dims_calls()
grid_calls()
schedule_calls()
plan_calls()
