/** @file
 *  The world: the ranks that work together, the CPUs each may use, and how they agree on success or
 *  failure. */
#ifndef PARCEL_WORLD_H
#define PARCEL_WORLD_H

#include <stdbool.h>

#include <mpi.h>

#include <parcel/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; used by a rank's main thread only, but for the functions that say otherwise. */
typedef struct parcel_world parcel_world;

/** Opens a world over the ranks of comm. Collective over comm.
 *
 *  Initialises MPI (MPI_THREAD_FUNNELED) if nobody has; comm may then be a predefined communicator. On a
 *  host without any network adapter but TCP's, Open MPI is then spared the search for others, unless
 *  OMPI_MCA_ variables or a parameter file choose them; and where no launcher has started the program, Open
 *  MPI 4 starts no daemon beside it (OMPI_MCA_ess_singleton_isolated=1, unless that is set already;
 *  MPI_Comm_spawn needs the daemon). No other thread may use the environment meanwhile.
 *  An MPI that is initialised already is adopted and left running; at MPI_THREAD_SINGLE a rank may have one
 *  thread only.
 *  Owns: *out is the caller's, for parcel_world_close. comm is duplicated, its error handler left alone.
 *  Errors: INVALID (MPI is finalized, this is not its main thread, or comm is MPI_COMM_NULL or an
 *  inter-communicator); MPI (no MPI_THREAD_FUNNELED); MEMORY. The same on every rank. A call of MPI that
 *  fails ends the job: see parcel_world_check_mpi. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_world_open(MPI_Comm comm, parcel_world **out);

/** Ends a program's use of the world: rank 0 reports a failure as one line `PROGRAM: text` on stderr,
 *  everything that parcel_world_open made is released, and MPI is finalized if it was initialised there.
 *  Collective.
 *
 *  status   how the work ended, the same on every rank; the text is parcel_last_error()
 *  Returns the exit code for main: that of the status on rank 0, and 0 elsewhere, so that the launcher
 *  hears one voice. *world becomes NULL. With *world NULL already (it never opened) any rank may speak. */
PARCEL_API int parcel_world_close(parcel_world **world, parcel_status status);

/** The same for a program that has told its failure already: nothing is printed.
 *
 *  code     the exit code, as rank 0 knows it
 *  Returns the exit code for main: `code` on rank 0, and 0 elsewhere. Collective. */
PARCEL_API int parcel_world_leave(parcel_world **world, int code);

/** Every rank brings its own status; all return the same: OK if all are, else that of the first failing
 *  rank, whose text then is everyone's parcel_last_error(), with the rank's name before it. A rank that
 *  was only asked to stop (STOPPED) counts as first where no rank failed otherwise. Collective. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_world_agree(const parcel_world *world,
                                                              parcel_status status);

/** All ranks return rank 0's status and text: the end of a step that only rank 0 takes. Collective. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_world_follow_root(const parcel_world *world,
                                                                    parcel_status status);

/** Rank 0 prints `PROGRAM: warning: ...` on stderr, unless the world is quiet. */
PARCEL_API void parcel_world_warn(const parcel_world *world, const char *format, ...) PARCEL_PRINTF(2, 3);

/** No warnings from now on, or warnings again. */
PARCEL_API void parcel_world_set_quiet(parcel_world *world, bool is_quiet);

/** Warns, with the line to use, if any rank would run more threads than it has CPUs, if ranks crowd on CPUs
 *  while MPI does not yield, or if builds differ: once for a world. One reduction. Collective.
 *
 *  Errors: INVALID on a rank of several threads where MPI allows but one (MPI_THREAD_SINGLE); MPI. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_world_check_threads(const parcel_world *world, int threads);

/** From now on a thread of its own, which calls no MPI, watches over this rank. Where the rank sees no
 *  progress for so long in what all ranks do together (opening, comparing and completing results, sweeps,
 *  writing together, the end), because another one is stuck or stopped, it says in which step it is, and the
 *  process ends with exit code 1, which ends the job; unfinished results can be resumed. Progress of any rank
 *  counts, wherever they wait for each other; a single call of the system that takes longer, such as bringing
 *  a large file to the disk, does not show any. Once for a world, before its results are opened. Collective.
 *
 *  seconds  the longest that any rank names counts; 0 everywhere: nobody watches, as at first. Without effect
 *           where MPI allows one thread only (MPI_THREAD_SINGLE)
 *  Errors: INVALID (negative; watched already); MEMORY; SYSTEM (no thread). */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_world_set_stall_seconds(parcel_world *world,
                                                                          double seconds);

/** Says what the ranks are at from now on, for the watch: "the output is opened"; NULL: nothing that it
 *  should watch. Between Parcel's own calls nothing is. That a step is called is progress. Main thread.
 *
 *  step  a constant: it is not copied
 *  Returns what they were at before, to be set again. */
PARCEL_API const char *parcel_world_step(const parcel_world *world, const char *step);

/** Counts as progress of this process, if it is watched; from the main thread, waiting ranks are told now and
 *  then. All reading and writing of results calls it. Any thread. */
PARCEL_API void parcel_world_touch(void);

/** The world's own communicator, with MPI_ERRORS_RETURN. Owns: the world. Yours to use between sweeps. */
PARCEL_API MPI_Comm parcel_world_comm(const parcel_world *world);

/** This rank, in [0, size), and how many there are. Any thread. */
PARCEL_API int parcel_world_rank(const parcel_world *world);
PARCEL_API int parcel_world_size(const parcel_world *world);

/** This rank's place among the ranks of its host, in [0, node_size), and how many those are. Any thread. */
PARCEL_API int parcel_world_node_rank(const parcel_world *world);
PARCEL_API int parcel_world_node_size(const parcel_world *world);

/** CPUs this rank may keep busy, at least 1: its affinity mask, cgroup quota and SLURM_CPUS_PER_TASK,
 *  whichever is least, with what is shared divided fairly among the ranks of this host that share it. Any
 *  thread. */
PARCEL_API int parcel_world_cpus(const parcel_world *world);

/** What became of an MPI call in which other ranks take part, or on which they wait. A failure of MPI itself
 *  cannot be agreed on: it is told as one line on stderr, with the rank, what was being done and MPI's own
 *  reason, and ends the job by MPI_Abort with exit code 1, on all ranks. Every MPI call of Parcel's of that
 *  kind ends so. Where several ranks fail at once, as a rule only the first of them speaks.
 *
 *  Returns OK, or not at all. */
PARCEL_API parcel_status parcel_world_check_mpi(const parcel_world *world, int code, const char *doing);

/** parcel_status from what an MPI function returned; the text names what was being done and MPI's own
 *  reason. For calls that concern this rank alone. */
PARCEL_API PARCEL_MUST_CHECK parcel_status parcel_mpi_check(int code, const char *doing);

#ifdef __cplusplus
}
#endif

#endif
