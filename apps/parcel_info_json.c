#include "parcel_info.h"

#include <stdio.h>

#ifdef PARCEL_WITH_JANSSON
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The name of a file may be any bytes; JSON is UTF-8. */
static json_t *path_json(const char *path)
{
  json_t *string = json_string(path);
  char *plain = string ? NULL : strdup(path);
  for (char *c = plain; c && *c; ++c)
    if ((unsigned char)*c >= 0x80)
      *c = '?';
  if (plain)
    string = json_string(plain);
  free(plain);
  return string;
}

static json_t *columns_json(const parcel_reader *reader)
{
  int count = 0;
  const parcel_column *columns = parcel_reader_columns(reader, &count);
  json_t *list = json_array();
  for (int c = 0; c < count; ++c)
    json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", columns[c].name, "type",
                                          info_type_name(columns[c].type), "width",
                                          (json_int_t)parcel_column_width(&columns[c]), "units",
                                          columns[c].units, "long_name", columns[c].long_name));
  return list;
}

static json_t *provenance_json(const info *info)
{
  int count = 0;
  const parcel_reader_note *notes = parcel_reader_provenance(info->reader, &count);
  json_t *object = json_object();
  for (int i = 0; i < count; ++i)
    if (info_has_note(info, &notes[i]))
      json_object_set_new(object, notes[i].name, json_string(notes[i].text));
  return object;
}

static json_t *failures_json(const info *info)
{
  json_t *list = json_array();
  for (int f = 0; f < info->failure_count; ++f)
    json_array_append_new(list, json_pack("{s:I, s:s, s:s}", "index", (json_int_t)info->failures[f].index,
                                          "code", parcel_status_name(info->failures[f].code), "message",
                                          info->failures[f].message));
  return list;
}

parcel_status info_print_json(const info *info)
{
  const parcel_reader *reader = info->reader;
  const parcel_range range = parcel_reader_range(reader);
  const parcel_block_grid grid = parcel_reader_grid(reader);
  json_t *object =
      json_pack("{s:o, s:s, s:b, s:s, s:I, s:{s:I, s:I, s:I}, s:o, s:{s:I, s:I, s:I, s:I}, s:I, s:o, s:o}",
                "file", path_json(parcel_reader_path(reader)), "status", parcel_reader_status(reader),
                "complete", info->is_complete, "title", parcel_reader_attribute(reader, "title"), "bytes",
                (json_int_t)parcel_reader_bytes(reader), "range", "first", (json_int_t)range.first, "step",
                (json_int_t)range.step, "count", (json_int_t)range.count, "columns", columns_json(reader),
                "blocks", "count", (json_int_t)info->blocks, "done", (json_int_t)info->blocks_done, "parts",
                (json_int_t)grid.parts, "blocks_per_part", (json_int_t)grid.blocks_per_part, "failures",
                (json_int_t)parcel_reader_failure_count(reader), "first_failures", failures_json(info),
                "provenance", provenance_json(info));
  if (!object)
    return parcel_fail(PARCEL_MEMORY, "no memory to describe '%s'", parcel_reader_path(reader));
  json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
  printf("\n");
  json_decref(object);
  return PARCEL_OK;
}

#else

parcel_status info_print_json(const info *info)
{
  (void)info;
  return parcel_fail(PARCEL_INVALID, "--json: this program was built without jansson");
}

#endif
