/* The list of calls that calls.f90 and calls.py repeat: all functions of the partition floor, and what they
 * answer as text. The three must print the same. What is right is the unit tests' business. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <parcel/block.h>
#include <parcel/grid.h>
#include <parcel/layout.h>
#include <parcel/plan.h>
#include <parcel/range.h>
#include <parcel/schedule.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

/* SHOW("what", number, ...) prints "what: number ..." */
#define SHOW(what, ...) show(what, LENGTH(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})

static void show(const char *what, int count, const int64_t numbers[])
{
  printf("%s:", what);
  for (int i = 0; i < count; ++i)
    printf(" %" PRId64, numbers[i]);
  putchar('\n');
}

static void show_text(const char *what, const char *text)
{
  printf("%s: '%s'\n", what, text);
}

/* Shows a failure; true if there is none. */
static bool works(const char *what, parcel_status status)
{
  if (status)
    printf("%s: %s, '%s'\n", what, parcel_status_name(status), parcel_last_error());
  return !status;
}

static int64_t bits(double number)
{
  int64_t same;
  memcpy(&same, &number, sizeof same);
  return same;
}

static void base_calls(void)
{
  SHOW("statuses", PARCEL_OK, PARCEL_INVALID, PARCEL_RANGE, PARCEL_MEMORY, PARCEL_IO, PARCEL_MPI, PARCEL_HDF5,
       PARCEL_SYSTEM, PARCEL_KERNEL, PARCEL_EXISTS, PARCEL_SPACE, PARCEL_STOPPED, PARCEL_TIMEOUT,
       PARCEL_CRASHED, PARCEL_CANCELLED, PARCEL_FULL, PARCEL_FAILURES, PARCEL_STALLED, PARCEL_DIFFERS,
       PARCEL_CORRUPT, PARCEL_UNEQUAL);
  show_text("version", PARCEL_VERSION);
  show_text("no error yet", parcel_last_error());
  for (int status = 1; status >= -12; --status) {
    SHOW("status", status, parcel_status_exit_code((parcel_status)status));
    show_text("  name", parcel_status_name((parcel_status)status));
    show_text("  text", parcel_status_text((parcel_status)status));
  }
  SHOW("fail", parcel_fail(PARCEL_KERNEL, "%s", "100% of %d and %s, no\troot"));
  show_text("  error", parcel_last_error());
}

static void range_calls(void)
{
  static const char *texts[] = {"1..1_000_000",
                                "10..1..-4",
                                "-9223372036854775808..-9223372036854775807",
                                "-9223372036854775808..9223372036854775807",
                                "-9223372036854775808..9223372036854775807..2",
                                "1..x",
                                "",
                                "1..2..0",
                                "5..1",
                                "9223372036854775808..1"};
  static const char *numbers[] = {"1_000_000", "-9223372036854775808", "1__0", "9223372036854775808"};
  const parcel_index made[][3] = {{1, 10, 3},  {10, 1, -4},          {1, 10, 0},
                                  {1, 10, -1}, {INT64_MIN, -1, 1},   {INT64_MIN, INT64_MAX, 1},
                                  {1, 1, -1},  {INT64_MIN, -1, 1000}};
  parcel_range range = {0};
  parcel_index number = 0;
  char text[PARCEL_RANGE_TEXT_SIZE];
  for (int i = 0; i < LENGTH(texts); ++i)
    if (works("range_parse", parcel_range_parse(texts[i], &range)))
      SHOW("range_parse", range.first, range.step, range.count, parcel_range_at(range, range.count - 1));
  for (int i = 0; i < LENGTH(numbers); ++i)
    if (works("index_parse", parcel_index_parse(numbers[i], &number)))
      SHOW("index_parse", number);
  for (int i = 0; i < LENGTH(made); ++i)
    if (works("range_make", parcel_range_make(made[i][0], made[i][1], made[i][2], &range))) {
      SHOW("range_make", range.first, range.step, range.count);
      show_text("  format", parcel_range_format(range, text, sizeof text));
    }
  show_text("empty", parcel_range_format((parcel_range){7, 1, 0}, text, sizeof text));
}

static void block_calls(void)
{
  const parcel_index sizes[] = {-1, 0, 1, 10, 1000003, INT64_MAX};
  const parcel_index parts[] = {0, 1, 3, 7, 1000, INT64_MAX};
  parcel_block_grid grid = {0};
  for (int i = 0; i < LENGTH(sizes); ++i)
    for (int k = 0; k < LENGTH(parts); ++k) {
      const parcel_index n = sizes[i], p = parts[k];
      const parcel_span first = parcel_block_span(n, p, 0), middle = parcel_block_span(n, p, p / 2);
      const parcel_span last = parcel_block_span(n, p, p - 1), none = parcel_block_span(n, p, p);
      SHOW("block", n, p, first.begin, first.end, middle.begin, middle.end, last.begin, last.end, none.begin,
           none.end, parcel_block_owner(n, p, 0), parcel_block_owner(n, p, n / 2),
           parcel_block_owner(n, p, n - 1), parcel_block_owner(n, p, n));
      if (works("block_grid", parcel_block_grid_make(n, p, 5, &grid))) {
        const parcel_index count = parcel_block_grid_count(grid);
        const parcel_span begin = parcel_block_grid_span(grid, 0),
                          end = parcel_block_grid_span(grid, count - 1);
        SHOW("block_grid", grid.positions, grid.parts, grid.blocks_per_part, grid.exact, count, begin.begin,
             begin.end, end.begin, end.end, parcel_block_grid_owner(grid, n / 2),
             parcel_block_grid_largest(grid));
      }
    }
}

/* Shows all that a layout answers, and frees it. */
static void show_layout(const char *what, parcel_status status, parcel_layout **made)
{
  char text[200];
  if (!works(what, status))
    return;
  const parcel_layout *layout = *made;
  const int parts = parcel_layout_parts(layout), asked[] = {-1, 0, 1, parts / 2, parts - 1, parts};
  const parcel_index n = parcel_layout_size(layout), places[] = {-1, 0, 1, 6, n / 2, n - 1, n};
  const parcel_index length = parcel_layout_format(layout, text, sizeof text);
  SHOW(what, length, parts, n, parcel_layout_is_contiguous(layout), parcel_layout_is_balanced(layout),
       parcel_layout_min(layout), parcel_layout_max(layout), bits(parcel_layout_imbalance(layout)),
       (int64_t)parcel_layout_hash(layout), parcel_layout_equal(layout, layout));
  show_text("  format", text);
  for (int i = 0; i < LENGTH(asked); ++i) {
    const int part = asked[i];
    const parcel_index count = parcel_layout_count(layout, part), spans = parcel_layout_spans(layout, part);
    const parcel_span first = parcel_layout_span(layout, part, 0);
    const parcel_span last = parcel_layout_span(layout, part, spans - 1);
    parcel_slab slab = {0};
    SHOW("  part", part, count, spans, first.begin, first.end, last.begin, last.end,
         parcel_layout_global(layout, part, 0), parcel_layout_global(layout, part, count - 1),
         parcel_layout_global(layout, part, count));
    if (works("  slab", parcel_plan_slab(layout, part, &slab)))
      SHOW("  slab", slab.start, slab.stride, slab.block, slab.count, slab.tail, parcel_slab_size(slab));
    for (int k = 0; k <= parcel_plan_hyperslabs(layout, part); ++k) {
      uint64_t start = 0, stride = 0, blocks = 0, block = 0;
      if (parcel_plan_hyperslab(layout, part, k, &start, &stride, &blocks, &block))
        SHOW("  hyperslab", (int64_t)start, (int64_t)stride, (int64_t)blocks, (int64_t)block);
    }
  }
  for (int i = 0; i < LENGTH(places); ++i)
    SHOW("  position", places[i], parcel_layout_owner(layout, places[i]),
         parcel_layout_local(layout, places[i]));
  parcel_layout_free(made);
  parcel_layout_free(made);
}

static void layout_calls(void)
{
  static const char *texts[] = {"block(1_000_000,8)",
                                "ceiling(10,4)",
                                "aligned(1000,3,align=64)",
                                "cyclic(1000,8,block=64)",
                                "cyclic(10,3)",
                                "weighted(100,weights=1:2:3.5)",
                                "explicit(0,10,10,25)",
                                "block(9223372036854775807,2147483647)",
                                "block(9223372036854775808,2)",
                                "block(10)",
                                "blok(10,2)",
                                "cyclic(10,3,block=0)",
                                "explicit(0,3,2)",
                                ""};
  const double weights[] = {1, 0, 2.5, 1e-3}, zeros[] = {0, 0, 0, 0}, negative[] = {1, -1, 1, 1};
  const parcel_index offsets[] = {0, 4, 4, 11}, falling[] = {0, 4, 3, 11};
  const parcel_index sizes[] = {-1, 0, 1, 11, 1000, INT64_MAX};
  const int parts[] = {0, 1, 4, INT_MAX};
  parcel_layout *layout = NULL, *other = NULL;
  for (int i = 0; i < LENGTH(sizes); ++i)
    for (int k = 0; k < LENGTH(parts); ++k) {
      show_layout("block", parcel_layout_block(sizes[i], parts[k], &layout), &layout);
      show_layout("aligned", parcel_layout_aligned(sizes[i], parts[k], 8, &layout), &layout);
      show_layout("ceiling", parcel_layout_ceiling(sizes[i], parts[k], &layout), &layout);
      show_layout("cyclic", parcel_layout_cyclic(sizes[i], parts[k], 3, &layout), &layout);
    }
  show_layout("aligned 0", parcel_layout_aligned(10, 2, 0, &layout), &layout);
  show_layout("cyclic 0", parcel_layout_cyclic(10, 2, 0, &layout), &layout);
  show_layout("weighted", parcel_layout_weighted(100, 4, weights, &layout), &layout);
  show_layout("weighted", parcel_layout_weighted(INT64_MAX, 4, weights, &layout), &layout);
  show_layout("weighted", parcel_layout_weighted(100, 4, zeros, &layout), &layout);
  show_layout("weighted", parcel_layout_weighted(100, 4, negative, &layout), &layout);
  show_layout("explicit", parcel_layout_explicit(3, offsets, &layout), &layout);
  show_layout("explicit", parcel_layout_explicit(3, falling, &layout), &layout);
  for (int i = 0; i < LENGTH(texts); ++i)
    show_layout("parse", parcel_layout_parse(texts[i], &layout), &layout);
  if (works("block", parcel_layout_block(10, 5, &layout)) &&
      works("ceiling", parcel_layout_ceiling(10, 5, &other)))
    SHOW("equal", parcel_layout_equal(layout, other));
  parcel_layout_free(&other);
  if (works("cyclic", parcel_layout_cyclic(10, 5, 1, &other)))
    SHOW("equal", parcel_layout_equal(layout, other));
  parcel_layout_free(&other);
  parcel_layout_free(&layout);
}

static void show_box(const char *what, const parcel_box *box)
{
  SHOW(what, box->begin[0], box->begin[1], box->begin[2], box->begin[7], box->end[0], box->end[1],
       box->end[2], box->end[7]);
}

static void dims_calls(void)
{
  const parcel_index extents[] = {4000, 1000, 7};
  const int calls[][4] = {/* parts, and the dims given */ {72, 0, 0, 0},
                          {12, 0, 2, 0},
                          {16, 0, 0, 0},
                          {1000003, 0, 0, 0},
                          {12, 5, 0, 0},
                          {0, 0, 0, 0}};
  for (int dimensions = 0; dimensions <= 3; ++dimensions)
    for (int i = 0; i < LENGTH(calls); ++i)
      for (int with = 0; with <= 1; ++with) {
        int dims[3] = {calls[i][1], calls[i][2], calls[i][3]};
        if (works("dims", parcel_dims_balanced(calls[i][0], dimensions, with ? extents : NULL, dims)))
          SHOW("dims", dims[0], dims[1], dims[2]);
      }
}

/* Shows all that a grid of three dimensions answers about a part. */
static void show_part(const parcel_grid *grid, int part)
{
  const parcel_index widths[] = {1, 2, 0}, negative[] = {0, 0, -1}, locals[] = {-1, 0, 5, INT64_MAX};
  const int steps[] = {1, -1, 0};
  int coordinates[3] = {-7, -7, -7}, source = -7, destination = -7;
  parcel_index volume = 0, point[3] = {-7, -7, -7};
  parcel_box box;
  const bool is_part = parcel_grid_coordinates(grid, part, coordinates);
  SHOW("part", part, is_part, coordinates[0], coordinates[1], coordinates[2],
       parcel_grid_part(grid, coordinates), parcel_grid_neighbour(grid, part, steps));
  for (int dimension = -1; dimension <= 3; ++dimension) {
    const parcel_index spans = parcel_grid_spans(grid, part, dimension);
    const parcel_span first = parcel_grid_span(grid, part, dimension, 0);
    const parcel_span last = parcel_grid_span(grid, part, dimension, spans - 1);
    SHOW("  dimension", dimension, parcel_grid_count(grid, part, dimension), spans, first.begin, first.end,
         last.begin, last.end);
    if (parcel_grid_shift(grid, part, dimension, 1, &source, &destination))
      SHOW("  shift", source, destination);
  }
  if (works("  volume", parcel_grid_volume(grid, part, &volume)))
    SHOW("  volume", volume);
  if (works("  box", parcel_grid_box(grid, part, &box)))
    show_box("  box", &box);
  if (works("  halo", parcel_grid_halo(grid, part, widths, &box)))
    show_box("  halo", &box);
  if (works("  halo", parcel_grid_halo(grid, part, negative, &box)))
    show_box("  halo", &box);
  for (int i = 0; i < LENGTH(locals); ++i)
    if (parcel_grid_global(grid, part, locals[i], point))
      SHOW("  global", point[0], point[1], point[2], parcel_grid_local(grid, point));
  SHOW("  hyperslabs", parcel_grid_plan_hyperslabs(grid, part));
  for (int k = 0; k <= parcel_grid_plan_hyperslabs(grid, part); ++k) {
    uint64_t start[3], stride[3], count[3], block[3];
    if (parcel_grid_plan_hyperslab(grid, part, k, start, stride, count, block))
      for (int d = 0; d < 3; ++d)
        SHOW("  hyperslab", (int64_t)start[d], (int64_t)stride[d], (int64_t)count[d], (int64_t)block[d]);
  }
}

static void show_grid(const parcel_grid *grid, const parcel_grid *other)
{
  const parcel_index points[][3] = {{0, 0, 0}, {3, 8, 1}, {-1, 12, 0}, {0, -1, 0}, {0, 0, 2}, {9, 9, 1}};
  const int directions = parcel_grid_directions(grid), asked[] = {-1, 0, 13, 25, directions};
  const int corner[] = {0, 1, 0}, beyond[] = {0, 7, 0}, outside[] = {9, 0, 0};
  parcel_index size = 0;
  SHOW("grid", grid->dimensions, grid->axes[0].extent, grid->axes[1].parts, grid->axes[1].kind,
       grid->axes[1].block, grid->axes[1].is_periodic, parcel_grid_parts(grid), directions,
       parcel_grid_is_equal(grid, grid), parcel_grid_is_equal(grid, other), parcel_grid_part(grid, corner),
       parcel_grid_part(grid, beyond), parcel_grid_part(grid, outside));
  if (works("size", parcel_grid_size(grid, &size)))
    SHOW("size", size);
  for (int i = 0; i < LENGTH(asked); ++i) {
    int direction[3];
    if (parcel_grid_direction(grid, asked[i], direction))
      SHOW("direction", direction[0], direction[1], direction[2], parcel_grid_neighbour(grid, 0, direction));
  }
  for (int i = 0; i < LENGTH(points); ++i) {
    parcel_index point[3] = {points[i][0], points[i][1], points[i][2]};
    SHOW("point", parcel_grid_owner(grid, point), parcel_grid_local(grid, point));
    if (parcel_grid_wrap(grid, point))
      SHOW("  wrapped", point[0], point[1], point[2]);
  }
  for (int part = -1; part <= 6; ++part)
    show_part(grid, part);
}

static void show_grid_moves(const parcel_grid *from, const parcel_grid *to)
{
  parcel_grid_plan plan;
  parcel_grid_move move;
  for (int part = -1; part <= 1; ++part) {
    if (works("grid sender", parcel_grid_plan_of_sender(from, to, part, &plan)))
      while (parcel_grid_plan_next(&plan, &move)) {
        SHOW("grid sender", move.sender, move.receiver);
        show_box("  from", &move.from);
        show_box("  to", &move.to);
        show_box("  points", &move.points);
      }
    if (works("grid receiver", parcel_grid_plan_of_receiver(from, to, part, &plan)))
      while (parcel_grid_plan_next(&plan, &move)) {
        SHOW("grid receiver", move.sender, move.receiver);
        show_box("  from", &move.from);
        show_box("  to", &move.to);
        show_box("  points", &move.points);
      }
  }
}

static void grid_calls(void)
{
  const parcel_grid_axis boxes[] = {
      {.extent = 10, .parts = 2}, {.extent = 9, .parts = 3, .is_periodic = true}, {.extent = 2, .parts = 1}};
  const parcel_grid_axis mixed[] = {
      {.extent = 10, .parts = 3},
      {.extent = 9, .parts = 2, .kind = PARCEL_GRID_CYCLIC, .block = 2, .is_periodic = true},
      {.extent = 2, .kind = PARCEL_GRID_WHOLE}};
  const parcel_grid_axis huge[] = {{.extent = INT64_MAX, .parts = 3},
                                   {.extent = INT64_MAX, .parts = 2, .is_periodic = true},
                                   {.extent = INT64_MAX, .parts = 1}};
  const parcel_grid_axis wrong[] = {{.extent = 10, .parts = 2}, {.extent = -1, .parts = 2}, {.extent = 1}};
  parcel_grid box_grid, mixed_grid, huge_grid;
  SHOW("kinds", PARCEL_GRID_BLOCK, PARCEL_GRID_CYCLIC, PARCEL_GRID_WHOLE, PARCEL_GRID_DIMENSIONS);
  if (works("grid", parcel_grid_make(3, boxes, &box_grid)) &&
      works("grid", parcel_grid_make(3, mixed, &mixed_grid)) &&
      works("grid", parcel_grid_make(3, huge, &huge_grid))) {
    show_grid(&box_grid, &mixed_grid);
    show_grid(&mixed_grid, &box_grid);
    show_grid(&huge_grid, &box_grid);
    show_grid_moves(&box_grid, &mixed_grid);
    show_grid_moves(&box_grid, &huge_grid);
  }
  if (works("grid", parcel_grid_make(3, wrong, &box_grid)))
    SHOW("grid of wrong axes", 3);
  if (works("grid", parcel_grid_make(0, wrong, &box_grid)))
    SHOW("grid of no axes", 0);
}

static void show_schedule(const char *what, parcel_status status, const parcel_schedule *schedule)
{
  if (!works(what, status))
    return;
  const parcel_index steps = parcel_schedule_steps(schedule);
  const parcel_index asked[] = {-1, 0, 1, 2, steps / 2, steps - 1, steps};
  SHOW(what, schedule->kind, schedule->parts, schedule->n, schedule->chunk, schedule->steps, schedule->head,
       schedule->first, schedule->decrement, schedule->shares != NULL, steps);
  for (int i = 0; i < LENGTH(asked); ++i) {
    const parcel_span span = parcel_schedule_span(schedule, asked[i]);
    SHOW("  step", asked[i], span.begin, span.end);
  }
}

static void schedule_calls(void)
{
  static const char *texts[] = {"static",  "guided,4", "fixed,1_000",
                                "dinamic", "fixed,",   "self,99999999999999999999"};
  const parcel_index sizes[] = {-1, 0, 100, INT64_MAX}, chunks[] = {-1, 0, 7};
  const double weights[] = {1, 2, 0, 0.5};
  parcel_schedule schedule = {0};
  parcel_layout *shares = NULL;
  parcel_schedule_kind kind = PARCEL_SCHEDULE_STATIC;
  parcel_index chunk = 0;
  SHOW("kinds", PARCEL_SCHEDULE_STATIC, PARCEL_SCHEDULE_SELF, PARCEL_SCHEDULE_FIXED, PARCEL_SCHEDULE_GUIDED,
       PARCEL_SCHEDULE_TRAPEZOID, PARCEL_SCHEDULE_FACTORING, PARCEL_SCHEDULE_WEIGHTED);
  for (int k = 0; k <= 7; ++k) {
    show_text("kind", parcel_schedule_name((parcel_schedule_kind)k));
    for (int i = 0; i < LENGTH(sizes); ++i)
      for (int c = 0; c < LENGTH(chunks); ++c)
        show_schedule("schedule",
                      parcel_schedule_make((parcel_schedule_kind)k, sizes[i], 4, chunks[c], &schedule),
                      &schedule);
  }
  for (int i = 0; i < LENGTH(texts); ++i)
    if (works("schedule_parse", parcel_schedule_parse(texts[i], &kind, &chunk)))
      SHOW("schedule_parse", kind, chunk);
  if (works("shares", parcel_layout_weighted(1000, 4, weights, &shares)))
    for (int i = 0; i < LENGTH(sizes); ++i)
      show_schedule("weighted", parcel_schedule_make_weighted(sizes[i], shares, 3, &schedule), &schedule);
  parcel_layout_free(&shares);
  if (works("shares", parcel_layout_cyclic(1000, 4, 1, &shares)))
    show_schedule("weighted", parcel_schedule_make_weighted(100, shares, 3, &schedule), &schedule);
  parcel_layout_free(&shares);
}

static void show_moves(const char *what, parcel_plan *plan)
{
  parcel_index moves = -1, positions = -1;
  parcel_move move;
  parcel_plan_count(plan, &moves, &positions);
  SHOW(what, moves, positions);
  while (parcel_plan_next(plan, &move))
    SHOW("  move", move.sender, move.receiver, move.count, move.from.begin, move.from.end, move.to.begin,
         move.to.end, move.positions.begin, move.positions.end);
}

static void show_plans(const char *one, const char *other)
{
  parcel_layout *from = NULL, *to = NULL;
  parcel_plan plan;
  parcel_slab slabs[2];
  int counts[4] = {0}, displacements[4] = {0};
  if (!works("from", parcel_layout_parse(one, &from)) || !works("to", parcel_layout_parse(other, &to)))
    return;
  for (int part = -1; part <= 3; ++part) {
    if (works("sender", parcel_plan_of_sender(from, to, part, &plan)))
      show_moves("sender", &plan);
    if (works("receiver", parcel_plan_of_receiver(from, to, part, &plan)))
      show_moves("receiver", &plan);
    if (works("between", parcel_plan_between(from, 1, to, part, &plan)))
      show_moves("between", &plan);
  }
  if (works("slab", parcel_plan_slab(from, 0, &slabs[0])) &&
      works("slab", parcel_plan_slab(to, 1, &slabs[1]))) {
    parcel_plan_of_slabs(slabs[0], 10, slabs[1], 11, &plan);
    show_moves("slabs", &plan);
  }
  for (int width = 0; width <= 2; ++width)
    if (works("counts", parcel_plan_mpi_counts(from, width, counts, displacements)))
      SHOW("counts", counts[0], counts[1], counts[2], counts[3], displacements[0], displacements[1],
           displacements[2], displacements[3]);
  parcel_layout_free(&from);
  parcel_layout_free(&to);
}

static void plan_calls(void)
{
  SHOW("sizes", sizeof(parcel_span), sizeof(parcel_range), sizeof(parcel_block_grid),
       sizeof(parcel_grid_axis), sizeof(parcel_grid), sizeof(parcel_box), sizeof(parcel_schedule),
       sizeof(parcel_slab), sizeof(parcel_move), sizeof(parcel_plan), sizeof(parcel_grid_move),
       sizeof(parcel_grid_plan));
  show_plans("block(100,4)", "cyclic(100,4,block=7)");
  show_plans("cyclic(100,4,block=7)", "explicit(0,10,10,70,100)");
  show_plans("block(9223372036854775807,4)", "ceiling(9223372036854775807,3)");
  show_plans("block(100,4)", "block(99,4)");
}

int main(void)
{
  base_calls();
  range_calls();
  block_calls();
  layout_calls();
  dims_calls();
  grid_calls();
  schedule_calls();
  plan_calls();
  return 0;
}
