/* Every kind is a function begin(step) with begin(0) = 0 and begin(steps) = n that does not decrease; step s
 * is [begin(s), begin(s + 1)). So the cover is exact by construction, and what needs a proof is that begin
 * does not decrease, and increases where no step may be empty.
 *
 * Guided. With q = 1 - 1/P and m the smallest chunk, what remains before step k is R(k) = floor(n * f(k)),
 * where f(k) <= q^k is computed with 128 bits; from the first R(k) <= m P on, chunks are of m. Claim: R(k) -
 * R(k + 1) >= m as long as R(k) > m P.
 *   Let q' <= q be the 128-bit value of q, and u = 2^-126. Each multiplication cuts its result by a factor in
 * [1 - u, 1]. power() squares, and multiplies by q': f(1) = q', and by induction
 *     q'^k >= f(k) >= q'^k (1 - u)^(k - 1) >= q'^k (1 - k u).
 * Hence f(k + 1) <= q'^(k + 1) <= q f(k) / (1 - k u), and
 *     n f(k) - n f(k + 1) >= n f(k) (1/P - d)   with d = 2 k u.
 *   Up to k = 64 P, which the search in settle_guided looks at, d <= 2^-88 < 1/P, so f decreases. Since
 * n q^k >= n f(k) >= m P + 1, k <= P ln(n / mP). The right side grows with n f(k), so it is at least
 * (m P + 1) (1/P - d), which is >= m if d P (m P + 1) <= 1. With y = n / mP >= 1, P < 2^31 and n < 2^63:
 *     d P (m P + 1) <= 2^-125 P^2 ln y (n / y + 1) < (ln y) / y + 2^-63 ln y <= 1/e + 2^-63 ln n < 1.
 * And floor(a) - floor(b) >= m if a - b >= m.
 *   The paper's R <- R - ceil(R / P) = floor(R q) is never above n q^k and less than P below it (each of its
 * roundings takes less than 1, and those before shrink by q); ours is at most 1 below.
 *
 * Trapezoid. F = ceil(n / 2P) and L the first and last chunk, N = ceil(2n / (F + L)), D = floor((F - L) / (N
 * - 1)), step i holds F - i D. These are >= L for i < N, and begin(N) = N F - D N (N - 1) / 2 >= N (F + L) /
 * 2 >= n, so the first step that ends at or beyond n is among the N; it is cut there.
 *
 * Factoring. A batch takes P chunks of ceil(R / 2P), hence at least half of R, so there are 63 at most and
 * they are walked. Once ceil(R / 2P) <= m, chunks are of m. While it is not, R > 2P, and the batch takes less
 * than R / 2 + P < R. */
#include <parcel/schedule.h>

#include <inttypes.h>
#include <stdbool.h>

#include <parcel/block.h>

#include "cursor_impl.h"
#include "layout_impl.h"

__extension__ typedef unsigned __int128 wide;

static parcel_index smaller_of(parcel_index a, parcel_index b)
{
  return a < b ? a : b;
}

static parcel_index ceiling_of_quotient(parcel_index a, parcel_index b)
{
  return a / b + (a % b != 0);
}

/* min(limit, a * b) */
static parcel_index product_within(parcel_index limit, parcel_index a, parcel_index b)
{
  const wide product = (wide)a * (wide)b;
  return product > (wide)limit ? limit : (parcel_index)product;
}

/* ---- guided ---- */

/* mantissa * 2^-(128 + shift), mantissa in [2^127, 2^128): a real number in (0, 1). */
typedef struct fraction {
  wide mantissa;
  int shift;
} fraction;

/* The product of two 128-bit numbers, divided by 2^128. */
static wide high_product(wide a, wide b)
{
  const wide a_low = (uint64_t)a;
  const wide b_low = (uint64_t)b;
  const wide a_high = a >> 64;
  const wide b_high = b >> 64;
  const wide low = (a_low * b_low) >> 64;
  const wide left = a_high * b_low;
  const wide right = a_low * b_high;
  const wide middle = low + (uint64_t)left + (uint64_t)right;
  return a_high * b_high + (left >> 64) + (right >> 64) + (middle >> 64);
}

static fraction product_of(fraction a, fraction b)
{
  fraction product = {high_product(a.mantissa, b.mantissa), a.shift + b.shift};
  if (product.mantissa >> 127 == 0) {
    product.mantissa <<= 1;
    ++product.shift;
  }
  return product;
}

/* f(exponent) of the comment above; parts >= 2, exponent >= 1. */
static fraction power(int parts, parcel_index exponent)
{
  const fraction base = {.mantissa = ~(wide)0 - ~(wide)0 / (wide)parts}; /* 2^128 - ceil(2^128 / parts) */
  fraction result = base;
  int bit = 62;
  while (!(exponent >> bit & 1))
    --bit;
  while (--bit >= 0) {
    result = product_of(result, result);
    if (exponent >> bit & 1)
      result = product_of(result, base);
  }
  return result;
}

/* R(step) of the comment above. */
static parcel_index guided_remaining(const parcel_schedule *schedule, parcel_index step)
{
  if (step == 0)
    return schedule->n;
  if (schedule->parts == 1)
    return 0;
  const fraction share = power(schedule->parts, step);
  if (share.shift > 63) /* n * share < 1 */
    return 0;
  const wide n = (wide)schedule->n;
  const wide product = n * (share.mantissa >> 64) + (n * (uint64_t)share.mantissa >> 64);
  return (parcel_index)(product >> (64 + share.shift));
}

static parcel_index guided_begin(const parcel_schedule *schedule, parcel_index step)
{
  if (step <= schedule->head)
    return schedule->n - guided_remaining(schedule, step);
  const parcel_index remaining = guided_remaining(schedule, schedule->head);
  return schedule->n - remaining + product_within(remaining, step - schedule->head, schedule->chunk);
}

/* The first step for which chunks of the smallest size are enough. (1 - 1/P)^(64 P) < e^-64 < 1 / INT64_MAX.
 * */
static void settle_guided(parcel_schedule *schedule)
{
  const parcel_index enough = product_within(schedule->n, schedule->parts, schedule->chunk);
  parcel_index low = 0;
  parcel_index high = (parcel_index)schedule->parts * 64;
  while (low < high) {
    const parcel_index middle = low + (high - low) / 2;
    if (guided_remaining(schedule, middle) <= enough)
      high = middle;
    else
      low = middle + 1;
  }
  schedule->head = low;
  schedule->steps = low + ceiling_of_quotient(guided_remaining(schedule, low), schedule->chunk);
}

/* ---- trapezoid ---- */

/* min(n, F i - D i (i - 1) / 2). i <= N < 2^33 + 2 and D i <= F for i < N: below 2^100. */
static parcel_index trapezoid_begin(const parcel_schedule *schedule, parcel_index step)
{
  const wide taken = (wide)schedule->first * (wide)step -
                     (wide)step * (wide)(step - (step > 0)) / 2 * (wide)schedule->decrement;
  return taken > (wide)schedule->n ? schedule->n : (parcel_index)taken;
}

static void settle_trapezoid(parcel_schedule *schedule)
{
  const parcel_index last = schedule->chunk;
  const parcel_index half = ceiling_of_quotient(schedule->n, (parcel_index)schedule->parts * 2);
  schedule->first = half > last ? half : last;
  const wide both = (wide)schedule->first + (wide)last;
  const parcel_index most = (parcel_index)(((wide)schedule->n * 2 + both - 1) / both);
  schedule->decrement = most > 1 ? (schedule->first - last) / (most - 1) : 0;
  parcel_index low = 0;
  parcel_index high = most;
  while (low < high) {
    const parcel_index middle = low + (high - low) / 2;
    if (trapezoid_begin(schedule, middle) >= schedule->n)
      high = middle;
    else
      low = middle + 1;
  }
  schedule->steps = low;
}

/* ---- factoring ---- */

/* A chunk of the batch that is taken from the remaining positions. */
static parcel_index batch_chunk(const parcel_schedule *schedule, parcel_index remaining)
{
  const parcel_index half = ceiling_of_quotient(remaining, (parcel_index)schedule->parts * 2);
  return half > schedule->chunk ? half : schedule->chunk;
}

/* What remains after `batches` batches, or after all but those of the smallest chunk; *walked says how many.
 * */
static parcel_index batches_remaining(const parcel_schedule *schedule, parcel_index batches,
                                      parcel_index *walked)
{
  parcel_index remaining = schedule->n;
  parcel_index chunk = 0;
  for (*walked = 0; *walked < batches; ++*walked) {
    chunk = batch_chunk(schedule, remaining);
    if (chunk == schedule->chunk)
      break;
    remaining -= schedule->parts * chunk;
  }
  return remaining;
}

static parcel_index factoring_begin(const parcel_schedule *schedule, parcel_index step)
{
  parcel_index walked = 0;
  const parcel_index remaining = batches_remaining(schedule, step / schedule->parts, &walked);
  return schedule->n - remaining +
         product_within(remaining, step - walked * schedule->parts, batch_chunk(schedule, remaining));
}

static void settle_factoring(parcel_schedule *schedule)
{
  parcel_index walked = 0;
  const parcel_index remaining = batches_remaining(schedule, INT64_MAX, &walked);
  schedule->steps = walked * schedule->parts + ceiling_of_quotient(remaining, schedule->chunk);
}

/* ---- weighted ---- */

/* The batches of factoring, the tail's included, which are of parts * chunk. */
static parcel_index weighted_begin(const parcel_schedule *schedule, parcel_index step)
{
  const parcel_index batch = step / schedule->parts;
  parcel_index walked = 0;
  parcel_index remaining = batches_remaining(schedule, batch, &walked);
  for (; walked < batch; ++walked)
    remaining -= product_within(remaining, schedule->parts, schedule->chunk);
  const parcel_index size = product_within(remaining, schedule->parts, batch_chunk(schedule, remaining));
  const parcel_index border = parcel__layout_begin(schedule->shares, (int)(step % schedule->parts));
  const parcel_index all = parcel_layout_size(schedule->shares);
  return schedule->n - remaining + (parcel_index)((wide)size * (wide)border / (wide)all);
}

static void settle_weighted(parcel_schedule *schedule)
{
  parcel_index walked = 0;
  parcel_index remaining = batches_remaining(schedule, INT64_MAX, &walked);
  for (; remaining > 0; ++walked)
    remaining -= product_within(remaining, schedule->parts, schedule->chunk);
  schedule->steps = walked * schedule->parts;
}

/* ---- all of them ---- */

static void settle(parcel_schedule *schedule)
{
  switch (schedule->kind) {
  case PARCEL_SCHEDULE_STATIC: schedule->steps = smaller_of(schedule->n, schedule->parts); break;
  case PARCEL_SCHEDULE_SELF:
  case PARCEL_SCHEDULE_FIXED: schedule->steps = ceiling_of_quotient(schedule->n, schedule->chunk); break;
  case PARCEL_SCHEDULE_GUIDED: settle_guided(schedule); break;
  case PARCEL_SCHEDULE_TRAPEZOID: settle_trapezoid(schedule); break;
  case PARCEL_SCHEDULE_FACTORING: settle_factoring(schedule); break;
  case PARCEL_SCHEDULE_WEIGHTED: settle_weighted(schedule); break;
  }
}

/* A chunk beyond n is as good as n, and keeps what is computed with it small. */
static parcel_status make(parcel_schedule_kind kind, parcel_index n, int parts, parcel_index chunk,
                          const parcel_layout *shares, parcel_schedule *out)
{
  if (n < 0 || parts < 1 || chunk < 0)
    return parcel_fail(PARCEL_INVALID,
                       "no %s schedule of %" PRId64 " positions over %d parts by chunks of %" PRId64
                       "; there must be at least 0, 1 and 0",
                       parcel_schedule_name(kind), n, parts, chunk);
  parcel_schedule made = {.kind = kind, .parts = parts, .n = n, .shares = shares};
  made.chunk = smaller_of(chunk > 0 ? chunk : 1, n > 0 ? n : 1);
  settle(&made);
  *out = made;
  return PARCEL_OK;
}

parcel_status parcel_schedule_make(parcel_schedule_kind kind, parcel_index n, int parts, parcel_index chunk,
                                   parcel_schedule *out)
{
  switch (kind) {
  case PARCEL_SCHEDULE_STATIC:
  case PARCEL_SCHEDULE_SELF:
    if (chunk == 0)
      break;
    return parcel_fail(PARCEL_INVALID, "a %s schedule takes no chunk, but one of %" PRId64 " is given",
                       parcel_schedule_name(kind), chunk);
  case PARCEL_SCHEDULE_FIXED:
    if (chunk != 0)
      break;
    return parcel_fail(PARCEL_INVALID, "a fixed schedule needs a chunk of at least 1");
  case PARCEL_SCHEDULE_WEIGHTED:
    return parcel_fail(PARCEL_INVALID,
                       "a weighted schedule needs weights; make it by parcel_schedule_make_weighted");
  case PARCEL_SCHEDULE_GUIDED:
  case PARCEL_SCHEDULE_TRAPEZOID:
  case PARCEL_SCHEDULE_FACTORING: break;
  default: return parcel_fail(PARCEL_INVALID, "%d is no kind of schedule", (int)kind);
  }
  return make(kind, n, parts, chunk, NULL, out);
}

parcel_status parcel_schedule_make_weighted(parcel_index n, const parcel_layout *shares, parcel_index chunk,
                                            parcel_schedule *out)
{
  if (!parcel_layout_is_contiguous(shares))
    return parcel_fail(PARCEL_INVALID, "the shares of a weighted schedule must be a contiguous layout");
  if (parcel_layout_size(shares) == 0)
    return parcel_fail(PARCEL_INVALID, "the shares of a weighted schedule are all 0");
  return make(PARCEL_SCHEDULE_WEIGHTED, n, parcel_layout_parts(shares), chunk, shares, out);
}

parcel_index parcel_schedule_steps(const parcel_schedule *schedule)
{
  return schedule->steps;
}

/* Where a step in [0, steps] begins. */
static parcel_index begin_of(const parcel_schedule *schedule, parcel_index step)
{
  switch (schedule->kind) {
  case PARCEL_SCHEDULE_STATIC:
    return step < schedule->steps ? parcel_block_span(schedule->n, schedule->parts, step).begin : schedule->n;
  case PARCEL_SCHEDULE_SELF:
  case PARCEL_SCHEDULE_FIXED: return product_within(schedule->n, step, schedule->chunk);
  case PARCEL_SCHEDULE_GUIDED: return guided_begin(schedule, step);
  case PARCEL_SCHEDULE_TRAPEZOID: return trapezoid_begin(schedule, step);
  case PARCEL_SCHEDULE_FACTORING: return factoring_begin(schedule, step);
  case PARCEL_SCHEDULE_WEIGHTED: return weighted_begin(schedule, step);
  }
  return 0;
}

parcel_span parcel_schedule_span(const parcel_schedule *schedule, parcel_index step)
{
  if (step < 0 || step >= schedule->steps)
    return (parcel_span){0, 0};
  return (parcel_span){begin_of(schedule, step), begin_of(schedule, step + 1)};
}

/* ---- names ---- */

const char *parcel_schedule_name(parcel_schedule_kind kind)
{
  switch (kind) {
#define NAME_CASE(name, value, text)                                                                         \
  case PARCEL_SCHEDULE_##name: return text;
    PARCEL_SCHEDULE_MAP(NAME_CASE)
#undef NAME_CASE
  }
  return "unknown";
}

/* The kind whose name comes next and ends there. */
static parcel_status read_kind(parcel__cursor *in, parcel_schedule_kind *out)
{
  static const parcel_schedule_kind kinds[] = {
#define KIND(name, value, text) PARCEL_SCHEDULE_##name,
      PARCEL_SCHEDULE_MAP(KIND)
#undef KIND
  };
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
    parcel__cursor ahead = *in;
    if (parcel__cursor_skip(&ahead, parcel_schedule_name(kinds[k])) &&
        (*ahead.at == '\0' || *ahead.at == ',')) {
      *in = ahead;
      *out = kinds[k];
      return PARCEL_OK;
    }
  }
#define LISTED(name, value, text) ", " text
  static const char list[] = "" PARCEL_SCHEDULE_MAP(LISTED);
#undef LISTED
  return parcel_fail(PARCEL_INVALID, "unknown schedule '%.99s'; one of: %s", in->text, list + 2);
}

parcel_status parcel_schedule_parse(const char *text, parcel_schedule_kind *kind, parcel_index *chunk)
{
  parcel__cursor in = {.noun = "schedule", .text = text, .at = text};
  parcel_schedule_kind read = PARCEL_SCHEDULE_STATIC;
  parcel_index size = 0;
  parcel_status status = read_kind(&in, &read);
  if (status)
    return status;
  if (parcel__cursor_skip(&in, ",")) {
    const char *start = in.at;
    if ((status = parcel__cursor_number(&in, &size)) || (status = parcel__cursor_end(&in)))
      return status;
    if (size < 1)
      return parcel_fail(PARCEL_INVALID,
                         "schedule '%.99s': the chunk at character %ld is %" PRId64 "; it must be at least 1",
                         text, parcel__cursor_character(&in, start), size);
  }
  *kind = read;
  *chunk = size;
  return PARCEL_OK;
}
