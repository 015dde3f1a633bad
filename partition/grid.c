/* Every dimension is a small layout by itself; a query asks each of them and combines the answers, by
 * Horner's rule from the first dimension on (row-major) or by repeated division from the last one. So the
 * arithmetic that could overflow is in few places: the along_... functions stay below the extent by
 * construction, and products are checked by multiply(). Cyclic dimensions: with B = ceil(extent / block)
 * blocks dealt in turn to P parts, part c has blocks c, c + P, ... below B (ScaLAPACK's rule, with the first
 * block on part 0). */
#include <parcel/grid.h>

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <parcel/block.h>

/* ---- one dimension; `part` is the coordinate in it, and exists ---- */

/* One part, whatever its kind, has every point in one run. */
static bool is_dealt(const parcel_grid_axis *axis)
{
  return axis->kind == PARCEL_GRID_CYCLIC && axis->parts > 1;
}

static parcel_index blocks_along(const parcel_grid_axis *axis)
{
  return axis->extent / axis->block + (axis->extent % axis->block != 0);
}

static parcel_index spans_along(const parcel_grid_axis *axis, int part)
{
  if (is_dealt(axis)) {
    const parcel_index blocks = blocks_along(axis);
    return part < blocks ? (blocks - 1 - part) / axis->parts + 1 : 0;
  }
  const parcel_span span = parcel_block_span(axis->extent, axis->parts, part);
  return span.begin < span.end;
}

/* k is below spans_along: so the block's number is below blocks_along, and its begin below the extent. */
static parcel_span span_along(const parcel_grid_axis *axis, int part, parcel_index k)
{
  if (!is_dealt(axis))
    return parcel_block_span(axis->extent, axis->parts, part);
  const parcel_index begin = (k * axis->parts + part) * axis->block;
  const parcel_index room = axis->extent - begin;
  return (parcel_span){begin, begin + (room < axis->block ? room : axis->block)};
}

/* Every run but the last one is a full block. */
static parcel_index count_along(const parcel_grid_axis *axis, int part)
{
  const parcel_index spans = spans_along(axis, part);
  if (spans == 0)
    return 0;
  const parcel_span last = span_along(axis, part, spans - 1);
  return last.end - last.begin + (spans > 1 ? (spans - 1) * axis->block : 0);
}

static int owner_along(const parcel_grid_axis *axis, parcel_index x)
{
  return (int)(is_dealt(axis) ? x / axis->block % axis->parts
                              : parcel_block_owner(axis->extent, axis->parts, x));
}

static parcel_index local_along(const parcel_grid_axis *axis, parcel_index x)
{
  if (is_dealt(axis))
    return x / axis->block / axis->parts * axis->block + x % axis->block;
  return x - parcel_block_span(axis->extent, axis->parts, owner_along(axis, x)).begin;
}

static parcel_index global_along(const parcel_grid_axis *axis, int part, parcel_index local)
{
  if (is_dealt(axis))
    return span_along(axis, part, local / axis->block).begin + local % axis->block;
  return parcel_block_span(axis->extent, axis->parts, part).begin + local;
}

/* ---- all dimensions ---- */

/* In [0, count), for count >= 1. */
static parcel_index modulo(parcel_index value, parcel_index count)
{
  const parcel_index rest = value % count;
  return rest < 0 ? rest + count : rest;
}

/* product *= factor, both >= 0; false, and nothing done, if that is more than INT64_MAX. */
static bool multiply(parcel_index *product, parcel_index factor)
{
  if (factor > 0 && *product > INT64_MAX / factor)
    return false;
  *product *= factor;
  return true;
}

/* A 0 among the factors makes the product 0, however large the others are. */
static bool multiply_all(int count, const parcel_index factors[], parcel_index *out)
{
  parcel_index product = 1;
  bool has_room = true;
  for (int i = 0; i < count; ++i) {
    if (factors[i] == 0) {
      *out = 0;
      return true;
    }
    has_room = has_room && multiply(&product, factors[i]);
  }
  if (has_room)
    *out = product;
  return has_room;
}

static bool has_part(const parcel_grid *grid, int part)
{
  return part >= 0 && part < parcel_grid_parts(grid);
}

static parcel_status no_such_part(const parcel_grid *grid, int part)
{
  return parcel_fail(PARCEL_INVALID, "no part %d in a grid of %d; they are numbered from 0", part,
                     parcel_grid_parts(grid));
}

static bool has_point(const parcel_grid *grid, const parcel_index point[])
{
  for (int i = 0; i < grid->dimensions; ++i)
    if (point[i] < 0 || point[i] >= grid->axes[i].extent)
      return false;
  return true;
}

/* The coordinate of a part in one dimension; -1 if either does not exist. */
static int coordinate_of(const parcel_grid *grid, int part, int dimension)
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  if (dimension < 0 || dimension >= grid->dimensions || !parcel_grid_coordinates(grid, part, coordinates))
    return -1;
  return coordinates[dimension];
}

/* ---- the grid ---- */

static parcel_status check_axis(int dimension, const parcel_grid_axis *axis)
{
  const bool is_whole = axis->kind == PARCEL_GRID_WHOLE;
  const bool is_cyclic = axis->kind == PARCEL_GRID_CYCLIC;
  if (axis->kind != PARCEL_GRID_BLOCK && !is_whole && !is_cyclic)
    return parcel_fail(PARCEL_INVALID,
                       "dimension %d: unknown kind %d; one of: block (%d), cyclic (%d), whole (%d)",
                       dimension, (int)axis->kind, PARCEL_GRID_BLOCK, PARCEL_GRID_CYCLIC, PARCEL_GRID_WHOLE);
  if (axis->extent < 0)
    return parcel_fail(PARCEL_INVALID, "dimension %d: an extent of %" PRId64 " points; it must be at least 0",
                       dimension, axis->extent);
  if (is_whole && axis->parts != 0 && axis->parts != 1)
    return parcel_fail(PARCEL_INVALID,
                       "dimension %d: %d parts of an undivided dimension; it must be 1 (or 0)", dimension,
                       axis->parts);
  if (!is_whole && axis->parts < 1)
    return parcel_fail(PARCEL_INVALID, "dimension %d: %d parts; there must be at least 1", dimension,
                       axis->parts);
  if (is_cyclic && axis->block < 1)
    return parcel_fail(PARCEL_INVALID,
                       "dimension %d: cyclic blocks of %" PRId64 " points; they must have at least 1",
                       dimension, axis->block);
  if (!is_cyclic && axis->block != 0)
    return parcel_fail(PARCEL_INVALID,
                       "dimension %d: a block of %" PRId64
                       " points, which only a cyclic dimension has; it must be 0",
                       dimension, axis->block);
  return PARCEL_OK;
}

parcel_status parcel_grid_make(int dimensions, const parcel_grid_axis axes[], parcel_grid *out)
{
  parcel_grid grid;
  parcel_index parts = 1;

  if (dimensions < 1 || dimensions > PARCEL_GRID_DIMENSIONS)
    return parcel_fail(PARCEL_INVALID, "a grid of %d dimensions; it has 1 to %d", dimensions,
                       PARCEL_GRID_DIMENSIONS);
  memset(&grid, 0, sizeof grid);
  grid.dimensions = dimensions;
  for (int i = 0; i < dimensions; ++i) {
    const parcel_status status = check_axis(i, &axes[i]);
    if (status)
      return status;
    grid.axes[i].extent = axes[i].extent;
    grid.axes[i].parts = axes[i].kind == PARCEL_GRID_WHOLE ? 1 : axes[i].parts;
    grid.axes[i].kind = axes[i].kind;
    grid.axes[i].block = axes[i].block;
    grid.axes[i].is_periodic = axes[i].is_periodic;
    parts *= grid.axes[i].parts; /* < 2^31 * 2^31 */
    if (parts > INT_MAX)
      return parcel_fail(PARCEL_RANGE, "dimension %d: with its %d parts the grid has more than %d in all", i,
                         axes[i].parts, INT_MAX);
  }
  *out = grid;
  return PARCEL_OK;
}

int parcel_grid_parts(const parcel_grid *grid)
{
  int parts = 1;
  for (int i = 0; i < grid->dimensions; ++i)
    parts *= grid->axes[i].parts;
  return parts;
}

parcel_status parcel_grid_size(const parcel_grid *grid, parcel_index *out)
{
  parcel_index extents[PARCEL_GRID_DIMENSIONS];
  for (int i = 0; i < grid->dimensions; ++i)
    extents[i] = grid->axes[i].extent;
  if (!multiply_all(grid->dimensions, extents, out))
    return parcel_fail(PARCEL_RANGE, "the grid has more points than 64 bits can count");
  return PARCEL_OK;
}

bool parcel_grid_is_equal(const parcel_grid *one, const parcel_grid *other)
{
  if (one->dimensions != other->dimensions)
    return false;
  for (int i = 0; i < one->dimensions; ++i) {
    const parcel_grid_axis *a = &one->axes[i];
    const parcel_grid_axis *b = &other->axes[i];
    if (a->extent != b->extent || a->parts != b->parts || a->kind != b->kind || a->block != b->block ||
        a->is_periodic != b->is_periodic)
      return false;
  }
  return true;
}

/* ---- parts and their coordinates ---- */

bool parcel_grid_coordinates(const parcel_grid *grid, int part, int coordinates[])
{
  if (!has_part(grid, part))
    return false;
  for (int i = grid->dimensions - 1; i >= 0; --i) {
    coordinates[i] = part % grid->axes[i].parts;
    part /= grid->axes[i].parts;
  }
  return true;
}

/* Coordinates are wide here: a coordinate and a step of the caller's are each an int. */
static int part_at(const parcel_grid *grid, const parcel_index coordinates[])
{
  parcel_index part = 0;
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    const parcel_index coordinate = axis->is_periodic ? modulo(coordinates[i], axis->parts) : coordinates[i];
    if (coordinate < 0 || coordinate >= axis->parts)
      return -1;
    part = part * axis->parts + coordinate;
  }
  return (int)part;
}

int parcel_grid_part(const parcel_grid *grid, const int coordinates[])
{
  parcel_index wide[PARCEL_GRID_DIMENSIONS];
  for (int i = 0; i < grid->dimensions; ++i)
    wide[i] = coordinates[i];
  return part_at(grid, wide);
}

int parcel_grid_neighbour(const parcel_grid *grid, int part, const int direction[])
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_index there[PARCEL_GRID_DIMENSIONS];
  if (!parcel_grid_coordinates(grid, part, coordinates))
    return -1;
  for (int i = 0; i < grid->dimensions; ++i)
    there[i] = (parcel_index)coordinates[i] + direction[i];
  return part_at(grid, there);
}

int parcel_grid_directions(const parcel_grid *grid)
{
  int count = 1;
  for (int i = 0; i < grid->dimensions; ++i)
    count *= 3;
  return count - 1;
}

/* The digits of a number in base 3, less 1 each; the number in the middle is (0, ..., 0) and is skipped. */
bool parcel_grid_direction(const parcel_grid *grid, int k, int direction[])
{
  const int directions = parcel_grid_directions(grid);
  if (k < 0 || k >= directions)
    return false;
  int number = k + (k >= directions / 2);
  for (int i = grid->dimensions - 1; i >= 0; --i) {
    direction[i] = number % 3 - 1;
    number /= 3;
  }
  return true;
}

bool parcel_grid_shift(const parcel_grid *grid, int part, int dimension, int steps, int *source,
                       int *destination)
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_index behind[PARCEL_GRID_DIMENSIONS];
  parcel_index ahead[PARCEL_GRID_DIMENSIONS];
  if (dimension < 0 || dimension >= grid->dimensions || !parcel_grid_coordinates(grid, part, coordinates))
    return false;
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_index step = i == dimension ? steps : 0;
    behind[i] = coordinates[i] - step;
    ahead[i] = coordinates[i] + step;
  }
  *source = part_at(grid, behind);
  *destination = part_at(grid, ahead);
  return true;
}

/* ---- points and their parts ---- */

int parcel_grid_owner(const parcel_grid *grid, const parcel_index point[])
{
  int part = 0;
  if (!has_point(grid, point))
    return -1;
  for (int i = 0; i < grid->dimensions; ++i)
    part = part * grid->axes[i].parts + owner_along(&grid->axes[i], point[i]);
  return part;
}

bool parcel_grid_wrap(const parcel_grid *grid, parcel_index point[])
{
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    const bool is_inside = point[i] >= 0 && point[i] < axis->extent;
    if (!is_inside && !(axis->is_periodic && axis->extent > 0))
      return false;
  }
  for (int i = 0; i < grid->dimensions; ++i)
    point[i] = modulo(point[i], grid->axes[i].extent);
  return true;
}

parcel_index parcel_grid_count(const parcel_grid *grid, int part, int dimension)
{
  const int coordinate = coordinate_of(grid, part, dimension);
  return coordinate < 0 ? 0 : count_along(&grid->axes[dimension], coordinate);
}

parcel_status parcel_grid_volume(const parcel_grid *grid, int part, parcel_index *out)
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_index counts[PARCEL_GRID_DIMENSIONS];
  if (!parcel_grid_coordinates(grid, part, coordinates))
    return no_such_part(grid, part);
  for (int i = 0; i < grid->dimensions; ++i)
    counts[i] = count_along(&grid->axes[i], coordinates[i]);
  if (!multiply_all(grid->dimensions, counts, out))
    return parcel_fail(PARCEL_RANGE, "part %d has more points than 64 bits can count", part);
  return PARCEL_OK;
}

parcel_index parcel_grid_local(const parcel_grid *grid, const parcel_index point[])
{
  parcel_index local = 0;
  if (!has_point(grid, point))
    return -1;
  for (int i = 0; i < grid->dimensions; ++i) {
    const parcel_grid_axis *axis = &grid->axes[i];
    const parcel_index along = local_along(axis, point[i]);
    if (!multiply(&local, count_along(axis, owner_along(axis, point[i]))) || local > INT64_MAX - along)
      return -1;
    local += along;
  }
  return local;
}

bool parcel_grid_global(const parcel_grid *grid, int part, parcel_index local, parcel_index point[])
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_index found[PARCEL_GRID_DIMENSIONS];
  if (local < 0 || !parcel_grid_coordinates(grid, part, coordinates))
    return false;
  for (int i = grid->dimensions - 1; i >= 0; --i) {
    const parcel_index count = count_along(&grid->axes[i], coordinates[i]);
    if (count == 0)
      return false;
    found[i] = global_along(&grid->axes[i], coordinates[i], local % count);
    local /= count;
  }
  if (local > 0)
    return false;
  memcpy(point, found, (size_t)grid->dimensions * sizeof *point);
  return true;
}

/* ---- spans and boxes ---- */

parcel_index parcel_grid_spans(const parcel_grid *grid, int part, int dimension)
{
  const int coordinate = coordinate_of(grid, part, dimension);
  return coordinate < 0 ? 0 : spans_along(&grid->axes[dimension], coordinate);
}

parcel_span parcel_grid_span(const parcel_grid *grid, int part, int dimension, parcel_index k)
{
  const int coordinate = coordinate_of(grid, part, dimension);
  if (coordinate < 0 || k < 0 || k >= spans_along(&grid->axes[dimension], coordinate))
    return (parcel_span){0, 0};
  return span_along(&grid->axes[dimension], coordinate, k);
}

static bool is_empty(const parcel_grid *grid, const int coordinates[])
{
  for (int i = 0; i < grid->dimensions; ++i)
    if (spans_along(&grid->axes[i], coordinates[i]) == 0)
      return true;
  return false;
}

parcel_status parcel_grid_box(const parcel_grid *grid, int part, parcel_box *out)
{
  int coordinates[PARCEL_GRID_DIMENSIONS];
  parcel_box box = {{0}, {0}};

  if (!parcel_grid_coordinates(grid, part, coordinates))
    return no_such_part(grid, part);
  const int dimensions = is_empty(grid, coordinates) ? 0 : grid->dimensions;
  for (int i = 0; i < dimensions; ++i) {
    const parcel_index spans = spans_along(&grid->axes[i], coordinates[i]);
    if (spans > 1)
      return parcel_fail(PARCEL_INVALID,
                         "part %d is no box: it has %" PRId64
                         " runs along dimension %d, which is cyclic; ask for each",
                         part, spans, i);
    const parcel_span span = span_along(&grid->axes[i], coordinates[i], 0);
    box.begin[i] = span.begin;
    box.end[i] = span.end;
  }
  *out = box;
  return PARCEL_OK;
}

/* begin - width is at least -INT64_MAX; only the end can be too large. */
parcel_status parcel_grid_halo(const parcel_grid *grid, int part, const parcel_index widths[],
                               parcel_box *out)
{
  parcel_box box = {{0}, {0}};
  const parcel_status status = parcel_grid_box(grid, part, &box);
  if (status)
    return status;
  for (int i = 0; i < grid->dimensions; ++i)
    if (widths[i] < 0)
      return parcel_fail(PARCEL_INVALID,
                         "a halo of %" PRId64 " points in dimension %d; it must be at least 0", widths[i], i);
  for (int i = 0; i < grid->dimensions && box.begin[0] < box.end[0]; ++i) { /* an empty box stays so */
    const parcel_grid_axis *axis = &grid->axes[i];
    if (axis->is_periodic && widths[i] > INT64_MAX - box.end[i])
      return parcel_fail(PARCEL_RANGE, "a halo of %" PRId64 " points in dimension %d ends beyond 64 bits",
                         widths[i], i);
    const bool is_below = !axis->is_periodic && widths[i] > box.begin[i];
    const bool is_above = !axis->is_periodic && widths[i] > axis->extent - box.end[i];
    box.begin[i] = is_below ? 0 : box.begin[i] - widths[i];
    box.end[i] = is_above ? axis->extent : box.end[i] + widths[i];
  }
  *out = box;
  return PARCEL_OK;
}
