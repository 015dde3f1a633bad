#include "io_mode_impl.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

parcel_status parcel_io_mode_parse(const char *text, parcel_io_mode *out)
{
  static const char *const names[] = {"auto", "direct", "collective"};
  for (int mode = PARCEL_IO_AUTO; mode <= PARCEL_IO_COLLECTIVE; ++mode)
    if (strcmp(text, names[mode]) == 0) {
      *out = (parcel_io_mode)mode;
      return PARCEL_OK;
    }
  return parcel_fail(PARCEL_INVALID, "unknown way of writing '%s'; one of: auto, direct, collective", text);
}

static bool is_on_nfs(const parcel_file *file)
{
  struct statfs system;
  return statfs(file->part, &system) == 0 && system.f_type == NFS_SUPER_MAGIC;
}

parcel_status parcel__io_mode_choose(const parcel_world *world, const parcel_file *file, parcel_io_mode *mode)
{
  int chosen = (int)*mode;
  if (parcel_world_rank(world) == 0 && *mode == PARCEL_IO_AUTO)
    chosen = is_on_nfs(file) ? PARCEL_IO_COLLECTIVE : PARCEL_IO_DIRECT;
  const parcel_status status = parcel_world_check_mpi(
      world, MPI_Bcast(&chosen, 1, MPI_INT, 0, parcel_world_comm(world)), "MPI_Bcast of the way of writing");
  if (status)
    return status;
  if (*mode == PARCEL_IO_AUTO && chosen == PARCEL_IO_COLLECTIVE)
    parcel_world_warn(world, "'%s' is on NFS, so all ranks write together (--io=collective)", file->path);
  *mode = (parcel_io_mode)chosen;
  return PARCEL_OK;
}
