#include "pool_loops.h"

#include <memory>

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

/* More threads than CPUs need both: an arena of that many places, and the permission to make the threads. */
static std::unique_ptr<tbb::global_control> permission;
static std::unique_ptr<tbb::task_arena> arena;

static void run(long count, peer_body body)
{
  tbb::parallel_for(
      tbb::blocked_range<long>(0, count, 1),
      [=](const tbb::blocked_range<long> &positions) {
        for (long i = positions.begin(); i < positions.end(); ++i)
          body(i);
      },
      tbb::simple_partitioner());
}

void peer_open(int threads)
{
  permission = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, threads);
  arena = std::make_unique<tbb::task_arena>(threads);
  arena->initialize();
}

void peer_loop(long count, peer_body body)
{
  arena->execute([=] { run(count, body); });
}

void peer_loop_auto(long count, peer_body body)
{
  arena->execute([=] {
    tbb::parallel_for(tbb::blocked_range<long>(0, count), [=](const tbb::blocked_range<long> &positions) {
      for (long i = positions.begin(); i < positions.end(); ++i)
        body(i);
    });
  });
}
