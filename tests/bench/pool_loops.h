/* What a pool of threads must bring to take part in pool_loops.c: one file per pool. */
#ifndef PARCEL_BENCH_POOL_LOOPS_H
#define PARCEL_BENCH_POOL_LOOPS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*peer_body)(long position);

/** Makes a pool of so many threads, the caller included. */
void peer_open(int threads);

/** Calls body for each position in [0, count), one by one handed out to whoever is free. */
void peer_loop(long count, peer_body body);

/** The same, in pieces that the pool chooses. */
void peer_loop_auto(long count, peer_body body);

#ifdef __cplusplus
}
#endif

#endif
