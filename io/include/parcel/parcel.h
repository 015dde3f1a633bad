/** @file
 *  All of Parcel. */
#ifndef PARCEL_PARCEL_H
#define PARCEL_PARCEL_H

#include <parcel/barrier.h>
#include <parcel/base.h>
#include <parcel/batch.h>
#include <parcel/block.h>
#include <parcel/column.h>
#include <parcel/exchange.h>
#include <parcel/executor.h>
#include <parcel/findings.h>
#include <parcel/gather.h>
#include <parcel/grid.h>
#include <parcel/halo.h>
#include <parcel/launch.h>
#include <parcel/layout.h>
#include <parcel/lock.h>
#include <parcel/pipe.h>
#include <parcel/place.h>
#include <parcel/plan.h>
#include <parcel/pool.h>
#include <parcel/progress.h>
#include <parcel/queue.h>
#include <parcel/range.h>
#include <parcel/reader.h>
#include <parcel/report.h>
#include <parcel/results.h>
#include <parcel/sample.h>
#include <parcel/schedule.h>
#include <parcel/shared.h>
#include <parcel/signals.h>
#include <parcel/sink.h>
#include <parcel/status_file.h>
#include <parcel/sweep.h>
#include <parcel/trace.h>
#include <parcel/workers.h>
#include <parcel/world.h>

#endif
