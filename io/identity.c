#include "identity_impl.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text_impl.h"

/* ---- as text ---- */

typedef struct terms {
  parcel_range range;
  const char *kernel, *version, *parameters;
  const parcel_column *columns;
  int column_count;
} terms;

static const char *type_name(parcel_type type)
{
  switch (type) {
#define NAME_CASE(name, c_type)                                                                              \
  case PARCEL_##name: return #name;
    PARCEL_TYPE_MAP(NAME_CASE)
#undef NAME_CASE
  }
  return "?";
}

/* A value on its line, as UTF-8, which is what a file has of it: line feeds are spelt out. */
static bool put_value(FILE *stream, const char *name, const char *value)
{
  const size_t size = 3 * strlen(value) + 1;
  char *valid = malloc(size);
  if (!valid)
    return false;
  parcel__text_copy(valid, size, value);
  fprintf(stream, "%s\t", name);
  for (const char *c = valid; *c; ++c) {
    if (*c == '\n')
      fputs("\\n", stream);
    else if (*c == '\\')
      fputs("\\\\", stream);
    else
      fputc(*c, stream);
  }
  fputc('\n', stream);
  free(valid);
  return true;
}

static bool put_column(FILE *stream, int number, const parcel_column *column)
{
  char name[32];
  char *value = NULL;
  const char *units = column->units ? column->units : "1";
  const parcel_index width = parcel_column_width(column);
  snprintf(name, sizeof name, "column %d", number);
  const int length = width > 1 ? asprintf(&value, "%s %s x %" PRId64 " [%s]", column->name,
                                          type_name(column->type), width, units)
                               : asprintf(&value, "%s %s [%s]", column->name, type_name(column->type), units);
  const bool is_put = length >= 0 && put_value(stream, name, value);
  if (length >= 0)
    free(value);
  return is_put;
}

static parcel_status write_terms(const terms *terms, char **out)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  if (!stream)
    return parcel_fail(PARCEL_MEMORY, "no memory for the terms of a sweep");
  bool is_put = put_value(stream, "range", parcel_range_format(terms->range, range, sizeof range)) &&
                put_value(stream, "kernel", terms->kernel) &&
                put_value(stream, "kernel version", terms->version) &&
                put_value(stream, "parameters", terms->parameters);
  for (int c = 0; c < terms->column_count && is_put; ++c)
    is_put = put_column(stream, c + 1, &terms->columns[c]);
  if (fclose(stream) != 0 || !is_put) {
    free(text);
    return parcel_fail(PARCEL_MEMORY, "no memory for the terms of a sweep");
  }
  *out = text;
  return PARCEL_OK;
}

parcel_status parcel__identity_of_sweep(const parcel_sweep *sweep, char **out)
{
  const terms terms = {.range = sweep->range,
                       .kernel = sweep->name ? sweep->name : "",
                       .version = sweep->version ? sweep->version : "1",
                       .parameters = sweep->parameters ? sweep->parameters : "none",
                       .columns = sweep->columns,
                       .column_count = sweep->column_count};
  return write_terms(&terms, out);
}

parcel_status parcel__identity_of_file(const parcel_reader *reader, char **out)
{
  terms terms = {.range = parcel_reader_range(reader),
                 .kernel = parcel_reader_provenance_of(reader, "kernel"),
                 .version = parcel_reader_provenance_of(reader, "kernel_version"),
                 .parameters = parcel_reader_provenance_of(reader, "parameters")};
  terms.columns = parcel_reader_columns(reader, &terms.column_count);
  return write_terms(&terms, out);
}

/* ---- compared ---- */

/* The next line of a text, or an empty one at its end; moves *text behind it. */
typedef struct line {
  int name_length, value_length;
  const char *name, *value;
} line;

static line take_line(const char **text)
{
  const char *begin = *text;
  const int length = (int)strcspn(begin, "\n");
  const int name = (int)strcspn(begin, "\t\n");
  *text += length + (begin[length] == '\n');
  if (length == 0)
    return (line){.name = begin, .value = "none", .value_length = 4};
  if (name == length)
    return (line){.name = begin, .value = begin + length, .name_length = name};
  return (line){
      .name = begin, .value = begin + name + 1, .name_length = name, .value_length = length - name - 1};
}

static bool is_same(line a, line b)
{
  return a.name_length == b.name_length && a.value_length == b.value_length &&
         memcmp(a.name, b.name, (size_t)a.name_length) == 0 &&
         memcmp(a.value, b.value, (size_t)a.value_length) == 0;
}

/* The lines that differ, in words: "range is 1..10 HERE, 1..20 THERE; ...". "" if none does. */
static void list_differences(const char *own, const char *here, const char *other, const char *there,
                             char text[PARCEL_ERROR_SIZE])
{
  int length = 0;
  *text = '\0';
  while (*own || *other) {
    const line a = take_line(&own);
    const line b = take_line(&other);
    const line *named = a.name_length > 0 ? &a : &b;
    if (!is_same(a, b) && length < PARCEL_ERROR_SIZE)
      length += snprintf(text + length, (size_t)(PARCEL_ERROR_SIZE - length), "%s%.*s is %.*s %s, %.*s %s",
                         length > 0 ? "; " : "", named->name_length, named->name, a.value_length, a.value,
                         here, b.value_length, b.value, there);
  }
}

parcel_status parcel__identity_check(const parcel_reader *reader, const parcel_sweep *sweep)
{
  char differences[PARCEL_ERROR_SIZE] = "";
  char *own = NULL;
  char *other = NULL;
  parcel_status status = parcel__identity_of_sweep(sweep, &own);
  if (!status)
    status = parcel__identity_of_file(reader, &other);
  if (!status)
    list_differences(other, "there", own, "here", differences);
  free(own);
  free(other);
  if (!status && *differences)
    return parcel_fail(PARCEL_DIFFERS, "'%s' was made by another sweep: %s", parcel_reader_path(reader),
                       differences);
  return status;
}

/* ---- among ranks ---- */

/* What computes on this rank. */
static void describe_build(char *text, size_t size)
{
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  MPI_Get_library_version(mpi, &length);
  mpi[strcspn(mpi, "\n")] = '\0';
  snprintf(text, size, "Parcel %s, HDF5 %u.%u.%u, %.64s", PARCEL_VERSION, major, minor, release, mpi);
}

static parcel_status write_own(const parcel_sweep *sweep, const char *path, const char *more, char **out)
{
  char build[256];
  char *terms = NULL;
  size_t size = 0;
  describe_build(build, sizeof build);
  const parcel_status status = parcel__identity_of_sweep(sweep, &terms);
  if (status)
    return status;
  FILE *stream = open_memstream(out, &size);
  bool is_put = stream && put_value(stream, "build", build) && fputs(terms, stream) >= 0 &&
                put_value(stream, "output", path) && fputs(more, stream) >= 0;
  if (stream)
    is_put = fclose(stream) == 0 && is_put;
  free(terms);
  return is_put ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the terms of a sweep");
}

/* Rank 0's text, on all ranks. */
static parcel_status share_text(const parcel_world *world, const char *own, char **out)
{
  MPI_Comm comm = parcel_world_comm(world);
  int size = (int)strlen(own) + 1;
  parcel_status status =
      parcel_world_check_mpi(world, MPI_Bcast(&size, 1, MPI_INT, 0, comm), "MPI_Bcast of a length");
  if (status)
    return status;
  char *text = calloc((size_t)size, 1);
  status = text ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "no memory for the terms of rank 0");
  if ((status = parcel_world_agree(world, status))) {
    free(text);
    return status;
  }
  if (parcel_world_rank(world) == 0)
    memcpy(text, own, (size_t)size);
  *out = text;
  return parcel_world_check_mpi(world, MPI_Bcast(text, size, MPI_CHAR, 0, comm),
                                "MPI_Bcast of the terms of rank 0");
}

parcel_status parcel__identity_agree(const parcel_world *world, const parcel_sweep *sweep, const char *path,
                                     const char *more)
{
  char differences[PARCEL_ERROR_SIZE] = "";
  char *own = NULL;
  char *root = NULL;
  parcel_status status = parcel_world_agree(world, write_own(sweep, path, more, &own));
  if (!status)
    status = share_text(world, own, &root);
  if (!status)
    list_differences(own, "here", root, "on rank 0", differences);
  free(own);
  free(root);
  if (!status && *differences)
    status = parcel_fail(PARCEL_INVALID, "ranks disagree on what to do: %s", differences);
  return parcel_world_agree(world, status);
}
