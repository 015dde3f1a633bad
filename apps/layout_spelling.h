/** @file
 *  Layouts as people spell them on a command line, where the range and the number of parts are given
 *  elsewhere. */
#ifndef PARCEL_APPS_LAYOUT_SPELLING_H
#define PARCEL_APPS_LAYOUT_SPELLING_H

#include <parcel/layout.h>

/** What may be spelled, for help and errors. */
#define LAYOUT_SPELLINGS "block, aligned:N, ceiling, cyclic[:N], weighted:W1,W2,..., explicit:0,O1,..."

/** Makes the layout that `text` spells: one of LAYOUT_SPELLINGS, or the library's own form, as block(100,4).
 *
 *  parts    0: as many as the text has weights or pieces, or says itself
 *  Errors: INVALID (another spelling; parts or a size other than those given; parts missing), RANGE, MEMORY;
 *  each text begins with "--layout" or "--parts". */
PARCEL_MUST_CHECK parcel_status layout_spelling_make(const char *text, parcel_index n, int parts,
                                                     parcel_layout **out);

#endif
