/* A part is a slab (plan.h), so a plan is a walk over the intersection of slabs that keeps nothing but where
 * it is.
 *
 * The plan of a sender or receiver asks, at each position that is left of its own slab, who owns it on the
 * other side: one owner and one slab of O(1), or O(log parts), per overlap. The plan of two parts goes from
 * one slab to the other and back, and leaps over the sender's blocks that miss (slab.c), so that a part of a
 * million blocks of which one meets the receiver is found in O(log n).
 *
 * Both yield overlaps in ascending order. They are joined where they continue each other in both arrays; that
 * holds between neighbours in the sender's order and in the receiver's alike, so every kind of plan joins the
 * same. */
#include <parcel/plan.h>

#include <inttypes.h>

#include "slab_impl.h"

/* ---- the sides ---- */

static int owner_of(const struct parcel_plan_side *side, parcel_index position)
{
  if (side->layout)
    return parcel_layout_owner(side->layout, position);
  const parcel_grid line = {.dimensions = 1, .axes = {side->axis}};
  return parcel_grid_owner(&line, &position);
}

static void set_part(struct parcel_plan_side *side, int part)
{
  side->part = part;
  side->slab =
      side->layout ? parcel__slab_of_part(side->layout, part) : parcel__slab_of_axis(&side->axis, part);
}

/* ---- overlaps ---- */

static parcel_span shared(parcel_span one, parcel_span other)
{
  return (parcel_span){one.begin > other.begin ? one.begin : other.begin,
                       one.end < other.end ? one.end : other.end};
}

/* An overlap of `count` positions, all of one block unless the two slabs are equal. */
static void make_move(parcel_plan *plan, parcel_span positions, parcel_index count, parcel_move *move)
{
  const parcel_index from = parcel__slab_local(&plan->from.slab, positions.begin);
  const parcel_index to = parcel__slab_local(&plan->to.slab, positions.begin);
  *move = (parcel_move){.sender = plan->from.part,
                        .receiver = plan->to.part,
                        .count = count,
                        .from = {from, from + count},
                        .to = {to, to + count},
                        .positions = positions};
  plan->cursor = positions.end;
}

/* Two equal slabs have one move, however many blocks: found without looking at them. */
static bool find_whole(parcel_plan *plan, parcel_move *move)
{
  const parcel_slab *slab = &plan->from.slab;
  if (plan->cursor > slab->start || !parcel__slab_is_equal(slab, &plan->to.slab))
    return false;
  const parcel_index blocks = slab->count + (slab->tail > 0);
  const parcel_index end =
      slab->start + (blocks - 1) * slab->stride + (slab->tail > 0 ? slab->tail : slab->block);
  make_move(plan, (parcel_span){slab->start, end}, parcel_slab_size(*slab), move);
  return true;
}

static bool find_on_other_side(parcel_plan *plan, parcel_move *move)
{
  struct parcel_plan_side *own = plan->kind == PARCEL_PLAN_SENDER ? &plan->from : &plan->to;
  struct parcel_plan_side *other = plan->kind == PARCEL_PLAN_SENDER ? &plan->to : &plan->from;
  parcel_span run;
  parcel_span other_run;
  parcel_index block = 0;
  if (!parcel__slab_seek(&own->slab, plan->cursor, &run, &block))
    return false;
  const int peer = owner_of(other, run.begin);
  if (peer != other->part)
    set_part(other, peer);
  if (find_whole(plan, move))
    return true;
  if (!parcel__slab_seek(&other->slab, run.begin, &other_run, &block))
    return false;
  run = shared(run, other_run);
  make_move(plan, run, run.end - run.begin, move);
  return true;
}

static bool find_between(parcel_plan *plan, parcel_move *move)
{
  parcel_span from;
  parcel_span to;
  parcel_index block = 0;
  parcel_index to_block = 0;
  for (;;) {
    if (!parcel__slab_seek(&plan->from.slab, plan->cursor, &from, &block) ||
        !parcel__slab_seek(&plan->to.slab, from.begin, &to, &to_block))
      return false;
    if (to.begin < from.end)
      break;
    if (!parcel__slab_next_hit(&plan->hits, &plan->from.slab, &plan->to.slab, block, &plan->cursor))
      return false;
  }
  if (find_whole(plan, move))
    return true;
  from = shared(from, to);
  make_move(plan, from, from.end - from.begin, move);
  return true;
}

static bool find_next(parcel_plan *plan, parcel_move *move)
{
  return plan->kind == PARCEL_PLAN_PAIR ? find_between(plan, move) : find_on_other_side(plan, move);
}

static bool continues(const parcel_move *move, const parcel_move *next)
{
  return move->sender == next->sender && move->receiver == next->receiver &&
         move->from.end == next->from.begin && move->to.end == next->to.begin;
}

bool parcel_plan_next(parcel_plan *plan, parcel_move *move)
{
  parcel_move next;
  if (!plan->has_held && !find_next(plan, &plan->held))
    return false;
  while ((plan->has_held = find_next(plan, &next)) && continues(&plan->held, &next)) {
    plan->held.count += next.count;
    plan->held.from.end = next.from.end;
    plan->held.to.end = next.to.end;
    plan->held.positions.end = next.positions.end;
  }
  *move = plan->held;
  if (plan->has_held)
    plan->held = next;
  return true;
}

void parcel_plan_count(const parcel_plan *plan, parcel_index *moves, parcel_index *positions)
{
  parcel_plan rest = *plan;
  parcel_move move;
  parcel_index move_count = 0;
  parcel_index position_count = 0;
  while (parcel_plan_next(&rest, &move)) {
    ++move_count;
    position_count += move.count;
  }
  if (moves)
    *moves = move_count;
  if (positions)
    *positions = position_count;
}

/* ---- beginning ---- */

static parcel_status check_part(const parcel_layout *layout, int part)
{
  if (!layout)
    return parcel_fail(PARCEL_INVALID, "no plan without a layout: it is NULL");
  if (part < 0 || part >= parcel_layout_parts(layout))
    return parcel_fail(PARCEL_INVALID, "there is no part %d: the layout has parts 0 to %d", part,
                       parcel_layout_parts(layout) - 1);
  return PARCEL_OK;
}

static parcel_status check_sizes(const parcel_layout *from, const parcel_layout *to)
{
  if (parcel_layout_size(from) != parcel_layout_size(to))
    return parcel_fail(PARCEL_INVALID,
                       "no plan from a layout of %" PRId64 " positions to one of %" PRId64
                       "; both must be of the same array",
                       parcel_layout_size(from), parcel_layout_size(to));
  return PARCEL_OK;
}

parcel_status parcel_plan_slab(const parcel_layout *layout, int part, parcel_slab *out)
{
  const parcel_status status = check_part(layout, part);
  if (!status)
    *out = parcel__slab_of_part(layout, part);
  return status;
}

void parcel_plan_of_slabs(parcel_slab from, int sender, parcel_slab to, int receiver, parcel_plan *out)
{
  *out = (parcel_plan){.kind = PARCEL_PLAN_PAIR,
                       .from = {.part = sender, .slab = from},
                       .to = {.part = receiver, .slab = to},
                       .cursor = from.start > to.start ? from.start : to.start};
}

parcel_status parcel_plan_between(const parcel_layout *from, int sender, const parcel_layout *to,
                                  int receiver, parcel_plan *out)
{
  parcel_status status = PARCEL_OK;
  if ((status = check_part(from, sender)) || (status = check_part(to, receiver)) ||
      (status = check_sizes(from, to)))
    return status;
  parcel_plan_of_slabs(parcel__slab_of_part(from, sender), sender, parcel__slab_of_part(to, receiver),
                       receiver, out);
  return PARCEL_OK;
}

/* The plan of one part, `own`, of either side; the other side has no part yet. */
static void begin_plan(parcel_plan *plan, int part)
{
  struct parcel_plan_side *own = plan->kind == PARCEL_PLAN_SENDER ? &plan->from : &plan->to;
  plan->from.part = plan->to.part = -1;
  set_part(own, part);
  plan->cursor = own->slab.start;
}

parcel_status parcel_plan_of_sender(const parcel_layout *from, const parcel_layout *to, int part,
                                    parcel_plan *out)
{
  parcel_status status = PARCEL_OK;
  if ((status = check_part(from, part)) || (status = check_part(to, 0)) || (status = check_sizes(from, to)))
    return status;
  *out = (parcel_plan){.kind = PARCEL_PLAN_SENDER, .from = {.layout = from}, .to = {.layout = to}};
  begin_plan(out, part);
  return PARCEL_OK;
}

parcel_status parcel_plan_of_receiver(const parcel_layout *from, const parcel_layout *to, int part,
                                      parcel_plan *out)
{
  parcel_status status = PARCEL_OK;
  if ((status = check_part(to, part)) || (status = check_part(from, 0)) || (status = check_sizes(from, to)))
    return status;
  *out = (parcel_plan){.kind = PARCEL_PLAN_RECEIVER, .from = {.layout = from}, .to = {.layout = to}};
  begin_plan(out, part);
  return PARCEL_OK;
}

/* ---- grids: the moves along each dimension, combined like the digits of a counter ---- */

static parcel_status begin_grid_plan(enum parcel_plan_kind kind, const parcel_grid *from,
                                     const parcel_grid *to, int part, parcel_grid_plan *out)
{
  const parcel_grid *own = kind == PARCEL_PLAN_SENDER ? from : to;
  int coordinates[PARCEL_GRID_DIMENSIONS];
  if (from->dimensions != to->dimensions)
    return parcel_fail(PARCEL_INVALID, "no plan from a grid of %d dimensions to one of %d", from->dimensions,
                       to->dimensions);
  for (int d = 0; d < from->dimensions; ++d)
    if (from->axes[d].extent != to->axes[d].extent)
      return parcel_fail(PARCEL_INVALID,
                         "no plan from a grid with %" PRId64 " points in dimension %d to one with %" PRId64,
                         from->axes[d].extent, d, to->axes[d].extent);
  if (!parcel_grid_coordinates(own, part, coordinates))
    return parcel_fail(PARCEL_INVALID, "there is no part %d: the grid has parts 0 to %d", part,
                       parcel_grid_parts(own) - 1);
  *out = (parcel_grid_plan){.dimensions = own->dimensions, .from = from, .to = to};
  for (int d = 0; d < own->dimensions; ++d) {
    out->first[d] = (parcel_plan){.kind = kind, .from = {.axis = from->axes[d]}, .to = {.axis = to->axes[d]}};
    begin_plan(&out->first[d], coordinates[d]);
  }
  return PARCEL_OK;
}

parcel_status parcel_grid_plan_of_sender(const parcel_grid *from, const parcel_grid *to, int part,
                                         parcel_grid_plan *out)
{
  return begin_grid_plan(PARCEL_PLAN_SENDER, from, to, part, out);
}

parcel_status parcel_grid_plan_of_receiver(const parcel_grid *from, const parcel_grid *to, int part,
                                           parcel_grid_plan *out)
{
  return begin_grid_plan(PARCEL_PLAN_RECEIVER, from, to, part, out);
}

static bool restart_axis(parcel_grid_plan *plan, int dimension)
{
  plan->rest[dimension] = plan->first[dimension];
  return parcel_plan_next(&plan->rest[dimension], &plan->current[dimension]);
}

/* The last dimension goes on; where one is through, it restarts and the one before it goes on. */
static bool advance(parcel_grid_plan *plan)
{
  bool is_found = true;
  if (!plan->is_begun) {
    for (int d = 0; d < plan->dimensions; ++d)
      is_found = is_found && restart_axis(plan, d);
    plan->is_begun = true;
    return is_found;
  }
  for (int d = plan->dimensions - 1; d >= 0; --d) {
    if (parcel_plan_next(&plan->rest[d], &plan->current[d]))
      return true;
    restart_axis(plan, d);
  }
  return false;
}

bool parcel_grid_plan_next(parcel_grid_plan *plan, parcel_grid_move *move)
{
  int sender[PARCEL_GRID_DIMENSIONS];
  int receiver[PARCEL_GRID_DIMENSIONS];
  if (plan->is_at_end || !advance(plan)) {
    plan->is_at_end = true;
    return false;
  }
  *move = (parcel_grid_move){0};
  for (int d = 0; d < plan->dimensions; ++d) {
    const parcel_move *along = &plan->current[d];
    sender[d] = along->sender;
    receiver[d] = along->receiver;
    move->from.begin[d] = along->from.begin;
    move->from.end[d] = along->from.end;
    move->to.begin[d] = along->to.begin;
    move->to.end[d] = along->to.end;
    move->points.begin[d] = along->positions.begin;
    move->points.end[d] = along->positions.end;
  }
  move->sender = parcel_grid_part(plan->from, sender);
  move->receiver = parcel_grid_part(plan->to, receiver);
  return true;
}
