#include "executor_peers.h"

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

void run_tbb_tasks(int threads, int count)
{
  static oneapi::tbb::task_arena arena(threads);
  arena.execute([count] {
    oneapi::tbb::task_group group;
    for (int i = 0; i < count; ++i)
      group.run([] { asm volatile(""); });
    group.wait();
  });
}
