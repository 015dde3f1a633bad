/* Peers of the executor: each runs `count` empty tasks on `threads` threads, the calling one included, and
 * returns when all are over. */
#ifndef PARCEL_BENCH_EXECUTOR_PEERS_H
#define PARCEL_BENCH_EXECUTOR_PEERS_H

#ifdef __cplusplus
extern "C" {
#endif

void run_tbb_tasks(int threads, int count);
void run_openmp_tasks(int threads, int count);

#ifdef __cplusplus
}
#endif

#endif
