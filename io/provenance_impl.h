/** @file
 *  Provenance: where a results file comes from, as named texts. */
#ifndef PARCEL_PROVENANCE_IMPL_H
#define PARCEL_PROVENANCE_IMPL_H

#include <parcel/sweep.h>

enum { PARCEL_PROVENANCE_MOST = 20, PARCEL_TIME_SIZE = 32 };

typedef struct parcel_provenance {
  struct {
    const char *name;
    char *text;
    size_t size; /* bytes to reserve, where the text will change; 0: as many as it has */
  } items[PARCEL_PROVENANCE_MOST];
  int count;
} parcel_provenance;

/** Collects everything on rank 0, nothing elsewhere. Collective.
 *
 *  Owns: *out is the caller's, for parcel__provenance_free, after failure too.  Errors: MEMORY, MPI. */
PARCEL_MUST_CHECK parcel_status parcel__provenance_collect(const parcel_world *world,
                                                           const parcel_sweep *sweep, parcel_provenance *out);
void parcel__provenance_free(parcel_provenance *provenance);

/** The text of an item, "" if there is none of this name. */
const char *parcel__provenance_get(const parcel_provenance *provenance, const char *name);

/** Now, as "2026-11-21T08:15:30Z".  Returns text. */
char *parcel__time_text(char text[PARCEL_TIME_SIZE]);

#endif
