/** @file
 *  One run at a time writes an output: it holds a lock on a file of its own, PATH.part.lock, for as long as
 *  it lives. The bytes of the .part have no lock: MPI-IO locks those by itself, and would wait for ever.
 *
 *  The lock is of the open file description (Linux's OFD locks). It ends with the process, however that ends,
 *  and works across hosts wherever the file system has locks. Where it has none, the text in the file, its
 *  owner, tells whether its process is still alive on this host. A file that a killed run has left holds
 *  nobody up. */
#ifndef PARCEL_FILE_LOCK_IMPL_H
#define PARCEL_FILE_LOCK_IMPL_H

#include "file_impl.h"

enum { PARCEL_OWNER_SIZE = 128 };

/** This process as the text `owner`: "process 4711 on node1 since 2026-11-21T08:15:30Z".  Returns text. */
char *parcel__lock_owner(char text[PARCEL_OWNER_SIZE]);

/** Takes the lock of an output.
 *
 *  Owns: *out is the caller's, for parcel__lock_release.
 *  Errors: EXISTS (another run holds it; the text names process, host and start; or its name is a
 *  link); IO, SPACE. */
PARCEL_MUST_CHECK parcel_status parcel__lock_take(const parcel_file *file, int *out);

/** Whether the lock still has its name: nobody can have taken another one. */
bool parcel__lock_is_held(const parcel_file *file, int lock);

/** Removes the file and gives the lock back.  lock  -1: nothing is done; afterwards -1 */
void parcel__lock_release(const parcel_file *file, int *lock);

#endif
