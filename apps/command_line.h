/** @file
 *  What the command lines of all programs here have in common, on top of argp: one line for a mistake,
 *  options given once, words that begin with a negative number.
 *
 *      const struct argp_option options[] = {{"block", 'b', "N", 0, "...", 0}, COMMAND_LINE_COMMON, {0}};
 *      const struct argp argp = {.options = options, .parser = command_line_parser, ...};
 *      command_line line = {.take_option = take_option, .take_word = take_word, .into = &arguments};
 *      status = command_line_parse(&argp, argc, argv, true, &line);
 *      if (status || command_line_answer(&line, "parcel plan"))
 *        return status; */
#ifndef PARCEL_APPS_COMMAND_LINE_H
#define PARCEL_APPS_COMMAND_LINE_H

#include <argp.h>
#include <stdbool.h>

#include <parcel/sweep.h>

/* A word that begins with a negative number, such as the range -5..5, looks like an option to getopt. */
#define COMMAND_LINE_NUMBER(digit)                                                                           \
  {                                                                                                          \
    NULL, digit, "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, NULL, 0                                            \
  }

/** Entries of the options of a program whose words may begin so. They need no case in take_option. */
#define COMMAND_LINE_NUMBERS                                                                                 \
  COMMAND_LINE_NUMBER('0'), COMMAND_LINE_NUMBER('1'), COMMAND_LINE_NUMBER('2'), COMMAND_LINE_NUMBER('3'),    \
      COMMAND_LINE_NUMBER('4'), COMMAND_LINE_NUMBER('5'), COMMAND_LINE_NUMBER('6'),                          \
      COMMAND_LINE_NUMBER('7'), COMMAND_LINE_NUMBER('8'), COMMAND_LINE_NUMBER('9')

/** Entries of the options of every program. They need no case in take_option. */
#define COMMAND_LINE_COMMON                                                                                  \
  {"help", '?', NULL, 0, "give this help", 1},                                                               \
  {                                                                                                          \
    "version", 'V', NULL, 0, "print the version", 1                                                          \
  }

/** The keys of options without a letter are from here on, and below COMMAND_LINE_KEYS. */
#define COMMAND_LINE_KEY  0x100
#define COMMAND_LINE_KEYS 0x140

typedef struct command_line {
  parcel_status (*take_option)(void *into, int key, const char *value);
  parcel_status (*take_word)(void *into, const char *word); /* what is no option */
  void *into;

  /* Filled in by command_line_parse. */
  const struct argp *argp;
  bool speaks;
  bool is_given[COMMAND_LINE_KEYS]; /* by key: an option given twice is a mistake */
} command_line;

/** The .parser of every argp that is given to command_line_parse. */
error_t command_line_parser(int key, char *value, struct argp_state *state);

/** Opens /dev/null in place of each standard stream that the program was started without, so that no file
 *  that is opened later has its number and gets what is printed. The first call of main. */
void command_line_open_streams(void);

/** Reads a command line; argv[0] becomes the name of the program, without its folders.
 *
 *  speaks   whether getopt may print what it does not know; else it is silent, as all ranks but one must be
 *  Errors: INVALID, with the reason in parcel_last_error(), which is empty where getopt has told it already;
 *  what take_option and take_word refuse. */
PARCEL_MUST_CHECK parcel_status command_line_parse(const struct argp *argp, int argc, char **argv,
                                                   bool speaks, command_line *line);

/** Whether the command line asks for help or for the version. Prints it, where this rank speaks.
 *
 *  name  of the program, or of a command: "parcel plan" */
bool command_line_answer(const command_line *line, const char *name);

/** Prints the reason of the last failure as one line, unless it was told already. */
void command_line_complain(void);

/** Reads a number from 1 to `most`.  Errors: INVALID, the text names the option. */
PARCEL_MUST_CHECK parcel_status command_line_count(const char *option, const char *text, parcel_index most,
                                                   parcel_index *out);

/** Reads a number of seconds above 0, "90" or "0.5".  Errors: INVALID, the text names the option. */
PARCEL_MUST_CHECK parcel_status command_line_seconds(const char *option, const char *text, double *out);

/** Takes the one word that a command line may have; *out is NULL before.  Errors: INVALID (a second one).
 *
 *  what  "FILE" */
PARCEL_MUST_CHECK parcel_status command_line_only_word(const char *what, const char *text, const char **out);

/** Reads the name of a file, which must not be empty.  Errors: INVALID, the text names the option. */
PARCEL_MUST_CHECK parcel_status command_line_file(const char *option, const char *text, const char **out);

/** The same name, absolute: it means the same file wherever the program goes.
 *
 *  path  NULL: *out is NULL
 *  Owns: *out is the caller's, for free.  Errors: MEMORY; SYSTEM (the working folder is gone). */
PARCEL_MUST_CHECK parcel_status command_line_absolute(const char *path, char **out);

/** Without a signal, a file that reaches the limit on its size (ulimit -f) is an error that can be told. What
 *  the program starts has the signal as it was. Before anything is written. */
void command_line_hear_limits(void);

/** Reads the value of --threads.  Errors: INVALID. */
PARCEL_MUST_CHECK parcel_status command_line_threads(const char *text, int *out);

/** Reads the value of --on-error.  Errors: INVALID (the text lists what there is). */
PARCEL_MUST_CHECK parcel_status command_line_on_error(const char *text, parcel_on_error *out);

/** The status, or IO if it is OK and the standard output could not be written: a report that nobody could
 *  read is a failure too. */
PARCEL_MUST_CHECK parcel_status command_line_flush(parcel_status status);

#endif
