/* The file is made for readers that know nothing of Parcel. Dimensions follow netCDF-4's conventions
 * (dimension scales without values, creation order tracked, the ledger's type committed), so that ncdump
 * and xarray see names where they would otherwise make up phony dimensions. Superblock and headers stay at
 * the oldest version that can say this: newer ones mark an open file as dirty, which a killed writer would
 * leave behind.
 *
 * Columns and ledger are contiguous and allocated at creation but never filled: their bytes have an
 * address from then on, and H5Dget_offset tells it. The file is closed before the first result, so nothing
 * of it waits in a cache. */
#include "schema_impl.h"

#include <hdf5_hl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "fault_impl.h"
#include "hdf5_impl.h"
#include "ledger_impl.h"
#include "seal_impl.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "results are written as they are in memory, and the file is little-endian"
#endif

enum {
  STATUS_SIZE = 8,        /* "complete" */
  MOST_IN_HEADER = 65535, /* HDF5's limit for members and for attributes of a group */
  PAGE = 4096,
  STRUCTURE_BYTES = 1 << 16,   /* more than headers, attributes and short texts take */
  BYTES_PER_COLUMN = 3 * PAGE, /* its header and attributes, and its alignment */
};

/* Members and attributes of a group, in the order of their creation. All of them stay in its header, which
 * HDF5 protects by a checksum and not, when they are many, in a heap, on whose damage it crashes (1.10.8). */
static void keep_order(hid_t creation)
{
  H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_link_phase_change(creation, MOST_IN_HEADER, 0);
  H5Pset_attr_phase_change(creation, MOST_IN_HEADER, 0);
}

/* ---- dimensions and datasets ---- */

enum { MOST_DIMENSIONS = 2 };

/* A dataset to be made: its name, type, and the dimensions it runs along. */
typedef struct plan {
  hid_t where;
  const char *name;
  hid_t type;
  int rank;
  hsize_t extent[MOST_DIMENSIONS];
  hid_t scales[MOST_DIMENSIONS]; /* dimension scales, kept open by the caller */
} plan;

/* Contiguous, allocated now, never filled: a place for bytes that are written later, without HDF5. */
static hid_t placed_layout(void)
{
  const hid_t layout = parcel__hdf5_ordered(H5P_DATASET_CREATE);
  H5Pset_layout(layout, H5D_CONTIGUOUS);
  H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER);
  return layout;
}

/* The same with a header that io/table.c can change: one of version 1, which cannot say how its attributes
 * came. */
static hid_t table_layout(void)
{
  const hid_t layout = placed_layout();
  H5Pset_attr_creation_order(layout, 0);
  return layout;
}

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
static hid_t chunked_layout(const parcel_schema *schema, const plan *plan)
{
  const hid_t layout = parcel__hdf5_ordered(H5P_DATASET_CREATE);
  const hsize_t chunk[MOST_DIMENSIONS] = {(hsize_t)schema->grid.exact, plan->extent[1]};
  H5Pset_chunk(layout, plan->rank, chunk);
  add_filters(layout, schema->compression);
  return layout;
}

static bool attach_scales(hid_t dataset, const plan *plan)
{
  for (int d = 0; d < plan->rank; ++d)
    if (plan->scales[d] >= 0 && !parcel__hdf5_good(H5DSattach_scale(dataset, plan->scales[d], (unsigned)d),
                                                   "name a dimension of", plan->name))
      return false;
  return true;
}

/* The dataset, which the caller closes; negative on failure. Takes layout. */
static hid_t make_dataset(const plan *plan, hid_t layout)
{
  const hid_t space = H5Screate_simple(plan->rank, plan->extent, NULL);
  hid_t dataset =
      parcel__hdf5_good(space, "describe the extent of", plan->name)
          ? H5Dcreate2(plan->where, plan->name, plan->type, space, H5P_DEFAULT, layout, H5P_DEFAULT)
          : H5I_INVALID_HID;
  if (space >= 0 && parcel__hdf5_good(dataset, "create the dataset", plan->name) &&
      !attach_scales(dataset, plan)) {
    H5Dclose(dataset);
    dataset = H5I_INVALID_HID;
  }
  if (space >= 0)
    H5Sclose(space);
  H5Pclose(layout);
  return dataset;
}

/* A dataset that its caller needs no more. */
static bool add_dataset(const plan *plan, hid_t layout)
{
  const hid_t dataset = make_dataset(plan, layout);
  if (dataset >= 0)
    H5Dclose(dataset);
  return dataset >= 0;
}

/* A netCDF dimension: a scale of the right length without values. Takes layout. The caller closes the
 * dimension; negative on failure. */
static hid_t make_scale(hid_t where, const char *name, parcel_index length, hid_t layout)
{
  char mark[96];
  const plan plan = {.where = where,
                     .name = name,
                     .type = H5T_IEEE_F32BE,
                     .rank = 1,
                     .extent = {(hsize_t)length},
                     .scales = {H5I_INVALID_HID}};
  const hid_t scale = make_dataset(&plan, layout);
  snprintf(mark, sizeof mark, "This is a netCDF dimension but not a netCDF variable.%10" PRId64, length);
  if (scale >= 0 && !parcel__hdf5_good(H5DSset_scale(scale, mark), "make a dimension of", name)) {
    H5Dclose(scale);
    return H5I_INVALID_HID;
  }
  return scale;
}

static hid_t make_dimension(hid_t where, const char *name, parcel_index length)
{
  return make_scale(where, name, length, parcel__hdf5_ordered(H5P_DATASET_CREATE));
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
  return make_dimension(file, name, width);
}

/* What stands for a value that there is none of, where there may be such. */
static bool add_fill_value(hid_t dataset, const parcel_column *column)
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
  const plan plan = {.where = file,
                     .name = column->name,
                     .type = parcel__schema_type(column->type),
                     .rank = width > 1 ? 2 : 1,
                     .extent = {(hsize_t)schema->grid.positions, (hsize_t)width},
                     .scales = {index, across}};
  hid_t dataset = make_dataset(&plan, is_placed(schema) ? placed_layout() : chunked_layout(schema, &plan));
  const bool may_fail = schema->failures_room > 0 && index >= 0;
  if (dataset >= 0 &&
      !((!is_placed(schema) || get_place(dataset, column->name, place)) &&
        parcel__hdf5_add_text_attribute(dataset, "long_name",
                                        column->long_name ? column->long_name : column->name, 0) &&
        parcel__hdf5_add_text_attribute(dataset, "units", column->units ? column->units : "1", 0) &&
        (!may_fail || add_fill_value(dataset, column)))) {
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
    return make_dimension(file, "index", schema->grid.positions);
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
  const hid_t word = make_dimension(group, "seal_word", words);
  const plan plan = {.where = group,
                     .name = "seal",
                     .type = H5T_STD_U64LE,
                     .rank = 1,
                     .extent = {(hsize_t)words},
                     .scales = {word}};
  const bool is_added = word >= 0 && add_dataset(&plan, placed_layout());
  if (word >= 0)
    H5Dclose(word);
  return is_added;
}

static bool add_ledger(hid_t group, parcel_index blocks, parcel_index *place)
{
  const hid_t type = commit_ledger_type(group);
  const hid_t block = type >= 0 ? make_dimension(group, "block", blocks) : H5I_INVALID_HID;
  hid_t dataset = H5I_INVALID_HID;
  if (block >= 0) {
    const plan plan = {.where = group,
                       .name = "ledger",
                       .type = type,
                       .rank = 1,
                       .extent = {(hsize_t)blocks},
                       .scales = {block}};
    dataset = make_dataset(&plan, placed_layout());
    H5Dclose(block);
  }
  const bool is_added = dataset >= 0 && get_place(dataset, "ledger", place);
  if (dataset >= 0)
    H5Dclose(dataset);
  if (type >= 0)
    H5Tclose(type);
  return is_added;
}

static hid_t make_group(hid_t where, const char *name)
{
  const hid_t ordered = H5Pcreate(H5P_GROUP_CREATE);
  keep_order(ordered);
  const hid_t group = H5Gcreate2(where, name, H5P_DEFAULT, ordered, H5P_DEFAULT);
  parcel__hdf5_good(group, "create the group", name);
  H5Pclose(ordered);
  return group;
}

static bool add_failures(hid_t parcel, parcel_index room)
{
  const hid_t group = make_group(parcel, "failures");
  const hid_t failure = group >= 0 ? make_scale(group, "failure", room, table_layout()) : H5I_INVALID_HID;
  const hid_t message = parcel__hdf5_text_type(PARCEL_FAILURE_MESSAGE_SIZE);
  bool is_added = failure >= 0;
  const plan plans[] = {{.name = "index", .type = H5T_STD_I64LE},
                        {.name = "code", .type = H5T_STD_I32LE},
                        {.name = "message", .type = message}};
  for (size_t p = 0; p < sizeof plans / sizeof *plans && is_added; ++p) {
    plan plan = plans[p];
    plan.where = group;
    plan.rank = 1;
    plan.extent[0] = (hsize_t)room;
    plan.scales[0] = failure;
    is_added = add_dataset(&plan, table_layout());
  }
  H5Tclose(message);
  if (failure >= 0)
    H5Dclose(failure);
  if (group >= 0)
    H5Gclose(group);
  return is_added;
}

static bool add_provenance(hid_t parcel, const parcel_provenance *provenance)
{
  const hid_t group = make_group(parcel, "provenance");
  bool is_added = group >= 0;
  for (int i = 0; i < provenance->count && is_added; ++i)
    is_added = parcel__hdf5_add_text(group, provenance->items[i].name, provenance->items[i].text,
                                     provenance->items[i].size);
  if (group >= 0)
    H5Gclose(group);
  return is_added;
}

static bool add_parcel(hid_t group, const parcel_schema *schema, parcel_index *ledger)
{
  return parcel__hdf5_add_integer_attribute(group, "positions", schema->grid.positions) &&
         parcel__hdf5_add_integer_attribute(group, "parts", schema->grid.parts) &&
         parcel__hdf5_add_integer_attribute(group, "blocks_per_part", schema->grid.blocks_per_part) &&
         (schema->grid.exact == 0 ||
          parcel__hdf5_add_integer_attribute(group, "exact", schema->grid.exact)) &&
         parcel__hdf5_add_integer_attribute(group, "seed", (parcel_index)schema->seed) &&
         add_ledger(group, parcel_block_grid_count(schema->grid), ledger) &&
         add_failures(group, schema->failures_room) && add_provenance(group, schema->provenance);
}

/* ---- the file ---- */

static bool add_root_attributes(hid_t file, const parcel_schema *schema)
{
  char history[PARCEL_HDF5_LONGEST_ATTRIBUTE];
  const int32_t format = 1;
  snprintf(history, sizeof history, "%s: %s", parcel__provenance_get(schema->provenance, "start_time"),
           parcel__provenance_get(schema->provenance, "command_line"));
  return parcel__hdf5_add_text_attribute(file, "title", schema->title, 0) &&
         parcel__hdf5_add_text_attribute(file, "history", history, 0) &&
         parcel__hdf5_add_text_attribute(file, "source", "Parcel " PARCEL_VERSION, 0) &&
         parcel__hdf5_add_text_attribute(file, "Conventions", "CF-1.10", 0) &&
         parcel__hdf5_add_attribute(file, "parcel_format", H5T_STD_I32LE, &format) &&
         parcel__hdf5_add_text_attribute(file, "status", "running", STATUS_SIZE) &&
         parcel__hdf5_add_integer_attribute(file, "first", schema->sweep->range.first) &&
         parcel__hdf5_add_integer_attribute(file, "step", schema->sweep->range.step);
}

hid_t parcel__schema_access(void)
{
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(access, false, true);
  return access;
}

static hid_t create_file(const char *path)
{
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  const hid_t access = parcel__schema_access();
  keep_order(creation);
  H5Pset_alignment(access, PAGE, PAGE);
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
  parcel__hdf5_good(file, "create the file", path);
  H5Pclose(access);
  H5Pclose(creation);
  return file;
}

static hid_t open_file(const char *path)
{
  const hid_t access = parcel__schema_access();
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
  parcel__hdf5_good(file, "open the file", path);
  H5Pclose(access);
  return file;
}

parcel_status parcel__schema_create(const char *path, const parcel_schema *schema, parcel_index *ledger,
                                    parcel_index columns[])
{
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  const hid_t file = create_file(path);
  const hid_t group = file >= 0 ? make_group(file, "parcel") : H5I_INVALID_HID;
  bool is_made = group >= 0 && add_seal(group, schema->sweep->column_count) &&
                 add_root_attributes(file, schema) && add_columns(file, schema, columns) &&
                 add_parcel(group, schema, ledger);
  if (group >= 0)
    H5Gclose(group);
  if (file >= 0 && H5Fclose(file) < 0 && is_made)
    is_made = parcel__hdf5_good(-1, "close the file", path);
  parcel__hdf5_restore(before);
  return is_made ? PARCEL_OK : PARCEL_HDF5;
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
               parcel__seal_words(sweep->column_count) * (parcel_index)sizeof(uint64_t) +
               schema->failures_room * (parcel_index)sizeof(parcel_failure_row);
  if (__builtin_mul_overflow(is_placed(schema) ? schema->grid.positions : 0,
                             parcel_columns_bytes(sweep->columns, sweep->column_count), &values) ||
      __builtin_mul_overflow(parcel_block_grid_count(schema->grid), entry, &ledger) ||
      __builtin_add_overflow(values, ledger, &sum) || __builtin_add_overflow(sum, structure, &sum))
    return INT64_MAX;
  return sum;
}

static bool set_state(hid_t file, const parcel_schema_state *state)
{
  return parcel__hdf5_set_text_attribute(file, "status", state->status) &&
         parcel__hdf5_set_text(file, "parcel/provenance/end_time", state->end_time) &&
         (!state->owner || parcel__hdf5_set_text(file, "parcel/provenance/owner", state->owner));
}

/* HDF5 writes three pieces for this, each in place and in one call, and each within one page: the two
 * texts and the header of the root group. So the file opens whenever the process is killed. */
parcel_status parcel__schema_set_state(const char *path, const parcel_schema_state *state)
{
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  const hid_t file = parcel__fault("results.outcome") ? H5I_INVALID_HID : open_file(path);
  bool is_set = file >= 0 && set_state(file, state);
  if (file >= 0 && H5Fclose(file) < 0 && is_set)
    is_set = parcel__hdf5_good(-1, "close the file", path);
  parcel__hdf5_restore(before);
  return is_set ? PARCEL_OK : PARCEL_HDF5;
}

parcel_status parcel__schema_set_outcome(const char *path, const char *outcome)
{
  char now[PARCEL_TIME_SIZE];
  const parcel_schema_state state = {.status = outcome, .end_time = parcel__time_text(now)};
  return parcel__schema_set_state(path, &state);
}
