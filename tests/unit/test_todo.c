#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "todo_impl.h"

static parcel_todo *make(const uint64_t *done, parcel_index blocks)
{
  parcel_todo *todo = NULL;
  assert_ok(parcel__todo_make(done, blocks, &todo));
  return todo;
}

static bool is_done(const uint64_t *done, parcel_index block)
{
  return done[block / 64] >> (block % 64) & 1;
}

/* Against the plain walk over all bits. */
static void check_turns(const uint64_t *done, parcel_index blocks)
{
  parcel_todo *todo = make(done, blocks);
  parcel_index turn = 0;
  for (parcel_index block = 0; block < blocks; ++block)
    if (!is_done(done, block))
      assert_int_equal(parcel__todo_block(todo, turn++), block);
  assert_int_equal(parcel__todo_count(todo), turn);
  parcel__todo_free(&todo);
}

static void todo_without_done_blocks_is_all_of_them(void **state)
{
  parcel_todo *todo = make(NULL, INT64_MAX);
  (void)state;
  assert_int_equal(parcel__todo_count(todo), INT64_MAX);
  assert_int_equal(parcel__todo_block(todo, 0), 0);
  assert_int_equal(parcel__todo_block(todo, INT64_MAX - 1), INT64_MAX - 1);
  parcel__todo_free(&todo);
  assert_null(todo);
  parcel__todo_free(&todo);
}

static void todo_of_no_blocks_is_empty(void **state)
{
  const uint64_t none[1] = {0};
  (void)state;
  check_turns(none, 0);
}

static void todo_walks_the_missing_blocks_in_order(void **state)
{
  enum { WORDS = 40, ROUNDS = 300 };
  uint64_t done[WORDS];
  (void)state;
  srandom(1);
  for (int round = 0; round < ROUNDS; ++round) {
    const long sparseness = random() % 4; /* few, half, many, nearly all done */
    for (int word = 0; word < WORDS; ++word) {
      const uint64_t noise = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
      const uint64_t more = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
      done[word] = sparseness == 0 ? noise & more : sparseness == 1 ? noise : noise | more;
      if (sparseness == 3)
        done[word] |= random() % 3 ? UINT64_MAX : 0;
    }
    check_turns(done, random() % (WORDS * 64 + 1));
  }
}

static void todo_ignores_bits_beyond_the_last_block(void **state)
{
  uint64_t done[2] = {0, UINT64_MAX};
  (void)state;
  check_turns(done, 70);
  done[0] = UINT64_MAX;
  check_turns(done, 65);
  done[1] = 0;
  check_turns(done, 65);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(todo_without_done_blocks_is_all_of_them),
      cmocka_unit_test(todo_of_no_blocks_is_empty),
      cmocka_unit_test(todo_walks_the_missing_blocks_in_order),
      cmocka_unit_test(todo_ignores_bits_beyond_the_last_block),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
