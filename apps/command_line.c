#include "command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parcel/range.h>

static const char *name_of(const struct argp *argp, int key)
{
  const struct argp_option *option = argp->options;
  while (option->key != key)
    ++option;
  return option->name;
}

error_t command_line_parser(int key, char *value, struct argp_state *state)
{
  command_line *line = state->input;
  if (key == ARGP_KEY_INIT) {
    state->err_stream = NULL; /* no second line "Try --help" */
    return 0;
  }
  if (key == ARGP_KEY_ARG)
    return line->take_word(line->into, value) ? EINVAL : 0;
  if (key < 0 || key >= COMMAND_LINE_KEYS)
    return ARGP_ERR_UNKNOWN;
  if (key >= '0' && key <= '9')
    return line->take_word(line->into, state->argv[state->next - 1]) ? EINVAL : 0;
  if (line->is_given[key]) {
    parcel_fail(PARCEL_INVALID, "--%s was given twice", name_of(state->root_argp, key));
    return EINVAL;
  }
  line->is_given[key] = true;
  if (key == '?' || key == 'V')
    return 0;
  return line->take_option(line->into, key, value) ? EINVAL : 0;
}

/* The system gives the lowest number that is free. */
void command_line_open_streams(void)
{
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO)
    close(fd);
}

parcel_status command_line_parse(const struct argp *argp, int argc, char **argv, bool speaks,
                                 command_line *line)
{
  line->argp = argp;
  line->speaks = speaks;
  const unsigned flags = ARGP_NO_EXIT | ARGP_NO_HELP | (speaks ? 0 : ARGP_NO_ERRS);
  argv[0] = program_invocation_short_name; /* getopt's messages begin like ours */
  parcel_fail(PARCEL_OK, "%s", "");
  return argp_parse(argp, argc, argv, flags, NULL, line) ? PARCEL_INVALID : PARCEL_OK;
}

bool command_line_answer(const command_line *line, const char *name)
{
  char copy[64];
  snprintf(copy, sizeof copy, "%s", name); /* argp takes no constant */
  if (line->speaks && line->is_given['?'])
    argp_help(line->argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, copy);
  else if (line->speaks && line->is_given['V'])
    printf("%.*s (Parcel) %s\n", (int)strcspn(name, " "), name, PARCEL_VERSION);
  return line->is_given['?'] || line->is_given['V'];
}

void command_line_complain(void)
{
  if (*parcel_last_error())
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, parcel_last_error());
}

parcel_status command_line_count(const char *option, const char *text, parcel_index most, parcel_index *out)
{
  parcel_index value = 0;
  const parcel_status status = parcel_index_parse(text, &value);
  if (status)
    return parcel_fail(PARCEL_INVALID, "%s: %s", option, parcel_last_error());
  if (value < 1 || value > most)
    return parcel_fail(PARCEL_INVALID, "%s: %s is outside 1..%" PRId64, option, text, most);
  *out = value;
  return PARCEL_OK;
}

parcel_status command_line_seconds(const char *option, const char *text, double *out)
{
  char *end = NULL;
  const double seconds = strtod(text, &end);
  const bool is_number = end != text && *end == '\0';
  if (!is_number || !(seconds > 0) || seconds > 1e9)
    return parcel_fail(PARCEL_INVALID, "%s: '%s' is no time; give seconds above 0, such as 90 or 0.5", option,
                       text);
  *out = seconds;
  return PARCEL_OK;
}

parcel_status command_line_only_word(const char *what, const char *text, const char **out)
{
  if (*out)
    return parcel_fail(PARCEL_INVALID, "more than one %s: '%s' and '%s'", what, *out, text);
  *out = text;
  return PARCEL_OK;
}

parcel_status command_line_file(const char *option, const char *text, const char **out)
{
  if (*text == '\0')
    return parcel_fail(PARCEL_INVALID, "%s: the name is empty", option);
  *out = text;
  return PARCEL_OK;
}

parcel_status command_line_absolute(const char *path, char **out)
{
  char *whole = path && *path == '/' ? strdup(path) : NULL;
  if (path && *path != '/') {
    char *here = getcwd(NULL, 0);
    if (!here)
      return parcel_fail(PARCEL_SYSTEM, "no working folder for '%s': %m", path);
    if (asprintf(&whole, "%s/%s", here, path) < 0)
      whole = NULL;
    free(here);
  }
  if (path && !whole)
    return parcel_fail(PARCEL_MEMORY, "no memory for the name '%s'", path);
  *out = whole;
  return PARCEL_OK;
}

static void ignore(int signal_number)
{
  (void)signal_number;
}

/* A handler, unlike SIG_IGN, ends with exec. */
void command_line_hear_limits(void)
{
  struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  struct sigaction before;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGXFSZ, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction(SIGXFSZ, &action, NULL);
}

parcel_status command_line_threads(const char *text, int *out)
{
  parcel_index threads = 0;
  const parcel_status status = command_line_count("--threads", text, 65536, &threads);
  if (!status)
    *out = (int)threads;
  return status;
}

parcel_status command_line_on_error(const char *text, parcel_on_error *out)
{
  if (strcmp(text, "stop") == 0)
    *out = PARCEL_ON_ERROR_STOP;
  else if (strcmp(text, "record") == 0)
    *out = PARCEL_ON_ERROR_RECORD;
  else
    return parcel_fail(PARCEL_INVALID, "--on-error: unknown '%s'; one of: stop, record", text);
  return PARCEL_OK;
}

parcel_status command_line_flush(parcel_status status)
{
  if ((fflush(stdout) != 0 || ferror(stdout)) && !status)
    return parcel_fail(PARCEL_IO, "cannot write to the standard output: %m");
  return status;
}
