/* The table takes two passes over the rows, one for the widths: rows cost nothing to make again. */
#include "listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifdef PARCEL_WITH_JANSSON
#include <jansson.h>
#endif

#define CELL_SIZE 24

/* ---- the table ---- */

static void print_fact(const listing_fact *fact, bool is_first)
{
  printf("%s%s ", is_first ? "" : fact->begins_line ? "\n" : ", ", fact->name);
  switch (fact->kind) {
  case LISTING_TEXT: printf("%s", fact->text); break;
  case LISTING_NUMBER: printf("%" PRId64, fact->number); break;
  case LISTING_RATIO: printf("%.4f", fact->ratio); break;
  }
}

static const char *cell_text(listing_cell cell, char text[CELL_SIZE])
{
  if (cell.is_none)
    return "-";
  snprintf(text, CELL_SIZE, "%" PRId64, cell.number);
  return text;
}

static void measure(const listing *listing, int widths[])
{
  listing_cell cells[LISTING_COLUMNS] = {{0}};
  char text[CELL_SIZE];
  for (int c = 0; c < listing->column_count; ++c)
    widths[c] = (int)strlen(listing->columns[c]);
  for (parcel_index row = 0; row < listing->row_count; ++row) {
    listing->fill(listing->ctx, row, cells);
    for (int c = 0; c < listing->column_count; ++c) {
      const int width = (int)strlen(cell_text(cells[c], text));
      widths[c] = width > widths[c] ? width : widths[c];
    }
  }
}

void listing_print_table(const listing *listing)
{
  int widths[LISTING_COLUMNS] = {0};
  listing_cell cells[LISTING_COLUMNS] = {{0}};
  char text[CELL_SIZE];
  for (int f = 0; f < listing->fact_count; ++f)
    print_fact(&listing->facts[f], f == 0);
  printf("\n\n");
  measure(listing, widths);
  for (int c = 0; c < listing->column_count; ++c)
    printf("%s%*s", c > 0 ? "  " : "", widths[c], listing->columns[c]);
  printf("\n");
  for (parcel_index row = 0; row < listing->row_count; ++row) {
    if (row > 0 && row == listing->gap)
      printf("%*s\n", widths[0], "...");
    listing->fill(listing->ctx, row, cells);
    for (int c = 0; c < listing->column_count; ++c)
      printf("%s%*s", c > 0 ? "  " : "", widths[c], cell_text(cells[c], text));
    printf("\n");
  }
}

/* ---- JSON ---- */

#ifdef PARCEL_WITH_JANSSON

/* Ratios are rounded to what people expect to see: 1.1, not 1.1000000000000001. */
#define DUMP_FLAGS (JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

static json_t *fact_json(const listing_fact *fact)
{
  switch (fact->kind) {
  case LISTING_TEXT: return json_string(fact->text);
  case LISTING_NUMBER: return json_integer(fact->number);
  case LISTING_RATIO: return json_real(fact->ratio);
  }
  return NULL;
}

static json_t *facts_json(const listing *listing)
{
  json_t *object = json_object();
  for (int f = 0; object && f < listing->fact_count; ++f) {
    if (json_object_set_new(object, listing->facts[f].name, fact_json(&listing->facts[f])) != 0) {
      json_decref(object);
      return NULL;
    }
  }
  return object;
}

static json_t *row_json(const listing *listing, parcel_index row)
{
  listing_cell cells[LISTING_COLUMNS] = {{0}};
  json_t *object = json_object();
  listing->fill(listing->ctx, row, cells);
  for (int c = 0; object && c < listing->column_count; ++c) {
    json_t *value = cells[c].is_none ? json_null() : json_integer(cells[c].number);
    if (json_object_set_new(object, listing->columns[c], value) != 0) {
      json_decref(object);
      return NULL;
    }
  }
  return object;
}

/* Prints the object and lets go of it; false if there was no memory to make it. */
static bool print_object(json_t *object, size_t flags)
{
  if (!object)
    return false;
  json_dumpf(object, stdout, DUMP_FLAGS | flags);
  json_decref(object);
  return true;
}

bool listing_has_json(void)
{
  return true;
}

parcel_status listing_print_json(const listing *listing)
{
  printf("{");
  bool is_done = print_object(facts_json(listing), JSON_EMBED);
  printf(", \"%s\": [", listing->row_name);
  for (parcel_index row = 0; is_done && row < listing->row_count; ++row) {
    printf("%s\n  ", row > 0 ? "," : "");
    is_done = print_object(row_json(listing, row), 0);
  }
  printf("\n]}\n");
  return is_done ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory to print a row as JSON");
}

#else

bool listing_has_json(void)
{
  return false;
}

parcel_status listing_print_json(const listing *listing)
{
  (void)listing;
  return parcel_fail(PARCEL_INVALID, "--json: this program was built without jansson");
}

#endif
