/* The index of a dataset's chunks is read once; then any thread reads and unpacks them by itself. HDF5 1.10
 * looks through the index from its beginning for each chunk that it is asked for, which takes minutes where
 * there are a hundred thousand. So the index, a B-tree of version 1 (HDF5 File Format Specification 3.0,
 * III.A.1 and, for the layout message, IV.A.2.i), is read here, in one walk. */
#include "reader_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_impl.h"
#include "header_impl.h"

enum { FILTERS = 2, MOST_DIMENSIONS = 2, ONLY_SHUFFLED = 1 << 1 };

static const parcel_index no_address = -1; /* of an index without chunks */

static parcel_chunk chunk_of(const parcel_reader *reader, const parcel_column *column, parcel_index positions)
{
  return parcel__chunk_of(column, reader->grid.exact, positions);
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

enum { NODE_BYTES = 24, CHUNKS_NODE = 1, LAYOUT_CHUNKED = 2, MOST_LEVEL = 16 };

/* A walk through the index of one dataset. */
typedef struct walk {
  const parcel_reader *reader;
  const parcel_column *column;
  parcel_reader_chunk *chunks; /* [blocks] */
  parcel_index blocks, found;
  int dimensions; /* of a chunk, the bytes of its values included */
  parcel_index root;
} walk;

static bool refuse_index(const walk *walk)
{
  parcel_fail(PARCEL_CORRUPT, "the chunks of '%s' are not where their index says, or not Parcel's",
              walk->column->name);
  return false;
}

/* key  bytes of the chunk (4), filters left out (4), then its place in each dimension (8) */
static bool note_chunk(walk *walk, const unsigned char *key, uint64_t offset)
{
  const parcel_index size = walk->reader->bytes;
  const parcel_index whole = chunk_of(walk->reader, walk->column, 0).bytes;
  const parcel_index bytes = (parcel_index)parcel__header_number(key, 4);
  const parcel_index mask = (parcel_index)parcel__header_number(key + 4, 4);
  const uint64_t position = parcel__header_number(key + 8, 8);
  const uint64_t block = position / (uint64_t)walk->reader->grid.exact;
  bool is_good = bytes > 0 && bytes <= whole && mask == (bytes == whole ? ONLY_SHUFFLED : 0) &&
                 offset <= (uint64_t)size && bytes <= size - (parcel_index)offset &&
                 position % (uint64_t)walk->reader->grid.exact == 0 && block < (uint64_t)walk->blocks;
  for (parcel_index d = 1; d < walk->dimensions; ++d)
    is_good = is_good && parcel__header_number(key + 8 + 8 * d, 8) == 0;
  if (!is_good || walk->chunks[block].offset != 0)
    return refuse_index(walk);
  walk->chunks[block] = (parcel_reader_chunk){.offset = (parcel_index)offset, .bytes = bytes};
  ++walk->found;
  return true;
}

/* Every node but the root has entries, and no chunk may come twice: so the walk ends, whatever is there.
 *
 * level  that the node must have, or MOST_LEVEL for the root, which may have any: children are one below */
static bool walk_node(walk *walk, uint64_t address, int level)
{
  const parcel_reader *reader = walk->reader;
  const parcel_index key_bytes = 8 + 8 * walk->dimensions;
  unsigned char head[NODE_BYTES];
  if (address > INT64_MAX - NODE_BYTES ||
      parcel__file_read(&reader->file, reader->fd, head, NODE_BYTES, (parcel_index)address))
    return false;
  const int own_level = head[5];
  const parcel_index used = (parcel_index)parcel__header_number(head + 6, 2);
  if (memcmp(head, "TREE", 4) != 0 || head[4] != CHUNKS_NODE || own_level > MOST_LEVEL ||
      (level < MOST_LEVEL && (own_level != level || used == 0)) || used > walk->blocks - walk->found)
    return refuse_index(walk);
  const parcel_index bytes = used * (key_bytes + 8);
  unsigned char *entries = malloc((size_t)bytes + 1);
  if (!entries) {
    parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " chunks", used);
    return false;
  }
  bool is_good =
      !parcel__file_read(&reader->file, reader->fd, entries, bytes, (parcel_index)address + NODE_BYTES);
  for (parcel_index e = 0; e < used && is_good; ++e) {
    const unsigned char *key = entries + e * (key_bytes + 8);
    const uint64_t child = parcel__header_number(key + key_bytes, 8);
    is_good = own_level > 0 ? walk_node(walk, child, own_level - 1) : note_chunk(walk, key, child);
  }
  free(entries);
  return is_good;
}

/* A parcel__header_visit's: version 3, class, dimensions, address of the index. */
static void find_root(void *ctx, const parcel_header_message *message)
{
  walk *walk = ctx;
  const unsigned char *data = message->data;
  if (message->type == PARCEL_HEADER_LAYOUT && data[0] == 3 && data[1] == LAYOUT_CHUNKED) {
    walk->dimensions = data[2];
    walk->root = (parcel_index)parcel__header_number(data + 3, 8);
  }
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
  walk walk = {.reader = reader, .column = column, .chunks = place->chunks, .blocks = blocks};
  parcel_index address = 0;
  if (parcel__header_find(reader->hdf5, column->name, &address) ||
      parcel__header_visit(&reader->file, reader->fd, address, find_root, &walk))
    return false;
  if (walk.dimensions != (column->width > 1 ? 3 : 2))
    return refuse_index(&walk);
  return walk.root == no_address || walk_node(&walk, (uint64_t)walk.root, MOST_LEVEL);
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
