/* Blocks go to the file through parallel HDF5, in rounds that all ranks take part in. For file systems on
 * which one host does not see at once what another has written, such as NFS.
 *
 * A worker leaves its block with the main thread and waits. The main threads tell each other by
 * MPI_Iallreduce, which waits for no rank that computes, how many writes the blocks need that wait on any
 * rank; once that is known everywhere, each takes part in so many, with nothing in its hands where it has
 * fewer. A rank that fails goes on taking part; the next announcement tells all, and only then does anyone
 * give up. So every rank makes the same collective calls in the same order.
 *
 * Why no rank waits for one that has left the sweep: writes follow an announcement only if a block waits
 * somewhere; the worker it belongs to then waits too, so the sweep cannot be over before they are made. An
 * announcement that is under way when the sweep ends is completed in `end`. */
#include "store_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_impl.h"
#include "hdf5_impl.h"

enum { MOST_PATH_BYTES = 224 };

/* Several MPI libraries go wrong in silence above 2^31 - 4096 bytes in one call. */
static const parcel_index default_round_bytes = (parcel_index)1 << 30;

static const char writing_step[] = "blocks are written together";

/* A worker's block; on the worker's stack. */
typedef struct request {
  const parcel_block *block;
  const parcel_ledger_entry *entry;
  parcel_status status;
  bool is_over; /* under the mutex */
  struct request *next;
} request;

typedef struct announcement {
  int64_t writes;     /* that the blocks of a rank need */
  int64_t has_failed; /* 0 or 1 */
} announcement;

typedef struct collective {
  const parcel_store_site *site;
  parcel_index round_positions; /* in one write */
  MPI_Comm comm;                /* without a topology, which MPI-IO may stumble over */
  hid_t file, ledger, transfer;
  hid_t *columns; /* [column_count] */
  pthread_mutex_t mutex;
  pthread_cond_t is_over;
  request *waiting; /* under the mutex: not announced yet */
  bool is_broken;   /* under the mutex: nobody writes any more */

  /* The main thread's. */
  request *announced;
  announcement mine, most;
  MPI_Request under_way;
  int64_t announcements; /* begun */
  parcel_status status;  /* of this rank's writes */
  char error[PARCEL_ERROR_SIZE];
} collective;

/* ---- workers ---- */

static parcel_status write_block(void *ctx, const parcel_block *block, const parcel_ledger_entry *entry)
{
  collective *store = ctx;
  request own = {.block = block, .entry = entry, .status = PARCEL_STOPPED};
  pthread_mutex_lock(&store->mutex);
  if (!store->is_broken) {
    own.next = store->waiting;
    store->waiting = &own;
    while (!own.is_over)
      pthread_cond_wait(&store->is_over, &store->mutex);
  }
  pthread_mutex_unlock(&store->mutex);
  return own.status ? parcel_fail(own.status, "a rank could not write") : PARCEL_OK;
}

static void release(collective *store, request **list, parcel_status status)
{
  pthread_mutex_lock(&store->mutex);
  while (*list) {
    request *first = *list;
    *list = first->next;
    first->status = status;
    first->is_over = true;
  }
  pthread_cond_broadcast(&store->is_over);
  pthread_mutex_unlock(&store->mutex);
}

/* ---- one collective write ---- */

static void note_failure(collective *store, parcel_status status)
{
  if (store->status)
    return;
  store->status = status;
  snprintf(store->error, sizeof store->error, "%s", parcel_last_error());
}

/* Writes `count` rows of a dataset from `begin` on; with count 0 it only takes part. */
static void write_rows(collective *store, hid_t dataset, parcel_index begin, parcel_index count,
                       const void *values)
{
  if (count > 0 && parcel__fault("results.write")) {
    parcel_fail(PARCEL_IO, "writing '%s': %m", store->site->file.part);
    note_failure(store, PARCEL_IO);
    count = 0;
  }
  hsize_t extent[2] = {0, 1};
  const hid_t place = H5Dget_space(dataset);
  const int rank = H5Sget_simple_extent_dims(place, extent, NULL);
  const hsize_t start[2] = {(hsize_t)begin, 0};
  const hsize_t size[2] = {(hsize_t)count, extent[1]};
  const hid_t memory = H5Screate_simple(rank, size, NULL);
  const hid_t type = H5Dget_type(dataset);
  if (count > 0)
    H5Sselect_hyperslab(place, H5S_SELECT_SET, start, NULL, size, NULL);
  else
    H5Sselect_none(place);
  if (count == 0)
    H5Sselect_none(memory);
  if (!parcel__hdf5_good(H5Dwrite(dataset, type, memory, place, store->transfer, values), "write together to",
                         store->site->file.part))
    note_failure(store, PARCEL_HDF5);
  H5Tclose(type);
  H5Sclose(memory);
  H5Sclose(place);
}

/* ---- rounds ---- */

/* At least one: an empty block has an entry, too. */
static parcel_index writes_of(const collective *store, const request *request)
{
  const parcel_index count = request->block->positions.end - request->block->positions.begin;
  return count > 0 ? 1 + (count - 1) / store->round_positions : 1;
}

/* The piece of the announced blocks that comes n-th; false beyond the last. */
static bool find_piece(const collective *store, parcel_index n, const request **from, parcel_span *piece)
{
  for (const request *request = store->announced; request; request = request->next) {
    const parcel_index writes = writes_of(store, request);
    if (n < writes) {
      const parcel_span whole = request->block->positions;
      piece->begin = whole.begin + n * store->round_positions;
      piece->end = whole.end - piece->begin > store->round_positions ? piece->begin + store->round_positions
                                                                     : whole.end;
      *from = request;
      return true;
    }
    n -= writes;
  }
  return false;
}

static void write_piece(collective *store, parcel_index n)
{
  if (store->site->grid.positions == 0)
    return; /* a dataset without rows has no address, which HDF5 asks for even to write nothing */
  const parcel_sweep *sweep = store->site->sweep;
  const request *from = NULL;
  parcel_span piece = {0, 0};
  const bool is_mine = find_piece(store, n, &from, &piece);
  for (int c = 0; c < sweep->column_count; ++c) {
    const parcel_index bytes = parcel_column_bytes(&sweep->columns[c]);
    const char *values = is_mine ? from->block->columns[c] : NULL;
    write_rows(store, store->columns[c], piece.begin, piece.end - piece.begin,
               is_mine ? values + (piece.begin - from->block->positions.begin) * bytes : NULL);
  }
}

/* An entry for each announced block, in as many writes as the rank with the most blocks needs. */
static void write_entries(collective *store)
{
  const request *request = store->announced;
  int64_t most = 0;
  int64_t own = 0;
  for (const struct request *each = request; each; each = each->next)
    ++own;
  parcel_world_check_mpi(store->site->world, MPI_Allreduce(&own, &most, 1, MPI_INT64_T, MPI_MAX, store->comm),
                         "MPI_Allreduce of the number of blocks");
  for (; most > 0; --most) {
    write_rows(store, store->ledger, request ? request->block->number : 0, request != NULL,
               request ? request->entry : NULL);
    request = request ? request->next : NULL;
  }
}

/* Whether the values of this round are in the file: a rank's may be written by another, which alone knows
 * that it failed. */
static bool has_written_values(collective *store)
{
  int failed = store->status != PARCEL_OK;
  if (parcel_world_check_mpi(store->site->world,
                             MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, store->comm),
                             "MPI_Allreduce between values and ledger"))
    note_failure(store, PARCEL_MPI);
  return !failed;
}

/* Entries after bytes: nobody begins the second step before all have ended the first. Blocks without an entry
 * wait for the next announcement, which tells every rank that one has failed. */
static void write_announced(collective *store)
{
  const parcel_hdf5_printing printing = parcel__hdf5_silence();
  const char *before = parcel_world_step(store->site->world, writing_step);
  for (parcel_index n = 0; n < store->most.writes; ++n) {
    write_piece(store, n);
    parcel_world_step(store->site->world, writing_step);
  }
  const bool is_written = has_written_values(store);
  if (is_written)
    write_entries(store);
  parcel_world_step(store->site->world, before);
  parcel__hdf5_restore(printing);
  if (is_written && !store->status)
    release(store, &store->announced, PARCEL_OK);
}

/* ---- announcements ---- */

static parcel_status announce(collective *store)
{
  if (!store->announced) {
    pthread_mutex_lock(&store->mutex);
    store->announced = store->waiting;
    store->waiting = NULL;
    pthread_mutex_unlock(&store->mutex);
  }
  store->mine = (announcement){.has_failed = store->status != PARCEL_OK};
  for (const request *request = store->announced; request && !store->status; request = request->next)
    store->mine.writes += writes_of(store, request);
  ++store->announcements;
  return parcel_world_check_mpi(
      store->site->world,
      MPI_Iallreduce(&store->mine, &store->most, 2, MPI_INT64_T, MPI_MAX, store->comm, &store->under_way),
      "MPI_Iallreduce of what is to be written");
}

/* On every rank alike; the one that has failed says why. */
static parcel_status give_up(collective *store)
{
  pthread_mutex_lock(&store->mutex);
  store->is_broken = true;
  pthread_mutex_unlock(&store->mutex);
  release(store, &store->announced, PARCEL_STOPPED);
  release(store, &store->waiting, PARCEL_STOPPED);
  return store->status ? parcel_fail(store->status, "%s", store->error)
                       : parcel_fail(PARCEL_STOPPED, "another rank could not write");
}

static parcel_status poll_store(void *ctx)
{
  collective *store = ctx;
  int is_known = 0;
  if (store->under_way == MPI_REQUEST_NULL)
    return announce(store);
  const parcel_status status = parcel_world_check_mpi(
      store->site->world, MPI_Test(&store->under_way, &is_known, MPI_STATUS_IGNORE), "MPI_Test");
  if (status || !is_known)
    return status;
  if (store->most.has_failed)
    return give_up(store);
  if (store->most.writes > 0)
    write_announced(store);
  return PARCEL_OK;
}

/* ---- opening and closing ---- */

static void close_file(collective *store)
{
  for (int c = 0; c < store->site->sweep->column_count; ++c)
    if (store->columns[c] >= 0)
      H5Dclose(store->columns[c]);
  if (store->ledger >= 0)
    H5Dclose(store->ledger);
  if (store->transfer >= 0)
    H5Pclose(store->transfer);
  if (store->file >= 0 &&
      !parcel__hdf5_good(H5Fclose(store->file), "close after collective writes", store->site->file.part))
    note_failure(store, PARCEL_HDF5);
  for (int c = 0; c < store->site->sweep->column_count; ++c)
    store->columns[c] = H5I_INVALID_HID;
  store->file = store->ledger = store->transfer = H5I_INVALID_HID;
}

/* Some ranks may have begun one announcement more than others. */
static parcel_status end_store(void *ctx, parcel_status outcome)
{
  collective *store = ctx;
  int64_t most = 0;
  parcel_status status = parcel_world_check_mpi(
      store->site->world, MPI_Allreduce(&store->announcements, &most, 1, MPI_INT64_T, MPI_MAX, store->comm),
      "MPI_Allreduce");
  if (!status && store->announcements < most)
    status = announce(store);
  if (!status && store->under_way != MPI_REQUEST_NULL)
    status = parcel_world_check_mpi(store->site->world, MPI_Wait(&store->under_way, MPI_STATUS_IGNORE),
                                    "MPI_Wait");
  const parcel_hdf5_printing printing = parcel__hdf5_silence();
  close_file(store);
  parcel__hdf5_restore(printing);
  if (outcome)
    return outcome;
  if (!status && store->status)
    status = parcel_fail(store->status, "%s", store->error);
  return parcel_world_agree(store->site->world, status);
}

static parcel_status sync_file(void *ctx)
{
  const collective *store = ctx;
  return parcel__file_sync(&store->site->file, store->site->fd);
}

static parcel_status read_block(void *ctx, parcel_index number, void *const columns[])
{
  const collective *store = ctx;
  return parcel__store_read_placed((void *)store->site, number, columns);
}

static void close_store(void *ctx)
{
  collective *store = ctx;
  close_file(store);
  if (store->comm != MPI_COMM_NULL)
    MPI_Comm_free(&store->comm);
  pthread_cond_destroy(&store->is_over);
  pthread_mutex_destroy(&store->mutex);
  free(store->columns);
  free(store);
}

static bool open_datasets(collective *store)
{
  const parcel_sweep *sweep = store->site->sweep;
  store->transfer = H5Pcreate(H5P_DATASET_XFER);
  if (!parcel__hdf5_good(H5Pset_dxpl_mpio(store->transfer, H5FD_MPIO_COLLECTIVE), "write together to",
                         store->site->file.part))
    return false;
  store->ledger = H5Dopen2(store->file, "/parcel/ledger", H5P_DEFAULT);
  bool is_open = parcel__hdf5_good(store->ledger, "open the dataset", "/parcel/ledger");
  for (int c = 0; c < sweep->column_count && is_open; ++c) {
    store->columns[c] = H5Dopen2(store->file, sweep->columns[c].name, H5P_DEFAULT);
    is_open = parcel__hdf5_good(store->columns[c], "open the dataset", sweep->columns[c].name);
  }
  return is_open;
}

/* Where hosts do not see at once what others write, one of them writes for all: each writes whole pages.
 * ROMIO does so only when told, since by itself it lets each rank write what does not interleave with the
 * others'. */
static parcel_status make_hints(const collective *store, MPI_Info *out)
{
  parcel_status status = PARCEL_OK;
  if (!store->site->is_incoherent)
    return PARCEL_OK;
  if ((status = parcel_mpi_check(MPI_Info_create(out), "MPI_Info_create")))
    return status;
  if ((status = parcel_mpi_check(MPI_Info_set(*out, "cb_nodes", "1"), "MPI_Info_set of cb_nodes")))
    return status;
  return parcel_mpi_check(MPI_Info_set(*out, "romio_cb_write", "enable"), "MPI_Info_set of romio_cb_write");
}

/* Without HDF5's locks, which some of these file systems do not have: the .part has one of Parcel's own. */
static parcel_status open_file(collective *store)
{
  const char *name = store->site->file.part;
  MPI_Info hints = MPI_INFO_NULL;
  parcel_status status = parcel_world_agree(store->site->world, make_hints(store, &hints));
  const hid_t access = status ? H5I_INVALID_HID : H5Pcreate(H5P_FILE_ACCESS);
  if (!status && parcel__hdf5_good(H5Pset_fapl_mpio(access, store->comm, hints), "open together", name) &&
      parcel__hdf5_good(H5Pset_file_locking(access, false, true), "open without locks", name))
    store->file = H5Fopen(name, H5F_ACC_RDWR, access);
  if (!status && !parcel__hdf5_good(store->file, "open together", name))
    status = PARCEL_HDF5;
  if (access >= 0)
    H5Pclose(access);
  if (hints != MPI_INFO_NULL)
    MPI_Info_free(&hints);
  if (!(status = parcel_world_agree(store->site->world, status)) && !open_datasets(store))
    status = PARCEL_HDF5;
  return parcel_world_agree(store->site->world, status);
}

static collective *make_store(const parcel_store_site *site, parcel_index round_bytes)
{
  const int columns = site->sweep->column_count;
  collective *store = calloc(1, sizeof *store);
  hid_t *datasets = calloc((size_t)columns, sizeof *datasets);
  if (!store || !datasets) {
    free(store);
    free(datasets);
    return NULL;
  }
  parcel_index row = 1;
  for (int c = 0; c < columns; ++c) {
    const parcel_index bytes = parcel_column_bytes(&site->sweep->columns[c]);
    row = bytes > row ? bytes : row;
    datasets[c] = H5I_INVALID_HID;
  }
  if (round_bytes == 0)
    round_bytes = default_round_bytes;
  *store = (collective){.site = site,
                        .round_positions = round_bytes > row ? round_bytes / row : 1,
                        .comm = MPI_COMM_NULL,
                        .under_way = MPI_REQUEST_NULL,
                        .columns = datasets};
  store->file = store->ledger = store->transfer = H5I_INVALID_HID;
  pthread_mutex_init(&store->mutex, NULL);
  pthread_cond_init(&store->is_over, NULL);
  return store;
}

/* Open MPI 4.1 and 5 make up names of their own from a file's (sharedfp/lockedfile), in 256 bytes. */
static parcel_status check_path(const parcel_store_site *site)
{
  const size_t bytes = strlen(site->file.part);
  if (bytes <= MOST_PATH_BYTES)
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_INVALID,
      "the output's path is too long to be written together: with '.part' it has %zu bytes, and "
      "MPI libraries take %d; use a shorter one",
      bytes, MOST_PATH_BYTES);
}

parcel_status parcel__store_collective_open(const parcel_store_site *site, parcel_index round_bytes,
                                            parcel_store *out)
{
  const parcel_world *world = site->world;
  collective *store = make_store(site, round_bytes);
  parcel_status status =
      store ? check_path(site)
            : parcel_fail(PARCEL_MEMORY, "no memory to write '%s' together", site->file.part);
  if ((status = parcel_world_agree(world, status))) {
    if (store)
      close_store(store);
    return status;
  }
  const parcel_hdf5_printing printing = parcel__hdf5_silence();
  status = parcel_world_check_mpi(
      world, MPI_Comm_split(parcel_world_comm(world), 0, parcel_world_rank(world), &store->comm),
      "MPI_Comm_split");
  if (!(status = parcel_world_agree(world, status)))
    status = open_file(store);
  parcel__hdf5_restore(printing);
  if (status) {
    close_store(store);
    return status;
  }
  *out = (parcel_store){.ctx = store,
                        .write = write_block,
                        .poll = poll_store,
                        .end = end_store,
                        .read = read_block,
                        .sync = sync_file,
                        .close = close_store};
  return PARCEL_OK;
}
