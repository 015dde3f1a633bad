/* The report as JSON. io/report.md describes every field. */
#include "report_impl.h"

#ifdef PARCEL_WITH_JANSSON

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text_impl.h"

/* More digits than a microsecond in a month needs. */
#define DUMP_FLAGS (JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12) | JSON_COMPACT)

/* Sets a field; an object that could not be made makes `into` NULL, once and for all. */
static void set(json_t **into, const char *name, json_t *value)
{
  if (!*into) {
    json_decref(value);
  } else if (json_object_set_new(*into, name, value) != 0) {
    json_decref(*into);
    *into = NULL;
  }
}

static void append(json_t **into, json_t *value)
{
  if (!*into) {
    json_decref(value);
  } else if (json_array_append_new(*into, value) != 0) {
    json_decref(*into);
    *into = NULL;
  }
}

/* File names and command lines may be anything; JSON is UTF-8. */
static json_t *text(const char *bytes)
{
  const size_t size = 3 * strlen(bytes) + 1;
  char *valid = malloc(size);
  json_t *string = NULL;
  if (valid) {
    parcel__text_copy(valid, size, bytes);
    string = json_string(valid);
  }
  free(valid);
  return string;
}

static json_t *whole(parcel_index number)
{
  return json_integer((json_int_t)number);
}

/* ---- what ran ---- */

static json_t *outcome_json(const parcel_report_facts *facts)
{
  const parcel_status outcome = facts->report->outcome;
  json_t *object = json_object();
  set(&object, "status", text(parcel_status_name(outcome)));
  set(&object, "text", text(outcome ? parcel_status_text(outcome) : "complete"));
  set(&object, "message", text(facts->message));
  set(&object, "exit_code", whole(parcel_status_exit_code(outcome)));
  return object;
}

static json_t *sweep_json(const parcel_report_facts *facts)
{
  const parcel_sweep *sweep = facts->report->sweep;
  char range[PARCEL_RANGE_TEXT_SIZE];
  json_t *columns = json_array();
  json_t *object = json_object();
  for (int c = 0; c < sweep->column_count; ++c)
    append(&columns, text(sweep->columns[c].name));
  set(&object, "kernel", text(sweep->name));
  set(&object, "range", text(parcel_range_format(sweep->range, range, sizeof range)));
  set(&object, "positions", whole(sweep->range.count));
  set(&object, "columns", columns);
  set(&object, "bytes_per_position", whole(parcel_columns_bytes(sweep->columns, sweep->column_count)));
  set(&object, "file", facts->report->file ? text(facts->report->file) : json_null());
  set(&object, "schedule", text(facts->schedule));
  return object;
}

static json_t *grid_json(const parcel_report_facts *facts)
{
  const parcel_block_grid grid = facts->profile->grid;
  json_t *object = json_object();
  set(&object, "positions", whole(grid.positions));
  set(&object, "parts", whole(grid.parts));
  set(&object, "blocks_per_part", whole(grid.blocks_per_part));
  return object;
}

static json_t *totals_json(const parcel_profile *profile)
{
  json_t *object = json_object();
  set(&object, "ranks", whole(profile->rank_count));
  set(&object, "workers", whole(profile->worker_count));
  set(&object, "positions", whole(profile->positions));
  set(&object, "blocks", whole(profile->blocks));
  set(&object, "failures", whole(profile->failures));
  set(&object, "elapsed_seconds", json_real(profile->elapsed_seconds));
  set(&object, "compute_seconds", json_real(profile->compute_seconds));
  set(&object, "write_seconds", json_real(profile->write_seconds));
  set(&object, "handout_seconds", json_real(profile->handout_seconds));
  set(&object, "idle_seconds", json_real(profile->idle_seconds));
  return object;
}

static json_t *efficiency_json(const parcel_profile *profile)
{
  const parcel_efficiency e = parcel_profile_efficiency(profile);
  json_t *object = json_object();
  set(&object, "parallel", json_real(e.parallel));
  set(&object, "load_balance", json_real(e.load_balance));
  set(&object, "rank_balance", json_real(e.rank_balance));
  set(&object, "thread_balance", json_real(e.thread_balance));
  set(&object, "communication", json_real(e.communication));
  set(&object, "writing", json_real(e.writing));
  set(&object, "waiting", json_real(e.waiting));
  return object;
}

static json_t *advice_json(const parcel_report_facts *facts)
{
  const parcel_advice advice = parcel__report_advise(facts->profile, facts->schedule);
  json_t *array = json_array();
  for (int a = 0; a < advice.count; ++a)
    append(&array, text(advice.sentences[a]));
  return array;
}

/* ---- ranks and workers ---- */

static json_t *samples_json(const parcel_profile *profile, const parcel_trace_rank *rank)
{
  json_t *array = json_array();
  for (parcel_index s = 0; s < rank->sample_count; ++s) {
    const parcel_trace_sample *sample = &profile->samples[rank->first_sample + s];
    json_t *pair = json_array();
    append(&pair, json_real(sample->elapsed_seconds));
    append(&pair, whole(sample->positions));
    append(&array, pair);
  }
  return array;
}

static json_t *rank_json(const parcel_profile *profile, const parcel_trace_rank *rank)
{
  json_t *object = json_object();
  set(&object, "rank", whole(rank->rank));
  set(&object, "host", text(rank->host));
  set(&object, "process", whole(rank->process));
  set(&object, "threads", whole(rank->threads));
  set(&object, "memory_bytes", whole(rank->memory_bytes));
  set(&object, "elapsed_seconds", json_real(rank->elapsed_seconds));
  set(&object, "progress", samples_json(profile, rank));
  return object;
}

static json_t *item_json(const parcel_trace_item *item)
{
  json_t *array = json_array();
  append(&array, whole(item->block));
  append(&array, whole(item->blocks));
  append(&array, json_real(item->begin));
  append(&array, json_real(item->end));
  append(&array, json_real(item->compute_seconds));
  append(&array, json_real(item->write_seconds));
  return array;
}

static json_t *worker_json(const parcel_profile *profile, const parcel_trace_worker *worker)
{
  json_t *items = json_array();
  json_t *object = json_object();
  for (parcel_index i = 0; i < worker->item_count; ++i)
    append(&items, item_json(&profile->items[worker->first_item + i]));
  set(&object, "rank", whole(worker->rank));
  set(&object, "thread", whole(worker->thread));
  set(&object, "cpus", text(worker->cpus));
  set(&object, "positions", whole(worker->positions));
  set(&object, "blocks", whole(worker->blocks));
  set(&object, "compute_seconds", json_real(worker->compute_seconds));
  set(&object, "write_seconds", json_real(worker->write_seconds));
  set(&object, "handout_seconds", json_real(worker->handout_seconds));
  set(&object, "idle_seconds", json_real(worker->idle_seconds));
  set(&object, "items", items);
  return object;
}

static json_t *ranks_json(const parcel_profile *profile)
{
  json_t *array = json_array();
  for (parcel_index r = 0; r < profile->rank_count; ++r)
    append(&array, rank_json(profile, &profile->ranks[r]));
  return array;
}

static json_t *workers_json(const parcel_profile *profile)
{
  json_t *array = json_array();
  for (parcel_index w = 0; w < profile->worker_count; ++w)
    append(&array, worker_json(profile, &profile->workers[w]));
  return array;
}

/* ---- blocks ---- */

static json_t *histogram_json(const parcel_profile *profile)
{
  json_t *array = json_array();
  for (int b = 0; b < PARCEL_TRACE_BINS; ++b) {
    if (profile->bins[b] == 0)
      continue;
    json_t *bin = json_object();
    set(&bin, "from", json_real(parcel_trace_bin_seconds(b)));
    set(&bin, "to", json_real(parcel_trace_bin_seconds(b + 1)));
    set(&bin, "blocks", whole(profile->bins[b]));
    append(&array, bin);
  }
  return array;
}

static json_t *slowest_json(const parcel_report_facts *facts)
{
  json_t *array = json_array();
  for (parcel_index s = 0; s < facts->profile->slowest_count; ++s) {
    const parcel_trace_block *block = &facts->profile->slowest[s];
    json_t *object = json_object();
    set(&object, "block", whole(block->number));
    set(&object, "first", block->positions ? whole(block->first) : json_null());
    set(&object, "last", block->positions ? whole(block->last) : json_null());
    set(&object, "rank", whole(block->rank));
    set(&object, "thread", whole(block->thread));
    set(&object, "begin", json_real(block->begin));
    set(&object, "compute_seconds", json_real(block->compute_seconds));
    append(&array, object);
  }
  return array;
}

static json_t *blocks_json(const parcel_report_facts *facts)
{
  const parcel_trace_moments *moments = &facts->profile->block_seconds;
  json_t *object = json_object();
  set(&object, "mean", json_real(moments->mean));
  set(&object, "least", json_real(moments->least));
  set(&object, "most", json_real(moments->most));
  set(&object, "squares", json_real(moments->squares));
  set(&object, "histogram", histogram_json(facts->profile));
  set(&object, "slowest", slowest_json(facts));
  return object;
}

static json_t *failures_json(const parcel_profile *profile)
{
  json_t *array = json_array();
  for (parcel_index f = 0; f < profile->kept_count; ++f) {
    json_t *object = json_object();
    set(&object, "index", whole(profile->kept[f].index));
    set(&object, "code", text(parcel_status_name(profile->kept[f].code)));
    set(&object, "message", text(profile->kept[f].message));
    append(&array, object);
  }
  return array;
}

/* ---- all of it ---- */

static json_t *time_json(time_t moment)
{
  char words[PARCEL_TIME_SIZE];
  struct tm utc;
  gmtime_r(&moment, &utc);
  strftime(words, sizeof words, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text(words);
}

/* The provenance was collected when the sweep was over. */
static json_t *provenance_json(const parcel_report_facts *facts)
{
  const parcel_provenance *provenance = facts->provenance;
  json_t *object = json_object();
  for (int i = 0; i < provenance->count; ++i)
    set(&object, provenance->items[i].name, text(provenance->items[i].text));
  set(&object, "schedule", text(facts->schedule));
  set(&object, "start_time", time_json((time_t)facts->profile->start_time));
  set(&object, "end_time", time_json(time(NULL)));
  return object;
}

static json_t *commands_json(const parcel_report_facts *facts)
{
  json_t *object = json_object();
  set(&object, "reproduce", text(facts->reproduce));
  set(&object, "resume", facts->go_on ? text(facts->go_on) : json_null());
  return object;
}

parcel_status parcel__report_put_json(const parcel_report_facts *facts, parcel_report_put put, void *file)
{
  const parcel_profile *profile = facts->profile;
  json_t *object = json_object();
  set(&object, "parcel_report", whole(1));
  set(&object, "outcome", outcome_json(facts));
  set(&object, "sweep", sweep_json(facts));
  set(&object, "grid", grid_json(facts));
  set(&object, "totals", totals_json(profile));
  set(&object, "efficiency", efficiency_json(profile));
  set(&object, "advice", advice_json(facts));
  set(&object, "blocks", blocks_json(facts));
  set(&object, "failures", failures_json(profile));
  set(&object, "commands", commands_json(facts));
  set(&object, "provenance", provenance_json(facts));
  set(&object, "ranks", ranks_json(profile));
  set(&object, "workers", workers_json(profile));
  if (!object)
    return parcel_fail(PARCEL_MEMORY, "no memory to make the report");
  const int code = json_dump_callback(object, put, file, DUMP_FLAGS);
  json_decref(object);
  return code == 0 ? PARCEL_OK : parcel_fail(PARCEL_IO, "%m");
}

bool parcel_report_has_json(void)
{
  return true;
}

/* ---- the trace ---- */

/* One event of the Trace Event Format, which it frees. False if there is no memory or no room on the disk. */
static bool put_event(FILE *file, json_t *event)
{
  const bool is_put = event && fputs(",\n", file) >= 0 && json_dumpf(event, file, DUMP_FLAGS) == 0;
  json_decref(event);
  return is_put;
}

static json_t *name_event(const char *what, int rank, int thread, const char *format)
{
  return json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "ph", "M", "name", what, "pid", rank, "tid", thread,
                   "args", "name", format);
}

static bool put_names(FILE *file, const parcel_profile *profile)
{
  char name[2 * PARCEL_TRACE_NAME_SIZE];
  bool is_put = true;
  for (parcel_index r = 0; r < profile->rank_count && is_put; ++r) {
    snprintf(name, sizeof name, "rank %d on %s", profile->ranks[r].rank, profile->ranks[r].host);
    is_put = put_event(file, name_event("process_name", profile->ranks[r].rank, 0, name));
  }
  for (parcel_index w = 0; w < profile->worker_count && is_put; ++w) {
    const parcel_trace_worker *worker = &profile->workers[w];
    snprintf(name, sizeof name, "worker %d", worker->thread);
    is_put = put_event(file, name_event("thread_name", worker->rank, worker->thread, name));
  }
  return is_put;
}

static json_t *slice_event(const char *name, const parcel_trace_worker *worker, const parcel_trace_item *item,
                           double begin, double seconds)
{
  return json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:{s:I, s:I}}", "ph", "X", "cat", "block", "name",
                   name, "pid", worker->rank, "tid", worker->thread, "ts", 1e6 * begin, "dur", 1e6 * seconds,
                   "args", "block", (json_int_t)item->block, "blocks", (json_int_t)item->blocks);
}

/* Of merged blocks the computing comes first, then the writing, then what was between them: sums are exact,
 * moments are not known any more. */
static bool put_items(FILE *file, const parcel_profile *profile, const parcel_trace_worker *worker)
{
  bool is_put = true;
  for (parcel_index i = 0; i < worker->item_count && is_put; ++i) {
    const parcel_trace_item *item = &profile->items[worker->first_item + i];
    is_put = put_event(file, slice_event("compute", worker, item, item->begin, item->compute_seconds)) &&
             put_event(file, slice_event("write", worker, item, item->begin + item->compute_seconds,
                                         item->write_seconds));
  }
  return is_put;
}

static bool put_progress(FILE *file, const parcel_profile *profile, const parcel_trace_rank *rank)
{
  bool is_put = true;
  for (parcel_index s = 0; s < rank->sample_count && is_put; ++s) {
    const parcel_trace_sample *sample = &profile->samples[rank->first_sample + s];
    is_put = put_event(file, json_pack("{s:s, s:s, s:i, s:f, s:{s:I}}", "ph", "C", "name", "positions done",
                                       "pid", rank->rank, "ts", 1e6 * sample->elapsed_seconds, "args",
                                       "positions", (json_int_t)sample->positions));
  }
  return is_put;
}

parcel_status parcel__report_put_trace(const parcel_report_facts *facts, FILE *file)
{
  const parcel_profile *profile = facts->profile;
  bool is_put = fprintf(file, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                              "{\"ph\":\"M\",\"name\":\"process_labels\",\"pid\":0,\"args\":"
                              "{\"labels\":\"Parcel\"}}") > 0;
  is_put = is_put && put_names(file, profile);
  for (parcel_index w = 0; w < profile->worker_count && is_put; ++w)
    is_put = put_items(file, profile, &profile->workers[w]);
  for (parcel_index r = 0; r < profile->rank_count && is_put; ++r)
    is_put = put_progress(file, profile, &profile->ranks[r]);
  is_put = is_put && fputs("\n]}\n", file) >= 0;
  return is_put ? PARCEL_OK : parcel_fail(PARCEL_IO, "%m");
}

#else

bool parcel_report_has_json(void)
{
  return false;
}

static parcel_status refuse(void)
{
  return parcel_fail(PARCEL_INVALID, "this library was built without jansson");
}

parcel_status parcel__report_put_json(const parcel_report_facts *facts, parcel_report_put put, void *file)
{
  (void)facts, (void)put, (void)file;
  return refuse();
}

parcel_status parcel__report_put_trace(const parcel_report_facts *facts, FILE *file)
{
  (void)facts, (void)file;
  return refuse();
}

#endif
