#include "unit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include <parcel/plan.h>

enum { MOST = 200 };

/* ---- layouts of every kind ---- */

static parcel_layout *weighted(parcel_index n, int parts, uint64_t *seed)
{
  double weights[64];
  parcel_layout *layout = NULL;
  for (int part = 0; part < parts; ++part)
    weights[part] = (double)random_below(seed, 4);
  weights[random_below(seed, parts)] = 1;
  assert_ok(parcel_layout_weighted(n, parts, weights, &layout));
  return layout;
}

static parcel_layout *explicit(parcel_index n, int parts, uint64_t *seed)
{
  parcel_index offsets[65] = {0};
  parcel_layout *layout = NULL;
  for (int part = 1; part < parts; ++part)
    offsets[part] = offsets[part - 1] + random_below(seed, (n - offsets[part - 1]) / 2 + 1);
  offsets[parts] = n;
  assert_ok(parcel_layout_explicit(parts, offsets, &layout));
  return layout;
}

enum { KINDS = 7 };

/* Cyclic ones twice as often: they are the ones with many runs. */
static parcel_layout *make_layout(int kind, parcel_index n, int parts, parcel_index block, uint64_t *seed)
{
  parcel_layout *layout = NULL;
  switch (kind) {
  case 0: assert_ok(parcel_layout_block(n, parts, &layout)); return layout;
  case 1: assert_ok(parcel_layout_aligned(n, parts, block, &layout)); return layout;
  case 2: assert_ok(parcel_layout_ceiling(n, parts, &layout)); return layout;
  case 3: return weighted(n, parts, seed);
  case 4: return explicit(n, parts, seed);
  default: assert_ok(parcel_layout_cyclic(n, parts, block, &layout)); return layout;
  }
}

static parcel_layout *random_layout(parcel_index n, parcel_index most_block, uint64_t *seed)
{
  const int parts = 1 + (int)random_below(seed, 12);
  return make_layout((int)random_below(seed, KINDS), n, parts, 1 + random_below(seed, most_block), seed);
}

/* ---- against what each position says of itself ---- */

/* Who has sent each position, and to where: filled by the moves, compared with the layouts. */
typedef struct journeys {
  int sender[MOST], receiver[MOST];
  parcel_index from[MOST], to[MOST];
} journeys;

static void clear(journeys *seen)
{
  for (int p = 0; p < MOST; ++p)
    seen->sender[p] = seen->receiver[p] = -1;
}

/* Every element of the move, placed by the sender's local index. False if a position moves twice. */
static bool note(journeys *seen, const parcel_layout *from, const parcel_move *move)
{
  for (parcel_index k = 0; k < move->count; ++k) {
    const parcel_index position = parcel_layout_global(from, move->sender, move->from.begin + k);
    if (position < move->positions.begin || position >= move->positions.end || seen->sender[position] >= 0)
      return false;
    seen->sender[position] = move->sender;
    seen->receiver[position] = move->receiver;
    seen->from[position] = move->from.begin + k;
    seen->to[position] = move->to.begin + k;
  }
  return move->count > 0 && move->from.end - move->from.begin == move->count &&
         move->to.end - move->to.begin == move->count;
}

static bool is_right_journey(const journeys *seen, const parcel_layout *from, const parcel_layout *to,
                             parcel_index position)
{
  return seen->sender[position] == parcel_layout_owner(from, position) &&
         seen->receiver[position] == parcel_layout_owner(to, position) &&
         seen->from[position] == parcel_layout_local(from, position) &&
         seen->to[position] == parcel_layout_local(to, position);
}

static void assert_complete(const journeys *seen, const parcel_layout *from, const parcel_layout *to)
{
  char texts[2][256];
  for (parcel_index p = 0; p < parcel_layout_size(from); ++p)
    if (!is_right_journey(seen, from, to, p)) {
      parcel_layout_format(from, texts[0], sizeof texts[0]);
      parcel_layout_format(to, texts[1], sizeof texts[1]);
      fail_msg("%s to %s: position %" PRId64 " goes wrong", texts[0], texts[1], p);
    }
}

/* In order, and no two neighbours of the same parts that should be one. Returns the number of moves. */
static parcel_index walk(parcel_plan plan, const parcel_layout *from, journeys *seen)
{
  parcel_move move;
  parcel_move before = {.positions.begin = -1};
  parcel_index moves = 0;
  parcel_index positions = 0;
  parcel_index counted[2];
  parcel_plan_count(&plan, &counted[0], &counted[1]);
  for (; parcel_plan_next(&plan, &move); before = move, ++moves) {
    assert_true(note(seen, from, &move));
    assert_true(move.positions.begin > before.positions.begin);
    assert_false(moves > 0 && before.sender == move.sender && before.receiver == move.receiver &&
                 before.from.end == move.from.begin && before.to.end == move.to.begin);
    positions += move.count;
  }
  assert_false(parcel_plan_next(&plan, &move));
  assert_int_equal(counted[0], moves);
  assert_int_equal(counted[1], positions);
  return moves;
}

static void check_plans(const parcel_layout *from, const parcel_layout *to)
{
  static journeys seen[3];
  parcel_index moves[3] = {0};
  parcel_plan plan;
  for (int kind = 0; kind < 3; ++kind)
    clear(&seen[kind]);
  for (int part = 0; part < parcel_layout_parts(from); ++part) {
    assert_ok(parcel_plan_of_sender(from, to, part, &plan));
    moves[0] += walk(plan, from, &seen[0]);
    for (int other = 0; other < parcel_layout_parts(to); ++other) {
      assert_ok(parcel_plan_between(from, part, to, other, &plan));
      moves[2] += walk(plan, from, &seen[2]);
    }
  }
  for (int part = 0; part < parcel_layout_parts(to); ++part) {
    assert_ok(parcel_plan_of_receiver(from, to, part, &plan));
    moves[1] += walk(plan, from, &seen[1]);
  }
  for (int kind = 0; kind < 3; ++kind)
    assert_complete(&seen[kind], from, to);
  assert_int_equal(moves[0], moves[1]);
  assert_int_equal(moves[0], moves[2]);
}

static void plan_every_position_moves_once_to_its_place(void **state)
{
  uint64_t seed = 1;
  (void)state;
  for (int round = 0; round < 4000; ++round) {
    const parcel_index n = random_below(&seed, MOST + 1);
    parcel_layout *from = random_layout(n, 1 + random_below(&seed, 30), &seed);
    parcel_layout *to = random_layout(n, 1 + random_below(&seed, 30), &seed);
    check_plans(from, to);
    parcel_layout_free(&from);
    parcel_layout_free(&to);
  }
}

static void plan_every_pair_of_kinds(void **state)
{
  static const parcel_index sizes[] = {0, 1, 2, 3, 31, 64, 97};
  uint64_t seed = 2;
  (void)state;
  for (int s = 0; s < LENGTH(sizes); ++s)
    for (int pair = 0; pair < KINDS * KINDS; ++pair) {
      parcel_layout *from = make_layout(pair / KINDS, sizes[s], 3, 2, &seed);
      parcel_layout *to = make_layout(pair % KINDS, sizes[s], 5, 3, &seed);
      check_plans(from, to);
      parcel_layout_free(&from);
      parcel_layout_free(&to);
    }
}

/* Small cyclic layouts, exhaustively: this is where the leaps over misses are. */
static void plan_between_all_small_cyclic_layouts(void **state)
{
  (void)state;
  for (parcel_index n = 37; n <= MOST; n += 81)
    for (int code = 0; code < 5 * 5 * 6 * 6; ++code) {
      parcel_layout *from = NULL;
      parcel_layout *to = NULL;
      assert_ok(parcel_layout_cyclic(n, 2 + code % 5, 1 + code / 25 % 6, &from));
      assert_ok(parcel_layout_cyclic(n, 2 + code / 5 % 5, 1 + code / 150, &to));
      check_plans(from, to);
      parcel_layout_free(&from);
      parcel_layout_free(&to);
    }
}

/* ---- merging ---- */

static void assert_moves(const parcel_layout *from, const parcel_layout *to, int part, parcel_index expected)
{
  parcel_plan plan;
  parcel_index moves = -1;
  assert_ok(parcel_plan_of_sender(from, to, part, &plan));
  parcel_plan_count(&plan, &moves, NULL);
  assert_int_equal(moves, expected);
}

static void plan_to_an_equal_layout_is_one_move(void **state)
{
  uint64_t seed = 3;
  (void)state;
  for (int kind = 0; kind < KINDS; ++kind) {
    parcel_layout *layout = make_layout(kind, INT64_MAX, 7, 5, &seed);
    for (int part = 0; part < 7; ++part) {
      parcel_plan plan;
      parcel_move move;
      parcel_index moves = -1;
      if (parcel_layout_count(layout, part) == 0)
        continue;
      assert_moves(layout, layout, part, 1);
      assert_ok(parcel_plan_between(layout, part, layout, part, &plan));
      parcel_plan_count(&plan, &moves, NULL);
      assert_int_equal(moves, 1);
      assert_true(parcel_plan_next(&plan, &move));
      assert_int_equal(move.count, parcel_layout_count(layout, part));
      assert_int_equal(move.positions.begin, parcel_layout_global(layout, part, 0));
      assert_int_equal(move.positions.end, 1 + parcel_layout_global(layout, part, move.count - 1));
    }
    parcel_layout_free(&layout);
  }
}

static void plan_joins_what_continues_in_both_arrays(void **state)
{
  parcel_layout *one = NULL;
  parcel_layout *threes = NULL;
  parcel_layout *twos = NULL;
  (void)state;
  /* 0, 3, 6, 9, 12, ... of three parts; 0 1, 4 5, 8 9, 12 13, ... of two: 9 and 12 are neighbours only in
   * from. */
  assert_ok(parcel_layout_cyclic(24, 3, 1, &threes));
  assert_ok(parcel_layout_cyclic(24, 2, 2, &twos));
  assert_ok(parcel_layout_cyclic(24, 1, 5, &one));
  assert_moves(one, one, 0, 1);
  assert_moves(one, twos, 0, 12);
  assert_moves(threes, one, 0, 8);
  parcel_plan plan;
  parcel_move move;
  assert_ok(parcel_plan_between(threes, 0, twos, 0, &plan));
  assert_true(parcel_plan_next(&plan, &move)); /* 0 */
  assert_true(parcel_plan_next(&plan, &move)); /* 9 and 12 have places 3, 4 in from, and 5, 6 in to */
  assert_int_equal(move.count, 2);
  assert_int_equal(move.positions.begin, 9);
  assert_int_equal(move.positions.end, 13);
  assert_int_equal(move.from.begin, 3);
  assert_int_equal(move.to.begin, 5);
  parcel_layout_free(&one);
  parcel_layout_free(&threes);
  parcel_layout_free(&twos);
}

/* ---- next to INT64_MAX ---- */

/* Both ends of a move are where the layouts say, and the next one begins behind it. */
static bool is_right_move(const parcel_layout *from, const parcel_layout *to, const parcel_move *move)
{
  const parcel_index last = move->positions.end - 1;
  return parcel_layout_owner(from, move->positions.begin) == move->sender &&
         parcel_layout_owner(to, move->positions.begin) == move->receiver &&
         parcel_layout_local(from, move->positions.begin) == move->from.begin &&
         parcel_layout_local(to, move->positions.begin) == move->to.begin &&
         parcel_layout_owner(from, last) == move->sender && parcel_layout_owner(to, last) == move->receiver &&
         parcel_layout_local(from, last) == move->from.end - 1 &&
         parcel_layout_local(to, last) == move->to.end - 1 &&
         move->count == move->from.end - move->from.begin && move->count == move->to.end - move->to.begin;
}

/* The first moves of a plan; those of a sender and receiver leave out no position of their part. */
static void check_beginning(parcel_plan plan, const parcel_layout *from, const parcel_layout *to)
{
  parcel_index expected = 0;
  for (int k = 0; k < 20; ++k) {
    parcel_move move;
    if (!parcel_plan_next(&plan, &move))
      break;
    assert_true(is_right_move(from, to, &move));
    if (plan.kind == PARCEL_PLAN_PAIR)
      continue;
    const parcel_span own = plan.kind == PARCEL_PLAN_SENDER ? move.from : move.to;
    assert_int_equal(own.begin, expected);
    expected = own.end;
  }
}

/* What both parts have near `position` is found by both walks of the pair: by the overlap of the runs
 * there. */
static void check_pair_at(const parcel_layout *from, const parcel_layout *to, parcel_index position)
{
  const int sender = parcel_layout_owner(from, position);
  const int receiver = parcel_layout_owner(to, position);
  parcel_slab slab;
  parcel_slab other;
  parcel_plan plan;
  parcel_move move;
  assert_ok(parcel_plan_slab(from, sender, &slab));
  assert_ok(parcel_plan_slab(to, receiver, &other));
  assert_int_equal(parcel_slab_size(slab), parcel_layout_count(from, sender));
  assert_int_equal(parcel_slab_size(other), parcel_layout_count(to, receiver));
  parcel_plan_of_slabs(slab, sender, other, receiver, &plan);
  assert_true(parcel_plan_next(&plan, &move));
  assert_true(is_right_move(from, to, &move) && move.positions.begin <= position);
  check_beginning(plan, from, to);
}

static void plan_is_exact_for_all_of_int64(void **state)
{
  uint64_t seed = 4;
  (void)state;
  for (int round = 0; round < 20000; ++round) {
    const parcel_index n = round % 3 ? INT64_MAX - random_below(&seed, 3) : random_from(&seed, 1);
    parcel_layout *from = random_layout(n, random_from(&seed, 1), &seed);
    parcel_layout *to = random_layout(n, random_from(&seed, 1), &seed);
    parcel_plan plan;
    assert_ok(parcel_plan_of_sender(from, to, parcel_layout_owner(from, random_below(&seed, n)), &plan));
    check_beginning(plan, from, to);
    assert_ok(parcel_plan_of_receiver(from, to, parcel_layout_owner(to, random_below(&seed, n)), &plan));
    check_beginning(plan, from, to);
    check_pair_at(from, to, random_below(&seed, n));
    parcel_layout_free(&from);
    parcel_layout_free(&to);
  }
}

/* cyclic(n, parts, block) with n and block times a factor: the same moves, times that factor. */
static void plan_of_scaled_layouts_is_the_scaled_plan(void **state)
{
  uint64_t seed = 9;
  (void)state;
  for (int round = 0; round < 20000; ++round) {
    const parcel_index n = 1 + random_below(&seed, MOST);
    const parcel_index factor = INT64_MAX / n - random_below(&seed, 9);
    const int parts[2] = {2 + (int)random_below(&seed, 7), 2 + (int)random_below(&seed, 7)};
    parcel_slab slabs[2][2];
    parcel_plan plans[2];
    parcel_move moves[2];
    for (int side = 0; side < 2; ++side) {
      const parcel_index block = 1 + random_below(&seed, n < 5 ? n : 5);
      const int part = (int)random_below(&seed, parts[side]);
      for (int k = 0; k < 2; ++k) {
        parcel_layout *layout = NULL;
        assert_ok(parcel_layout_cyclic(k ? n * factor : n, parts[side], k ? block * factor : block, &layout));
        assert_ok(parcel_plan_slab(layout, part, &slabs[k][side]));
        parcel_layout_free(&layout);
      }
    }
    for (int k = 0; k < 2; ++k)
      parcel_plan_of_slabs(slabs[k][0], 0, slabs[k][1], 1, &plans[k]);
    while (parcel_plan_next(&plans[0], &moves[0])) {
      assert_true(parcel_plan_next(&plans[1], &moves[1]));
      assert_int_equal(moves[1].positions.begin, factor * moves[0].positions.begin);
      assert_int_equal(moves[1].positions.end, factor * moves[0].positions.end);
      assert_int_equal(moves[1].from.begin, factor * moves[0].from.begin);
      assert_int_equal(moves[1].to.end, factor * moves[0].to.end);
      assert_int_equal(moves[1].count, factor * moves[0].count);
    }
    assert_false(parcel_plan_next(&plans[1], &moves[1]));
  }
}

/* The first meeting of two slabs may be far out: there it is found, and none before it. */
static void plan_leaps_over_misses(void **state)
{
  const parcel_index far = 2000003; /* from blocks meet every far-th of to's: both strides are prime */
  const parcel_slab from = {.start = 7, .stride = far, .block = 1, .count = INT64_MAX / far - 1};
  const parcel_slab to = {.start = 0, .stride = 4000037, .block = 1, .count = INT64_MAX / 4000037 - 1};
  parcel_plan plan;
  parcel_move move;
  parcel_index before = -1;
  (void)state;
  parcel_plan_of_slabs(from, 0, to, 1, &plan);
  for (int k = 0; k < 1000; ++k) {
    assert_true(parcel_plan_next(&plan, &move));
    assert_int_equal(move.positions.begin % far, 7);
    assert_int_equal(move.positions.begin % 4000037, 0);
    if (before >= 0)
      assert_int_equal(move.positions.begin - before, far * 4000037);
    assert_true(before >= 0 || move.positions.begin < far * 4000037);
    before = move.positions.begin;
  }
}

static void plan_of_slabs_that_never_meet_ends(void **state)
{
  const parcel_index many = INT64_MAX / 10 - 1;
  const parcel_slab from = {.start = 0, .stride = 10, .block = 3, .count = many};
  const parcel_slab to = {.start = 4, .stride = 10, .block = 2, .count = many, .tail = 1};
  const parcel_slab none = {.stride = 1, .block = 1};
  parcel_plan plan;
  parcel_move move = {.sender = 42};
  (void)state;
  parcel_plan_of_slabs(from, 0, to, 1, &plan);
  assert_false(parcel_plan_next(&plan, &move));
  parcel_plan_of_slabs(none, 0, to, 1, &plan);
  assert_false(parcel_plan_next(&plan, &move));
  parcel_plan_of_slabs(from, 0, none, 1, &plan);
  assert_false(parcel_plan_next(&plan, &move));
  assert_int_equal(move.sender, 42);
}

static void plan_refuses_what_does_not_fit(void **state)
{
  parcel_layout *ten = NULL;
  parcel_layout *eleven = NULL;
  parcel_slab slab = {.start = 42};
  static parcel_plan plan;
  static const parcel_plan untouched;
  (void)state;
  assert_ok(parcel_layout_block(10, 3, &ten));
  assert_ok(parcel_layout_block(11, 3, &eleven));
  assert_refused(parcel_plan_of_sender(ten, eleven, 0, &plan), PARCEL_INVALID, "10 positions to one of 11");
  assert_refused(parcel_plan_of_receiver(ten, eleven, 0, &plan), PARCEL_INVALID, "10 positions to one of 11");
  assert_refused(parcel_plan_between(ten, 0, eleven, 0, &plan), PARCEL_INVALID, "10 positions to one of 11");
  assert_refused(parcel_plan_of_sender(ten, ten, 3, &plan), PARCEL_INVALID, "no part 3");
  assert_refused(parcel_plan_of_receiver(ten, ten, -1, &plan), PARCEL_INVALID, "no part -1");
  assert_refused(parcel_plan_between(ten, 0, ten, 3, &plan), PARCEL_INVALID, "no part 3");
  assert_refused(parcel_plan_of_sender(ten, NULL, 0, &plan), PARCEL_INVALID, "NULL");
  assert_refused(parcel_plan_of_receiver(NULL, ten, 0, &plan), PARCEL_INVALID, "NULL");
  assert_refused(parcel_plan_slab(ten, 3, &slab), PARCEL_INVALID, "no part 3");
  assert_int_equal(slab.start, 42);
  assert_memory_equal(&plan, &untouched, sizeof plan);
  parcel_layout_free(&ten);
  parcel_layout_free(&eleven);
}

/* ---- grids ---- */

static parcel_grid random_grid(int dimensions, const parcel_index extents[], uint64_t *seed)
{
  parcel_grid_axis axes[PARCEL_GRID_DIMENSIONS] = {{0}};
  parcel_grid grid;
  for (int d = 0; d < dimensions; ++d) {
    axes[d].extent = extents[d];
    axes[d].kind = (parcel_grid_kind)random_below(seed, 3);
    axes[d].parts = axes[d].kind == PARCEL_GRID_WHOLE ? 1 : 1 + (int)random_below(seed, 4);
    axes[d].block = axes[d].kind == PARCEL_GRID_CYCLIC ? 1 + random_below(seed, 3) : 0;
  }
  assert_ok(parcel_grid_make(dimensions, axes, &grid));
  return grid;
}

/* The place of a point in a part's array, of these counts per dimension. */
static parcel_index place_of(const parcel_grid *grid, int part, const parcel_index indices[])
{
  parcel_index place = 0;
  for (int d = 0; d < grid->dimensions; ++d)
    place = place * parcel_grid_count(grid, part, d) + indices[d];
  return place;
}

/* Steps through a box in row-major order; false behind the last point. */
static bool step(int dimensions, const parcel_box *box, parcel_index point[])
{
  for (int d = dimensions - 1; d >= 0; --d) {
    if (++point[d] < box->end[d])
      return true;
    point[d] = box->begin[d];
  }
  return false;
}

/* Sends the points' numbers through the move: to is one array per part of at most MOST points. */
static void carry(const parcel_grid *from, const parcel_grid *to, const parcel_grid_move *move,
                  parcel_index arrays[][MOST])
{
  parcel_index source[PARCEL_GRID_DIMENSIONS];
  parcel_index target[PARCEL_GRID_DIMENSIONS];
  parcel_index point[PARCEL_GRID_DIMENSIONS];
  memcpy(source, move->from.begin, sizeof source);
  memcpy(target, move->to.begin, sizeof target);
  do {
    parcel_index number = 0;
    assert_true(parcel_grid_global(from, move->sender, place_of(from, move->sender, source), point));
    for (int d = 0; d < from->dimensions; ++d) {
      assert_true(point[d] >= move->points.begin[d] && point[d] < move->points.end[d]);
      number = number * from->axes[d].extent + point[d];
    }
    parcel_index *place = &arrays[move->receiver][place_of(to, move->receiver, target)];
    assert_int_equal(*place, -1);
    *place = number;
    step(to->dimensions, &move->to, target);
  } while (step(from->dimensions, &move->from, source));
}

static void assert_delivered(const parcel_grid *to, parcel_index arrays[][MOST])
{
  parcel_index point[PARCEL_GRID_DIMENSIONS] = {0};
  parcel_box all = {{0}, {0}};
  parcel_index number = 0;
  for (int d = 0; d < to->dimensions; ++d) {
    all.end[d] = to->axes[d].extent;
    if (all.end[d] == 0)
      return;
  }
  do
    assert_int_equal(arrays[parcel_grid_owner(to, point)][parcel_grid_local(to, point)], number++);
  while (step(to->dimensions, &all, point));
}

static void grid_plan_every_point_moves_once_to_its_place(void **state)
{
  static parcel_index arrays[64][MOST];
  uint64_t seed = 5;
  (void)state;
  for (int round = 0; round < 3000; ++round) {
    const int dimensions = 1 + round % 3;
    parcel_index extents[3];
    for (int d = 0; d < 3; ++d)
      extents[d] = random_below(&seed, dimensions == 1 ? 60 : dimensions == 2 ? 14 : 6);
    const parcel_grid from = random_grid(dimensions, extents, &seed);
    const parcel_grid to = random_grid(dimensions, extents, &seed);
    const bool by_sender = round / 3 % 2;
    parcel_grid_plan plan;
    parcel_grid_move move;
    memset(arrays, -1, sizeof arrays);
    for (int part = 0; part < parcel_grid_parts(by_sender ? &from : &to); ++part) {
      assert_ok(
          (by_sender ? parcel_grid_plan_of_sender : parcel_grid_plan_of_receiver)(&from, &to, part, &plan));
      while (parcel_grid_plan_next(&plan, &move)) {
        assert_int_equal(by_sender ? move.sender : move.receiver, part);
        carry(&from, &to, &move, arrays);
      }
      assert_false(parcel_grid_plan_next(&plan, &move));
    }
    assert_delivered(&to, arrays);
  }
}

static void grid_plan_between_blocks_is_one_box_per_pair(void **state)
{
  const parcel_grid_axis rows[] = {{.extent = 100, .parts = 10}, {.extent = 60, .parts = 1}};
  const parcel_grid_axis columns[] = {{.extent = 100, .parts = 1}, {.extent = 60, .parts = 6}};
  parcel_grid from;
  parcel_grid to;
  parcel_grid_plan plan;
  parcel_grid_move move;
  int boxes = 0;
  (void)state;
  assert_ok(parcel_grid_make(2, rows, &from));
  assert_ok(parcel_grid_make(2, columns, &to));
  assert_ok(parcel_grid_plan_of_sender(&from, &to, 3, &plan));
  for (; parcel_grid_plan_next(&plan, &move); ++boxes) {
    assert_int_equal(move.receiver, boxes);
    assert_int_equal(move.points.begin[0], 30);
    assert_int_equal(move.points.end[0], 40);
    assert_int_equal(move.points.begin[1], 10 * boxes);
    assert_int_equal(move.from.begin[1], 10 * boxes);
    assert_int_equal(move.to.begin[0], 30);
    assert_int_equal(move.to.end[1], 10);
  }
  assert_int_equal(boxes, 6);
}

static void grid_plan_refuses_what_does_not_fit(void **state)
{
  const parcel_grid_axis ten[] = {{.extent = 10, .parts = 2}, {.extent = 7, .parts = 1}};
  const parcel_grid_axis other[] = {{.extent = 10, .parts = 2}, {.extent = 8, .parts = 1}};
  parcel_grid grid;
  parcel_grid wider;
  parcel_grid line;
  parcel_grid_plan plan;
  (void)state;
  assert_ok(parcel_grid_make(2, ten, &grid));
  assert_ok(parcel_grid_make(2, other, &wider));
  assert_ok(parcel_grid_make(1, ten, &line));
  assert_refused(parcel_grid_plan_of_sender(&grid, &wider, 0, &plan), PARCEL_INVALID,
                 "7 points in dimension 1");
  assert_refused(parcel_grid_plan_of_receiver(&grid, &line, 0, &plan), PARCEL_INVALID,
                 "2 dimensions to one of 1");
  assert_refused(parcel_grid_plan_of_sender(&grid, &grid, 2, &plan), PARCEL_INVALID, "no part 2");
}

/* ---- converters ---- */

static void mpi_counts_are_the_parts(void **state)
{
  uint64_t seed = 6;
  (void)state;
  for (int kind = 0; kind < KINDS - 2; ++kind)
    for (parcel_index width = 1; width < 4; ++width) {
      int counts[9] = {0};
      int displacements[9] = {0};
      parcel_layout *layout = make_layout(kind, 1000, 9, 7, &seed);
      assert_ok(parcel_plan_mpi_counts(layout, width, counts, displacements));
      for (int part = 0; part < 9; ++part) {
        assert_int_equal(counts[part], width * parcel_layout_count(layout, part));
        if (counts[part])
          assert_int_equal(displacements[part], width * parcel_layout_global(layout, part, 0));
      }
      parcel_layout_free(&layout);
    }
}

static void assert_no_counts(parcel_layout *layout, parcel_index width, parcel_status status,
                             const char *words)
{
  int counts[4] = {42};
  int displacements[4] = {42};
  assert_refused(parcel_plan_mpi_counts(layout, width, counts, displacements), status, words);
  assert_true(counts[0] == 42 && displacements[0] == 42);
  parcel_layout_free(&layout);
}

static void mpi_counts_beyond_int_are_refused(void **state)
{
  const parcel_index wide[] = {0, 1, 2, (parcel_index)INT_MAX + 3, INT64_MAX};
  const parcel_index edge[] = {0, 0, 0, INT_MAX, 2 * (parcel_index)INT_MAX};
  const parcel_index past[] = {0, 1, INT_MAX, (parcel_index)INT_MAX + 1, (parcel_index)INT_MAX + 2};
  int counts[4];
  int displacements[4];
  parcel_layout *layout = NULL;
  (void)state;
  assert_ok(parcel_layout_explicit(4, wide, &layout));
  assert_no_counts(layout, 1, PARCEL_RANGE, "the count of part 2");
  assert_ok(parcel_layout_explicit(4, past, &layout));
  assert_no_counts(layout, 1, PARCEL_RANGE, "the displacement of part 3");
  assert_ok(parcel_layout_explicit(4, edge, &layout));
  assert_ok(parcel_plan_mpi_counts(layout, 1, counts, displacements));
  assert_true(counts[2] == INT_MAX && counts[3] == INT_MAX && displacements[3] == INT_MAX);
  assert_no_counts(layout, 2, PARCEL_RANGE, "the count of part 2, 2147483647 positions of 2 elements");
  assert_ok(parcel_layout_block(4, 4, &layout));
  assert_no_counts(layout, INT64_MAX, PARCEL_RANGE, "the count of part 0");
  assert_ok(parcel_layout_block(4, 4, &layout));
  assert_no_counts(layout, 0, PARCEL_INVALID, "at least 1");
  assert_ok(parcel_layout_cyclic(100, 4, 3, &layout));
  assert_no_counts(layout, 1, PARCEL_INVALID, "not contiguous");
}

/* The union of a part's hyperslabs has its positions, in the order of the local indices. */
static void check_hyperslabs(const parcel_layout *layout, int part)
{
  const int slabs = parcel_plan_hyperslabs(layout, part);
  parcel_index local = 0;
  uint64_t start = 0;
  uint64_t stride = 0;
  uint64_t count = 0;
  uint64_t block = 0;
  for (int k = 0; k < slabs; ++k) {
    assert_true(parcel_plan_hyperslab(layout, part, k, &start, &stride, &count, &block));
    assert_true(stride >= block && block > 0 && count > 0);
    for (uint64_t b = 0; b < count; ++b)
      for (uint64_t p = 0; p < block; ++p)
        assert_int_equal(start + b * stride + p, parcel_layout_global(layout, part, local++));
  }
  assert_int_equal(local, parcel_layout_count(layout, part));
  assert_false(parcel_plan_hyperslab(layout, part, slabs, &start, &stride, &count, &block));
  assert_false(parcel_plan_hyperslab(layout, part, -1, &start, &stride, &count, &block));
}

static void hyperslabs_are_the_parts_positions(void **state)
{
  uint64_t seed = 7;
  (void)state;
  for (int round = 0; round < 2000; ++round) {
    parcel_layout *layout = random_layout(random_below(&seed, MOST), 40, &seed);
    for (int part = -1; part <= parcel_layout_parts(layout); ++part)
      check_hyperslabs(layout, part);
    parcel_layout_free(&layout);
  }
}

static void hyperslabs_of_a_grid_are_its_parts_points(void **state)
{
  uint64_t seed = 8;
  (void)state;
  for (int round = 0; round < 1000; ++round) {
    const parcel_index extents[] = {random_below(&seed, 12), random_below(&seed, 12)};
    const parcel_grid grid = random_grid(2, extents, &seed);
    for (int part = 0; part < parcel_grid_parts(&grid); ++part) {
      int owned[12][12] = {{0}};
      uint64_t start[2];
      uint64_t stride[2];
      uint64_t count[2];
      uint64_t block[2];
      for (int k = 0; parcel_grid_plan_hyperslab(&grid, part, k, start, stride, count, block); ++k)
        for (uint64_t row = 0; row < count[0] * block[0]; ++row)
          for (uint64_t column = 0; column < count[1] * block[1]; ++column)
            ++owned[start[0] + row / block[0] * stride[0] + row % block[0]]
                   [start[1] + column / block[1] * stride[1] + column % block[1]];
      for (parcel_index x = 0; x < extents[0]; ++x)
        for (parcel_index y = 0; y < extents[1]; ++y)
          assert_int_equal(owned[x][y], parcel_grid_owner(&grid, (parcel_index[]){x, y}) == part);
    }
    assert_int_equal(parcel_grid_plan_hyperslabs(&grid, -1), 0);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(plan_every_position_moves_once_to_its_place),
      cmocka_unit_test(plan_every_pair_of_kinds),
      cmocka_unit_test(plan_between_all_small_cyclic_layouts),
      cmocka_unit_test(plan_to_an_equal_layout_is_one_move),
      cmocka_unit_test(plan_joins_what_continues_in_both_arrays),
      cmocka_unit_test(plan_is_exact_for_all_of_int64),
      cmocka_unit_test(plan_of_scaled_layouts_is_the_scaled_plan),
      cmocka_unit_test(plan_leaps_over_misses),
      cmocka_unit_test(plan_of_slabs_that_never_meet_ends),
      cmocka_unit_test(plan_refuses_what_does_not_fit),
      cmocka_unit_test(grid_plan_every_point_moves_once_to_its_place),
      cmocka_unit_test(grid_plan_between_blocks_is_one_box_per_pair),
      cmocka_unit_test(grid_plan_refuses_what_does_not_fit),
      cmocka_unit_test(mpi_counts_are_the_parts),
      cmocka_unit_test(mpi_counts_beyond_int_are_refused),
      cmocka_unit_test(hyperslabs_are_the_parts_positions),
      cmocka_unit_test(hyperslabs_of_a_grid_are_its_parts_points),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
