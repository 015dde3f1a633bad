/* Which blocks of a slab a meet a block of a slab b? With S = b.stride, block k of a begins at
 * a.start + k * a.stride, so t(k) = (a.start + k * a.stride - b.start) mod S behind the begin of b's block
 * before it, and meets b if t(k) < b.block (it begins inside that block) or t(k) > S - a.block (it reaches
 * the next one). With u(k) = (t(k) + a.block - 1) mod S that is the one condition
 *
 *     u(k) < L,    L = a.block + b.block - 1,
 *
 * true of all k if L >= S. So we look for the k at which a walk round a circle of S places, in steps of
 * a.stride, falls into [0, L).
 *
 * The first such k comes from a descent like Euclid's (first_in_window), in O(log S). The following ones take
 * O(1) each by the three-gap theorem (Slater, Gaps and steps for the sequence n theta mod 1, Proc. Camb.
 * Phil. Soc. 63, 1967): let `up` be the shift after the least number of steps that shifts forward by less
 * than L, and `down` the same backward. From a place u in the window, the walk is first back in it after
 * up_steps if u + up < L, after down_steps if u >= down, and after up_steps + down_steps if neither holds.
 * Both hold only if up == down == 0 and the steps are the same: otherwise the difference of the two, in fewer
 * steps than the longer of them, would be a shift of up + down < L.
 *
 * All of it in unsigned 64 bits: S, L and every residue are below 2^63, or the slab would have one block
 * only. */
#include "slab_impl.h"

parcel_index parcel_slab_size(parcel_slab slab)
{
  return slab.count * slab.block + slab.tail;
}

/* From what a part says of its blocks; those it does not have are empty. */
static parcel_slab make_slab(parcel_span first, parcel_span second, parcel_index blocks, parcel_span last)
{
  const parcel_index block = first.end - first.begin;
  const parcel_index tail = last.end - last.begin;
  if (blocks == 0)
    return (parcel_slab){.stride = 1, .block = 1};
  if (blocks == 1)
    return (parcel_slab){.start = first.begin, .stride = block, .block = block, .count = 1};
  const bool is_short = tail < block;
  return (parcel_slab){.start = first.begin,
                       .stride = second.begin - first.begin,
                       .block = block,
                       .count = blocks - is_short,
                       .tail = is_short ? tail : 0};
}

parcel_slab parcel__slab_of_part(const parcel_layout *layout, int part)
{
  const parcel_index blocks = parcel_layout_spans(layout, part);
  const parcel_span first = parcel_layout_span(layout, part, 0);
  if (blocks < 2)
    return make_slab(first, first, blocks, first);
  return make_slab(first, parcel_layout_span(layout, part, 1), blocks,
                   parcel_layout_span(layout, part, blocks - 1));
}

parcel_slab parcel__slab_of_axis(const parcel_grid_axis *axis, int coordinate)
{
  const parcel_grid line = {.dimensions = 1, .axes = {*axis}};
  const parcel_index blocks = parcel_grid_spans(&line, coordinate, 0);
  const parcel_span first = parcel_grid_span(&line, coordinate, 0, 0);
  const parcel_span second = parcel_grid_span(&line, coordinate, 0, 1);
  const parcel_span last = parcel_grid_span(&line, coordinate, 0, blocks - 1);
  return make_slab(first, second, blocks, last);
}

bool parcel__slab_is_equal(const parcel_slab *one, const parcel_slab *other)
{
  return one->start == other->start && one->stride == other->stride && one->block == other->block &&
         one->count == other->count && one->tail == other->tail;
}

bool parcel__slab_seek(const parcel_slab *slab, parcel_index from, parcel_span *rest, parcel_index *block)
{
  const parcel_index blocks = slab->count + (slab->tail > 0);
  const parcel_index offset = from > slab->start ? from - slab->start : 0;
  parcel_index k = offset / slab->stride;
  parcel_index inside = offset % slab->stride;
  if (inside >= (k < slab->count ? slab->block : slab->tail)) {
    ++k;
    inside = 0;
  }
  if (k >= blocks)
    return false;
  const parcel_index begin = slab->start + k * slab->stride;
  *rest = (parcel_span){begin + inside, begin + (k < slab->count ? slab->block : slab->tail)};
  *block = k;
  return true;
}

parcel_index parcel__slab_local(const parcel_slab *slab, parcel_index position)
{
  const parcel_index offset = position - slab->start;
  return offset / slab->stride * slab->block + offset % slab->stride;
}

/* ---- the walk round the circle ---- */

typedef struct walk {
  uint64_t steps;
  uint64_t turns;   /* steps * step / modulus, rounded down */
  uint64_t residue; /* steps * step % modulus */
} walk;

/* The least number of steps after which a walk from 0 is in [low, high], low <= high < modulus, step <
 * modulus.
 *
 * If no step of the first turn hits, then it is the least number y of turns after which a multiple of `step`
 * lies in y * modulus + [low, high], that is (y * modulus) mod step in [-high, -low] mod step: the same
 * question for a smaller circle. Its answer tells y * (modulus % step) = step * turns + residue, so that the
 * multiple is found without forming y * modulus, which may not fit. */
static bool first_in_window(uint64_t step, uint64_t modulus, uint64_t low, uint64_t high, walk *out)
{
  if (low == 0) {
    *out = (walk){0};
    return true;
  }
  if (step == 0)
    return false;
  const uint64_t direct = low / step + (low % step != 0);
  if (direct * step <= high) {
    *out = (walk){.steps = direct, .residue = direct * step};
    return true;
  }
  walk inner;
  if (!first_in_window(modulus % step, step, step - high % step, step - low % step, &inner))
    return false;
  const uint64_t reach = low + inner.residue;
  const uint64_t more = reach / step + (reach % step != 0);
  *out = (walk){.steps = modulus / step * inner.steps + inner.turns + more,
                .turns = inner.steps,
                .residue = more * step - inner.residue};
  return true;
}

/* The least number of steps, at least 0, from `place` into [0, length). */
static bool first_hit_from(uint64_t place, uint64_t step, uint64_t modulus, uint64_t length, walk *out)
{
  const uint64_t low = (modulus - place) % modulus;
  if (low + length > modulus) {
    *out = (walk){0};
    return true;
  }
  return first_in_window(step, modulus, low, low + length - 1, out);
}

static uint64_t after(uint64_t place, uint64_t shift, uint64_t modulus)
{
  return (place + shift) % modulus;
}

static bool begin_hits(struct parcel_plan_hits *hits, const parcel_slab *a, const parcel_slab *b,
                       parcel_index block)
{
  const uint64_t modulus = (uint64_t)b->stride;
  const uint64_t length = (uint64_t)a->block + (uint64_t)b->block - 1;
  const uint64_t step = (uint64_t)a->stride % modulus;
  const parcel_index offset = (a->start + block * a->stride - b->start) % b->stride;
  const uint64_t residue = (uint64_t)(offset < 0 ? offset + b->stride : offset);
  const uint64_t place = after(residue, (uint64_t)a->block % modulus + modulus - 1, modulus);
  const uint64_t step_back = (modulus - step) % modulus;
  walk first;
  walk forward;
  walk backward;
  /* Every walk is back at its beginning after at most `modulus` steps: the last two do not fail. */
  if (!first_hit_from(place, step, modulus, length, &first) ||
      !first_hit_from(step, step, modulus, length, &forward) ||
      !first_hit_from(step_back, step_back, modulus, length, &backward))
    return false;
  if (first.steps >= (uint64_t)(a->count + (a->tail > 0) - block))
    return false;
  *hits = (struct parcel_plan_hits){.is_known = true,
                                    .block = block + (parcel_index)first.steps,
                                    .modulus = modulus,
                                    .length = length,
                                    .residue = after(place, first.residue, modulus),
                                    .up = after(step, forward.residue, modulus),
                                    .up_steps = forward.steps + 1,
                                    .down = after(step_back, backward.residue, modulus),
                                    .down_steps = backward.steps + 1};
  return true;
}

static bool next_hit(struct parcel_plan_hits *hits, parcel_index blocks)
{
  const bool rises = hits->residue + hits->up < hits->length;
  const bool falls = !rises && hits->residue >= hits->down;
  const uint64_t steps = (falls ? 0 : hits->up_steps) + (rises ? 0 : hits->down_steps);
  if (steps >= (uint64_t)(blocks - hits->block))
    return false;
  hits->block += (parcel_index)steps;
  if (!falls)
    hits->residue += hits->up;
  if (!rises)
    hits->residue -= hits->down;
  return true;
}

bool parcel__slab_next_hit(struct parcel_plan_hits *hits, const parcel_slab *a, const parcel_slab *b,
                           parcel_index block, parcel_index *begin)
{
  const parcel_index blocks = a->count + (a->tail > 0);
  if (block + 1 >= blocks)
    return false;
  if (a->block + (b->block - 1) >= b->stride) {
    *begin = a->start + (block + 1) * a->stride;
    return true;
  }
  if (!hits->is_known && !begin_hits(hits, a, b, block + 1))
    return false;
  while (hits->block <= block)
    if (!next_hit(hits, blocks))
      return false;
  *begin = a->start + hits->block * a->stride;
  return true;
}
