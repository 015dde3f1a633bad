/* What a worker has to compute with: a buffer that is used again for every block, and, where kernels run in
 * processes, a process of its own, which sees the buffer at the same address. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parcel/shared.h>

#include "sweep_impl.h"
#include "thread_impl.h"

/* What a process is asked for; in shared memory. */
struct parcel_slice_call {
  parcel_kernel kernel;
  void *ctx;
  parcel_slice slice;
  bool has_returned;
  void *columns[]; /* [column_count] */
};

/* ---- memory ---- */

static parcel_status allocate(const parcel_run *run, size_t bytes, void **out)
{
  if (run->options->in_processes)
    return parcel_shared_alloc((parcel_index)bytes, out);
  *out = aligned_alloc(PARCEL_CACHE_LINE, bytes);
  return *out ? PARCEL_OK : parcel_fail(PARCEL_MEMORY, "malloc refuses %zu bytes", bytes);
}

static void deallocate(const parcel_run *run, void *memory)
{
  if (run->options->in_processes)
    parcel_shared_free(memory);
  else
    free(memory);
}

static parcel_status make_buffer(const parcel_run *run, parcel_worker *own)
{
  const parcel_sweep *sweep = run->sweep;
  const parcel_index largest = parcel_block_grid_largest(run->grid);
  parcel_index bytes = 0;
  const parcel_status status = parcel__sweep_buffer_bytes(sweep, run->grid, &bytes);
  if (status)
    return status;
  own->columns = calloc(2 * (size_t)sweep->column_count, sizeof *own->columns);
  if (!own->columns || allocate(run, (size_t)bytes, (void **)&own->buffer))
    return parcel_fail(PARCEL_MEMORY,
                       "no memory for %d threads with blocks of %" PRId64 " positions (%" PRId64
                       " bytes each); use a smaller block",
                       run->threads, largest, bytes);
  own->part = own->columns + sweep->column_count;
  parcel_index offset = 0;
  for (int c = 0; c < sweep->column_count; ++c) {
    const parcel_index column = largest * parcel_column_bytes(&sweep->columns[c]);
    own->columns[c] = own->buffer + offset;
    offset += (column + PARCEL_CACHE_LINE - 1) / PARCEL_CACHE_LINE * PARCEL_CACHE_LINE;
  }
  return PARCEL_OK;
}

static parcel_status make_processes(parcel_run *run)
{
  const size_t bytes = sizeof(struct parcel_slice_call) + (size_t)run->sweep->column_count * sizeof(void *);
  const parcel_workers_options options = {.processes = run->threads};
  parcel_status status = PARCEL_OK;
  for (int w = 0; w < run->threads && !status; ++w)
    status = parcel_shared_alloc((parcel_index)bytes, (void **)&run->workers[w].call);
  return status ? status : parcel_workers_create(&options, &run->processes);
}

parcel_status parcel__sweep_make_workers(parcel_run *run)
{
  const size_t bytes = (size_t)run->threads * sizeof(parcel_worker);
  run->workers = aligned_alloc(PARCEL_CACHE_LINE, bytes);
  if (!run->workers)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d workers", run->threads);
  memset(run->workers, 0, bytes);
  parcel_status status = PARCEL_OK;
  for (int w = 0; w < run->threads && !status; ++w)
    status = make_buffer(run, &run->workers[w]);
  return status || !run->options->in_processes ? status : make_processes(run);
}

void parcel__sweep_free_workers(parcel_run *run)
{
  parcel_workers_destroy(&run->processes);
  for (int w = 0; w < run->threads && run->workers; ++w) {
    deallocate(run, run->workers[w].buffer);
    parcel_shared_free(run->workers[w].call);
    free(run->workers[w].columns);
    free(run->workers[w].failures);
  }
  free(run->workers);
}

/* ---- the kernel ---- */

/* A parcel_worker_body. */
static parcel_status answer_call(void *argument, int worker)
{
  struct parcel_slice_call *call = argument;
  (void)worker;
  const parcel_status status = call->kernel(call->ctx, &call->slice, call->columns);
  call->has_returned = true;
  return status;
}

/* A process that cannot be had at all is nothing that an index could be blamed for. */
static parcel_status call_process(parcel_run *run, parcel_worker *own, const parcel_slice *slice,
                                  void *const columns[])
{
  struct parcel_slice_call *call = own->call;
  call->kernel = run->sweep->kernel;
  call->ctx = run->sweep->ctx;
  call->slice = *slice;
  call->has_returned = false;
  memcpy(call->columns, columns, (size_t)run->sweep->column_count * sizeof *columns);
  const parcel_status status = parcel_workers_call(run->processes, (int)(own - run->workers), answer_call,
                                                   call, run->options->slice_seconds);
  own->is_helpless = status && !call->has_returned && status != PARCEL_CRASHED && status != PARCEL_TIMEOUT;
  return status;
}

typedef struct apart {
  const parcel_sweep *sweep;
  const parcel_slice *slice;
  void *const *columns;
  bool has_returned;
  parcel_status status;
  char text[PARCEL_ERROR_SIZE];
} apart;

static void *run_apart(void *argument)
{
  apart *call = argument;
  call->status = call->sweep->kernel(call->sweep->ctx, call->slice, call->columns);
  snprintf(call->text, sizeof call->text, "%s", parcel_last_error());
  call->has_returned = true;
  return NULL;
}

static parcel_status call_apart(const parcel_run *run, parcel_worker *own, const parcel_slice *slice,
                                void *const columns[])
{
  apart call = {.sweep = run->sweep, .slice = slice, .columns = columns};
  pthread_t thread;
  const int error = parcel__thread_start(&thread, run_apart, &call);
  if (error) {
    own->is_helpless = true;
    errno = error;
    return parcel_fail(PARCEL_SYSTEM, "a thread ended inside the kernel, and no other started: %m");
  }
  pthread_join(thread, NULL);
  if (!call.has_returned)
    return parcel_fail(PARCEL_KERNEL,
                       "the thread ended inside the kernel, as by pthread_exit; a kernel has to return");
  return call.status ? parcel_fail(call.status, "%s", call.text) : PARCEL_OK;
}

parcel_status parcel__sweep_call(parcel_run *run, parcel_worker *own, const parcel_slice *slice,
                                 void *const columns[])
{
  parcel_fail(PARCEL_OK, "%s", "");
  if (run->processes)
    return call_process(run, own, slice, columns);
  return own->is_apart ? call_apart(run, own, slice, columns)
                       : run->sweep->kernel(run->sweep->ctx, slice, columns);
}
