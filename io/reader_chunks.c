/* HDF5 tells once where the chunks are; then any thread reads and unpacks them by itself. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"

enum { FILTERS = 2, MOST_DIMENSIONS = 2, ONLY_SHUFFLED = 1 << 1 };

static parcel_chunk chunk_of(const parcel_reader *reader, const parcel_column *column, parcel_index positions)
{
  const parcel_index bytes = parcel_column_bytes(column);
  return (parcel_chunk){.element = (parcel_index)parcel_type_size(column->type),
                        .values = positions * bytes,
                        .bytes = reader->grid.exact * bytes};
}

/* ---- finding ---- */

/* The filters that Parcel writes, and no other. */
static bool get_filters(hid_t creation, parcel_compression *out)
{
  unsigned flags = 0;
  unsigned level = 0;
  unsigned config = 0;
  size_t values = 0;
  if (H5Pget_nfilters(creation) != FILTERS ||
      H5Pget_filter2(creation, 0, &flags, &values, NULL, 0, NULL, &config) != H5Z_FILTER_SHUFFLE)
    return false;
  values = 1;
  const H5Z_filter_t second = H5Pget_filter2(creation, 1, &flags, &values, &level, 0, NULL, &config);
  out->kind = second == PARCEL_HDF5_ZSTD ? PARCEL_COMPRESSION_ZSTD : PARCEL_COMPRESSION_DEFLATE;
  out->level = (int)level;
  return values == 1 && (second == H5Z_FILTER_DEFLATE || second == PARCEL_HDF5_ZSTD);
}

static bool check_layout(parcel_reader *reader, hid_t dataset, const parcel_column *column)
{
  hsize_t extent[MOST_DIMENSIONS] = {0, 1};
  const hid_t creation = H5Dget_create_plist(dataset);
  const bool is_good = creation >= 0 && H5Pget_layout(creation) == H5D_CHUNKED &&
                       H5Pget_chunk(creation, MOST_DIMENSIONS, extent) == (column->width > 1 ? 2 : 1) &&
                       extent[0] == (hsize_t)reader->grid.exact && extent[1] == (hsize_t)column->width &&
                       get_filters(creation, &reader->compression);
  if (creation >= 0)
    H5Pclose(creation);
  return is_good;
}

static bool load_chunk(const parcel_reader *reader, hid_t dataset, const parcel_column *column,
                       parcel_index block, parcel_reader_chunk *out)
{
  const parcel_chunk chunk = chunk_of(reader, column, 0);
  const hsize_t place[MOST_DIMENSIONS] = {(hsize_t)(block * reader->grid.exact), 0};
  haddr_t offset = HADDR_UNDEF;
  hsize_t bytes = 0;
  unsigned mask = 0;
  if (!parcel__hdf5_good(H5Dget_chunk_info_by_coord(dataset, place, &mask, &offset, &bytes),
                         "find the chunks of", column->name))
    return false;
  if (offset == HADDR_UNDEF)
    return true;
  if (offset > (haddr_t)reader->bytes || bytes > (hsize_t)reader->bytes - offset || bytes == 0 ||
      bytes > (hsize_t)chunk.bytes || mask != (bytes == (hsize_t)chunk.bytes ? ONLY_SHUFFLED : 0)) {
    parcel_fail(PARCEL_CORRUPT, "a chunk of '%s' is none of Parcel's", column->name);
    return false;
  }
  *out = (parcel_reader_chunk){.offset = (parcel_index)offset, .bytes = (parcel_index)bytes};
  return true;
}

bool parcel__reader_load_chunks(parcel_reader *reader, hid_t dataset, const parcel_column *column,
                                parcel_reader_place *place)
{
  const parcel_index blocks = parcel_block_grid_count(reader->grid);
  if (!check_layout(reader, dataset, column)) {
    parcel_fail(PARCEL_CORRUPT, "the column '%s' is not stored as Parcel stores it", column->name);
    return false;
  }
  if (!(place->chunks = calloc((size_t)blocks, sizeof *place->chunks))) {
    parcel_fail(PARCEL_MEMORY, "no memory for the places of %" PRId64 " chunks", blocks);
    return false;
  }
  bool is_loaded = true;
  for (parcel_index b = 0; b < blocks && is_loaded; ++b)
    is_loaded = load_chunk(reader, dataset, column, b, &place->chunks[b]);
  return is_loaded;
}

/* ---- reading ---- */

parcel_status parcel__reader_open_coders(parcel_reader *reader)
{
  parcel_index most = 0;
  if (reader->grid.exact == 0)
    return PARCEL_OK;
  if (!parcel__codec_exists(reader->compression.kind))
    return parcel_fail(PARCEL_INVALID, "'%s' is compressed in a way that this Parcel was built without",
                       reader->file.part);
  for (int c = 0; c < reader->column_count; ++c) {
    const parcel_index bytes = chunk_of(reader, &reader->columns[c], 0).bytes;
    most = bytes > most ? bytes : most;
  }
  if (!(reader->coders = malloc(sizeof *reader->coders)))
    return parcel_fail(PARCEL_MEMORY, "no memory to read '%s'", reader->file.part);
  parcel__coders_open(reader->coders, (parcel_compression){.kind = reader->compression.kind}, most, 2 * most);
  return PARCEL_OK;
}

void parcel__reader_close_coders(parcel_reader *reader)
{
  if (reader->coders)
    parcel__coders_close(reader->coders);
  free(reader->coders);
}

/* The values of a block that are in `wanted`. In the coder's room the packed bytes come first, then all
 * values of the block, of which the wanted ones are taken. */
static parcel_status read_chunk(const parcel_reader *reader, int column, parcel_index block,
                                parcel_span wanted, parcel_coder *coder, char *values)
{
  const parcel_column *from = &reader->columns[column];
  const parcel_reader_chunk *place = &reader->places[column].chunks[block];
  const parcel_index bytes = parcel_column_bytes(from);
  const parcel_index begin = block * reader->grid.exact;
  const parcel_chunk chunk = chunk_of(reader, from, wanted.end - begin);
  char *plain = wanted.begin == begin ? values : coder->packed + chunk.bytes;
  if (place->offset == 0)
    return parcel_fail(
        PARCEL_INVALID,
        "'%s' is compressed and unfinished: its values are beside it, in files that only a resumed "
        "run can read",
        reader->file.part);
  parcel_status status =
      parcel__file_read(&reader->file, reader->fd, coder->packed, place->bytes, place->offset);
  if (!status && parcel__coder_unpack(coder, chunk, coder->packed, place->bytes, plain))
    return parcel_fail(PARCEL_CORRUPT, "'%s': block %" PRId64 " of column '%s' cannot be decompressed",
                       reader->file.part, block, from->name);
  if (!status && plain != values)
    memcpy(values, plain + (wanted.begin - begin) * bytes, (size_t)((wanted.end - wanted.begin) * bytes));
  return status;
}

parcel_status parcel__reader_read_chunks(const parcel_reader *reader, int column, parcel_span positions,
                                         void *values)
{
  const parcel_index bytes = parcel_column_bytes(&reader->columns[column]);
  parcel_coder *coder = NULL;
  char *next = values;
  parcel_status status = parcel__coders_take(reader->coders, &coder);
  if (status)
    return status;
  for (parcel_index at = positions.begin; at < positions.end && !status;) {
    const parcel_index block = parcel_block_grid_owner(reader->grid, at);
    const parcel_index block_end = parcel_block_grid_span(reader->grid, block).end;
    const parcel_span wanted = {at, block_end < positions.end ? block_end : positions.end};
    status = read_chunk(reader, column, block, wanted, coder, next);
    next += (wanted.end - wanted.begin) * bytes;
    at = wanted.end;
  }
  parcel__coders_give(reader->coders, coder);
  return status;
}
