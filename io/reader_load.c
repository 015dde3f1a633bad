/* Everything that HDF5 knows of a file, read once and checked: types, extents, places within the file, and
 * that the numbers fit together. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_file_impl.h"
#include "hdf5_impl.h"
#include "header_impl.h"
#include "ledger_impl.h"
#include "reader_hdf5_impl.h"
#include "schema_impl.h"
#include "seal_impl.h"

PARCEL_PRINTF(1, 2) static bool refuse(const char *format, ...)
{
  char text[PARCEL_ERROR_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  parcel_fail(PARCEL_CORRUPT, "%s", text);
  return false;
}

/* ---- datasets ---- */

bool parcel__reader_shape(hid_t dataset, const char *name, parcel_reader_shape *out)
{
  const hid_t space = H5Dget_space(dataset);
  if (!parcel__hdf5_good(space, "read the extent of", name))
    return false;
  out->rank = H5Sget_simple_extent_ndims(space);
  const bool is_read = out->rank >= 1 && out->rank <= PARCEL_READER_DIMENSIONS &&
                       H5Sget_simple_extent_dims(space, out->extent, NULL) == out->rank;
  H5Sclose(space);
  return is_read || refuse("the dataset '%s' has %d dimensions", name, out->rank);
}

static bool is_contiguous(hid_t dataset)
{
  const hid_t creation = H5Dget_create_plist(dataset);
  const bool is_plain =
      creation >= 0 && H5Pget_layout(creation) == H5D_CONTIGUOUS && H5Pget_external_count(creation) == 0;
  if (creation >= 0)
    H5Pclose(creation);
  return is_plain;
}

bool parcel__reader_place(const parcel_reader *reader, hid_t dataset, const char *name, parcel_index bytes,
                          parcel_index *out)
{
  if (!is_contiguous(dataset))
    return refuse("the dataset '%s' is not stored as Parcel stores it", name);
  const haddr_t place = bytes > 0 ? H5Dget_offset(dataset) : 0;
  if (place == HADDR_UNDEF || place > (haddr_t)reader->bytes || bytes > reader->bytes - (parcel_index)place)
    return refuse("the values of '%s' are not within the file's %" PRId64 " bytes", name, reader->bytes);
  *out = (parcel_index)place;
  return true;
}

/* ---- columns ---- */

static bool get_type(hid_t dataset, const char *name, parcel_type *out)
{
  static const parcel_type types[] = {
#define PARCEL_TYPE_ENTRY(name, c_type) PARCEL_##name,
      PARCEL_TYPE_MAP(PARCEL_TYPE_ENTRY)
#undef PARCEL_TYPE_ENTRY
  };
  const hid_t type = H5Dget_type(dataset);
  if (!parcel__hdf5_good(type, "read the type of", name))
    return false;
  bool is_known = false;
  for (size_t t = 0; t < sizeof types / sizeof *types && !is_known; ++t) {
    is_known = H5Tequal(type, parcel__schema_type(types[t])) > 0;
    *out = types[t];
  }
  H5Tclose(type);
  return is_known || refuse("the column '%s' has a type that no column has", name);
}

static bool load_values(parcel_reader *reader, hid_t dataset, parcel_column *column,
                        parcel_reader_place *place)
{
  parcel_reader_shape shape = {0};
  parcel_index bytes = 0;
  if (!get_type(dataset, column->name, &column->type) || !parcel__reader_shape(dataset, column->name, &shape))
    return false;
  if (shape.extent[0] != (hsize_t)reader->range.count ||
      (shape.rank == 2 && (shape.extent[1] < 2 || shape.extent[1] > INT32_MAX)))
    return refuse("the column '%s' does not have the extent of the range, %" PRId64, column->name,
                  reader->range.count);
  column->width = shape.rank == 2 ? (parcel_index)shape.extent[1] : 1;
  if (__builtin_mul_overflow(reader->range.count, parcel_column_bytes(column), &bytes))
    return refuse("the column '%s' has more bytes than can be counted", column->name);
  if (reader->grid.exact > 0)
    return parcel__reader_load_chunks(reader, dataset, column, place);
  return parcel__reader_place(reader, dataset, column->name, bytes, &place->offset);
}

/* A dimension without values of its own has a type that stands for none. */
static bool has_values(const parcel_reader *reader, const char *name)
{
  const hid_t dataset = parcel__hdf5_open_dataset(reader->hdf5, name);
  const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
  const bool is_number = type >= 0 && H5Tequal(type, H5T_STD_I64LE) > 0;
  if (type >= 0)
    H5Tclose(type);
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_number;
}

/* Dimensions are none: width_3, and index unless it has values. */
static bool is_column(const parcel_reader *reader, const char *name)
{
  const parcel_column column = {.name = name, .type = PARCEL_INT64};
  return parcel_columns_check(&column, 1) == PARCEL_OK &&
         (!parcel_column_is_index(&column) || has_values(reader, name));
}

/* Takes name. */
static bool load_column(parcel_reader *reader, char *name)
{
  parcel_column *column = &reader->columns[reader->column_count];
  parcel_reader_place *place = &reader->places[reader->column_count++];
  column->name = name;
  const hid_t dataset = parcel__hdf5_open_dataset(reader->hdf5, name);
  const bool is_loaded = dataset >= 0 &&
                         (column->units = parcel__hdf5_get_text_attribute(dataset, "units")) &&
                         (column->long_name = parcel__hdf5_get_text_attribute(dataset, "long_name")) &&
                         load_values(reader, dataset, column, place);
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_loaded;
}

/* Nothing is free in a file that is opened again: what HDF5 adds to one lies behind all that was there. */
static bool is_added(const parcel_reader *reader, const char *name)
{
  parcel_index address = 0;
  return reader->warning && (parcel__header_find(reader->hdf5, name, &address) || address >= reader->sealed);
}

static bool load_columns(parcel_reader *reader)
{
  int links = 0;
  if (!parcel__hdf5_count_links(reader->hdf5, "/", &links))
    return false;
  reader->columns = calloc((size_t)links + 1, sizeof *reader->columns);
  reader->places = calloc((size_t)links + 1, sizeof *reader->places);
  if (!reader->columns || !reader->places)
    return refuse("no memory for its %d members", links);
  for (int i = 0; i < links; ++i) {
    char *name = parcel__hdf5_get_link_name(reader->hdf5, i);
    if (!name)
      return false;
    if (is_added(reader, name) || !is_column(reader, name))
      free(name);
    else if (!load_column(reader, name))
      return false;
  }
  return reader->column_count > 0 || refuse("it has no column");
}

/* ---- the group /parcel ---- */

/* Its last value is a 64-bit number: the way there may be longer than one. */
static bool is_range(parcel_range range)
{
  const uint64_t first = (uint64_t)range.first;
  const uint64_t room = range.step > 0 ? (uint64_t)INT64_MAX - first : first - (uint64_t)INT64_MIN;
  const uint64_t step = range.step > 0 ? (uint64_t)range.step : 0 - (uint64_t)range.step;
  return range.step != 0 && range.count >= 0 &&
         (range.count == 0 || (uint64_t)(range.count - 1) <= room / step);
}

/* Only the grid of a compressed file has it. */
static bool load_exact(parcel_block_grid *grid, hid_t group)
{
  parcel_block_grid made = {0};
  if (H5Aexists(group, "exact") <= 0)
    return true;
  if (!parcel__hdf5_get_integer_attribute(group, "exact", &grid->exact))
    return false;
  return (grid->positions > 0 && grid->parts == 1 && grid->exact <= grid->positions &&
          !parcel_block_grid_make(grid->positions, 1, grid->exact, &made) &&
          made.blocks_per_part == grid->blocks_per_part) ||
         refuse("its blocks of %" PRId64 " positions are no grid", grid->exact);
}

static bool load_grid(parcel_reader *reader, hid_t group)
{
  parcel_block_grid *grid = &reader->grid;
  parcel_index seed = 0;
  parcel_index blocks = 0;
  if (!parcel__hdf5_get_integer_attribute(group, "positions", &grid->positions) ||
      !parcel__hdf5_get_integer_attribute(group, "parts", &grid->parts) ||
      !parcel__hdf5_get_integer_attribute(group, "blocks_per_part", &grid->blocks_per_part) ||
      !parcel__hdf5_get_integer_attribute(group, "seed", &seed) ||
      !parcel__hdf5_get_integer_attribute(reader->hdf5, "first", &reader->range.first) ||
      !parcel__hdf5_get_integer_attribute(reader->hdf5, "step", &reader->range.step))
    return false;
  reader->seed = (uint64_t)seed;
  reader->range.count = grid->positions;
  if (!is_range(reader->range))
    return refuse("its first %" PRId64 ", step %" PRId64 " and %" PRId64 " positions are no range",
                  reader->range.first, reader->range.step, reader->range.count);
  if (grid->parts < 1 || grid->blocks_per_part < 1 ||
      __builtin_mul_overflow(grid->parts, grid->blocks_per_part, &blocks))
    return refuse("its %" PRId64 " parts of %" PRId64 " blocks are no grid", grid->parts,
                  grid->blocks_per_part);
  return load_exact(grid, group);
}

static bool is_entry_type(hid_t type)
{
  static const struct {
    const char *name;
    size_t offset;
  } members[] = {{"checksum", offsetof(parcel_ledger_entry, checksum)},
                 {"time", offsetof(parcel_ledger_entry, time)},
                 {"rank", offsetof(parcel_ledger_entry, rank)},
                 {"state", offsetof(parcel_ledger_entry, state)}};
  if (H5Tget_class(type) != H5T_COMPOUND || H5Tget_size(type) != sizeof(parcel_ledger_entry))
    return false;
  for (size_t m = 0; m < sizeof members / sizeof *members; ++m) {
    const int number = H5Tget_member_index(type, members[m].name);
    if (number < 0 || H5Tget_member_offset(type, (unsigned)number) != members[m].offset)
      return false;
  }
  return true;
}

static bool load_ledger(parcel_reader *reader, hid_t group)
{
  const hid_t dataset = parcel__hdf5_open_dataset(group, "ledger");
  const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
  const parcel_index blocks = parcel_block_grid_count(reader->grid);
  parcel_index bytes = 0;
  parcel_reader_shape shape = {0};
  bool is_loaded = type >= 0 && parcel__reader_shape(dataset, "ledger", &shape);
  if (is_loaded && !is_entry_type(type))
    is_loaded = refuse("its ledger is none");
  if (is_loaded && (shape.rank != 1 || shape.extent[0] != (hsize_t)blocks ||
                    __builtin_mul_overflow(blocks, (parcel_index)sizeof(parcel_ledger_entry), &bytes)))
    is_loaded = refuse("its ledger does not have an entry for each of the grid's %" PRId64 " blocks", blocks);
  is_loaded = is_loaded && parcel__reader_place(reader, dataset, "ledger", bytes, &reader->ledger);
  if (type >= 0)
    H5Tclose(type);
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_loaded;
}

static bool load_seal(parcel_reader *reader, hid_t group)
{
  parcel_reader_shape shape = {0};
  const hid_t dataset = parcel__hdf5_open_dataset(group, "seal");
  const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
  bool is_loaded = type >= 0 && parcel__reader_shape(dataset, "seal", &shape);
  if (is_loaded && (H5Tequal(type, H5T_STD_U64LE) <= 0 || shape.rank != 1 ||
                    shape.extent[0] < (hsize_t)parcel__seal_words(0) || shape.extent[0] > INT32_MAX))
    is_loaded = refuse("its seal is none");
  reader->seal_words = (parcel_index)shape.extent[0];
  is_loaded =
      is_loaded && parcel__reader_place(reader, dataset, "seal",
                                        reader->seal_words * (parcel_index)sizeof(uint64_t), &reader->seal);
  if (type >= 0)
    H5Tclose(type);
  if (dataset >= 0)
    H5Dclose(dataset);
  return is_loaded;
}

/* By its bytes in the file: HDF5 (1.10.8) crashes when it reads a dataset whose header is damaged. */
static char *load_text(const parcel_reader *reader, hid_t group, const char *name)
{
  size_t size = 0;
  parcel_index place = 0;
  const hid_t dataset = parcel__hdf5_open_dataset(group, name);
  char *text = dataset >= 0 && parcel__hdf5_get_text_size(dataset, name, &size) &&
                       parcel__reader_place(reader, dataset, name, (parcel_index)size, &place)
                   ? calloc(size + 1, 1)
                   : NULL;
  if (text && parcel__file_read(&reader->file, reader->fd, text, (parcel_index)size, place)) {
    free(text);
    text = NULL;
  }
  if (dataset >= 0)
    H5Dclose(dataset);
  return parcel__hdf5_clean_text(text);
}

static bool load_provenance(parcel_reader *reader, hid_t parcel)
{
  int count = 0;
  const hid_t group = parcel__hdf5_open_group(parcel, "provenance");
  bool is_loaded = group >= 0 && parcel__hdf5_count_links(group, "provenance", &count);
  if (is_loaded && !(reader->provenance = calloc((size_t)count + 1, sizeof *reader->provenance)))
    is_loaded = refuse("no memory for %d texts of its provenance", count);
  for (int i = 0; is_loaded && i < count; ++i) {
    parcel_reader_note *note = &reader->provenance[reader->provenance_count++];
    is_loaded = (note->name = parcel__hdf5_get_link_name(group, i)) &&
                (note->text = load_text(reader, group, note->name));
  }
  if (group >= 0)
    H5Gclose(group);
  return is_loaded;
}

static bool load_parcel(parcel_reader *reader)
{
  const hid_t group = parcel__hdf5_open_group(reader->hdf5, "parcel");
  const bool is_loaded = group >= 0 && load_grid(reader, group) && load_seal(reader, group) &&
                         load_ledger(reader, group) && parcel__reader_load_failures(reader, group) &&
                         load_provenance(reader, group);
  if (group >= 0)
    H5Gclose(group);
  return is_loaded;
}

/* ---- the file ---- */

static bool load_status(parcel_reader *reader)
{
  static const char *const known[] = {"running", "complete", "stopped", "failed"};
  if (!(reader->status = parcel__hdf5_get_text_attribute(reader->hdf5, "status")))
    return false;
  for (size_t s = 0; s < sizeof known / sizeof *known; ++s)
    if (strcmp(reader->status, known[s]) == 0)
      return true;
  return refuse("its status is '%s'", reader->status);
}

static bool load_attributes(parcel_reader *reader)
{
  static const char *const names[] = {"title", "history", "source", "Conventions"};
  const size_t count = sizeof names / sizeof *names;
  if (!(reader->attributes = calloc(count, sizeof *reader->attributes)))
    return refuse("no memory for its attributes");
  for (size_t i = 0; i < count; ++i) {
    parcel_reader_note *note = &reader->attributes[reader->attribute_count++];
    if (!(note->name = strdup(names[i])) ||
        !(note->text = parcel__hdf5_get_text_attribute(reader->hdf5, names[i])))
      return false;
  }
  return true;
}

/* A file whose first bytes are another format's, or HDF5 from another program, is no damaged one. */
static parcel_status check_format(parcel_reader *reader)
{
  parcel_index format = 0;
  if (H5Aexists(reader->hdf5, "parcel_format") <= 0)
    return parcel_fail(PARCEL_INVALID, "it is an HDF5 file, but no results file of Parcel");
  if (!parcel__hdf5_get_integer_attribute(reader->hdf5, "parcel_format", &format))
    return PARCEL_CORRUPT;
  if (format < 1 || format > PARCEL_SCHEMA_FORMAT)
    return parcel_fail(PARCEL_INVALID, "its format is %" PRId64 ", and this Parcel reads 1 to %d", format,
                       PARCEL_SCHEMA_FORMAT);
  reader->format = (int)format;
  return PARCEL_OK;
}

static parcel_status open_hdf5(parcel_reader *reader)
{
  reader->hdf5 = parcel__hdf5_file_open(reader->file.part, reader->fd, PARCEL_HDF5_READ);
  return reader->hdf5 >= 0 ? PARCEL_OK : PARCEL_CORRUPT;
}

parcel_status parcel__reader_load(parcel_reader *reader)
{
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  parcel_status status = open_hdf5(reader);
  if (!status && !(status = check_format(reader)) &&
      !(load_status(reader) && load_attributes(reader) && load_parcel(reader) && load_columns(reader)))
    status = PARCEL_CORRUPT;
  parcel__hdf5_restore(before);
  return status ? status : parcel__reader_open_coders(reader);
}

/* ---- the same values, as others see them ---- */

static bool select_positions(hid_t space, parcel_span positions, parcel_index width)
{
  const hsize_t begin[PARCEL_READER_DIMENSIONS] = {(hsize_t)positions.begin, 0};
  const hsize_t count[PARCEL_READER_DIMENSIONS] = {(hsize_t)(positions.end - positions.begin),
                                                   (hsize_t)width};
  return parcel__hdf5_good(H5Sselect_hyperslab(space, H5S_SELECT_SET, begin, NULL, count, NULL), "select",
                           "positions");
}

parcel_status parcel__reader_read_by_hdf5(const parcel_reader *reader, int column, parcel_span positions,
                                          void *values)
{
  const parcel_column *from = &reader->columns[column];
  const parcel_index all = (positions.end - positions.begin) * from->width;
  const hsize_t count = (hsize_t)all;
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  const hid_t dataset = parcel__hdf5_open_dataset(reader->hdf5, from->name);
  const hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
  const hid_t memory = H5Screate_simple(1, &count, NULL);
  const bool is_read =
      space >= 0 && memory >= 0 && select_positions(space, positions, from->width) &&
      parcel__hdf5_good(H5Dread(dataset, parcel__schema_type(from->type), memory, space, H5P_DEFAULT, values),
                        "read the column", from->name);
  if (memory >= 0)
    H5Sclose(memory);
  if (space >= 0)
    H5Sclose(space);
  if (dataset >= 0)
    H5Dclose(dataset);
  parcel__hdf5_restore(before);
  return is_read ? PARCEL_OK : PARCEL_CORRUPT;
}
