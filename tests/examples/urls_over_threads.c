/* Pages fetched by threads that wait, each told as it comes. In Python: ThreadPoolExecutor(64), as_completed.
 * The network is a pause here; apps/parfetch has a real one.
 *
 * Prints
 *     http://localhost/17: no such page
 *     99 pages of 100 came, sooner than one after the other */
#include "example.h"

#include <string.h>

#include <parcel/executor.h>

enum { PAGES = 100 };

typedef char url[32];

static parcel_status fetch(void *argument, const parcel_task_context *context)
{
  const char *page = argument;
  (void)context;
  sleep_seconds(0.1);
  return strcmp(page, "http://localhost/17") == 0 ? parcel_fail(PARCEL_KERNEL, "%s: no such page", page)
                                                  : PARCEL_OK;
}

int main(void)
{
  /* As many threads as there are pages waiting, up to 64; one that had nothing to do for a second ends. */
  const parcel_executor_options options = {.threads = 64, .least_threads = 1, .idle_seconds = 1};
  parcel_executor *executor = NULL;
  parcel_future *futures[PAGES] = {NULL};
  parcel_completed *completed = NULL;
  parcel_index page = 0;
  url urls[PAGES];
  int came = 0;
  const time_t begun = time(NULL);

  must(parcel_executor_create(&options, &executor));
  for (int u = 0; u < PAGES; ++u) {
    snprintf(urls[u], sizeof(url), "http://localhost/%d", u);
    must(parcel_executor_submit(executor, fetch, urls[u], NULL, &futures[u]));
  }
  must(parcel_completed_open(futures, PAGES, &completed));
  while (must(parcel_completed_next(completed, PARCEL_FOREVER, &page)), page >= 0) {
    if (parcel_future_wait(futures[page]))
      printf("%s\n", parcel_last_error());
    else
      ++came;
  }
  parcel_completed_close(&completed);
  must(parcel_executor_destroy(&executor));
  printf("%d pages of %d came, %s than one after the other\n", came, PAGES,
         difftime(time(NULL), begun) < 9 ? "sooner" : "no sooner");
  return 0;
}
