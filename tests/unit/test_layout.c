#include "unit.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include <parcel/block.h>
#include <parcel/layout.h>

__extension__ typedef __int128 wide;

enum { MOST = 200, MOST_PARTS = 40 };

static parcel_layout *block(parcel_index n, int parts)
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_block(n, parts, &made));
  return made;
}

static parcel_layout *aligned(parcel_index n, int parts, parcel_index align)
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_aligned(n, parts, align, &made));
  return made;
}

static parcel_layout *ceiling(parcel_index n, int parts)
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_ceiling(n, parts, &made));
  return made;
}

static parcel_layout *cyclic(parcel_index n, int parts, parcel_index size)
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_cyclic(n, parts, size, &made));
  return made;
}

static parcel_layout *weighted(parcel_index n, int parts, const double weights[])
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_weighted(n, parts, weights, &made));
  return made;
}

static parcel_layout *explicitly(int parts, const parcel_index offsets[])
{
  parcel_layout *made = NULL;
  assert_ok(parcel_layout_explicit(parts, offsets, &made));
  return made;
}

static parcel_index length(parcel_span span)
{
  return span.end - span.begin;
}

/* ---- small ones, against owners that were dealt out one by one ---- */

#define CHECK(claim)                                                                                         \
  do                                                                                                         \
    if (!(claim))                                                                                            \
      fail_msg("%s: not so: %s", what, #claim);                                                              \
  while (0)

/* A part's runs, from what each position's owner is. */
static void check_spans(const char *what, const parcel_layout *layout, int part, int n, const int owners[])
{
  parcel_index k = 0;
  for (int begin = 0, end = 0; begin < n; begin = end) {
    for (end = begin + 1; end < n && owners[end] == owners[begin]; ++end) {
    }
    if (owners[begin] != part)
      continue;
    const parcel_span span = parcel_layout_span(layout, part, k++);
    CHECK(span.begin == begin && span.end == end);
  }
  CHECK(parcel_layout_spans(layout, part) == k);
  for (int off = 0; off < 2; ++off) {
    const parcel_span none = parcel_layout_span(layout, part, off ? -1 : k);
    CHECK(none.begin == 0 && none.end == 0);
  }
}

/* Consumes the layout. */
static void check_dealt(const char *what, parcel_layout *layout, int n, int parts, const int owners[])
{
  int counts[MOST_PARTS] = {0};
  bool is_in_order = true;
  CHECK(parcel_layout_size(layout) == n && parcel_layout_parts(layout) == parts);
  for (int p = 0; p < n; ++p) {
    const int local = counts[owners[p]]++;
    CHECK(parcel_layout_owner(layout, p) == owners[p]);
    CHECK(parcel_layout_local(layout, p) == local);
    CHECK(parcel_layout_global(layout, owners[p], local) == p);
    is_in_order &= p == 0 || owners[p] >= owners[p - 1];
  }
  int least = n;
  int most = 0;
  for (int part = 0; part < parts; ++part) {
    CHECK(parcel_layout_count(layout, part) == counts[part]);
    CHECK(parcel_layout_global(layout, part, counts[part]) == -1);
    check_spans(what, layout, part, n, owners);
    least = counts[part] < least ? counts[part] : least;
    most = counts[part] > most ? counts[part] : most;
  }
  CHECK(parcel_layout_min(layout) == least && parcel_layout_max(layout) == most);
  CHECK(parcel_layout_is_balanced(layout) == (most - least <= 1));
  CHECK(parcel_layout_is_contiguous(layout) == is_in_order);
  CHECK(fabs(parcel_layout_imbalance(layout) - (n > 0 ? (double)most * parts / n : 1)) < 1e-12);
  parcel_layout_free(&layout);
  assert_null(layout);
}

/* Positions in order, in amounts that were dealt round the parts one unit at a time. */
static void deal_units(int n, int parts, int unit, int owners[])
{
  int amounts[MOST_PARTS] = {0};
  for (int begin = 0, part = 0; begin < n; begin += unit, part = (part + 1) % parts)
    ++amounts[part];
  int p = 0;
  for (int part = 0; part < parts; ++part)
    for (int k = 0; k < amounts[part] * unit && p < n; ++k)
      owners[p++] = part;
}

/* The largest remainder is looked for as often as a position is left. */
static void deal_weights(int n, int parts, const double weights[], int owners[])
{
  int counts[MOST_PARTS];
  int remainders[MOST_PARTS];
  int total = 0;
  int left = n;
  for (int part = 0; part < parts; ++part)
    total += (int)weights[part];
  for (int part = 0; part < parts; ++part) {
    counts[part] = n * (int)weights[part] / total;
    remainders[part] = n * (int)weights[part] % total;
    left -= counts[part];
  }
  for (; left > 0; --left) {
    int best = 0;
    for (int part = 1; part < parts; ++part)
      best = remainders[part] > remainders[best] ? part : best;
    ++counts[best];
    remainders[best] = -1;
  }
  int p = 0;
  for (int part = 0; part < parts; ++part)
    for (int k = 0; k < counts[part]; ++k)
      owners[p++] = part;
}

static void layout_block_is_dealt_one_by_one(void **state)
{
  int owners[MOST];
  (void)state;
  for (int n = 0; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts) {
      deal_units(n, parts, 1, owners);
      check_dealt("block", block(n, parts), n, parts, owners);
    }
}

static void layout_aligned_is_dealt_unit_by_unit(void **state)
{
  static const int units[] = {1, 2, 7, 64, 1000};
  int owners[MOST];
  (void)state;
  for (int n = 0; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts)
      for (int u = 0; u < LENGTH(units); ++u) {
        deal_units(n, parts, units[u], owners);
        check_dealt("aligned", aligned(n, parts, units[u]), n, parts, owners);
      }
}

static void layout_ceiling_gives_each_the_ceiling(void **state)
{
  int owners[MOST];
  (void)state;
  for (int n = 0; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts) {
      for (int p = 0; p < n; ++p)
        owners[p] = p / ((n + parts - 1) / parts);
      check_dealt("ceiling", ceiling(n, parts), n, parts, owners);
    }
}

static void layout_cyclic_goes_round(void **state)
{
  static const int sizes[] = {1, 2, 5, 16, 100, 1000};
  int owners[MOST];
  (void)state;
  for (int n = 0; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts)
      for (int s = 0; s < LENGTH(sizes); ++s) {
        for (int p = 0; p < n; ++p)
          owners[p] = p / sizes[s] % parts;
        check_dealt("cyclic", cyclic(n, parts, sizes[s]), n, parts, owners);
      }
}

static void layout_weighted_goes_to_the_largest_remainders(void **state)
{
  int owners[MOST];
  double weights[MOST_PARTS];
  uint64_t seed = 1;
  (void)state;
  for (int n = 0; n <= MOST; ++n)
    for (int parts = 1; parts <= MOST_PARTS; ++parts) {
      for (int part = 0; part < parts; ++part)
        weights[part] = (double)random_below(&seed, 5);
      weights[random_below(&seed, parts)] = 3;
      deal_weights(n, parts, weights, owners);
      check_dealt("weighted", weighted(n, parts, weights), n, parts, owners);
    }
}

static void layout_explicit_is_what_it_was_told(void **state)
{
  int owners[MOST];
  parcel_index offsets[MOST_PARTS + 1] = {0};
  uint64_t seed = 1;
  (void)state;
  for (int draw = 0; draw < 10000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, MOST_PARTS);
    int n = 0;
    for (int part = 0; part < parts; ++part) {
      const int count = (int)(random_below(&seed, 6) * random_below(&seed, 2));
      for (int k = 0; k < count; ++k)
        owners[n + k] = part;
      n += count;
      offsets[part + 1] = n;
    }
    check_dealt("explicit", explicitly(parts, offsets), n, parts, owners);
  }
}

/* ---- all of int64 ---- */

/* What holds of every layout at one position, and at the borders of its owner's run. */
static bool is_right_at(const parcel_layout *layout, parcel_index position)
{
  const int owner = parcel_layout_owner(layout, position);
  const parcel_index local = parcel_layout_local(layout, position);
  return owner >= 0 && owner < parcel_layout_parts(layout) && local >= 0 &&
         local < parcel_layout_count(layout, owner) && parcel_layout_global(layout, owner, local) == position;
}

static bool is_within(parcel_span span, parcel_index position)
{
  return span.begin <= position && position < span.end;
}

/* The run that holds the position, the last one that begins at or before it, by its owner's runs. */
static parcel_span run_at(const parcel_layout *layout, parcel_index position)
{
  const int owner = parcel_layout_owner(layout, position);
  parcel_index low = 0;
  parcel_index high = parcel_layout_spans(layout, owner);
  while (high - low > 1) {
    const parcel_index middle = low + (high - low) / 2;
    if (parcel_layout_span(layout, owner, middle).begin <= position)
      low = middle;
    else
      high = middle;
  }
  return parcel_layout_span(layout, owner, low);
}

/* Covering, disjoint and monotone around the position: its run is the owner's throughout and ends where
 * another owner's begins. */
static void check_around(const char *what, const parcel_layout *layout, parcel_index position)
{
  const int owner = parcel_layout_owner(layout, position);
  const parcel_span run = run_at(layout, position);
  const parcel_index n = parcel_layout_size(layout);
  CHECK(is_within(run, position));
  CHECK(is_right_at(layout, position) && is_right_at(layout, run.begin) && is_right_at(layout, run.end - 1));
  CHECK(parcel_layout_owner(layout, run.begin) == owner && parcel_layout_owner(layout, run.end - 1) == owner);
  CHECK(parcel_layout_local(layout, run.end - 1) - parcel_layout_local(layout, run.begin) == length(run) - 1);
  CHECK(run.begin == 0 || parcel_layout_owner(layout, run.begin - 1) != owner);
  CHECK(run.end == n || parcel_layout_owner(layout, run.end) != owner);
  if (parcel_layout_is_contiguous(layout)) {
    CHECK(length(run) == parcel_layout_count(layout, owner) && parcel_layout_spans(layout, owner) == 1);
    CHECK(run.begin == 0 || parcel_layout_owner(layout, run.begin - 1) < owner);
    CHECK(run.end == n || parcel_layout_owner(layout, run.end) > owner);
  }
  const parcel_index count = parcel_layout_count(layout, owner);
  CHECK(parcel_layout_min(layout) <= count && count <= parcel_layout_max(layout));
  CHECK(parcel_layout_global(layout, owner, count) == -1 && parcel_layout_global(layout, owner, -1) == -1);
}

static void check_somewhere(const char *what, const parcel_layout *layout, uint64_t *seed)
{
  const parcel_index n = parcel_layout_size(layout);
  const int parts = parcel_layout_parts(layout);
  CHECK(parcel_layout_owner(layout, n) == -1 && parcel_layout_local(layout, n) == -1);
  CHECK(parcel_layout_owner(layout, -1) == -1 && parcel_layout_local(layout, INT64_MIN) == -1);
  if (n == 0)
    return;
  check_around(what, layout, random_below(seed, n));
  check_around(what, layout, 0);
  check_around(what, layout, n - 1);
  const int part = (int)random_below(seed, parts);
  const parcel_index count = parcel_layout_count(layout, part);
  if (count > 0) {
    CHECK(parcel_layout_owner(layout, parcel_layout_global(layout, part, count - 1)) == part);
    CHECK(parcel_layout_span(layout, part, parcel_layout_spans(layout, part) - 1).end - 1 ==
          parcel_layout_global(layout, part, count - 1));
  }
  if (parts <= 16) {
    wide all = 0;
    for (int k = 0; k < parts; ++k)
      all += parcel_layout_count(layout, k);
    CHECK(all == n);
  }
}

static int random_parts(uint64_t *seed)
{
  const int parts = (int)(random_from(seed, 1) & INT_MAX);
  return random_below(seed, 16) == 0 ? INT_MAX : parts > 0 ? parts : 1;
}

/* Every magnitude, and often next to INT64_MAX. */
static parcel_index random_size(uint64_t *seed, parcel_index least)
{
  return random_below(seed, 4) == 0 ? INT64_MAX - random_below(seed, 5) : random_from(seed, least);
}

/* Often next to where the blocks just go round: n / parts. */
static parcel_index random_argument(uint64_t *seed, parcel_index n, int parts)
{
  const parcel_index around = n / parts - 1 + random_below(seed, 2);
  const parcel_index argument = random_below(seed, 3) == 0 ? around + (n % parts != 0) : random_size(seed, 1);
  return argument > 1 ? argument : 1;
}

/* The part's begin by the definition, in 128 bits. */
static wide begin_of_units(parcel_index n, int parts, parcel_index unit, int part)
{
  const wide units = ((wide)n + unit - 1) / unit;
  const wide remainder = units % parts;
  const wide begin = (units / parts * part + (part < remainder ? part : remainder)) * unit;
  return begin < n ? begin : n;
}

static void check_units(const char *what, const parcel_layout *layout, parcel_index unit, int part)
{
  const parcel_index n = parcel_layout_size(layout);
  const int parts = parcel_layout_parts(layout);
  const wide begin = begin_of_units(n, parts, unit, part);
  const wide end = part + 1 < parts ? begin_of_units(n, parts, unit, part + 1) : n;
  CHECK(parcel_layout_count(layout, part) == end - begin);
  CHECK(begin == end || parcel_layout_span(layout, part, 0).begin == begin);
}

static void layout_random_units_are_exact(void **state)
{
  uint64_t seed = 2;
  (void)state;
  for (int draw = 0; draw < 500000; ++draw) {
    const int parts = random_parts(&seed);
    const parcel_index n = random_size(&seed, 0);
    const parcel_index argument = random_argument(&seed, n, parts);
    const parcel_index unit = draw % 3 == 0 ? 1 : draw % 3 == 1 ? argument : n / parts + (n % parts != 0);
    parcel_layout *layout = draw % 3 == 0   ? block(n, parts)
                            : draw % 3 == 1 ? aligned(n, parts, argument)
                                            : ceiling(n, parts);
    const char *what = draw % 3 == 0 ? "block" : draw % 3 == 1 ? "aligned" : "ceiling";
    check_somewhere(what, layout, &seed);
    check_units(what, layout, unit > 0 ? unit : 1, (int)random_below(&seed, parts));
    check_units(what, layout, unit > 0 ? unit : 1, parts - 1);
    CHECK(draw % 3 != 0 || parcel_layout_is_balanced(layout));
    parcel_layout_free(&layout);
  }
}

static void layout_random_cyclic_is_exact(void **state)
{
  uint64_t seed = 3;
  (void)state;
  for (int draw = 0; draw < 500000; ++draw) {
    const int parts = random_parts(&seed);
    const parcel_index n = random_size(&seed, 0);
    const parcel_index size = random_argument(&seed, n, parts);
    const char *what = "cyclic";
    parcel_layout *layout = cyclic(n, parts, size);
    check_somewhere(what, layout, &seed);
    CHECK(parcel_layout_is_contiguous(layout) == (parts == 1 || (wide)size * parts >= n));
    if (n > 0) {
      const parcel_index p = random_below(&seed, n);
      CHECK(parcel_layout_owner(layout, p) == p / size % parts);
      CHECK(parcel_layout_local(layout, p) == p / ((wide)size * parts) * size + p % size);
    }
    parcel_layout_free(&layout);
  }
}

static void layout_random_cuts_are_exact(void **state)
{
  uint64_t seed = 4;
  double weights[50];
  (void)state;
  for (int draw = 0; draw < 40000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, LENGTH(weights));
    const parcel_index n = random_size(&seed, 0);
    wide total = 0;
    for (int part = 0; part < parts; ++part) {
      weights[part] = (double)(random_from(&seed, 0) >> 20);
      weights[part] = part > 0 && random_below(&seed, 8) == 0 ? 0 : weights[part] + (part == 0);
      total += (wide)weights[part];
    }
    const char *what = "weighted";
    parcel_layout *layout = weighted(n, parts, weights);
    check_somewhere(what, layout, &seed);
    for (int part = 0; part < parts; ++part) { /* within one position of the fair share: the quota rule */
      const wide off = (wide)parcel_layout_count(layout, part) * total - (wide)n * (wide)weights[part];
      CHECK(-total < off && off < total);
      CHECK(weights[part] > 0 || parcel_layout_count(layout, part) == 0);
    }
    parcel_layout_free(&layout);
  }
}

/* Around each border of a few layouts whose borders are many sorts. */
static void layout_is_exact_next_to_int64_max(void **state)
{
  static const parcel_index arguments[] = {
      1, 2, 3, 1000000007, INT64_MAX / 2, INT64_MAX / 2 + 1, INT64_MAX - 1, INT64_MAX};
  static const int many[] = {1, 2, 3, 1000000007, INT_MAX - 1, INT_MAX};
  uint64_t seed = 5;
  (void)state;
  for (parcel_index n = INT64_MAX; n > INT64_MAX - 3; --n)
    for (int m = 0; m < LENGTH(many); ++m)
      for (int a = 0; a < LENGTH(arguments); ++a) {
        parcel_layout *layouts[] = {block(n, many[m]), aligned(n, many[m], arguments[a]), ceiling(n, many[m]),
                                    cyclic(n, many[m], arguments[a])};
        for (int l = 0; l < LENGTH(layouts); ++l) {
          for (int draw = 0; draw < 20; ++draw)
            check_somewhere("near the end", layouts[l], &seed);
          parcel_layout_free(&layouts[l]);
        }
      }
}

static void layout_outside_is_empty_and_unowned(void **state)
{
  const parcel_index offsets[] = {0, 4, 4, 10};
  parcel_layout *layouts[] = {block(10, 3), cyclic(10, 3, 2), explicitly(3, offsets)};
  static const int parts[] = {-1, 3, INT_MIN, INT_MAX};
  (void)state;
  for (int l = 0; l < LENGTH(layouts); ++l) {
    for (int p = 0; p < LENGTH(parts); ++p) {
      assert_int_equal(parcel_layout_count(layouts[l], parts[p]), 0);
      assert_int_equal(parcel_layout_spans(layouts[l], parts[p]), 0);
      assert_int_equal(parcel_layout_global(layouts[l], parts[p], 0), -1);
      assert_int_equal(parcel_layout_span(layouts[l], parts[p], 0).end, 0);
    }
    assert_int_equal(parcel_layout_global(layouts[l], 0, INT64_MAX), -1);
    assert_int_equal(parcel_layout_global(layouts[l], 0, INT64_MIN), -1);
    assert_int_equal(parcel_layout_span(layouts[l], 0, INT64_MAX).end, 0);
    assert_int_equal(parcel_layout_span(layouts[l], 0, INT64_MIN).end, 0);
    assert_int_equal(parcel_layout_owner(layouts[l], INT64_MAX), -1);
    assert_int_equal(parcel_layout_local(layouts[l], INT64_MAX), -1);
    parcel_layout_free(&layouts[l]);
    parcel_layout_free(&layouts[l]);
  }
  parcel_layout_free(NULL);
}

/* ---- ScaLAPACK ----
 * NUMROC, INDXG2P, INDXG2L and INDXL2G as TOOLS of the ScaLAPACK Users' Guide (SIAM 1997, section 4.3 and the
 * comments of the routines) define them: indices from 1, the first block on process isrcproc. */

static parcel_index numroc(parcel_index n, parcel_index nb, parcel_index iproc, parcel_index isrcproc,
                           parcel_index nprocs)
{
  const parcel_index distance = (nprocs + iproc - isrcproc) % nprocs;
  const parcel_index blocks = n / nb;
  const parcel_index extra = blocks % nprocs;
  return blocks / nprocs * nb + (distance < extra ? nb : distance == extra ? n % nb : 0);
}

static parcel_index indxg2p(parcel_index indxglob, parcel_index nb, parcel_index isrcproc,
                            parcel_index nprocs)
{
  return (isrcproc + (indxglob - 1) / nb) % nprocs;
}

static parcel_index indxg2l(parcel_index indxglob, parcel_index nb, parcel_index nprocs)
{
  return nb * ((indxglob - 1) / (nb * nprocs)) + (indxglob - 1) % nb + 1;
}

static parcel_index indxl2g(parcel_index indxloc, parcel_index nb, parcel_index iproc, parcel_index isrcproc,
                            parcel_index nprocs)
{
  return nprocs * nb * ((indxloc - 1) / nb) + (indxloc - 1) % nb + (nprocs + iproc - isrcproc) % nprocs * nb +
         1;
}

static void layout_cyclic_is_scalapacks(void **state)
{
  uint64_t seed = 6;
  const char *what = "ScaLAPACK";
  (void)state;
  for (int draw = 0; draw < 100000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, draw % 2 ? 1000000 : 12);
    const parcel_index size = 1 + random_below(&seed, draw % 2 ? 1000000 : 9);
    const parcel_index n = 1 + random_below(&seed, draw % 2 ? INT64_MAX / 4 : 150);
    const int part = (int)random_below(&seed, parts);
    const parcel_index p = random_below(&seed, n);
    parcel_layout *layout = cyclic(n, parts, size);
    CHECK(parcel_layout_count(layout, part) == numroc(n, size, part, 0, parts));
    CHECK(parcel_layout_owner(layout, p) == indxg2p(p + 1, size, 0, parts));
    CHECK(parcel_layout_local(layout, p) == indxg2l(p + 1, size, parts) - 1);
    if (parcel_layout_count(layout, part) > 0) {
      const parcel_index local = random_below(&seed, parcel_layout_count(layout, part));
      CHECK(parcel_layout_global(layout, part, local) == indxl2g(local + 1, size, part, 0, parts) - 1);
    }
    parcel_layout_free(&layout);
  }
}

/* ---- weights ---- */

static void layout_of_equal_weights_is_the_block_layout(void **state)
{
  static const double values[] = {1, 0.1, 3, 1e-300, 5e-324, 1.7976931348623157e308};
  uint64_t seed = 7;
  double weights[64];
  (void)state;
  for (int draw = 0; draw < 20000; ++draw) {
    const int parts = 1 + (int)random_below(&seed, LENGTH(weights));
    const parcel_index n = random_size(&seed, 0);
    for (int part = 0; part < parts; ++part)
      weights[part] = values[draw % LENGTH(values)];
    parcel_layout *equal = weighted(n, parts, weights);
    parcel_layout *plain = block(n, parts);
    assert_true(parcel_layout_equal(equal, plain));
    assert_true(parcel_layout_hash(equal) == parcel_layout_hash(plain));
    parcel_layout_free(&equal);
    parcel_layout_free(&plain);
  }
}

static void layout_weights_count_by_their_ratios_only(void **state)
{
  const double weights[] = {1, 2, 3.5, 0, 0.25};
  double scaled[5];
  (void)state;
  parcel_layout *expected = weighted(INT64_MAX, 5, weights);
  for (int exponent = -1070; exponent <= 1020; exponent += 19) {
    for (int part = 0; part < 5; ++part)
      scaled[part] = ldexp(weights[part], exponent);
    parcel_layout *got = weighted(INT64_MAX, 5, scaled);
    assert_true(parcel_layout_equal(expected, got));
    parcel_layout_free(&got);
  }
  parcel_layout_free(&expected);
}

/* Counts that no rounding of n * weight / total in doubles would give. */
static void layout_weights_are_exact_beyond_doubles(void **state)
{
  const double thirds[] = {1, 2};
  const double far[] = {1, 5e-324, 1, 0x1p-62};
  (void)state;
  parcel_layout *layout = weighted(INT64_MAX, 2, thirds);
  assert_int_equal(parcel_layout_count(layout, 0), 3074457345618258602);
  assert_int_equal(parcel_layout_count(layout, 1), 6148914691236517205);
  parcel_layout_free(&layout);
  layout = weighted(INT64_MAX, 4, far); /* of 2^-62 + 2 parts: 2^62 - 1.5 each, and 1 - 2^-62 for the last */
  assert_int_equal(parcel_layout_count(layout, 0), 4611686018427387903);
  assert_int_equal(parcel_layout_count(layout, 1), 0);
  assert_int_equal(parcel_layout_count(layout, 2), 4611686018427387903);
  assert_int_equal(parcel_layout_count(layout, 3), 1);
  parcel_layout_free(&layout);
}

#if defined(__x86_64__)
/* What a program that was built with -ffast-math sets for itself and all its libraries: denormal operands
 * and results count as 0. */
static unsigned flush_denormals(void)
{
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0x8040);
  return before;
}

static void layout_weights_may_be_denormal_where_these_are_flushed(void **state)
{
  const double weights[] = {1, 2, 3.5, 0, 0.25};
  double denormal[5];
  double wide[5];
  (void)state;
  for (int part = 0; part < 5; ++part) {
    denormal[part] = ldexp(weights[part], -1070);
    wide[part] = part == 4 ? 0x1p-1070 : weights[part];
  }
  parcel_layout *expected = weighted(INT64_MAX, 5, weights);
  parcel_layout *expected_wide = weighted(INT64_MAX, 5, wide);
  const unsigned before = flush_denormals();
  parcel_layout *got = NULL;
  parcel_layout *got_wide = NULL;
  const parcel_status status = parcel_layout_weighted(INT64_MAX, 5, denormal, &got);
  const parcel_status status_wide = parcel_layout_weighted(INT64_MAX, 5, wide, &got_wide);
  __builtin_ia32_ldmxcsr(before);
  assert_ok(status);
  assert_ok(status_wide);
  assert_true(parcel_layout_equal(expected, got));
  assert_true(parcel_layout_equal(expected_wide, got_wide));
  parcel_layout_free(&expected);
  parcel_layout_free(&expected_wide);
  parcel_layout_free(&got);
  parcel_layout_free(&got_wide);
}
#else
static void layout_weights_may_be_denormal_where_these_are_flushed(void **state)
{
  (void)state;
  skip(); /* how to have them flushed is known here for x86-64 only */
}
#endif

/* ---- equality ---- */

static int add_layouts(int n, int parts, uint64_t *seed, parcel_layout *layouts[])
{
  int count = 0;
  parcel_index offsets[8] = {0};
  double weights[8];
  layouts[count++] = block(n, parts);
  layouts[count++] = ceiling(n, parts);
  for (int argument = 1; argument <= 12; ++argument) {
    layouts[count++] = aligned(n, parts, argument);
    layouts[count++] = cyclic(n, parts, argument);
  }
  for (int draw = 0; draw < 8; ++draw) {
    for (int part = 0; part < parts; ++part)
      weights[part] = 1 + (double)random_below(seed, 2);
    layouts[count++] = weighted(n, parts, weights);
    for (int part = 1; part < parts; ++part)
      offsets[part] = offsets[part - 1] + random_below(seed, n - offsets[part - 1] + 1);
    offsets[parts] = n;
    layouts[count++] = explicitly(parts, offsets);
  }
  return count;
}

static bool are_equal_by_position(const parcel_layout *a, const parcel_layout *b, int n)
{
  for (int p = 0; p < n; ++p)
    if (parcel_layout_owner(a, p) != parcel_layout_owner(b, p) ||
        parcel_layout_local(a, p) != parcel_layout_local(b, p))
      return false;
  return true;
}

static void layout_equal_means_the_same_owner_of_every_position(void **state)
{
  parcel_layout *layouts[64];
  uint64_t seed = 8;
  (void)state;
  for (int n = 0; n <= 24; ++n)
    for (int parts = 1; parts <= 6; ++parts) {
      const int count = add_layouts(n, parts, &seed, layouts);
      for (int a = 0; a < count; ++a)
        for (int b = 0; b < count; ++b) {
          const bool is_equal = are_equal_by_position(layouts[a], layouts[b], n);
          assert_int_equal(parcel_layout_equal(layouts[a], layouts[b]), is_equal);
          assert_int_equal(parcel_layout_hash(layouts[a]) == parcel_layout_hash(layouts[b]), is_equal);
        }
      for (int a = 0; a < count; ++a)
        parcel_layout_free(&layouts[a]);
    }
}

static void layout_equal_needs_no_walk_over_the_parts(void **state)
{
  parcel_layout *layouts[] = {
      block(INT64_MAX, INT_MAX), aligned(INT64_MAX, INT_MAX, 1), ceiling(INT64_MAX, INT_MAX),
      cyclic(INT64_MAX, INT_MAX, INT64_MAX / INT_MAX + 1), cyclic(INT64_MAX, INT_MAX, INT64_MAX / INT_MAX)};
  static const bool equal[5][5] = {
      {1, 1, 0, 0, 0}, {1, 1, 0, 0, 0}, {0, 0, 1, 1, 0}, {0, 0, 1, 1, 0}, {0, 0, 0, 0, 1}};
  (void)state;
  for (int round = 0; round < 1000; ++round)
    for (int a = 0; a < 5; ++a)
      for (int b = 0; b < 5; ++b)
        assert_int_equal(parcel_layout_equal(layouts[a], layouts[b]), equal[a][b]);
  for (int a = 0; a < 5; ++a)
    parcel_layout_free(&layouts[a]);
}

static void layout_of_other_size_or_parts_is_not_equal(void **state)
{
  parcel_layout *layouts[] = {block(0, 1), block(0, 2), block(1, 1), block(1, 2)};
  (void)state;
  for (int a = 0; a < 4; ++a)
    for (int b = 0; b < 4; ++b) {
      assert_int_equal(parcel_layout_equal(layouts[a], layouts[b]), a == b);
      assert_int_equal(parcel_layout_hash(layouts[a]) == parcel_layout_hash(layouts[b]), a == b);
    }
  for (int a = 0; a < 4; ++a)
    parcel_layout_free(&layouts[a]);
}

static void layout_imbalance_is_max_over_mean(void **state)
{
  const parcel_index all_on_one[] = {0, 0, 100, 100, 100};
  parcel_layout *one = explicitly(4, all_on_one);
  parcel_layout *even = block(INT64_MAX - 1, 2);
  parcel_layout *uneven = block(INT64_MAX, 2);
  parcel_layout *none = block(0, 3);
  (void)state;
  assert_true(parcel_layout_imbalance(one) == 4);
  assert_true(parcel_layout_imbalance(even) == 1);
  assert_true(parcel_layout_imbalance(uneven) >= 1);
  assert_true(parcel_layout_imbalance(none) == 1);
  parcel_layout_free(&one);
  parcel_layout_free(&even);
  parcel_layout_free(&uneven);
  parcel_layout_free(&none);
}

/* ---- refusals ---- */

static void layout_refuses_what_is_no_layout(void **state)
{
  parcel_layout *out = NULL;
  const parcel_index late[] = {1, 2};
  const parcel_index falling[] = {0, 5, 4};
  (void)state;
  assert_refused(parcel_layout_block(-1, 3, &out), PARCEL_INVALID, "-1 positions");
  assert_refused(parcel_layout_block(10, 0, &out), PARCEL_INVALID, "0 parts");
  assert_refused(parcel_layout_ceiling(10, 0, &out), PARCEL_INVALID, "0 parts");
  assert_refused(parcel_layout_ceiling(INT64_MIN, 2, &out), PARCEL_INVALID, "positions");
  assert_refused(parcel_layout_aligned(10, 2, 0, &out), PARCEL_INVALID, "aligned to 0");
  assert_refused(parcel_layout_aligned(10, -2, 1, &out), PARCEL_INVALID, "-2 parts");
  assert_refused(parcel_layout_cyclic(10, 2, -5, &out), PARCEL_INVALID, "blocks of -5");
  assert_refused(parcel_layout_cyclic(10, INT_MIN, 5, &out), PARCEL_INVALID, "-2147483648 parts");
  assert_refused(parcel_layout_cyclic(-10, 3, 5, &out), PARCEL_INVALID, "-10 positions");
  assert_refused(parcel_layout_explicit(0, late, &out), PARCEL_INVALID, "0 parts");
  assert_refused(parcel_layout_explicit(1, late, &out), PARCEL_INVALID, "first cut point is 1");
  assert_refused(parcel_layout_explicit(2, falling, &out), PARCEL_INVALID, "part 1 would end at 4");
  assert_null(out);
}

static void layout_refuses_weights_that_are_none(void **state)
{
  static const struct {
    double weights[3];
    const char *words;
  } cases[] = {
      {{0, 0, 0}, "all 3 weights are 0"},         {{1, -1, 1}, "weight of part 1 is -1"},
      {{1, 1, NAN}, "weight of part 2 is"},       {{INFINITY, 1, 1}, "weight of part 0 is inf"},
      {{1, -INFINITY, 1}, "weight of part 1 is"}, {{0, 0, -0x1p-1074}, "weight of part 2 is"},
      {{-0.0, 0, 0}, "all 3 weights are 0"},
  };
  parcel_layout *out = NULL;
  (void)state;
  for (int c = 0; c < LENGTH(cases); ++c)
    assert_refused(parcel_layout_weighted(10, 3, cases[c].weights, &out), PARCEL_INVALID, cases[c].words);
  assert_refused(parcel_layout_weighted(10, 0, cases[0].weights, &out), PARCEL_INVALID, "0 parts");
  assert_refused(parcel_layout_weighted(-1, 1, cases[1].weights, &out), PARCEL_INVALID, "-1 positions");
  assert_null(out);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(layout_block_is_dealt_one_by_one),
      cmocka_unit_test(layout_aligned_is_dealt_unit_by_unit),
      cmocka_unit_test(layout_ceiling_gives_each_the_ceiling),
      cmocka_unit_test(layout_cyclic_goes_round),
      cmocka_unit_test(layout_weighted_goes_to_the_largest_remainders),
      cmocka_unit_test(layout_explicit_is_what_it_was_told),
      cmocka_unit_test(layout_random_units_are_exact),
      cmocka_unit_test(layout_random_cyclic_is_exact),
      cmocka_unit_test(layout_random_cuts_are_exact),
      cmocka_unit_test(layout_is_exact_next_to_int64_max),
      cmocka_unit_test(layout_outside_is_empty_and_unowned),
      cmocka_unit_test(layout_cyclic_is_scalapacks),
      cmocka_unit_test(layout_of_equal_weights_is_the_block_layout),
      cmocka_unit_test(layout_weights_count_by_their_ratios_only),
      cmocka_unit_test(layout_weights_are_exact_beyond_doubles),
      cmocka_unit_test(layout_weights_may_be_denormal_where_these_are_flushed),
      cmocka_unit_test(layout_equal_means_the_same_owner_of_every_position),
      cmocka_unit_test(layout_equal_needs_no_walk_over_the_parts),
      cmocka_unit_test(layout_of_other_size_or_parts_is_not_equal),
      cmocka_unit_test(layout_imbalance_is_max_over_mean),
      cmocka_unit_test(layout_refuses_what_is_no_layout),
      cmocka_unit_test(layout_refuses_weights_that_are_none),
  };
  return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
