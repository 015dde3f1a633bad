/* Rank 0 finds or makes the file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside_impl.h"
#include "claim_impl.h"
#include "compression_impl.h"
#include "failures_impl.h"
#include "file_lock_impl.h"
#include "identity_impl.h"
#include "reader_impl.h"
#include "results_impl.h"
#include "schema_impl.h"
#include "state_impl.h"

/* ---- a new file ---- */

static parcel_status make_title(const parcel_sweep *sweep, const parcel_results_options *options, char **out)
{
  char range[PARCEL_RANGE_TEXT_SIZE];
  parcel_range_format(sweep->range, range, sizeof range);
  const int length =
      options->title ? asprintf(out, "%s", options->title) : asprintf(out, "%s of %s", sweep->name, range);
  return length < 0 ? parcel_fail(PARCEL_MEMORY, "no memory for the file's title") : PARCEL_OK;
}

/* Without positions there is nothing to be compressed. */
static parcel_compression compression_of(const parcel_store_site *site, const parcel_results_options *options)
{
  return site->grid.positions > 0 ? options->compression
                                  : (parcel_compression){.kind = PARCEL_COMPRESSION_NONE};
}

/* Its structure, under its fresh name. */
static parcel_status lay_out(parcel_results *results, const parcel_schema *schema)
{
  parcel_store_site *site = &results->site;
  return parcel__schema_create(site->file.fresh, site->fd, schema, &site->ledger, site->columns);
}

static parcel_status make_part(parcel_results *results, const parcel_schema *schema)
{
  parcel_store_site *site = &results->site;
  const parcel_file *file = &site->file;
  parcel_status status = parcel__claim_make(file, results->replaces, parcel__schema_bytes(schema), &site->fd);
  if (status)
    return status;
  if (!(status = lay_out(results, schema)))
    status = parcel__claim_show(file, site->fd);
  results->has_part = status == PARCEL_OK;
  if (status)
    unlink(file->fresh);
  return status;
}

static parcel_status make_file(parcel_results *results, const parcel_provenance *provenance,
                               const parcel_results_options *options)
{
  parcel_store_site *site = &results->site;
  char *title = NULL;
  parcel_status status = PARCEL_OK;
  if ((status = parcel__claim_check_part(&site->file, results->replaces)) ||
      (status = parcel__file_draw_seed(&site->seed)) || (status = make_title(site->sweep, options, &title)))
    return status;
  results->compression = compression_of(site, options);
  const parcel_schema schema = {.sweep = site->sweep,
                                .grid = site->grid,
                                .seed = site->seed,
                                .compression = results->compression,
                                .title = title,
                                .provenance = provenance};
  status = make_part(results, &schema);
  free(title);
  return status;
}

/* ---- a file that is there ---- */

/* The site of a file of the same sweep. */
static parcel_status take_site(parcel_results *results, const parcel_reader *reader)
{
  parcel_store_site *site = &results->site;
  const parcel_status status = parcel__identity_check(reader, site->sweep);
  if (status)
    return status;
  site->grid = parcel_reader_grid(reader);
  site->seed = reader->seed;
  site->ledger = reader->ledger;
  for (int c = 0; c < site->sweep->column_count; ++c)
    site->columns[c] = reader->places[c].offset;
  results->history.failures = parcel_reader_failure_count(reader);
  return PARCEL_OK;
}

static parcel_status check_compression(const parcel_reader *reader, parcel_compression wanted)
{
  char there[PARCEL_COMPRESSION_TEXT_SIZE];
  char here[PARCEL_COMPRESSION_TEXT_SIZE];
  if (parcel__compression_is_same(reader->compression, wanted))
    return PARCEL_OK;
  return parcel_fail(
      PARCEL_DIFFERS,
      "'%s': compression is %s there, %s here; go on with the same, or --force to start afresh",
      parcel_reader_path(reader), parcel__compression_text(reader->compression, there),
      parcel__compression_text(wanted, here));
}

/* compression  that it must have; NULL: any */
static parcel_status read_site(parcel_results *results, const char *path,
                               const parcel_compression *compression, bool *is_complete)
{
  parcel_reader *reader = NULL;
  parcel_status status = parcel_reader_open(path, &reader);
  if (!status && *parcel_reader_warning(reader))
    status = parcel_fail(PARCEL_CORRUPT, "%s; it is left as it is", parcel_reader_warning(reader));
  if (!status)
    status = take_site(results, reader);
  if (!status && compression)
    status = check_compression(reader, *compression);
  if (!status) {
    *is_complete = strcmp(parcel_reader_status(reader), "complete") == 0;
    results->compression = reader->compression;
  }
  parcel_reader_close(&reader);
  return status;
}

/* A run that was ended right after it had renamed its file has left others beside it. */
static void clear_leftovers(const parcel_file *file)
{
  int lock = -1;
  const bool has_any = parcel__beside_has_any(file) || access(file->lock, F_OK) == 0;
  if (!has_any || parcel__lock_take(file, &lock))
    return;
  parcel__claim_clear(file);
  parcel__lock_release(file, &lock);
}

static parcel_status recognise_file(parcel_results *results)
{
  const char *path = results->site.file.path;
  bool is_complete = false;
  const parcel_status status = read_site(results, path, NULL, &is_complete);
  if (!status && !is_complete)
    return parcel_fail(PARCEL_CORRUPT, "'%s' has its final name, but is not complete; it was renamed by hand",
                       path);
  results->state = PARCEL_OUTPUT_COMPLETE;
  return status;
}

/* What changes in its structure does so now: later other handles of HDF5 have the file open, too. */
static parcel_status resume_part(parcel_results *results, const parcel_results_options *options)
{
  const parcel_file *file = &results->site.file;
  const parcel_compression compression = compression_of(&results->site, options);
  bool is_complete = false;
  results->state = PARCEL_OUTPUT_RESUMED;
  parcel_status status = read_site(results, file->part, &compression, &is_complete);
  if (!status)
    status = parcel__failures_recover(&results->site);
  return status ? status : parcel__state_begin(file, results->site.fd);
}

/* Opens the .part for a run that goes on with it; the descriptor stays -1 where there is none. */
static parcel_status open_part(parcel_store_site *site)
{
  bool exists = false;
  struct stat info;
  const parcel_status status = parcel__plain_look(site->file.part, &exists, &info);
  return status || !exists ? status : parcel__plain_open(site->file.part, O_RDWR, 0, &site->fd);
}

static parcel_status retry_file(parcel_results *results)
{
  const parcel_file *file = &results->site.file;
  parcel_status status = parcel__claim_check(file, true);
  if (status || (status = parcel__lock_take(file, &results->lock)) || (status = recognise_file(results)) ||
      results->history.failures == 0)
    return status;
  return parcel__retry_open(results);
}

static bool is_regular(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

parcel_status parcel__output_open(parcel_results *results, const parcel_provenance *provenance,
                                  const parcel_results_options *options)
{
  parcel_store_site *site = &results->site;
  const parcel_file *file = &site->file;
  parcel_status status = PARCEL_OK;
  if (options->retries)
    return retry_file(results);
  if (options->resumes && !results->replaces && is_regular(file->path)) {
    if (!(status = recognise_file(results)))
      clear_leftovers(file);
    return status;
  }
  if ((status = parcel__claim_check(file, results->replaces)) ||
      (status = parcel__lock_take(file, &results->lock)) || (options->resumes && (status = open_part(site))))
    return status;
  return site->fd >= 0 ? resume_part(results, options) : make_file(results, provenance, options);
}
