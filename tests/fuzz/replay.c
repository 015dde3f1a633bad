/* Runs a harness over kept inputs where there is no libFuzzer.
 *
 * usage: replay_PARSER FOLDER...      every file of the folders is one input */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

enum { MOST_BYTES = 65536 };

static int fail(const char *what)
{
  fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void replay_file(const char *path)
{
  static uint8_t bytes[MOST_BYTES];
  FILE *file = fopen(path, "rb");
  if (!file)
    fail(path);
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  if (ferror(file))
    fail(path);
  fclose(file);
  fprintf(stderr, "%s\n", path); /* the last one is at fault if the process ends */
  LLVMFuzzerTestOneInput(bytes, size);
}

static int replay_folder(const char *folder)
{
  int files = 0;
  char path[4096];
  DIR *entries = opendir(folder);
  if (!entries)
    fail(folder);
  for (const struct dirent *entry; (entry = readdir(entries));) {
    if (entry->d_name[0] == '.')
      continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    replay_file(path);
    ++files;
  }
  closedir(entries);
  return files;
}

int main(int argc, char **argv)
{
  int files = 0;
  for (int i = 1; i < argc; ++i)
    files += replay_folder(argv[i]);
  printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
