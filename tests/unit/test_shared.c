/* Memory that processes have in common: zeros, apart from each other, given back. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parcel/shared.h>

enum { MIB = 1 << 20 };

static void *allocate(parcel_index bytes)
{
  void *memory = NULL;
  assert_ok(parcel_shared_alloc(bytes, &memory));
  return memory;
}

static bool is_zero(const char *memory, parcel_index bytes)
{
  return memory[0] == 0 && memcmp(memory, memory + 1, (size_t)bytes - 1) == 0;
}

static void shared_memory_is_zero_aligned_and_of_its_own(void **state)
{
  static const parcel_index sizes[] = {1, 63, 64, 65, 1000, 4096, 4097, 65536, MIB - 1, MIB, 3 * MIB};
  char *blocks[2 * LENGTH(sizes)] = {NULL};
  (void)state;
  for (int round = 0; round < 3; ++round) {
    for (int b = 0; b < LENGTH(blocks); ++b) {
      const parcel_index size = sizes[b % LENGTH(sizes)];
      blocks[b] = allocate(size);
      assert_int_equal((uintptr_t)blocks[b] % (size < 4096 ? 64 : 4096), 0);
      assert_true(size == 1 ? blocks[b][0] == 0 : is_zero(blocks[b], size));
      memset(blocks[b], b + 1, (size_t)size);
    }
    for (int b = 0; b < LENGTH(blocks); ++b) {
      const parcel_index last = sizes[b % LENGTH(sizes)] - 1;
      assert_int_equal(blocks[b][0], b + 1);
      assert_int_equal(blocks[b][last], b + 1);
      parcel_shared_free(blocks[b]);
    }
  }
  parcel_shared_free(NULL);
}

static void shared_memory_is_common_to_processes(void **state)
{
  atomic_int *value = allocate(sizeof *value);
  int how = -1;
  (void)state;
  const pid_t child = fork();
  if (child == 0) {
    atomic_fetch_add(value, 42);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(how, 0);
  assert_int_equal(atomic_load(value), 42);
  parcel_shared_free(value);
}

static long shared_kib(void)
{
  char line[128];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "RssShmem: %ld", &kib) == 1)
      break;
  if (file)
    fclose(file);
  return kib;
}

static void shared_memory_freed_goes_back_to_the_system(void **state)
{
  const long before = shared_kib();
  (void)state;
  for (int round = 0; round < 20; ++round) {
    char *memory = allocate(64 * MIB);
    memset(memory, 1, 64 * (size_t)MIB);
    assert_true(shared_kib() >= before + 60 * 1024);
    parcel_shared_free(memory);
  }
  assert_true(shared_kib() < before + 1024);
}

static void shared_memory_sizes_are_checked(void **state)
{
  void *untouched = &untouched;
  (void)state;
  assert_refused(parcel_shared_alloc(0, &untouched), PARCEL_INVALID, "0 bytes");
  assert_refused(parcel_shared_alloc(-1, &untouched), PARCEL_INVALID, "-1 bytes");
  assert_refused(parcel_shared_alloc(INT64_MAX, &untouched), PARCEL_MEMORY, "9223372036854775807 bytes");
  assert_ptr_equal(untouched, &untouched);
}

static void *allocate_and_free(void *mistakes)
{
  enum { LIVE = 16 };
  unsigned char *blocks[LIVE] = {NULL};
  uint64_t seed = (uint64_t)(uintptr_t)&seed;
  for (int step = 0; step < 4000; ++step) {
    const int b = step % LIVE;
    const parcel_index size = 1 + random_below(&seed, step % 100 == 0 ? MIB : 3000);
    void *memory = NULL;
    if (blocks[b] && *blocks[b] != b + 1)
      atomic_fetch_add((atomic_int *)mistakes, 1);
    parcel_shared_free(blocks[b]);
    if (parcel_shared_alloc(size, &memory) || ((char *)memory)[size - 1])
      atomic_fetch_add((atomic_int *)mistakes, 1);
    blocks[b] = memory;
    memset(memory, b + 1, (size_t)size);
  }
  for (int b = 0; b < LIVE; ++b)
    parcel_shared_free(blocks[b]);
  return NULL;
}

static void shared_memory_is_allocated_by_threads_at_once(void **state)
{
  pthread_t threads[4];
  atomic_int mistakes = 0;
  (void)state;
  for (int t = 0; t < LENGTH(threads); ++t)
    assert_int_equal(pthread_create(&threads[t], NULL, allocate_and_free, &mistakes), 0);
  for (int t = 0; t < LENGTH(threads); ++t)
    assert_int_equal(pthread_join(threads[t], NULL), 0);
  assert_int_equal(mistakes, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(shared_memory_is_zero_aligned_and_of_its_own),
      cmocka_unit_test(shared_memory_is_common_to_processes),
      cmocka_unit_test(shared_memory_freed_goes_back_to_the_system),
      cmocka_unit_test(shared_memory_sizes_are_checked),
      cmocka_unit_test(shared_memory_is_allocated_by_threads_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
