/* No rank waits for another before the end: rank 0 takes what has come, the others send their next message
 * when the last has gone. At the end all tell how many lines they have for rank 0, and it takes so many,
 * whatever becomes of them: none is left over. */
#include "ledger_relay_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { TAG };
enum { AT_ONCE = 256 }; /* lines in a message */

parcel_status parcel__ledger_relay_open(const parcel_world *world, parcel_ledger_batch *batch,
                                        parcel_ledger_relay *out)
{
  *out = (parcel_ledger_relay){
      .world = world, .batch = batch, .comm = MPI_COMM_NULL, .request = MPI_REQUEST_NULL};
  batch->is_relayed = true;
  return parcel_world_check_mpi(world, MPI_Comm_dup(parcel_world_comm(world), &out->comm), "MPI_Comm_dup");
}

void parcel__ledger_relay_close(parcel_ledger_relay *relay)
{
  if (relay->comm != MPI_COMM_NULL)
    MPI_Comm_free(&relay->comm);
  free(relay->lines);
  relay->lines = NULL;
}

/* ---- sending ---- */

/* The next message, if anything waits. None is under way. */
static parcel_status send_lines(parcel_ledger_relay *relay)
{
  if (relay->next == relay->count) {
    free(relay->lines);
    relay->count = parcel__ledger_batch_take(relay->batch, &relay->lines);
    relay->next = 0;
  }
  const int left = relay->count - relay->next;
  const int lines = left < AT_ONCE ? left : AT_ONCE;
  if (lines == 0)
    return PARCEL_OK;
  const int code = MPI_Isend(&relay->lines[relay->next], lines * (int)sizeof *relay->lines, MPI_BYTE, 0, TAG,
                             relay->comm, &relay->request);
  relay->next += lines;
  relay->passed += code == MPI_SUCCESS ? lines : 0; /* rank 0 waits for what has passed */
  return parcel_world_check_mpi(relay->world, code, "MPI_Isend of entries");
}

static parcel_status send_next(parcel_ledger_relay *relay)
{
  int is_sent = 0;
  const parcel_status status = parcel_world_check_mpi(
      relay->world, MPI_Test(&relay->request, &is_sent, MPI_STATUS_IGNORE), "MPI_Test of entries");
  return status || !is_sent ? status : send_lines(relay);
}

static parcel_status send_rest(parcel_ledger_relay *relay)
{
  parcel_status status = PARCEL_OK;
  do {
    status = parcel_world_check_mpi(relay->world, MPI_Wait(&relay->request, MPI_STATUS_IGNORE),
                                    "MPI_Wait for entries");
    if (!status)
      status = send_lines(relay);
  } while (!status && relay->request != MPI_REQUEST_NULL);
  return status;
}

/* ---- rank 0 ---- */

/* A message that is there. *status is that of all before, and nothing is written after a failure. */
static void receive_lines(parcel_ledger_relay *relay, int source, parcel_status *status)
{
  parcel_ledger_line lines[AT_ONCE];
  MPI_Status envelope;
  int bytes = 0;
  const int code = MPI_Recv(lines, (int)sizeof lines, MPI_BYTE, source, TAG, relay->comm, &envelope);
  if (code == MPI_SUCCESS)
    MPI_Get_count(&envelope, MPI_BYTE, &bytes);
  const int count = bytes / (int)sizeof *lines;
  relay->passed += count;
  if (!*status)
    *status = parcel_world_check_mpi(relay->world, code, "MPI_Recv of entries");
  if (!*status)
    *status = parcel__ledger_batch_write(relay->batch, lines, count);
}

static parcel_status receive_next(parcel_ledger_relay *relay)
{
  parcel_status status = parcel__ledger_batch_flush(relay->batch);
  int has_come = 1;
  while (!status && has_come) {
    MPI_Status envelope;
    status = parcel_world_check_mpi(relay->world,
                                    MPI_Iprobe(MPI_ANY_SOURCE, TAG, relay->comm, &has_come, &envelope),
                                    "MPI_Iprobe for entries");
    if (!status && has_come)
      receive_lines(relay, envelope.MPI_SOURCE, &status);
  }
  return status;
}

static parcel_status receive_rest(parcel_ledger_relay *relay, int64_t sent)
{
  parcel_status status = parcel__ledger_batch_flush(relay->batch);
  while (relay->passed < sent)
    receive_lines(relay, MPI_ANY_SOURCE, &status);
  return status;
}

/* ---- together ---- */

parcel_status parcel__ledger_relay_poll(parcel_ledger_relay *relay)
{
  return parcel_world_rank(relay->world) == 0 ? receive_next(relay) : send_next(relay);
}

parcel_status parcel__ledger_relay_end(parcel_ledger_relay *relay, parcel_status outcome)
{
  const bool is_root = parcel_world_rank(relay->world) == 0;
  char text[PARCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "%s", parcel_last_error());
  const int64_t own = is_root ? 0 : relay->passed + relay->count - relay->next + relay->batch->count;
  int64_t all = 0;
  parcel_status status = parcel_world_check_mpi(
      relay->world, MPI_Reduce(&own, &all, 1, MPI_INT64_T, MPI_SUM, 0, relay->comm), "MPI_Reduce");
  if (!status)
    status = is_root ? receive_rest(relay, all) : send_rest(relay);
  return outcome ? parcel_fail(outcome, "%s", text) : parcel_world_agree(relay->world, status);
}
