#include "io_mode_impl.h"

#include <hdf5.h>
#include <string.h>

#include "file_system_impl.h"

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

/* What rank 0 finds out. */
typedef struct choice {
  int mode;
  int is_incoherent;
} choice;

static choice choose(const parcel_world *world, const parcel_file *file, parcel_io_mode mode)
{
  const parcel_file_system system = parcel__file_system_of(file->part);
  const bool has_hosts = parcel_world_node_size(world) < parcel_world_size(world);
  const bool is_incoherent = has_hosts && !system.is_coherent;
  const char *name = system.name ? system.name : "a file system that is not known";
#ifdef H5_HAVE_PARALLEL
  const bool can_write_together = true;
#else
  const bool can_write_together = false;
#endif
  if (mode == PARCEL_IO_AUTO)
    mode = is_incoherent && can_write_together ? PARCEL_IO_COLLECTIVE : PARCEL_IO_DIRECT;
  if (is_incoherent && mode == PARCEL_IO_COLLECTIVE)
    parcel_world_warn(
        world, "'%s' is on %s, where a host may not see at once what others write: all ranks write together",
        file->path, name);
  else if (is_incoherent)
    parcel_world_warn(world,
                      "'%s' is on %s, where hosts that write by themselves may overwrite each other's bytes; "
                      "the run fails at the end if they do",
                      file->path, name);
  return (choice){(int)mode, is_incoherent};
}

parcel_status parcel__io_mode_choose(const parcel_world *world, const parcel_file *file, parcel_io_mode *mode,
                                     bool *is_incoherent)
{
  choice choice = {(int)*mode, false};
  if (parcel_world_rank(world) == 0)
    choice = choose(world, file, *mode);
  const parcel_status status = parcel_world_check_mpi(
      world, MPI_Bcast(&choice, 2, MPI_INT, 0, parcel_world_comm(world)), "MPI_Bcast of the way of writing");
  *mode = (parcel_io_mode)choice.mode;
  *is_incoherent = choice.is_incoherent;
  return status;
}
