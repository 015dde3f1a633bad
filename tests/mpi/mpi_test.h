/* Tests that all ranks run together: one verdict, one voice.
 *
 * An assertion that jumps out of one rank leaves the others in a collective. So no test here asserts what
 * only one rank knows: assert_all reduces the verdict over all ranks first and then passes or fails on every
 * one of them. The rank that found the claim wrong says so on stderr; cmocka's own output comes from rank 0
 * alone. */
#ifndef PARCEL_MPI_TEST_H
#define PARCEL_MPI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mpi.h>

#include <parcel/signals.h>

/** Passes if the claim holds on every rank. Collective over MPI_COMM_WORLD; while MPI does not run, each for
 *  itself. */
#define assert_all(claim)                                                                                    \
  _assert_true(mpi_test_all((claim), #claim, __FILE__, __LINE__), #claim, __FILE__, __LINE__)

/** The same for what rank 0 alone can know; the other ranks do not evaluate the claim. */
#define assert_root(claim) assert_all(mpi_test_rank() != 0 || (claim))

/** Passes if the call returns `expected` on every rank. The call is made once; it may be collective. */
#define assert_status(call, expected)                                                                        \
  _assert_true(mpi_test_status((call), (expected), #call, __FILE__, __LINE__), #call, __FILE__, __LINE__)

/** Passes if every rank's text is rank 0's. Collective. */
#define assert_same_text(text)                                                                               \
  _assert_true(mpi_test_same_text((text), __FILE__, __LINE__), "the same text on every rank: " #text,        \
               __FILE__, __LINE__)

bool mpi_test_all(bool claim, const char *text, const char *file, int line);
bool mpi_test_status(parcel_status got, parcel_status expected, const char *call, const char *file, int line);
bool mpi_test_same_text(const char *text, const char *file, int line);

/** Initialises MPI at this level of thread support. */
void mpi_test_init(int level);

/** Runs an array of tests with a fixture of the whole group (NULL: none); returns main's exit code. Finalizes
 *  MPI if mpi_test_init was called. A run of more than `mpi_test_longest_seconds` is ended by SIGALRM. */
#define mpi_test_run(tests, setup, teardown)                                                                 \
  mpi_test_run_group(#tests, (tests), sizeof(tests) / sizeof *(tests), (setup), (teardown))
int mpi_test_run_group(const char *name, const struct CMUnitTest tests[], size_t count,
                       CMFixtureFunction setup, CMFixtureFunction teardown);
enum { mpi_test_longest_seconds = 174 };

/** Fixtures of a whole group: *state is a world over MPI_COMM_WORLD, for the quiet ones without warnings. */
int mpi_test_open_world(void **state);
int mpi_test_open_quiet_world(void **state);
int mpi_test_close_world(void **state);

/** In MPI_COMM_WORLD. */
int mpi_test_rank(void);
int mpi_test_size(void);

/** True if this rank has a message on comm that nobody received. Collective: every message that was sent
 *  before the call has arrived when it looks, since each pair of ranks exchanges a token, and MPI keeps
 *  order. */
bool mpi_test_has_leftovers(MPI_Comm comm);

/** What this rank writes to the stream stderr between the two calls.  Owns: the text is the caller's, for
 *  free. */
void mpi_test_begin_capture(void);
char *mpi_test_end_capture(void);

/** The folder's entries, "." and ".." left out: "/proc/self/fd", "/proc/self/task". */
int mpi_test_count_entries(const char *folder);

/** What parcel_sweep_options.signals wants, all zero again after each call, and the request that any thread
 *  may make to raise it: as in a program, a signal to the main thread, which must be the caller of the
 *  first. */
const parcel_signals *mpi_test_signals(void);
void mpi_test_raise_stop(void);

/** Seconds of a clock that never goes back. */
double mpi_test_seconds(void);
void mpi_test_sleep(double seconds);

#endif
