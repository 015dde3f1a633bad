/* The best factorisation, by dynamic programming over the divisors.
 *
 * State (i, d): the first i dimensions have numbers whose product is d. Only the best way to get there is
 * kept, since every rule of the order is kept when both sides are given the same next number: parts that own
 * a point multiply, costs add, two multisets compare by the largest number that one has more often (whatever
 * is added to both), and two sequences by where they first differ. Divisors are numbered by their exponents
 * in mixed radix, so that the number of a product is the sum of the numbers. An int has at most 1536 divisors
 * (2095133040 has), each pair of which is looked at once per dimension: that bounds the time.
 *
 * The search has a limit: a state is left if what it has cost, and what the rest must cost by the inequality
 * of the means (x1 + ... + xm >= m (x1 ... xm)^(1/m)), is more. If it finds nothing, the limit was too low.
 * The inequality says most where no number is 1, so the dimensions with the smallest extents are taken first.
 *
 * Costs are sums of (dims[i] - 1) / extents[i], since what the ones cost is no choice. They are compared as
 * doubles where these are exact (the weights brought to a small common denominator) or clearly different, and
 * otherwise as whole numbers of 512 bits: with all over the product of the extents, a term is a number below
 * 2^31 times at most seven extents below 2^63, eight of which are below 2^475. */
#include <parcel/grid.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PRIMES = 9, LIMBS = 16 };

/* Primes in increasing order with their exponents. */
typedef struct factorisation {
  int primes;
  int prime[MOST_PRIMES];
  int exponent[MOST_PRIMES];
} factorisation;

typedef struct divisor {
  int value;
  int number; /* in mixed radix: its place among the states */
} divisor;

/* The best numbers of the first dimensions with a certain product. */
typedef struct candidate {
  parcel_index filled; /* combinations of coordinates that own points; 0: there is no candidate */
  double cost;
  int dims[PARCEL_GRID_DIMENSIONS];
} candidate;

/* The dimensions whose number is wanted, and nothing else, the smallest extents first. */
typedef struct search {
  int parts;
  int dimensions;
  int places[PARCEL_GRID_DIMENSIONS]; /* the caller's numbers of the dimensions */
  parcel_index extents[PARCEL_GRID_DIMENSIONS];
  double weights[PARCEL_GRID_DIMENSIONS];                /* proportional to 1 / extent */
  bool is_exact;                                         /* the weights and every cost are whole numbers */
  uint32_t exact_weights[PARCEL_GRID_DIMENSIONS][LIMBS]; /* unless is_exact; the lowest limb first */
  bool fits; /* only candidates whose parts all own points, and that cost no more than the limit */
  double limit;
  int divisors;
  divisor *by_number;
  divisor *by_value;
  candidate *now;
  candidate *next;
} search;

/* ---- whole numbers ---- */

static factorisation factorise(int n)
{
  factorisation found = {0};
  for (int p = 2; p <= n / p; p += 1 + (p > 2)) {
    if (n % p != 0)
      continue;
    found.prime[found.primes] = p;
    for (; n % p == 0; n /= p)
      ++found.exponent[found.primes];
    ++found.primes;
  }
  if (n > 1) {
    found.prime[found.primes] = n;
    found.exponent[found.primes++] = 1;
  }
  return found;
}

static parcel_index greatest_common_divisor(parcel_index a, parcel_index b)
{
  while (b > 0) {
    const parcel_index rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static void scale_limbs(uint32_t limbs[LIMBS], uint32_t factor)
{
  uint64_t carry = 0;
  for (int l = 0; l < LIMBS; ++l) {
    carry += (uint64_t)limbs[l] * factor;
    limbs[l] = (uint32_t)carry;
    carry >>= 32;
  }
}

/* to += limbs * factor * 2^(32 * shift) */
static void add_limbs(uint32_t to[LIMBS], const uint32_t limbs[LIMBS], uint32_t factor, int shift)
{
  uint64_t carry = 0;
  for (int l = shift; l < LIMBS; ++l) {
    carry += (uint64_t)limbs[l - shift] * factor + to[l]; /* <= 2^32 - 1 + (2^32 - 1)^2 + 2^32 - 1 < 2^64 */
    to[l] = (uint32_t)carry;
    carry >>= 32;
  }
}

static void multiply_limbs(uint32_t limbs[LIMBS], parcel_index factor)
{
  uint32_t low[LIMBS];
  memcpy(low, limbs, sizeof low);
  scale_limbs(limbs, (uint32_t)factor);
  add_limbs(limbs, low, (uint32_t)(factor >> 32), 1);
}

/* ---- costs ---- */

/* With a small common denominator every cost is a whole number below 8 * 2^31 * 2^19 = 2^53. */
static bool set_whole_weights(search *s)
{
  const parcel_index most = 1 << 19;
  parcel_index denominator = 1;
  for (int i = 0; i < s->dimensions; ++i) {
    const parcel_index factor = denominator / greatest_common_divisor(denominator, s->extents[i]);
    if (factor > INT64_MAX / s->extents[i])
      return false;
    denominator = factor * s->extents[i];
  }
  for (int i = 0; i < s->dimensions; ++i) {
    const parcel_index weight = denominator / s->extents[i];
    if (weight > most)
      return false;
    s->weights[i] = (double)weight;
  }
  return true;
}

static void set_weights(search *s)
{
  s->is_exact = set_whole_weights(s);
  if (s->is_exact)
    return;
  memset(s->exact_weights, 0, sizeof s->exact_weights);
  for (int i = 0; i < s->dimensions; ++i) {
    s->weights[i] = 1.0 / (double)s->extents[i];
    s->exact_weights[i][0] = 1;
    for (int j = 0; j < s->dimensions; ++j)
      if (j != i)
        multiply_limbs(s->exact_weights[i], s->extents[j]);
  }
}

static int compare_exactly(const search *s, int count, const int a[], const int b[])
{
  uint32_t costs[2][LIMBS] = {{0}};
  for (int i = 0; i < count; ++i) {
    add_limbs(costs[0], s->exact_weights[i], (uint32_t)a[i], 0);
    add_limbs(costs[1], s->exact_weights[i], (uint32_t)b[i], 0);
  }
  for (int l = LIMBS - 1; l >= 0; --l)
    if (costs[0][l] != costs[1][l])
      return costs[0][l] < costs[1][l] ? -1 : 1;
  return 0;
}

/* ---- the order of candidates ---- */

/* Largest number first; the smaller is the one with the smaller number where they first differ. */
static int compare_sorted(int count, const int a[], const int b[])
{
  int sorted[2][PARCEL_GRID_DIMENSIONS];
  for (int side = 0; side < 2; ++side) {
    for (int i = 0; i < count; ++i) {
      const int value = side == 0 ? a[i] : b[i];
      int at = i;
      for (; at > 0 && sorted[side][at - 1] < value; --at)
        sorted[side][at] = sorted[side][at - 1];
      sorted[side][at] = value;
    }
  }
  for (int i = 0; i < count; ++i)
    if (sorted[0][i] != sorted[1][i])
      return sorted[0][i] < sorted[1][i] ? -1 : 1;
  return 0;
}

/* In the caller's order of the dimensions. */
static bool has_larger_first(const search *s, int count, const int a[], const int b[])
{
  int first = -1;
  for (int i = 0; i < count; ++i)
    if (a[i] != b[i] && (first < 0 || s->places[i] < s->places[first]))
      first = i;
  return first >= 0 && a[first] > b[first];
}

/* Among those with the same product; rules 1 to 4 of the header. */
static bool is_better(const search *s, int count, const candidate *a, const candidate *b)
{
  if (a->filled != b->filled)
    return a->filled > b->filled;
  const double tolerance =
      s->is_exact ? 0 : 1e-12 * a->cost; /* the error of a cost is below 20 * 2^-53 of it */
  if (a->cost < b->cost - tolerance || a->cost > b->cost + tolerance)
    return a->cost < b->cost;
  int order = s->is_exact ? 0 : compare_exactly(s, count, a->dims, b->dims);
  if (order == 0)
    order = compare_sorted(count, a->dims, b->dims);
  return order ? order < 0 : has_larger_first(s, count, a->dims, b->dims);
}

/* ---- the search ---- */

static double most_cost(const search *s)
{
  double cost = 0;
  for (int i = 0; i < s->dimensions; ++i)
    cost += (s->parts - 1) * s->weights[i];
  return cost;
}

/* The cost of a good solution: the largest primes first, each to the dimension whose cost it raises least. If
 * that would leave parts empty, what no solution exceeds. */
static double greedy_cost(const search *s, const factorisation *factors)
{
  int dims[PARCEL_GRID_DIMENSIONS];
  double cost = 0;
  for (int i = 0; i < s->dimensions; ++i)
    dims[i] = 1;
  for (int f = factors->primes - 1; f >= 0; --f) {
    for (int e = 0; e < factors->exponent[f]; ++e) {
      int best = -1;
      for (int i = 0; i < s->dimensions; ++i)
        if ((parcel_index)dims[i] * factors->prime[f] <= s->extents[i] &&
            (best < 0 || dims[i] * s->weights[i] < dims[best] * s->weights[best]))
          best = i;
      if (best < 0)
        return most_cost(s);
      dims[best] *= factors->prime[f];
    }
  }
  for (int i = 0; i < s->dimensions; ++i)
    cost += (dims[i] - 1) * s->weights[i];
  return cost;
}

/* The rest, to be shared by the dimensions from `first` on, costs more than the slack whatever the shares. */
static bool is_hopeless(const search *s, int first, int rest, double slack)
{
  const int count = s->dimensions - first;
  double sum = slack;
  double reached = 1;
  double needed = rest;
  for (int i = first; i < s->dimensions; ++i)
    sum += s->weights[i];
  for (int i = first; i < s->dimensions; ++i) {
    reached *= sum / count;
    needed *= s->weights[i];
  }
  return slack < 0 || reached < needed * (1 - 1e-9);
}

/* A candidate takes the place of the best one so far if it is better. */
static void offer(const search *s, int i, const candidate *from, int value, candidate *place)
{
  const parcel_index extent = s->extents[i];
  candidate to = {.filled = from->filled * (value < extent ? value : extent),
                  .cost = from->cost + (value - 1) * s->weights[i]};
  if (place->filled > to.filled)
    return;
  for (int j = 0; j < i; ++j)
    to.dims[j] = from->dims[j];
  to.dims[i] = value;
  if (place->filled == 0 || is_better(s, i + 1, &to, place))
    *place = to;
}

/* From all states of the first i dimensions to those of i + 1. */
static void take_dimension(search *s, int i)
{
  for (int d = 0; d < s->divisors; ++d)
    s->next[d].filled = 0;
  for (int d = 0; d < s->divisors; ++d) {
    const candidate *from = &s->now[d];
    const int rest = s->parts / s->by_number[d].value;
    const double slack = s->limit * (1 + 1e-9) - from->cost; /* rounding loses none within the limit */
    if (from->filled == 0 || (s->fits && is_hopeless(s, i, rest, slack)))
      continue;
    if (i == s->dimensions - 1) {
      if (!s->fits || rest <= s->extents[i])
        offer(s, i, from, rest, &s->next[s->divisors - 1]);
      continue;
    }
    for (const divisor *v = s->by_value; v < s->by_value + s->divisors && v->value <= rest; ++v) {
      if (s->fits && (v->value > s->extents[i] || (v->value - 1) * s->weights[i] > slack))
        break;
      if (rest % v->value == 0)
        offer(s, i, from, v->value, &s->next[d + v->number]);
    }
  }
  candidate *swap = s->now;
  s->now = s->next;
  s->next = swap;
}

static int compare_values(const void *a, const void *b)
{
  const int one = ((const divisor *)a)->value;
  const int other = ((const divisor *)b)->value;
  return (one > other) - (one < other);
}

/* The divisor with exponents e0, e1, ... has the number e0 + e1 * (x0 + 1) + e2 * (x0 + 1) * (x1 + 1) + ...;
 * so parts itself is the last. */
static void list_divisors(search *s, const factorisation *factors)
{
  int count = 1;
  s->by_number[0] = (divisor){.value = 1};
  for (int f = 0; f < factors->primes; ++f) {
    const int before = count;
    for (int e = 0; e < factors->exponent[f]; ++e)
      for (int d = 0; d < before; ++d, ++count)
        s->by_number[count] =
            (divisor){.value = s->by_number[count - before].value * factors->prime[f], .number = count};
  }
  memcpy(s->by_value, s->by_number, (size_t)count * sizeof *s->by_value);
  qsort(s->by_value, (size_t)count, sizeof *s->by_value, compare_values);
}

/* The best candidate of all; one with `filled` 0 if there is none within the limit. */
static const candidate *search_once(search *s)
{
  for (int d = 0; d < s->divisors; ++d)
    s->now[d].filled = 0;
  s->now[0] = (candidate){.filled = 1}; /* no dimension taken yet */
  for (int i = 0; i < s->dimensions; ++i)
    take_dimension(s, i);
  return &s->now[s->divisors - 1];
}

/* Limits from just above a lower bound up to the cost of the greedy solution: a small one makes a search
 * fast, and one that finds nothing is faster still. */
static const candidate *search_all(search *s, const factorisation *factors)
{
  double least = s->weights[s->dimensions - 1]; /* of one 2 and ones */
  double most = greedy_cost(s, factors) * (1 + 1e-9);
  if (most < least)
    most = least;
  while (least < most && is_hopeless(s, 0, s->parts, least))
    least *= 1.1;
  s->fits = true;
  for (double excess = 0.05; s->limit < most; excess *= 4) {
    s->limit = least * (1 + excess) < most ? least * (1 + excess) : most;
    const candidate *best = search_once(s);
    if (best->filled > 0 && best->cost <= s->limit)
      return best;
  }
  s->fits = false; /* every factorisation leaves parts empty */
  return search_once(s);
}

/* Finds the free numbers and puts them into the caller's dims. */
static parcel_status find_best(search *s, int dims[])
{
  const factorisation factors = factorise(s->parts);
  s->divisors = 1;
  for (int f = 0; f < factors.primes; ++f)
    s->divisors *= factors.exponent[f] + 1;
  const size_t count = (size_t)s->divisors;
  candidate *states = calloc(2 * count, sizeof *states);
  divisor *divisors = calloc(2 * count, sizeof *divisors);
  parcel_status status = PARCEL_OK;

  if (!states || !divisors) {
    status = parcel_fail(PARCEL_MEMORY, "no memory for the %d divisors of %d", s->divisors, s->parts);
    goto done;
  }
  s->now = states;
  s->next = states + count;
  s->by_number = divisors;
  s->by_value = divisors + count;
  list_divisors(s, &factors);
  set_weights(s);
  const candidate *best = search_all(s, &factors);
  for (int i = 0; i < s->dimensions; ++i)
    dims[s->places[i]] = best->dims[i];
done:
  free(divisors);
  free(states);
  return status;
}

/* ---- the function ---- */

static parcel_status check(int parts, int dimensions, const parcel_index extents[], const int dims[])
{
  if (parts < 1)
    return parcel_fail(PARCEL_INVALID, "%d parts; there must be at least 1", parts);
  if (dimensions < 1 || dimensions > PARCEL_GRID_DIMENSIONS)
    return parcel_fail(PARCEL_INVALID, "%d dimensions; there must be 1 to %d", dimensions,
                       PARCEL_GRID_DIMENSIONS);
  for (int i = 0; i < dimensions; ++i) {
    if (dims[i] < 0)
      return parcel_fail(PARCEL_INVALID, "%d parts in dimension %d; give at least 1, or 0 to have it chosen",
                         dims[i], i);
    if (extents && extents[i] < 0)
      return parcel_fail(PARCEL_INVALID, "an extent of %" PRId64 " in dimension %d; it must be at least 0",
                         extents[i], i);
  }
  return PARCEL_OK;
}

/* Keeps the dimensions sorted by extent, and equal ones in the caller's order. */
static void add_dimension(search *s, int place, parcel_index extent)
{
  int at = s->dimensions++;
  for (; at > 0 && s->extents[at - 1] > extent; --at) {
    s->extents[at] = s->extents[at - 1];
    s->places[at] = s->places[at - 1];
  }
  s->extents[at] = extent;
  s->places[at] = place;
}

parcel_status parcel_dims_balanced(int parts, int dimensions, const parcel_index extents[], int dims[])
{
  search s = {.parts = parts};
  const parcel_status status = check(parts, dimensions, extents, dims);
  if (status)
    return status;

  for (int i = 0; i < dimensions; ++i) {
    if (dims[i] == 0) {
      const parcel_index extent = extents ? extents[i] : INT64_MAX;
      add_dimension(&s, i, extent > 0 ? extent : 1);
    } else if (s.parts % dims[i] == 0) {
      s.parts /= dims[i];
    } else {
      return parcel_fail(PARCEL_INVALID,
                         "%d parts are no multiple of the numbers given, up to the %d of dimension %d", parts,
                         dims[i], i);
    }
  }
  if (s.dimensions > 0)
    return find_best(&s, dims);
  if (s.parts > 1)
    return parcel_fail(PARCEL_INVALID, "%d parts, but the numbers given make %d; let one of them be 0", parts,
                       parts / s.parts);
  return PARCEL_OK;
}
