#include "mpi_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/exchange.h>

#include "mpi_spy.h"

/* ---- elements that know their position ---- */

static unsigned char byte_at(parcel_index position, parcel_index byte)
{
  return (unsigned char)((uint64_t)(position + 1) * 0x9e3779b97f4a7c15U >> (8 * (byte % 7) + 3)) ^
         (unsigned char)byte;
}

static void fill(unsigned char *element, parcel_index position, parcel_index element_bytes)
{
  for (parcel_index byte = 0; byte < element_bytes; ++byte)
    element[byte] = byte_at(position, byte);
}

static unsigned char *make_part(const parcel_layout *layout, parcel_index element_bytes, bool is_filled)
{
  const int rank = mpi_test_rank();
  const parcel_index count = parcel_layout_count(layout, rank);
  unsigned char *array = calloc((size_t)(count * element_bytes) + 1, 1);
  for (parcel_index k = 0; k < count && is_filled && array; ++k)
    fill(array + k * element_bytes, parcel_layout_global(layout, rank, k), element_bytes);
  return array;
}

static bool is_right(const unsigned char *array, const parcel_layout *layout, parcel_index element_bytes)
{
  unsigned char *expected = make_part(layout, element_bytes, true);
  const size_t bytes = (size_t)(parcel_layout_count(layout, mpi_test_rank()) * element_bytes);
  const bool is_same = memcmp(array, expected, bytes) == 0 && array[bytes] == 0;
  free(expected);
  return is_same;
}

enum { LAYOUTS = 8 };

/* NULL on failure. */
static parcel_layout *make_layout(int kind, parcel_index n)
{
  const int ranks = mpi_test_size();
  parcel_layout *layout = NULL;
  parcel_status status = PARCEL_OK;
  double weights[64];
  parcel_index offsets[65] = {0};
  for (int k = 0; k < ranks; ++k) {
    weights[k] = k % 3 == 1 ? 0 : 1 + k;
    offsets[k + 1] = k < ranks / 2 ? 0 : n; /* one has everything */
  }
  switch (kind) {
  case 0: status = parcel_layout_block(n, ranks, &layout); break;
  case 1: status = parcel_layout_cyclic(n, ranks, 1, &layout); break;
  case 2: status = parcel_layout_weighted(n, ranks, weights, &layout); break;
  case 3: status = parcel_layout_cyclic(n, ranks, 7, &layout); break;
  case 4: status = parcel_layout_explicit(ranks, offsets, &layout); break;
  case 5: status = parcel_layout_aligned(n, ranks, 64, &layout); break;
  case 6: status = parcel_layout_ceiling(n, ranks, &layout); break;
  default: status = parcel_layout_cyclic(n, ranks, 100, &layout); break;
  }
  return status ? NULL : layout;
}

/* Through the layouts in turn and back to the first. */
static void check_round_trip(const parcel_world *world, const int kinds[], int count, parcel_index n,
                             parcel_index element_bytes, const parcel_exchange_options *options)
{
  parcel_layout *from = make_layout(kinds[0], n);
  unsigned char *source = make_part(from, element_bytes, true);
  for (int step = 1; step <= count; ++step) {
    parcel_layout *to = make_layout(kinds[step % count], n);
    unsigned char *target = make_part(to, element_bytes, false);
    const parcel_status status = parcel_exchange(world, from, to, element_bytes, source, target, options);
    const bool is_moved =
        !status && is_right(target, to, element_bytes) && is_right(source, from, element_bytes);
    free(source);
    parcel_layout_free(&from);
    source = target;
    from = to;
    if (step == count || status) {
      free(source);
      parcel_layout_free(&from);
    }
    assert_status(status, PARCEL_OK);
    assert_all(is_moved);
  }
}

static const int main_way[] = {0, 1, 2, 0};
static const int all_kinds[LAYOUTS] = {0, 1, 2, 3, 4, 5, 6, 7};

static void block_cyclic_weighted_block_returns_the_same_bytes(void **state)
{
  static const parcel_index sizes[] = {0, 1, 2, 7, 100, 10007};
  static const parcel_index element_bytes[] = {1, 8, 24};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s)
    for (size_t e = 0; e < 3; ++e) {
      check_round_trip(*state, main_way, 4, sizes[s], element_bytes[e], NULL);
      check_round_trip(*state, all_kinds, LAYOUTS, sizes[s], element_bytes[e], NULL);
    }
  assert_nothing_left(*state);
}

static void every_layout_to_every_other(void **state)
{
  for (int pair = 0; pair < LAYOUTS * LAYOUTS; ++pair) {
    const int kinds[] = {pair / LAYOUTS, pair % LAYOUTS};
    check_round_trip(*state, kinds, 2, 1009, 8, NULL);
  }
  assert_nothing_left(*state);
}

static void messages_are_split_below_the_limit(void **state)
{
  static const parcel_index limits[] = {1, 5, 24, 1000, 4096};
  for (size_t k = 0; k < sizeof limits / sizeof *limits; ++k) {
    const parcel_exchange_options options = {.message_bytes = limits[k]};
    mpi_spy.sent_messages = mpi_spy.largest_message = 0;
    check_round_trip(*state, all_kinds, LAYOUTS, 50 * limits[k] < 3000 ? 50 * limits[k] : 3000, 24, &options);
    assert_all(mpi_spy.largest_message <= limits[k]);
    assert_all(mpi_test_size() == 1 || mpi_spy.sent_messages > 0);
  }
  assert_nothing_left(*state);
}

static void small_buffers_do_as_well(void **state)
{
  const parcel_exchange_options options = {.packed_bytes = 40};
  check_round_trip(*state, all_kinds, LAYOUTS, 3001, 8, &options);
  assert_nothing_left(*state);
}

/* Long moves go straight, in more messages than may be under way. */
static void more_messages_than_slots(void **state)
{
  const parcel_exchange_options options = {.message_bytes = 50000};
  check_round_trip(*state, all_kinds, LAYOUTS, 1000003, 8, &options);
  assert_nothing_left(*state);
}

static void short_moves_share_messages(void **state)
{
  const int kinds[] = {0, 1};
  const int ranks = mpi_test_size();
  mpi_spy.sent_messages = mpi_spy.largest_message = 0;
  check_round_trip(*state, kinds, 2, 8000, 8, NULL);
  assert_all(mpi_spy.sent_messages == 2 * (ranks - 1));
}

/* ---- gather and scatter ---- */

static void check_root(const parcel_world *world, int kind, parcel_index n, int root,
                       parcel_index element_bytes, const parcel_exchange_options *options)
{
  const bool is_root = mpi_test_rank() == root;
  parcel_layout *layout = make_layout(kind, n);
  unsigned char *part = make_part(layout, element_bytes, true);
  unsigned char *back = make_part(layout, element_bytes, false);
  unsigned char *whole = is_root ? calloc((size_t)(n * element_bytes) + 1, 1) : NULL;
  const parcel_status gathered =
      parcel_exchange_gather(world, layout, root, element_bytes, part, whole, options);
  bool is_whole = true;
  for (parcel_index p = 0; p < n && is_root; ++p)
    for (parcel_index byte = 0; byte < element_bytes; ++byte)
      is_whole = is_whole && whole[p * element_bytes + byte] == byte_at(p, byte);
  const parcel_status scattered =
      parcel_exchange_scatter(world, layout, root, element_bytes, whole, back, options);
  const bool is_back = is_right(back, layout, element_bytes);
  free(part);
  free(back);
  free(whole);
  parcel_layout_free(&layout);
  assert_status(gathered, PARCEL_OK);
  assert_status(scattered, PARCEL_OK);
  assert_all(is_whole);
  assert_all(is_back);
}

static void gather_and_scatter_with_the_first_and_the_last_root(void **state)
{
  static const parcel_index sizes[] = {0, 1, 97, 20011};
  const parcel_exchange_options small = {.message_bytes = 64};
  for (int kind = 0; kind < LAYOUTS; ++kind)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
      check_root(*state, kind, sizes[s], 0, 8, NULL);
      check_root(*state, kind, sizes[s], mpi_test_size() - 1, 3, sizes[s] < 1000 ? &small : NULL);
    }
  assert_nothing_left(*state);
}

/* ---- refusals ---- */

static bool says(const char *words)
{
  return strstr(parcel_last_error(), words) != NULL;
}

static void a_rank_with_another_layout_is_named_on_all(void **state)
{
  const int last = mpi_test_size() - 1;
  if (last == 0)
    return;
  for (int odd = 0; odd < mpi_test_size(); ++odd) {
    parcel_layout *block = make_layout(0, 100);
    parcel_layout *to = make_layout(mpi_test_rank() == odd ? 1 : 3, 100);
    unsigned char source[100] = {0};
    unsigned char target[100] = {0};
    char name[32];
    const parcel_status status = parcel_exchange(*state, block, to, 1, source, target, NULL);
    bool is_untouched = true;
    for (int k = 0; k < 100; ++k)
      is_untouched = is_untouched && target[k] == 0;
    parcel_layout_free(&block);
    parcel_layout_free(&to);
    snprintf(name, sizeof name, "rank %d on ", odd ? odd : 1);
    assert_status(status, PARCEL_INVALID);
    assert_same_text(parcel_last_error());
    assert_all(says(name));
    assert_all(says("block=1)") && says("block=7)"));
    assert_all(is_untouched);
  }
  assert_nothing_left(*state);
}

static void ranks_that_disagree_on_sizes_roots_or_options(void **state)
{
  const bool is_last = mpi_test_rank() == mpi_test_size() - 1;
  const parcel_exchange_options odd = {.message_bytes = is_last ? 1000 : 2000};
  unsigned char source[800] = {0};
  unsigned char target[800] = {0};
  if (mpi_test_size() == 1)
    return;
  parcel_layout *block = make_layout(0, 100);
  const parcel_status statuses[] = {
      parcel_exchange(*state, block, block, is_last ? 4 : 8, source, target, NULL),
      parcel_exchange(*state, block, block, 8, source, target, &odd),
      parcel_exchange_gather(*state, block, is_last ? 0 : 1, 8, source, target, NULL),
      is_last ? parcel_exchange_gather(*state, block, 0, 8, source, target, NULL)
              : parcel_exchange_scatter(*state, block, 0, 8, source, target, NULL)};
  parcel_layout_free(&block);
  for (int k = 0; k < 4; ++k)
    assert_status(statuses[k], PARCEL_INVALID);
  assert_same_text(parcel_last_error());
  assert_all(says("disagree"));
  assert_nothing_left(*state);
}

static void wrong_arguments_of_one_rank_are_everybodys(void **state)
{
  const bool is_last = mpi_test_rank() == mpi_test_size() - 1;
  const int ranks = mpi_test_size();
  const parcel_exchange_options huge = {.message_bytes = ((parcel_index)1 << 30) + 1};
  unsigned char source[1000] = {0};
  unsigned char target[1000] = {0};
  parcel_layout *layout = make_layout(0, 100);
  parcel_layout *longer = make_layout(0, 101);
  parcel_layout *more = NULL;
  assert_status(parcel_layout_block(100, ranks + 1, &more), PARCEL_OK);
  assert_status(parcel_exchange(*state, layout, layout, 1, is_last ? NULL : source, target, NULL),
                PARCEL_INVALID);
  assert_all(says("the source of") && says("NULL"));
  assert_same_text(parcel_last_error());
  assert_status(parcel_exchange(*state, layout, layout, 1, source, is_last ? source : target, NULL),
                PARCEL_INVALID);
  assert_all(says("overlap"));
  assert_status(parcel_exchange(*state, layout, is_last ? NULL : layout, 1, source, target, NULL),
                PARCEL_INVALID);
  assert_status(parcel_exchange(*state, layout, longer, 1, source, target, NULL), PARCEL_INVALID);
  assert_all(says("100 positions"));
  assert_status(parcel_exchange(*state, layout, more, 1, source, target, NULL), PARCEL_INVALID);
  assert_all(says("parts"));
  assert_status(parcel_exchange(*state, layout, layout, 0, source, target, NULL), PARCEL_INVALID);
  assert_status(parcel_exchange(*state, layout, layout, INT64_MAX, source, target, NULL), PARCEL_RANGE);
  assert_status(parcel_exchange(*state, layout, layout, 1, source, target, &huge), PARCEL_INVALID);
  assert_status(parcel_exchange_gather(*state, layout, -1, 1, source, target, NULL), PARCEL_INVALID);
  assert_all(says("root"));
  assert_status(parcel_exchange_scatter(*state, layout, ranks, 1, source, target, NULL), PARCEL_INVALID);
  parcel_layout_free(&layout);
  parcel_layout_free(&longer);
  parcel_layout_free(&more);
  assert_nothing_left(*state);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(block_cyclic_weighted_block_returns_the_same_bytes),
      cmocka_unit_test(every_layout_to_every_other),
      cmocka_unit_test(messages_are_split_below_the_limit),
      cmocka_unit_test(small_buffers_do_as_well),
      cmocka_unit_test(more_messages_than_slots),
      cmocka_unit_test(short_moves_share_messages),
      cmocka_unit_test(gather_and_scatter_with_the_first_and_the_last_root),
      cmocka_unit_test(a_rank_with_another_layout_is_named_on_all),
      cmocka_unit_test(ranks_that_disagree_on_sizes_roots_or_options),
      cmocka_unit_test(wrong_arguments_of_one_rank_are_everybodys),
  };
  mpi_test_init(MPI_THREAD_FUNNELED);
  return mpi_test_run(tests, mpi_test_open_world, mpi_test_close_world);
}
