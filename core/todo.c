/* Rank and select on a bit vector in two levels (Jacobson, Space-efficient Static Trees and Graphs, 1989):
 * the blocks to be done before each group of words are counted once; a turn finds its group by bisection and
 * its bit by counting the few words of the group. */
#include "todo_impl.h"

#include <stdlib.h>

enum { WORD = 64, GROUP_WORDS = 8, GROUP = WORD * GROUP_WORDS };

struct parcel_todo {
  const uint64_t *done;
  parcel_index blocks;
  parcel_index groups;
  parcel_index before[]; /* [groups + 1] blocks to be done before each group; the last counts all */
};

/* The blocks to be done among those of a word; there is none beyond the last block. */
static uint64_t open_blocks(const parcel_todo *todo, parcel_index word)
{
  const parcel_index left = todo->blocks - word * WORD;
  const uint64_t existing = left >= WORD ? UINT64_MAX : ((uint64_t)1 << left) - 1;
  return ~todo->done[word] & existing;
}

static parcel_index count_group(const parcel_todo *todo, parcel_index group)
{
  const parcel_index words = (todo->blocks + WORD - 1) / WORD;
  const parcel_index end = (group + 1) * GROUP_WORDS;
  parcel_index count = 0;
  for (parcel_index word = group * GROUP_WORDS; word < end && word < words; ++word)
    count += __builtin_popcountll(open_blocks(todo, word));
  return count;
}

parcel_status parcel__todo_make(const uint64_t *done, parcel_index blocks, parcel_todo **out)
{
  const parcel_index groups = done ? blocks / GROUP + (blocks % GROUP != 0) : 0;
  parcel_todo *todo = malloc(sizeof *todo + (size_t)(groups + 1) * sizeof todo->before[0]);
  if (!todo)
    return parcel_fail(PARCEL_MEMORY, "no memory for the list of blocks to be done");
  todo->done = done;
  todo->blocks = blocks;
  todo->groups = groups;
  todo->before[0] = 0;
  for (parcel_index group = 0; group < groups; ++group)
    todo->before[group + 1] = todo->before[group] + count_group(todo, group);
  *out = todo;
  return PARCEL_OK;
}

parcel_index parcel__todo_count(const parcel_todo *todo)
{
  return todo->done ? todo->before[todo->groups] : todo->blocks;
}

/* The last group that begins at or before the turn. */
static parcel_index find_group(const parcel_todo *todo, parcel_index turn)
{
  parcel_index low = 0;
  parcel_index high = todo->groups;
  while (high - low > 1) {
    const parcel_index middle = low + (high - low) / 2;
    if (todo->before[middle] <= turn)
      low = middle;
    else
      high = middle;
  }
  return low;
}

parcel_index parcel__todo_block(const parcel_todo *todo, parcel_index turn)
{
  if (!todo->done)
    return turn;
  const parcel_index group = find_group(todo, turn);
  parcel_index ahead = turn - todo->before[group];
  parcel_index word = group * GROUP_WORDS;
  uint64_t open = open_blocks(todo, word);
  while (__builtin_popcountll(open) <= ahead) {
    ahead -= __builtin_popcountll(open);
    open = open_blocks(todo, ++word);
  }
  for (; ahead > 0; --ahead)
    open &= open - 1; /* without its lowest bit */
  return word * WORD + __builtin_ctzll(open);
}

void parcel__todo_free(parcel_todo **todo)
{
  free(*todo);
  *todo = NULL;
}
