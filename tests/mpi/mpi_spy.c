#include "mpi_spy.h"

struct mpi_spy mpi_spy;

int MPI_Type_contiguous(int count, MPI_Datatype old, MPI_Datatype *new)
{
  ++mpi_spy.live_types;
  return PMPI_Type_contiguous(count, old, new);
}

int MPI_Type_dup(MPI_Datatype old, MPI_Datatype *new)
{
  ++mpi_spy.live_types;
  return PMPI_Type_dup(old, new);
}

int MPI_Type_create_hvector(int count, int length, MPI_Aint stride, MPI_Datatype old, MPI_Datatype *new)
{
  ++mpi_spy.live_types;
  return PMPI_Type_create_hvector(count, length, stride, old, new);
}

int MPI_Type_create_hindexed(int count, const int lengths[], const MPI_Aint places[], MPI_Datatype old,
                             MPI_Datatype *new)
{
  ++mpi_spy.live_types;
  return PMPI_Type_create_hindexed(count, lengths, places, old, new);
}

int MPI_Type_create_resized(MPI_Datatype old, MPI_Aint low, MPI_Aint extent, MPI_Datatype *new)
{
  ++mpi_spy.live_types;
  return PMPI_Type_create_resized(old, low, extent, new);
}

int MPI_Type_free(MPI_Datatype *type)
{
  --mpi_spy.live_types;
  return PMPI_Type_free(type);
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm,
              MPI_Request *request)
{
  ++mpi_spy.live_requests;
  ++mpi_spy.sent_messages;
  int bytes = 0;
  MPI_Type_size(type, &bytes);
  if (count * bytes > mpi_spy.largest_message)
    mpi_spy.largest_message = count * bytes;
  return PMPI_Isend(buffer, count, type, peer, tag, comm, request);
}

int MPI_Irecv(void *buffer, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm,
              MPI_Request *request)
{
  ++mpi_spy.live_requests;
  return PMPI_Irecv(buffer, count, type, peer, tag, comm, request);
}

int MPI_Waitsome(int count, MPI_Request requests[], int *done, int indices[], MPI_Status statuses[])
{
  const int code = PMPI_Waitsome(count, requests, done, indices, statuses);
  mpi_spy.live_requests -= *done == MPI_UNDEFINED ? 0 : *done;
  return code;
}

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[])
{
  mpi_spy.live_requests -= count;
  return PMPI_Waitall(count, requests, statuses);
}
