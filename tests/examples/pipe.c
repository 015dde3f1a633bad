/* Questions to a process, and its answers. In Python: multiprocessing.Process, Pipe.
 *
 * Prints
 *     7 squared is 49
 *     8 squared is 64 */
#include "example.h"

#include <parcel/pipe.h>
#include <parcel/workers.h>

enum { ASKING, ANSWERING };

static parcel_status answer(void *argument, const parcel_task_context *context)
{
  parcel_pipe *pipe = argument;
  parcel_index bytes = 0;
  int number = 0;
  (void)context;
  while (!parcel_pipe_receive(pipe, ANSWERING, &number, sizeof number, &bytes, PARCEL_FOREVER)) {
    number *= number;
    must(parcel_pipe_send(pipe, ANSWERING, &number, sizeof number, PARCEL_FOREVER));
  }
  return PARCEL_OK;
}

int main(void)
{
  parcel_workers *workers = NULL;
  parcel_executor *executor = NULL;
  parcel_pipe *pipe = NULL;
  parcel_index bytes = 0;

  must(parcel_workers_prepare());
  must(parcel_workers_create(NULL, &workers));
  must(parcel_workers_executor(workers, NULL, &executor));
  must(parcel_pipe_create(1024, &pipe));
  must(parcel_executor_submit(executor, answer, pipe, NULL, NULL));
  for (int number = 7; number <= 8; ++number) {
    int squared = 0;
    must(parcel_pipe_send(pipe, ASKING, &number, sizeof number, PARCEL_FOREVER));
    must(parcel_pipe_receive(pipe, ASKING, &squared, sizeof squared, &bytes, PARCEL_FOREVER));
    printf("%d squared is %d\n", number, squared);
  }
  parcel_pipe_close(pipe);
  must(parcel_executor_destroy(&executor));
  parcel_pipe_destroy(&pipe);
  parcel_workers_destroy(&workers);
  parcel_workers_release();
  return 0;
}
