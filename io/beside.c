#include "beside_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

parcel_status parcel__beside_visit(const parcel_file *file, const char *suffix,
                                   parcel_status (*visit)(void *ctx, char *path, const char *rest), void *ctx)
{
  char *folder_name = parcel__file_folder(file->part);
  const char *name = strrchr(file->part, '/') ? strrchr(file->part, '/') + 1 : file->part;
  const size_t length = strlen(name);
  const size_t suffix_length = strlen(suffix);
  DIR *folder = folder_name ? opendir(folder_name) : NULL;
  parcel_status status = folder ? PARCEL_OK : parcel__file_fail("list the folder of", file->part);
  for (struct dirent *entry = NULL; !status && (entry = readdir(folder));) {
    char *path = NULL;
    if (strncmp(entry->d_name, name, length) != 0 ||
        strncmp(entry->d_name + length, suffix, suffix_length) != 0)
      continue;
    if (asprintf(&path, "%s/%s", folder_name, entry->d_name) < 0) {
      status = parcel_fail(PARCEL_MEMORY, "no memory for a name beside '%s'", file->part);
      break;
    }
    status = visit(ctx, path, entry->d_name + length + suffix_length);
    free(path);
  }
  if (folder)
    closedir(folder);
  free(folder_name);
  return status;
}

/* Whether a run has left a file whose name goes on so behind the .part's. */
static bool is_left_over(const char *rest)
{
  static const char *const suffixes[] = {PARCEL_BESIDE_JOURNAL, PARCEL_BESIDE_SPOOL, PARCEL_BESIDE_STATUS,
                                         PARCEL_FILE_FRESH};
  bool is_one = false;
  for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes && !is_one; ++s)
    is_one = strncmp(rest, suffixes[s], strlen(suffixes[s])) == 0;
  return is_one;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as all visits have it */
static parcel_status find(void *ctx, char *path, const char *rest)
{
  bool *has_any = ctx;
  (void)path;
  *has_any = *has_any || is_left_over(rest);
  return PARCEL_OK;
}

bool parcel__beside_has_any(const parcel_file *file)
{
  bool has_any = false;
  return parcel__beside_visit(file, "", find, &has_any) == PARCEL_OK && has_any;
}

static parcel_status remove_one(void *ctx, char *path, const char *rest)
{
  (void)ctx;
  if (is_left_over(rest))
    unlink(path);
  return PARCEL_OK;
}

void parcel__beside_clear(const parcel_file *file)
{
  if (parcel__beside_visit(file, "", remove_one, NULL))
    return;
}
