/* The file is made for readers that know nothing of Parcel. Dimensions follow netCDF-4's conventions
 * (dimension scales without values, creation order tracked, the ledger's type committed), so that ncdump
 * and xarray see names where they would otherwise make up phony dimensions. Superblock and headers stay at
 * the oldest version that can say this: newer ones mark an open file as dirty, which a killed writer would
 * leave behind.
 *
 * Columns and ledger are contiguous and allocated at creation but never filled: their bytes have an
 * address from then on, and H5Dget_offset tells it. The file is closed before the first result, so nothing
 * of it waits in a cache.
 *
 * What changes when the run ends (state.c, table.c) is made first, with each header in a page of its own, so
 * that HDF5 replaces it in one write that neither a kill nor a power cut can divide. */
#include "schema_impl.h"

#include <hdf5_hl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hdf5_file_impl.h"
#include "hdf5_impl.h"
#include "ledger_impl.h"
#include "schema_object_impl.h"
#include "seal_impl.h"
#include "table_impl.h"
#include "text_impl.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "results are written as they are in memory, and the file is little-endian"
#endif

enum {
  STATUS_SIZE = 8,   /* "complete" */
  TITLE_SIZE = 1024, /* with HISTORY_SIZE, all attributes of the file fit in one page */
  HISTORY_SIZE = 2048,
  PAGE = 4096,
  STRUCTURE_BYTES = 1 << 17,   /* more than headers, attributes and short texts take */
  BYTES_PER_COLUMN = 4 * PAGE, /* its header and attributes, and its alignment */
};

static bool is_placed(const parcel_schema *schema)
{
  return schema->compression.kind == PARCEL_COMPRESSION_NONE;
}

/* HDF5 needs a filter to read and write, not to place chunks that are packed already: that of zstd may be
 * missing here, as an optional one. */
static void add_filters(hid_t layout, parcel_compression compression)
{
  const unsigned level = (unsigned)compression.level;
  H5Pset_shuffle(layout);
  if (compression.kind == PARCEL_COMPRESSION_ZSTD)
    H5Pset_filter(layout, PARCEL_HDF5_ZSTD, H5Z_FLAG_OPTIONAL, 1, &level);
  else
    H5Pset_deflate(layout, level);
}

/* Chunks that are allocated when they are written, and are zeros until then. */
static hid_t chunked_layout(const parcel_schema *schema, const parcel_object *object)
{
  const hid_t layout = parcel__hdf5_ordered(H5P_DATASET_CREATE);
  const hsize_t chunk[PARCEL_OBJECT_DIMENSIONS] = {(hsize_t)schema->grid.exact, object->extent[1]};
  H5Pset_chunk(layout, object->rank, chunk);
  add_filters(layout, schema->compression);
  return layout;
}

/* A dataset that its caller needs no more. */
static bool add_dataset(const parcel_object *object, hid_t layout)
{
  const hid_t dataset = parcel__object_make(object, layout);
  if (dataset >= 0)
    H5Dclose(dataset);
  return dataset >= 0;
}

static bool get_place(hid_t dataset, const char *name, parcel_index *out)
{
  const haddr_t place = H5Dget_offset(dataset);
  const bool has_bytes = H5Dget_storage_size(dataset) > 0;
  if (place == HADDR_UNDEF && has_bytes) {
    parcel_fail(PARCEL_HDF5, "HDF5 does not tell where it put the dataset '%s'", name);
    return false;
  }
  *out = has_bytes ? (parcel_index)place : 0;
  return true;
}

/* ---- columns ---- */

hid_t parcel__schema_type(parcel_type type)
{
  switch (type) {
  case PARCEL_INT8: return H5T_STD_I8LE;
  case PARCEL_UINT8: return H5T_STD_U8LE;
  case PARCEL_INT16: return H5T_STD_I16LE;
  case PARCEL_UINT16: return H5T_STD_U16LE;
  case PARCEL_INT32: return H5T_STD_I32LE;
  case PARCEL_UINT32: return H5T_STD_U32LE;
  case PARCEL_INT64: return H5T_STD_I64LE;
  case PARCEL_UINT64: return H5T_STD_U64LE;
  case PARCEL_FLOAT32: return H5T_IEEE_F32LE;
  case PARCEL_FLOAT64: return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

/* The dimension of a column's width, shared by all columns as wide. The caller closes it. */
static hid_t open_width(hid_t file, parcel_index width)
{
  char name[32];
  snprintf(name, sizeof name, "width_%" PRId64, width);
  if (H5Lexists(file, name, H5P_DEFAULT) > 0)
    return H5Dopen2(file, name, H5P_DEFAULT);
  return parcel__object_dimension(file, name, width);
}

bool parcel__schema_add_fill_value(hid_t dataset, const parcel_column *column)
{
  const parcel_column single = {.type = column->type, .width = 1};
  max_align_t value;
  parcel_column_fill(&single, &value, 1);
  return parcel__hdf5_add_attribute(dataset, "_FillValue", parcel__schema_type(column->type), &value);
}

/* Its dataset, which the caller closes; negative on failure.
 *
 *  index  the dimension that it runs along; negative for the column of index values, which is that itself */
static hid_t make_column(hid_t file, hid_t index, const parcel_schema *schema, int c, parcel_index *place)
{
  const parcel_column *column = &schema->sweep->columns[c];
  const parcel_index width = parcel_column_width(column);
  const hid_t across = width > 1 ? open_width(file, width) : H5I_INVALID_HID;
  if (width > 1 && across < 0)
    return H5I_INVALID_HID;
  const parcel_object object = {.where = file,
                                .name = column->name,
                                .type = parcel__schema_type(column->type),
                                .rank = width > 1 ? 2 : 1,
                                .extent = {(hsize_t)schema->grid.positions, (hsize_t)width},
                                .scales = {index, across}};
  hid_t dataset = parcel__object_make(&object, is_placed(schema) ? parcel__object_placed()
                                                                 : chunked_layout(schema, &object));
  const bool may_fail = index >= 0;
  if (dataset >= 0 &&
      !((!is_placed(schema) || get_place(dataset, column->name, place)) &&
        parcel__hdf5_add_text_attribute(dataset, "long_name",
                                        column->long_name ? column->long_name : column->name, 0) &&
        parcel__hdf5_add_text_attribute(dataset, "units", column->units ? column->units : "1", 0) &&
        (!may_fail || parcel__schema_add_fill_value(dataset, column)))) {
    H5Dclose(dataset);
    dataset = H5I_INVALID_HID;
  }
  if (across >= 0)
    H5Dclose(across);
  return dataset;
}

/* The dimension of all columns, with its values where they are wanted. The caller closes it; negative on
 * failure. */
static hid_t make_index(hid_t file, const parcel_schema *schema, parcel_index places[])
{
  if (!parcel_column_is_index(&schema->sweep->columns[0]))
    return parcel__object_dimension(file, "index", schema->grid.positions);
  const hid_t index = make_column(file, H5I_INVALID_HID, schema, 0, &places[0]);
  if (index >= 0 && !parcel__hdf5_good(H5DSset_scale(index, "index"), "make a dimension of", "index")) {
    H5Dclose(index);
    return H5I_INVALID_HID;
  }
  return index;
}

static bool add_columns(hid_t file, const parcel_schema *schema, parcel_index places[])
{
  const parcel_sweep *sweep = schema->sweep;
  const hid_t index = make_index(file, schema, places);
  bool is_added = index >= 0 && parcel__hdf5_add_integer_attribute(index, "first", sweep->range.first) &&
                  parcel__hdf5_add_integer_attribute(index, "step", sweep->range.step);
  for (int c = parcel_column_is_index(&sweep->columns[0]); c < sweep->column_count && is_added; ++c) {
    const hid_t column = make_column(file, index, schema, c, &places[c]);
    is_added = column >= 0;
    if (is_added)
      H5Dclose(column);
  }
  if (index >= 0)
    H5Dclose(index);
  return is_added;
}

/* ---- the group /parcel ---- */

static hid_t commit_ledger_type(hid_t group)
{
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(parcel_ledger_entry));
  H5Tinsert(type, "checksum", offsetof(parcel_ledger_entry, checksum), H5T_STD_U64LE);
  H5Tinsert(type, "time", offsetof(parcel_ledger_entry, time), H5T_IEEE_F64LE);
  H5Tinsert(type, "rank", offsetof(parcel_ledger_entry, rank), H5T_STD_I32LE);
  H5Tinsert(type, "state", offsetof(parcel_ledger_entry, state), H5T_STD_I32LE);
  const hid_t creation = parcel__hdf5_ordered(H5P_DATATYPE_CREATE);
  const herr_t code = H5Tcommit2(group, "ledger_entry", type, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Pclose(creation);
  if (parcel__hdf5_good(code, "name the type", "ledger_entry"))
    return type;
  H5Tclose(type);
  return H5I_INVALID_HID;
}

/* Room for the seal, before all else that takes more than a page: it is looked for in the first pages. */
static bool add_seal(hid_t group, int columns)
{
  const parcel_index words = parcel__seal_words(columns);
  const hid_t word = parcel__object_dimension(group, "seal_word", words);
  const parcel_object object = {.where = group,
                                .name = "seal",
                                .type = H5T_STD_U64LE,
                                .rank = 1,
                                .extent = {(hsize_t)words},
                                .scales = {word}};
  const bool is_added = word >= 0 && add_dataset(&object, parcel__object_placed());
  if (word >= 0)
    H5Dclose(word);
  return is_added;
}

static bool add_ledger(hid_t group, parcel_index blocks, parcel_index *place)
{
  const hid_t type = commit_ledger_type(group);
  const hid_t block = type >= 0 ? parcel__object_dimension(group, "block", blocks) : H5I_INVALID_HID;
  hid_t dataset = H5I_INVALID_HID;
  if (block >= 0) {
    const parcel_object object = {.where = group,
                                  .name = "ledger",
                                  .type = type,
                                  .rank = 1,
                                  .extent = {(hsize_t)blocks},
                                  .scales = {block}};
    dataset = parcel__object_make(&object, parcel__object_placed());
    H5Dclose(block);
  }
  const bool is_added = dataset >= 0 && get_place(dataset, "ledger", place);
  if (dataset >= 0)
    H5Dclose(dataset);
  if (type >= 0)
    H5Tclose(type);
  return is_added;
}

/* Everything but the texts of the provenance. */
static bool add_parcel(hid_t file, const parcel_schema *schema, parcel_index *ledger)
{
  const hid_t group = parcel__object_group(file, "parcel");
  const hid_t provenance = group >= 0 ? parcel__object_group(group, "provenance") : H5I_INVALID_HID;
  const bool is_added =
      provenance >= 0 && parcel__table_reserve(group) && add_seal(group, schema->sweep->column_count) &&
      parcel__hdf5_add_integer_attribute(group, "positions", schema->grid.positions) &&
      parcel__hdf5_add_integer_attribute(group, "parts", schema->grid.parts) &&
      parcel__hdf5_add_integer_attribute(group, "blocks_per_part", schema->grid.blocks_per_part) &&
      (schema->grid.exact == 0 || parcel__hdf5_add_integer_attribute(group, "exact", schema->grid.exact)) &&
      parcel__hdf5_add_integer_attribute(group, "seed", (parcel_index)schema->seed) &&
      add_ledger(group, parcel_block_grid_count(schema->grid), ledger);
  if (provenance >= 0)
    H5Gclose(provenance);
  if (group >= 0)
    H5Gclose(group);
  return is_added;
}

static bool add_provenance(hid_t file, const parcel_provenance *provenance)
{
  const hid_t group = H5Gopen2(file, "parcel/provenance", H5P_DEFAULT);
  bool is_added = parcel__hdf5_good(group, "open the group", "parcel/provenance");
  for (int i = 0; i < provenance->count && is_added; ++i)
    is_added = parcel__hdf5_add_text(group, provenance->items[i].name, provenance->items[i].text,
                                     provenance->items[i].size);
  if (group >= 0)
    H5Gclose(group);
  return is_added;
}

/* ---- the file ---- */

static bool add_root_attributes(hid_t file, const parcel_schema *schema)
{
  char title[TITLE_SIZE];
  char line[HISTORY_SIZE];
  char history[HISTORY_SIZE];
  const int32_t format = PARCEL_SCHEMA_FORMAT;
  parcel__text_copy(title, sizeof title, schema->title);
  snprintf(line, sizeof line, "%s: %s", parcel__provenance_get(schema->provenance, "start_time"),
           parcel__provenance_get(schema->provenance, "command_line"));
  parcel__text_copy(history, sizeof history, line);
  return parcel__hdf5_add_text_attribute(file, "title", title, 0) &&
         parcel__hdf5_add_text_attribute(file, "history", history, 0) &&
         parcel__hdf5_add_text_attribute(file, "source", "Parcel " PARCEL_VERSION, 0) &&
         parcel__hdf5_add_text_attribute(file, "Conventions", "CF-1.10", 0) &&
         parcel__hdf5_add_attribute(file, "parcel_format", H5T_STD_I32LE, &format) &&
         parcel__hdf5_add_text_attribute(file, "status", "running", STATUS_SIZE) &&
         parcel__hdf5_add_integer_attribute(file, "first", schema->sweep->range.first) &&
         parcel__hdf5_add_integer_attribute(file, "step", schema->sweep->range.step);
}

/* Each object at a page of its own. */
static hid_t create_file(const char *path, int fd)
{
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  parcel__object_keep_order(creation);
  parcel__hdf5_use_pages(access);
  const hid_t file = parcel__hdf5_file_create(path, fd, creation, access);
  H5Pclose(access);
  H5Pclose(creation);
  return file;
}

static parcel_status make_structure(const char *path, int fd, const parcel_schema *schema,
                                    parcel_index *ledger, parcel_index columns[])
{
  const hid_t file = create_file(path, fd);
  if (file < 0)
    return PARCEL_HDF5;
  const bool is_made = add_root_attributes(file, schema) && add_parcel(file, schema, ledger) &&
                       add_columns(file, schema, columns);
  return parcel__hdf5_file_close(file, path, is_made ? PARCEL_OK : PARCEL_HDF5);
}

/* Closely packed: none of it will change its size. */
static parcel_status make_provenance(const char *path, int fd, const parcel_provenance *provenance)
{
  const hid_t file = parcel__hdf5_file_open(path, fd, PARCEL_HDF5_WRITE);
  if (file < 0)
    return PARCEL_HDF5;
  const bool is_made = add_provenance(file, provenance);
  return parcel__hdf5_file_close(file, path, is_made ? PARCEL_OK : PARCEL_HDF5);
}

parcel_status parcel__schema_create(const char *path, int fd, const parcel_schema *schema,
                                    parcel_index *ledger, parcel_index columns[])
{
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  parcel_status status = make_structure(path, fd, schema, ledger, columns);
  if (!status)
    status = make_provenance(path, fd, schema->provenance);
  parcel__hdf5_restore(before);
  return status;
}

parcel_index parcel__schema_bytes(const parcel_schema *schema)
{
  const parcel_sweep *sweep = schema->sweep;
  const parcel_index entry = (parcel_index)sizeof(parcel_ledger_entry);
  parcel_index structure = STRUCTURE_BYTES;
  parcel_index values = 0;
  parcel_index ledger = 0;
  parcel_index sum = 0;
  for (int i = 0; i < schema->provenance->count; ++i)
    structure +=
        (parcel_index)(strlen(schema->provenance->items[i].text) + schema->provenance->items[i].size);
  structure += (parcel_index)sweep->column_count * BYTES_PER_COLUMN +
               parcel__seal_words(sweep->column_count) * (parcel_index)sizeof(uint64_t);
  if (__builtin_mul_overflow(is_placed(schema) ? schema->grid.positions : 0,
                             parcel_columns_bytes(sweep->columns, sweep->column_count), &values) ||
      __builtin_mul_overflow(parcel_block_grid_count(schema->grid), entry, &ledger) ||
      __builtin_add_overflow(values, ledger, &sum) || __builtin_add_overflow(sum, structure, &sum))
    return INT64_MAX;
  return sum;
}
