/* Text out of a layout and back. What is written says how the layout was made, except that weights are
 * written as the cut points they led to: those are exact, and weights in decimal need not be. What is hashed
 * says only who owns what, so that equal layouts hash alike. */
#include "layout_impl.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor_impl.h"

/* ---- out ---- */

/* A text that grows beyond the room there is for it, as in snprintf. */
typedef struct writer {
  char *text;
  size_t size;
  size_t length;
} writer;

static void put(writer *out, const char *word)
{
  for (; *word; ++word, ++out->length)
    if (out->length + 1 < out->size)
      out->text[out->length] = *word;
}

static void put_number(writer *out, const char *before, parcel_index number)
{
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  put(out, before);
  put(out, digits);
}

parcel_index parcel_layout_format(const parcel_layout *layout, char *text, size_t size)
{
  static const char *const openings[] = {
      [LAYOUT_BLOCK] = "block(",   [LAYOUT_ALIGNED] = "aligned(",   [LAYOUT_CEILING] = "ceiling(",
      [LAYOUT_CYCLIC] = "cyclic(", [LAYOUT_EXPLICIT] = "explicit(",
  };
  writer out = {.text = text, .size = size};
  if (layout->rule == LAYOUT_EXPLICIT) {
    put_number(&out, openings[layout->rule], layout->offsets[0]);
    for (int part = 0; part < layout->parts; ++part)
      put_number(&out, ",", layout->offsets[part + 1]);
  } else {
    put_number(&out, openings[layout->rule], layout->n);
    put_number(&out, ",", layout->parts);
    if (layout->rule == LAYOUT_ALIGNED)
      put_number(&out, ",align=", layout->argument);
    if (layout->rule == LAYOUT_CYCLIC)
      put_number(&out, ",block=", layout->argument);
  }
  put(&out, ")");
  if (size > 0)
    text[out.length < size ? out.length : size - 1] = '\0';
  return (parcel_index)out.length;
}

static uint64_t hash_on(uint64_t hash, const char *text)
{
  for (; *text; ++text)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  return hash;
}

uint64_t parcel_layout_hash(const parcel_layout *layout)
{
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  char piece[48];
  snprintf(piece, sizeof piece, "%d:", layout->parts);
  hash = hash_on(hash, piece);
  if (!parcel_layout_is_contiguous(layout)) {
    snprintf(piece, sizeof piece, "%" PRId64 "/%" PRId64, layout->n, layout->by.wraps.block);
    return hash_on(hash, piece);
  }
  for (int first = 0; first < layout->parts;) {
    const layout_run run = parcel__layout_run_from(layout, first);
    snprintf(piece, sizeof piece, "%" PRId64 "x%d;", run.count, run.end - run.first);
    hash = hash_on(hash, piece);
    first = run.end;
  }
  return hash;
}

/* ---- back ---- */

static const char *const noun = "layout";

/* A number that must not be below `least`, nor above `most`. */
static parcel_status read_bounded(parcel__cursor *in, const char *what, parcel_index least, parcel_index most,
                                  parcel_index *out)
{
  const char *start = in->at;
  parcel_index value = 0;
  const parcel_status status = parcel__cursor_number(in, &value);
  if (status)
    return status;
  if (value < least || value > most)
    return parcel_fail(PARCEL_INVALID,
                       "%s '%.99s': %s at character %ld is %" PRId64 "; it must be from %" PRId64
                       " to %" PRId64,
                       in->noun, in->text, what, parcel__cursor_character(in, start), value, least, most);
  *out = value;
  return PARCEL_OK;
}

static parcel_status read_close(parcel__cursor *in)
{
  const parcel_status status = parcel__cursor_expect(in, ")");
  return status ? status : parcel__cursor_end(in);
}

/* N,PARTS */
static parcel_status read_shape(parcel__cursor *in, parcel_index *n, int *parts)
{
  parcel_index wide_parts = 0;
  parcel_status status = PARCEL_OK;
  if ((status = read_bounded(in, "the size", 0, INT64_MAX, n)) || (status = parcel__cursor_expect(in, ",")) ||
      (status = read_bounded(in, "the number of parts", 1, INT_MAX, &wide_parts)))
    return status;
  *parts = (int)wide_parts;
  return PARCEL_OK;
}

static parcel_status parse_block(parcel__cursor *in, parcel_layout **out)
{
  parcel_index n = 0;
  int parts = 0;
  parcel_status status = PARCEL_OK;
  if ((status = read_shape(in, &n, &parts)) || (status = read_close(in)))
    return status;
  return parcel_layout_block(n, parts, out);
}

static parcel_status parse_ceiling(parcel__cursor *in, parcel_layout **out)
{
  parcel_index n = 0;
  int parts = 0;
  parcel_status status = PARCEL_OK;
  if ((status = read_shape(in, &n, &parts)) || (status = read_close(in)))
    return status;
  return parcel_layout_ceiling(n, parts, out);
}

static parcel_status parse_aligned(parcel__cursor *in, parcel_layout **out)
{
  parcel_index n = 0;
  parcel_index align = 0;
  int parts = 0;
  parcel_status status = PARCEL_OK;
  if ((status = read_shape(in, &n, &parts)) || (status = parcel__cursor_expect(in, ",align=")) ||
      (status = read_bounded(in, "the alignment", 1, INT64_MAX, &align)) || (status = read_close(in)))
    return status;
  return parcel_layout_aligned(n, parts, align, out);
}

static parcel_status parse_cyclic(parcel__cursor *in, parcel_layout **out)
{
  parcel_index n = 0;
  parcel_index block = 1;
  int parts = 0;
  parcel_status status = read_shape(in, &n, &parts);
  if (status)
    return status;
  if (*in->at == ',' && ((status = parcel__cursor_expect(in, ",block=")) ||
                         (status = read_bounded(in, "the block", 1, INT64_MAX, &block))))
    return status;
  status = read_close(in);
  return status ? status : parcel_layout_cyclic(n, parts, block, out);
}

/* How many items a list has, of which `separator` stands between any two: what to allocate for. */
static parcel_status count_items(const parcel__cursor *in, char separator, int *out)
{
  int items = 1;
  for (const char *at = in->at; (at = strchr(at, separator)); ++at)
    if (++items > INT_MAX - 1)
      return parcel_fail(PARCEL_INVALID, "%s '%.99s': more than %d items in a list", in->noun, in->text,
                         INT_MAX - 1);
  *out = items;
  return PARCEL_OK;
}

/* 0,OFFSET,... */
static parcel_status read_offsets(parcel__cursor *in, int count, parcel_index offsets[])
{
  parcel_index least = 0;
  for (int k = 0; k < count; ++k) {
    parcel_status status = PARCEL_OK;
    if ((k > 0 && (status = parcel__cursor_expect(in, ","))) ||
        (status = read_bounded(in, "the cut point", least, k > 0 ? INT64_MAX : 0, &least)))
      return status;
    offsets[k] = least;
  }
  return read_close(in);
}

static parcel_status parse_explicit(parcel__cursor *in, parcel_layout **out)
{
  int count = 0;
  parcel_status status = count_items(in, ',', &count);
  if (status)
    return status;
  count = count > 2 ? count : 2; /* a single one lacks its end: let the reading say so */
  parcel_index *offsets = malloc((size_t)count * sizeof *offsets);
  if (!offsets)
    return parcel_fail(PARCEL_MEMORY, "no memory to read %d cut points", count);
  status = read_offsets(in, count, offsets);
  if (!status)
    status = parcel_layout_explicit(count - 1, offsets, out);
  free(offsets);
  return status;
}

/* Digits, with a point before, among or behind them or none. With 15 digits at most, the digits and the power
 * of ten are exact doubles, and their quotient is the double that is nearest to the decimal (W. Clinger, How
 * to Read Floating Point Numbers Accurately, PLDI 1990), whatever the locale. */
static parcel_status read_weight(parcel__cursor *in, double *out)
{
  const char *start = in->at;
  double value = 0;
  double divisor = 1;
  bool has_point = false;
  int digits = 0;
  for (; parcel__is_digit(*in->at) || (*in->at == '.' && !has_point); ++in->at) {
    if (*in->at == '.') {
      has_point = true;
      continue;
    }
    if (++digits > 15)
      return parcel_fail(PARCEL_INVALID, "%s '%.99s': the weight at character %ld has more than 15 digits",
                         in->noun, in->text, parcel__cursor_character(in, start));
    value = value * 10 + (*in->at - '0');
    divisor *= has_point ? 10 : 1;
  }
  if (digits == 0)
    return parcel__cursor_fail(in, "a digit");
  *out = value / divisor;
  return PARCEL_OK;
}

/* W:W:... */
static parcel_status read_weights(parcel__cursor *in, int count, double weights[])
{
  for (int k = 0; k < count; ++k) {
    parcel_status status = PARCEL_OK;
    if ((k > 0 && (status = parcel__cursor_expect(in, ":"))) || (status = read_weight(in, &weights[k])))
      return status;
  }
  return read_close(in);
}

static parcel_status parse_weighted(parcel__cursor *in, parcel_layout **out)
{
  parcel_index n = 0;
  int parts = 0;
  parcel_status status = PARCEL_OK;
  if ((status = read_bounded(in, "the size", 0, INT64_MAX, &n)) ||
      (status = parcel__cursor_expect(in, ",weights=")) || (status = count_items(in, ':', &parts)))
    return status;
  double *weights = malloc((size_t)parts * sizeof *weights);
  if (!weights)
    return parcel_fail(PARCEL_MEMORY, "no memory to read %d weights", parts);
  const long character = parcel__cursor_character(in, in->at);
  status = read_weights(in, parts, weights);
  if (!status && (status = parcel_layout_weighted(n, parts, weights, out)))
    status = parcel_fail(status, "%s '%.99s': at character %ld: %s", in->noun, in->text, character,
                         parcel_last_error());
  free(weights);
  return status;
}

parcel_status parcel_layout_parse(const char *text, parcel_layout **out)
{
  static const struct {
    const char *opening;
    parcel_status (*parse)(parcel__cursor *in, parcel_layout **out);
  } rules[] = {{"block(", parse_block},   {"aligned(", parse_aligned},   {"ceiling(", parse_ceiling},
               {"cyclic(", parse_cyclic}, {"weighted(", parse_weighted}, {"explicit(", parse_explicit}};
  parcel__cursor in = {.noun = noun, .text = text, .at = text};
  for (size_t r = 0; r < sizeof rules / sizeof rules[0]; ++r)
    if (parcel__cursor_skip(&in, rules[r].opening))
      return rules[r].parse(&in, out);
  return parcel_fail(PARCEL_INVALID,
                     "%s '%.99s': no rule and its '(' at character 1; one of: block(, aligned(, ceiling(, "
                     "cyclic(, weighted(, explicit(",
                     noun, text);
}
