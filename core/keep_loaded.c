/* Open MPI 4.1 unloads its components in MPI_Finalize. A run was seen to end by SIGSEGV after all of its work
 * was done, at an address where nothing was mapped any more, as if a thread of Open MPI's had still been on
 * its way out of one. Code that stays where it is can be returned to. */
#include "keep_loaded_impl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OBJECTS = 1024 };

typedef struct names {
  char *items[MOST_OBJECTS];
  int count;
} names;

/* The loader's lock is held here, so that nothing can be opened yet. */
static int note_name(struct dl_phdr_info *object, size_t size, void *ctx)
{
  names *into = ctx;
  (void)size;
  if (*object->dlpi_name && into->count < MOST_OBJECTS)
    into->items[into->count++] = strdup(object->dlpi_name);
  return 0;
}

void parcel__keep_loaded(void)
{
  names all = {.count = 0};
  dl_iterate_phdr(note_name, &all);
  for (int n = 0; n < all.count; ++n) {
    if (all.items[n])
      dlopen(all.items[n],
             RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE); /* the vdso, for one, cannot be: no harm */
    free(all.items[n]);
  }
}
