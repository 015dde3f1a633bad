/* The reader against a real file whose bytes were changed at random: it is read or refused, with a reason,
 * and nothing crashes. The copy is called .part, so that its seal does not keep the damage from HDF5 and
 * from what reads behind it.
 *
 * usage: mutate_reader FILE COPY.part TRIES SEED */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

#include <parcel/reader.h>

enum { MOST_BYTES = 1 << 22, MOST_CHANGES = 4 };

static uint8_t original[MOST_BYTES];
static uint8_t changed[MOST_BYTES];
static uint64_t state;

/* xorshift64: the same everywhere for the same seed. */
static uint64_t draw(uint64_t below)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % below;
}

static void change(size_t size)
{
  const size_t at = draw(size - sizeof(uint64_t));
  uint64_t word = 0;
  switch (draw(5)) {
  case 0: changed[at] = (uint8_t)draw(256); return;
  case 1: changed[at] ^= (uint8_t)(1U << draw(8)); return;
  case 2: word = UINT64_MAX >> draw(64); break;
  case 3: word = 0; break;
  default: memcpy(&word, original + draw(size - sizeof word), sizeof word);
  }
  memcpy(changed + at, &word, 1 + draw(sizeof word));
}

static void write_copy(const char *path, size_t size)
{
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  FUZZ_ASSERT(file >= 0 && write(file, changed, size) == (ssize_t)size && close(file) == 0);
}

static void use(const parcel_reader *reader)
{
  parcel_reader_entry entry;
  parcel_failure failure;
  int columns = 0;
  int notes = 0;
  const parcel_reader_note *note = parcel_reader_provenance(reader, &notes);
  const parcel_column *column = parcel_reader_columns(reader, &columns);
  const parcel_index blocks = parcel_block_grid_count(parcel_reader_grid(reader));
  char *scratch = malloc(parcel_reader_scratch_bytes(reader) + 1);
  FUZZ_ASSERT(scratch && columns > 0 && *column[columns - 1].name);
  for (int i = 0; i < notes; ++i)
    FUZZ_ASSERT(strlen(note[i].name) > 0 && strlen(note[i].text) < MOST_BYTES);
  for (parcel_index b = 0; b < blocks; ++b)
    if (parcel_reader_entries(reader, (parcel_span){b, b + 1}, &entry) ||
        parcel_reader_check_block(reader, b, &entry, scratch))
      FUZZ_ASSERT(*parcel_last_error() != '\0');
  for (parcel_index f = 0; f < parcel_reader_failure_count(reader); ++f)
    FUZZ_ASSERT(parcel_reader_failures(reader, (parcel_span){f, f + 1}, &failure) == PARCEL_OK);
  free(scratch);
}

static void try(const char *path)
{
  parcel_reader *reader = NULL;
  fuzz_forget_reason();
  if (parcel_reader_open(path, &reader)) {
    FUZZ_ASSERT(reader == NULL && strcmp(parcel_last_error(), "before") != 0);
    return;
  }
  use(reader);
  parcel_reader_close(&reader);
}

int main(int argc, char **argv)
{
  FUZZ_ASSERT(argc == 5);
  FILE *file = fopen(argv[1], "rb");
  FUZZ_ASSERT(file != NULL);
  const size_t size = fread(original, 1, sizeof original, file);
  fclose(file);
  FUZZ_ASSERT(size > 4096);
  const long tries = strtol(argv[3], NULL, 10);
  for (long t = 0; t < tries; ++t) {
    state = strtoull(argv[4], NULL, 10) * 1000003 + (uint64_t)t + 1;
    memcpy(changed, original, size);
    for (uint64_t c = 1 + draw(MOST_CHANGES); c > 0; --c)
      change(size);
    write_copy(argv[2], size); /* stays, if the process ends here */
    try(argv[2]);
  }
  printf("%ld files\n", tries);
  return 0;
}
