/* parcel: the tool beside the library. One command a file; this one finds it. */
#include <stdio.h>
#include <string.h>

#include "command_line.h"
#include "parcel_commands.h"

static const struct command {
  const char *name;
  parcel_status (*run)(int argc, char **argv);
} commands[] = {
    {"doctor", parcel_doctor_command}, {"job", parcel_job_command}, {"plan", parcel_plan_command}};

/* The names of the commands, for errors and for help. */
#define COMMAND_NAMES "doctor, job, plan"

enum { COMMANDS = sizeof commands / sizeof *commands };

typedef enum action { NOTHING, SHOW_HELP, SHOW_VERSION } action;

static const struct argp_option options[] = {
    {"help", '?', NULL, 0, "give this help", 0}, {"version", 'V', NULL, 0, "print the version", 0}, {0}};

static parcel_status take_option(void *ctx, int key, const char *value)
{
  action *into = ctx;
  (void)value;
  *into = key == 'V' ? SHOW_VERSION : SHOW_HELP;
  return PARCEL_OK;
}

static parcel_status take_word(void *ctx, const char *word)
{
  (void)ctx;
  return parcel_fail(PARCEL_INVALID, "'%s': the command comes before its options", word);
}

static const struct argp parser = {
    .options = options,
    .parser = command_line_parser,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Looks into Parcel's parts and files.\v"
           "Commands (parcel COMMAND --help tells more):\n\n"
           "  plan   how a range would be divided over parts, blocks or steps\n"
           "  doctor what would make a run slow or wrong; under mpirun or srun\n\n"
           "Exit status: 0 done, 1 failed, 2 wrong usage."};

static parcel_status run_options(int argc, char **argv)
{
  action action = NOTHING;
  command_line line = {.take_option = take_option, .take_word = take_word, .into = &action};
  const parcel_status status = command_line_parse(&parser, argc, argv, true, &line);
  if (status)
    return status;
  if (action == NOTHING)
    return parcel_fail(PARCEL_INVALID, "no command; one of: " COMMAND_NAMES "; parcel --help tells more");
  if (action == SHOW_HELP)
    command_line_help(&parser, "parcel");
  else
    printf("parcel (Parcel) %s\n", PARCEL_VERSION);
  return PARCEL_OK;
}

static parcel_status run(int argc, char **argv)
{
  if (argc < 2 || argv[1][0] == '-')
    return run_options(argc, argv);
  for (int c = 0; c < COMMANDS; ++c)
    if (strcmp(argv[1], commands[c].name) == 0)
      return commands[c].run(argc - 1, argv + 1);
  return parcel_fail(PARCEL_INVALID, "unknown command '%s'; one of: " COMMAND_NAMES, argv[1]);
}

int main(int argc, char **argv)
{
  const parcel_status status = command_line_flush(run(argc, argv));
  if (status)
    command_line_complain();
  return parcel_status_exit_code(status);
}
