/** @file
 *  Facts and rows of whole numbers, as a table for people and as JSON for programs, from the same cells. Rows
 *  are made as they are printed, so that there may be any number of them. */
#ifndef PARCEL_APPS_LISTING_H
#define PARCEL_APPS_LISTING_H

#include <stdbool.h>

#include <parcel/base.h>

#define LISTING_COLUMNS 8

typedef struct listing_fact {
  const char *name;
  enum { LISTING_TEXT, LISTING_NUMBER, LISTING_RATIO } kind;
  const char *text;
  parcel_index number;
  double ratio;
  bool begins_line; /* of the table; else it follows the fact before, after a comma */
} listing_fact;

typedef struct listing_cell {
  bool is_none; /* "-" in the table, null as JSON */
  parcel_index number;
} listing_cell;

typedef struct listing {
  const listing_fact *facts;
  int fact_count;
  const char *row_name; /* the key of the rows as JSON */
  const char *columns[LISTING_COLUMNS];
  int column_count;
  parcel_index row_count;
  parcel_index gap; /* rows are left out before this one, which the table shows; 0: none */
  void (*fill)(const void *ctx, parcel_index row, listing_cell cells[]);
  const void *ctx;
} listing;

/** Prints to the standard output. Whether that could be written shows when it is flushed. */
void listing_print_table(const listing *listing);

/** Whether this program was built with jansson, and so prints JSON. */
bool listing_has_json(void);

/** Prints one JSON object to the standard output: the facts, and the rows as an array of objects.
 *
 *  Errors: MEMORY; INVALID (without jansson). */
PARCEL_MUST_CHECK parcel_status listing_print_json(const listing *listing);

#endif
