#include "layout_spelling.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/range.h>

/* What a spelling is made from. */
typedef struct spelling {
  const char *text;
  const char *argument; /* behind the ':'; NULL: none */
  parcel_index n;
  int parts; /* 0: not given */
} spelling;

static parcel_status need_parts(const spelling *from)
{
  if (from->parts == 0)
    return parcel_fail(PARCEL_INVALID, "--parts is missing: into how many parts?");
  return PARCEL_OK;
}

static parcel_status refuse_argument(const spelling *from)
{
  if (from->argument)
    return parcel_fail(PARCEL_INVALID, "--layout: '%s' takes nothing after the ':'", from->text);
  return PARCEL_OK;
}

/* The number behind the ':'. */
static parcel_status read_number(const spelling *from, parcel_index *out)
{
  parcel_index number = 0;
  const parcel_status status = parcel_index_parse(from->argument, &number);
  if (status)
    return parcel_fail(PARCEL_INVALID, "--layout: %s", parcel_last_error());
  if (number < 1)
    return parcel_fail(PARCEL_INVALID, "--layout: %s is outside 1..%" PRId64, from->argument, INT64_MAX);
  *out = number;
  return PARCEL_OK;
}

static parcel_status make_block(const spelling *from, parcel_layout **out)
{
  parcel_status status = PARCEL_OK;
  if ((status = refuse_argument(from)) || (status = need_parts(from)))
    return status;
  return parcel_layout_block(from->n, from->parts, out);
}

static parcel_status make_ceiling(const spelling *from, parcel_layout **out)
{
  parcel_status status = PARCEL_OK;
  if ((status = refuse_argument(from)) || (status = need_parts(from)))
    return status;
  return parcel_layout_ceiling(from->n, from->parts, out);
}

static parcel_status make_aligned(const spelling *from, parcel_layout **out)
{
  parcel_index align = 0;
  parcel_status status = PARCEL_OK;
  if (!from->argument)
    return parcel_fail(PARCEL_INVALID, "--layout: 'aligned' needs a number, as in aligned:512");
  if ((status = read_number(from, &align)) || (status = need_parts(from)))
    return status;
  return parcel_layout_aligned(from->n, from->parts, align, out);
}

static parcel_status make_cyclic(const spelling *from, parcel_layout **out)
{
  parcel_index block = 1;
  parcel_status status = PARCEL_OK;
  if ((from->argument && (status = read_number(from, &block))) || (status = need_parts(from)))
    return status;
  return parcel_layout_cyclic(from->n, from->parts, block, out);
}

/* ---- lists: W1,W2,... ---- */

static parcel_status read_weight(const char *text, void *out)
{
  char *end = NULL;
  const double weight = strtod(text, &end);
  /* of what strtod reads, only what people write in decimal: no 0x1p3, no blanks, no infinity */
  if (*text == '\0' || *end != '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
    return parcel_fail(PARCEL_INVALID, "--layout: '%s' is no weight, such as 2 or 0.5", text);
  *(double *)out = weight;
  return PARCEL_OK;
}

static parcel_status read_offset(const char *text, void *out)
{
  const parcel_status status = parcel_index_parse(text, out);
  return status ? parcel_fail(PARCEL_INVALID, "--layout: %s", parcel_last_error()) : PARCEL_OK;
}

static int count_items(const char *text)
{
  int count = 1;
  for (; *text; ++text)
    count += *text == ',';
  return count;
}

/* Reads the list behind the ':' into an array of *count items, which the caller frees. Arguments of a program
 * are far shorter than INT_MAX. */
static parcel_status read_list(const spelling *from, size_t size,
                               parcel_status (*read)(const char *text, void *out), void **items, int *count)
{
  if (!from->argument)
    return parcel_fail(PARCEL_INVALID, "--layout: '%s' needs a list; one of: " LAYOUT_SPELLINGS, from->text);
  const int length = count_items(from->argument);
  parcel_status status = PARCEL_OK;
  char *copy = strdup(from->argument);
  char *array = malloc((size_t)length * size);
  char *at = copy;
  if (!copy || !array)
    status = parcel_fail(PARCEL_MEMORY, "no memory to read a list of %d", length);
  for (int k = 0; !status && k < length; ++k)
    status = read(strsep(&at, ","), array + (size_t)k * size);
  free(copy);
  if (status) {
    free(array);
    return status;
  }
  *items = array;
  *count = length;
  return PARCEL_OK;
}

static parcel_status make_weighted(const spelling *from, parcel_layout **out)
{
  void *weights = NULL;
  int count = 0;
  parcel_status status = read_list(from, sizeof(double), read_weight, &weights, &count);
  if (status)
    return status;
  status = parcel_layout_weighted(from->n, count, weights, out);
  if (status)
    status = parcel_fail(status, "--layout: %s", parcel_last_error());
  free(weights);
  return status;
}

static parcel_status make_explicit(const spelling *from, parcel_layout **out)
{
  void *offsets = NULL;
  int count = 0;
  parcel_status status = read_list(from, sizeof(parcel_index), read_offset, &offsets, &count);
  if (status)
    return status;
  if (count < 2)
    status = parcel_fail(PARCEL_INVALID, "--layout: '%s' needs two cut points or more, as in explicit:0,10",
                         from->text);
  else if ((status = parcel_layout_explicit(count - 1, offsets, out)))
    status = parcel_fail(status, "--layout: %s", parcel_last_error());
  free(offsets);
  return status;
}

static parcel_status make_from_library_text(const char *text, parcel_layout **out)
{
  const parcel_status status = parcel_layout_parse(text, out);
  return status ? parcel_fail(status, "--layout: %s", parcel_last_error()) : PARCEL_OK;
}

static parcel_status make(const spelling *from, parcel_layout **out)
{
  static const struct {
    const char *name;
    parcel_status (*make)(const spelling *from, parcel_layout **out);
  } kinds[] = {{"block", make_block},   {"aligned", make_aligned},   {"ceiling", make_ceiling},
               {"cyclic", make_cyclic}, {"weighted", make_weighted}, {"explicit", make_explicit}};
  const size_t length = strcspn(from->text, ":");
  if (strchr(from->text, '('))
    return make_from_library_text(from->text, out);
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k)
    if (strlen(kinds[k].name) == length && strncmp(kinds[k].name, from->text, length) == 0)
      return kinds[k].make(from, out);
  return parcel_fail(PARCEL_INVALID, "--layout: unknown layout '%s'; one of: " LAYOUT_SPELLINGS, from->text);
}

parcel_status layout_spelling_make(const char *text, parcel_index n, int parts, parcel_layout **out)
{
  const char *colon = strchr(text, ':');
  const spelling from = {.text = text, .argument = colon ? colon + 1 : NULL, .n = n, .parts = parts};
  parcel_layout *layout = NULL;
  parcel_status status = make(&from, &layout);
  if (status)
    return status;
  if (parcel_layout_size(layout) != n)
    status =
        parcel_fail(PARCEL_INVALID, "--layout: '%s' divides %" PRId64 " positions, the range has %" PRId64,
                    text, parcel_layout_size(layout), n);
  else if (parts != 0 && parcel_layout_parts(layout) != parts)
    status = parcel_fail(PARCEL_INVALID, "--layout: '%s' has %d parts, --parts says %d", text,
                         parcel_layout_parts(layout), parts);
  if (status)
    parcel_layout_free(&layout);
  else
    *out = layout;
  return status;
}
