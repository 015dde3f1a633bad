/** @file
 *  The commands of the tool `parcel`. argv[0] is the command's name. What is wrong is in
 *  parcel_last_error(), which is empty where it has been told already. */
#ifndef PARCEL_APPS_PARCEL_COMMANDS_H
#define PARCEL_APPS_PARCEL_COMMANDS_H

#include <parcel/reader.h>
#include <parcel/world.h>

/** Prints the reader's warning, if it has one. */
void parcel_commands_warn(const parcel_reader *reader);

/* ---- by one process, without MPI ---- */

PARCEL_MUST_CHECK parcel_status parcel_export_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_info_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_job_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_plan_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_top_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_whatif_command(int argc, char **argv);

/* ---- by all ranks: collective over the world; the same status on every rank ---- */

/** All ranks return the same status: rank 0's in its own words, as for what goes wrong on each rank alike;
 *  else as parcel_world_agree. */
PARCEL_MUST_CHECK parcel_status parcel_commands_agree(const parcel_world *world, parcel_status status);

PARCEL_MUST_CHECK parcel_status parcel_diff_command(const parcel_world *world, int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_doctor_command(const parcel_world *world, int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_merge_command(const parcel_world *world, int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_verify_command(const parcel_world *world, int argc, char **argv);

#endif
