#include "url_list.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MOST_BYTES = 1 << 30 }; /* for one MPI_Bcast */

/* ---- on rank 0 ---- */

/* The line without blanks around it. */
static const char *trim(char *line)
{
  size_t length = strlen(line);
  while (length > 0 && isspace((unsigned char)line[length - 1]))
    line[--length] = '\0';
  while (isspace((unsigned char)*line))
    ++line;
  return line;
}

/* Writes each URL with its closing zero. */
static parcel_index copy_urls(FILE *in, FILE *out)
{
  parcel_index count = 0;
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, in) >= 0) {
    const char *url = trim(line);
    if (*url == '\0' || *url == '#')
      continue;
    fwrite(url, 1, strlen(url) + 1, out);
    ++count;
  }
  free(line);
  return count;
}

static parcel_status check_text(const url_list *list, const char *path)
{
  if (list->count == 0)
    return parcel_fail(PARCEL_INVALID, "there is no URL in '%s'", path);
  if (list->text_bytes >= MOST_BYTES)
    return parcel_fail(PARCEL_INVALID,
                       "'%s' has %" PRId64 " bytes of URLs; divide it: a list has less than 1 GiB", path,
                       list->text_bytes);
  return PARCEL_OK;
}

static parcel_status read_text(FILE *in, const char *path, url_list *out)
{
  size_t bytes = 0;
  FILE *memory = open_memstream(&out->text, &bytes);
  if (!memory)
    return parcel_fail(PARCEL_MEMORY, "no memory for the list of URLs");
  out->count = copy_urls(in, memory);
  const bool is_whole = !ferror(memory);
  if (fclose(memory) != 0 || !is_whole)
    return parcel_fail(PARCEL_MEMORY, "no memory for the URLs of '%s'", path);
  if (ferror(in))
    return parcel_fail(PARCEL_IO, "cannot read '%s': %m", path);
  out->text_bytes = (parcel_index)bytes;
  return check_text(out, path);
}

static parcel_status read_file(const char *path, url_list *out)
{
  if (strcmp(path, "-") == 0)
    return read_text(stdin, "the standard input", out);
  FILE *in = fopen(path, "re");
  if (!in)
    return parcel_fail(PARCEL_IO, "cannot read the list of URLs '%s': %m", path);
  const parcel_status status = read_text(in, path, out);
  fclose(in);
  return status;
}

/* ---- on every rank ---- */

static parcel_status make_room(const parcel_world *world, url_list *list)
{
  if (parcel_world_rank(world) != 0)
    list->text = malloc((size_t)list->text_bytes);
  list->urls = calloc((size_t)list->count, sizeof *list->urls);
  return list->text && list->urls ? PARCEL_OK
                                  : parcel_fail(PARCEL_MEMORY, "no memory for %" PRId64 " URLs", list->count);
}

static parcel_status share_text(const parcel_world *world, url_list *list)
{
  MPI_Comm comm = parcel_world_comm(world);
  parcel_index sizes[2] = {list->count, list->text_bytes};
  parcel_status status =
      parcel_world_check_mpi(world, MPI_Bcast(sizes, 2, MPI_INT64_T, 0, comm), "MPI_Bcast of a size");
  if (status)
    return status;
  list->count = sizes[0];
  list->text_bytes = sizes[1];
  if ((status = parcel_world_agree(world, make_room(world, list))))
    return status;
  return parcel_world_check_mpi(world, MPI_Bcast(list->text, (int)list->text_bytes, MPI_CHAR, 0, comm),
                                "MPI_Bcast of the list of URLs");
}

parcel_status url_list_read(const parcel_world *world, const char *path, url_list *out)
{
  url_list list = {0};
  parcel_status status = parcel_world_rank(world) == 0 ? read_file(path, &list) : PARCEL_OK;
  if (!(status = parcel_world_follow_root(world, status)))
    status = share_text(world, &list);
  if (status) {
    url_list_free(&list);
    return status;
  }
  const char *next = list.text;
  for (parcel_index u = 0; u < list.count; ++u) {
    list.urls[u] = next;
    next += strlen(next) + 1;
  }
  *out = list;
  return PARCEL_OK;
}

const char *url_list_describe(const url_list *list, char text[URL_LIST_TEXT_SIZE])
{
  snprintf(text, URL_LIST_TEXT_SIZE, "%" PRId64 " URLs, XXH3-64 of the list %016" PRIx64, list->count,
           (uint64_t)XXH3_64bits(list->text, (size_t)list->text_bytes));
  return text;
}

void url_list_free(url_list *list)
{
  free(list->urls);
  free(list->text);
  *list = (url_list){0};
}
