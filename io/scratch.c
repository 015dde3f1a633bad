#include "scratch_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static parcel_status share_digits(const parcel_world *world, char digits[PARCEL_PLAIN_DIGITS_SIZE])
{
  const bool is_root = parcel_world_rank(world) == 0;
  const parcel_status status =
      parcel_world_follow_root(world, is_root ? parcel__plain_draw(digits) : PARCEL_OK);
  return status
             ? status
             : parcel_world_check_mpi(
                   world, MPI_Bcast(digits, PARCEL_PLAIN_DIGITS_SIZE, MPI_CHAR, 0, parcel_world_comm(world)),
                   "MPI_Bcast of a file's name");
}

static parcel_status open_own(const parcel_world *world, const char *name, int *out)
{
  const bool is_root = parcel_world_rank(world) == 0;
  parcel_status status = parcel_world_follow_root(
      world, is_root ? parcel__plain_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, out) : PARCEL_OK);
  if (status)
    return status;
  status = parcel_world_agree(world, is_root ? PARCEL_OK : parcel__plain_open(name, O_RDWR, 0, out));
  if (is_root)
    unlink(name);
  return status;
}

parcel_status parcel__scratch_open(const parcel_world *world, const char *path, parcel_file *file, int *out)
{
  char digits[PARCEL_PLAIN_DIGITS_SIZE] = "";
  char *name = NULL;
  int fd = -1;
  parcel_status status = share_digits(world, digits);
  if (status)
    return status;
  if (asprintf(&name, "%s.%s", path, digits) < 0) {
    name = NULL;
    status = parcel_fail(PARCEL_MEMORY, "no memory for a name beside '%s'", path);
  }
  if (!(status = parcel_world_agree(world, status)))
    status = open_own(world, name, &fd);
  if (!status) {
    *file = (parcel_file){.part = name};
    *out = fd;
    return PARCEL_OK;
  }
  if (fd >= 0)
    close(fd);
  free(name);
  return status;
}
