/* parcel: the tool beside the library. One command a file; this one finds it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command_line.h"
#include "parcel_commands.h"

static const struct command {
  const char *name;
  parcel_status (*run)(int argc, char **argv); /* one of these two */
  parcel_status (*run_together)(const parcel_world *world, int argc, char **argv);
} commands[] = {
    {"diff", NULL, parcel_diff_command},     {"doctor", NULL, parcel_doctor_command},
    {"export", parcel_export_command, NULL}, {"info", parcel_info_command, NULL},
    {"job", parcel_job_command, NULL},       {"merge", NULL, parcel_merge_command},
    {"plan", parcel_plan_command, NULL},     {"top", parcel_top_command, NULL},
    {"verify", NULL, parcel_verify_command}, {"whatif", parcel_whatif_command, NULL},
};

/* The names of the commands, for errors and for help. */
#define COMMAND_NAMES "diff, doctor, export, info, job, merge, plan, top, verify, whatif"

enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct argp_option options[] = {COMMAND_LINE_COMMON, {0}};

static parcel_status take_word(void *ctx, const char *word)
{
  (void)ctx;
  return parcel_fail(PARCEL_INVALID, "'%s': the command comes before its options", word);
}

static const struct argp parser = {.options = options,
                                   .parser = command_line_parser,
                                   .args_doc = "COMMAND [ARGUMENT...]",
                                   .doc =
                                       "Looks into Parcel's parts and files.\v"
                                       "Commands (parcel COMMAND --help tells more):\n\n"
                                       "  diff    whether two files hold the same values (*)\n"
                                       "  doctor  what would make a run slow or wrong; under mpirun or srun\n"
                                       "  export  values as CSV\n"
                                       "  info    what is in a file, and where it comes from\n"
                                       "  job     a batch script fitted to a request\n"
                                       "  merge   files of adjacent ranges into one (*)\n"
                                       "  plan    how a range would be divided over parts, blocks or steps\n"
                                       "  top     how far a run is, from another shell\n"
                                       "  verify  whether a file is complete and undamaged (*)\n"
                                       "  whatif  how long a recorded run would take with other ranks\n\n"
                                       "(*) by all ranks, where mpirun starts several.\n\n"
                                       "Exit status: 0 done, 1 failed, 2 wrong usage."};

static parcel_status run_options(int argc, char **argv)
{
  command_line line = {.take_word = take_word};
  const parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status || command_line_answer(&line, "parcel"))
    return status;
  return parcel_fail(PARCEL_INVALID, "no command; one of: " COMMAND_NAMES "; parcel --help tells more");
}

static const struct command *find_command(const char *name)
{
  for (int c = 0; c < COMMANDS; ++c)
    if (strcmp(name, commands[c].name) == 0)
      return &commands[c];
  parcel_fail(PARCEL_INVALID, "unknown command '%s'; one of: " COMMAND_NAMES, name);
  return NULL;
}

void parcel_commands_warn(const parcel_reader *reader)
{
  if (*parcel_reader_warning(reader))
    fprintf(stderr, "%s: warning: %s\n", program_invocation_short_name, parcel_reader_warning(reader));
}

parcel_status parcel_commands_agree(const parcel_world *world, parcel_status status)
{
  const parcel_status first = parcel_world_follow_root(world, status);
  return first ? first : parcel_world_agree(world, status);
}

static int run_together(const struct command *command, int argc, char **argv)
{
  parcel_world *world = NULL;
  parcel_status status = parcel_world_open(MPI_COMM_WORLD, &world);
  if (status)
    return parcel_world_close(&world, status);
  status = command_line_flush(command->run_together(world, argc, argv));
  if (status && parcel_world_rank(world) == 0)
    command_line_complain();
  return parcel_world_leave(&world, parcel_status_exit_code(status));
}

int main(int argc, char **argv)
{
  parcel_status status = PARCEL_INVALID;
  command_line_open_streams();
  const bool has_command = argc > 1 && argv[1][0] != '-';
  const struct command *command = has_command ? find_command(argv[1]) : NULL;
  command_line_hear_limits();
  if (command && command->run_together)
    return run_together(command, argc - 1, argv + 1);
  if (command)
    status = command->run(argc - 1, argv + 1);
  else if (!has_command)
    status = run_options(argc, argv);
  status = command_line_flush(status);
  if (status)
    command_line_complain();
  return parcel_status_exit_code(status);
}
