/* With q = n / parts and r = n % parts, part k begins at k * q + min(k, r). k * q <= n, and adding min(k,
 * r) stays <= n, so no step of either function can overflow. The first r parts hold q + 1 positions each,
 * r * (q + 1) <= n in all; the owner is found by dividing on the proper side of that point. When q == 0
 * nothing lies beyond it, so q never divides. */
#include <parcel/block.h>

#include <inttypes.h>

static parcel_index ceiling_of_quotient(parcel_index a, parcel_index b)
{
  return a / b + (a % b != 0);
}

parcel_span parcel_block_span(parcel_index n, parcel_index parts, parcel_index part)
{
  if (n < 0 || part < 0 || part >= parts)
    return (parcel_span){0, 0};
  const parcel_index quotient = n / parts;
  const parcel_index remainder = n % parts;
  const parcel_index begin = part * quotient + (part < remainder ? part : remainder);
  return (parcel_span){begin, begin + quotient + (part < remainder)};
}

parcel_index parcel_block_owner(parcel_index n, parcel_index parts, parcel_index position)
{
  if (parts < 1 || position < 0 || position >= n)
    return -1;
  const parcel_index quotient = n / parts;
  const parcel_index remainder = n % parts;
  const parcel_index larger = remainder * quotient + remainder;
  return position < larger ? position / (quotient + 1) : remainder + (position - larger) / quotient;
}

parcel_status parcel_block_grid_make(parcel_index positions, parcel_index parts, parcel_index block,
                                     parcel_block_grid *out)
{
  if (positions < 0 || parts < 1 || block < 1)
    return parcel_fail(PARCEL_INVALID,
                       "no grid over %" PRId64 " positions in %" PRId64 " parts with blocks of %" PRId64
                       "; positions must be at least 0, the others at least 1",
                       positions, parts, block);
  const parcel_index largest_part = ceiling_of_quotient(positions, parts);
  const parcel_index blocks_per_part = largest_part > 0 ? ceiling_of_quotient(largest_part, block) : 1;
  if (blocks_per_part > INT64_MAX / parts)
    return parcel_fail(PARCEL_RANGE,
                       "%" PRId64 " parts of %" PRId64 " blocks each are more than 64 bits can count", parts,
                       blocks_per_part);
  *out = (parcel_block_grid){.positions = positions, .parts = parts, .blocks_per_part = blocks_per_part};
  return PARCEL_OK;
}

parcel_index parcel_block_grid_count(parcel_block_grid grid)
{
  return grid.parts * grid.blocks_per_part;
}

/* Every block but the last ends before the last position, so nothing overflows. */
static parcel_span exact_span(parcel_block_grid grid, parcel_index block)
{
  const parcel_index begin = block * grid.exact;
  const parcel_index left = grid.positions - begin;
  return (parcel_span){begin, begin + (left < grid.exact ? left : grid.exact)};
}

parcel_span parcel_block_grid_span(parcel_block_grid grid, parcel_index block)
{
  if (block < 0 || block >= parcel_block_grid_count(grid))
    return (parcel_span){0, 0};
  if (grid.exact > 0)
    return exact_span(grid, block);
  const parcel_span part = parcel_block_span(grid.positions, grid.parts, block / grid.blocks_per_part);
  const parcel_span within =
      parcel_block_span(part.end - part.begin, grid.blocks_per_part, block % grid.blocks_per_part);
  return (parcel_span){part.begin + within.begin, part.begin + within.end};
}

parcel_index parcel_block_grid_owner(parcel_block_grid grid, parcel_index position)
{
  const parcel_index owner = parcel_block_owner(grid.positions, grid.parts, position);
  if (owner < 0)
    return -1;
  if (grid.exact > 0)
    return position / grid.exact;
  const parcel_span part = parcel_block_span(grid.positions, grid.parts, owner);
  return owner * grid.blocks_per_part +
         parcel_block_owner(part.end - part.begin, grid.blocks_per_part, position - part.begin);
}

parcel_index parcel_block_grid_largest(parcel_block_grid grid)
{
  if (grid.exact > 0)
    return grid.positions < grid.exact ? grid.positions : grid.exact;
  return ceiling_of_quotient(ceiling_of_quotient(grid.positions, grid.parts), grid.blocks_per_part);
}
