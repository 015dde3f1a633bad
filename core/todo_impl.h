/** @file
 *  The blocks that are still to be done, counted by turns: turn 0 is the first of them, and so on. A plain
 *  value over the bits of a sink: it costs an eighth of them again. */
#ifndef PARCEL_TODO_IMPL_H
#define PARCEL_TODO_IMPL_H

#include <parcel/base.h>

typedef struct parcel_todo parcel_todo;

/** Owns: *out is the caller's, for parcel__todo_free; done must outlive it.
 *
 *  done  bit b % 64 of word b / 64: block b is done; NULL: none is
 *  Errors: MEMORY. */
PARCEL_MUST_CHECK parcel_status parcel__todo_make(const uint64_t *done, parcel_index blocks,
                                                  parcel_todo **out);

/** Blocks to be done. Any thread. */
parcel_index parcel__todo_count(const parcel_todo *todo);

/** The block of a turn in [0, count). O(log blocks). Any thread. */
parcel_index parcel__todo_block(const parcel_todo *todo, parcel_index turn);

/** *todo becomes NULL; NULL is fine. */
void parcel__todo_free(parcel_todo **todo);

#endif
