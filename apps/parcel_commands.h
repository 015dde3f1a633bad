/** @file
 *  The commands of the tool `parcel`. argv[0] is the command's name. What is wrong is in
 *  parcel_last_error(), which is empty where it has been told already. */
#ifndef PARCEL_APPS_PARCEL_COMMANDS_H
#define PARCEL_APPS_PARCEL_COMMANDS_H

#include <parcel/base.h>

PARCEL_MUST_CHECK parcel_status parcel_job_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_plan_command(int argc, char **argv);
PARCEL_MUST_CHECK parcel_status parcel_doctor_command(int argc, char **argv);

#endif
