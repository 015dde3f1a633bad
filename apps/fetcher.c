/* libcurl's easy interface, one transfer to a thread. A handle keeps its connections alive, so handles are
 * passed from thread to thread: the one used last is taken first. */
#include "fetcher.h"

#include <curl/curl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

static const double longest_pause_seconds = 30;

const parcel_column fetcher_columns[FETCHER_COLUMNS] = {
    {.name = "status", .type = PARCEL_UINT16, .long_name = "HTTP status code"},
    {.name = "bytes", .type = PARCEL_UINT64, .units = "byte", .long_name = "size of the body"},
    {.name = "seconds", .type = PARCEL_FLOAT64, .units = "s", .long_name = "time of all attempts and pauses"},
    {.name = "checksum", .type = PARCEL_UINT64, .long_name = "XXH3-64 of the body"},
    {.name = "attempts", .type = PARCEL_UINT16, .long_name = "attempts that it took"}};

/* One transfer at a time. */
typedef struct handle {
  CURL *curl;
  XXH3_state_t *checksum; /* of the body so far */
  parcel_index bytes;     /* of the body so far */
  char reason[CURL_ERROR_SIZE];
  struct handle *next; /* in the list of the idle */
} handle;

struct fetcher {
  const url_list *list;
  fetcher_options options;
  pthread_mutex_t lock;
  handle *idle; /* under the lock; as many handles as threads, so whoever asks finds one */
  int handle_count;
  handle handles[];
};

/* ---- handles ---- */

/* A libcurl write function. */
static size_t take_bytes(char *data, size_t size, size_t count, void *ctx)
{
  handle *own = ctx;
  own->bytes += (parcel_index)(size * count);
  return XXH3_64bits_update(own->checksum, data, size * count) == XXH_OK ? size * count : 0;
}

static long milliseconds(double seconds)
{
  return seconds > 1e6 ? 1000000000 : lround(ceil(1e3 * seconds));
}

static CURLcode set_up(const fetcher *fetcher, handle *own)
{
  CURL *curl = own->curl;
  CURLcode code = CURLE_OK;
  if ((code = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L)) ||
      (code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https")) ||
      (code = curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https")) ||
      (code = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L)) ||
      (code = curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L)) ||
      (code = curl_easy_setopt(curl, CURLOPT_USERAGENT, "parfetch/" PARCEL_VERSION)) ||
      (code = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, milliseconds(fetcher->options.timeout_seconds))) ||
      (code = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                               milliseconds(fetcher->options.connect_timeout_seconds))) ||
      (code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, own->reason)) ||
      (code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes)))
    return code;
  return curl_easy_setopt(curl, CURLOPT_WRITEDATA, own);
}

static parcel_status make_handle(fetcher *fetcher, handle *own)
{
  own->curl = curl_easy_init();
  own->checksum = XXH3_createState();
  if (!own->curl || !own->checksum)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d connections", fetcher->handle_count);
  const CURLcode code = set_up(fetcher, own);
  if (code)
    return parcel_fail(PARCEL_SYSTEM, "libcurl cannot be set up: %s", curl_easy_strerror(code));
  own->next = fetcher->idle;
  fetcher->idle = own;
  return PARCEL_OK;
}

static handle *take_handle(fetcher *fetcher)
{
  pthread_mutex_lock(&fetcher->lock);
  handle *taken = fetcher->idle;
  fetcher->idle = taken->next;
  pthread_mutex_unlock(&fetcher->lock);
  return taken;
}

static void give_handle_back(fetcher *fetcher, handle *given)
{
  pthread_mutex_lock(&fetcher->lock);
  given->next = fetcher->idle;
  fetcher->idle = given;
  pthread_mutex_unlock(&fetcher->lock);
}

/* ---- a URL ---- */

/* How an attempt ended; http is 0 where there was no answer. */
typedef struct answer {
  CURLcode code;
  long http;
} answer;

static bool is_good(answer answer)
{
  return answer.code == CURLE_OK && answer.http < 400;
}

/* Whether it may be otherwise next time. */
static bool may_pass(answer answer)
{
  switch (answer.code) {
  case CURLE_OK:
    return answer.http == 408 || answer.http == 429 || answer.http == 500 ||
           (answer.http >= 502 && answer.http <= 504);
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE: return true;
  default: return false;
  }
}

static answer try_url(handle *own, const char *url)
{
  answer answer = {.code = curl_easy_setopt(own->curl, CURLOPT_URL, url)};
  own->bytes = 0;
  own->reason[0] = '\0';
  XXH3_64bits_reset(own->checksum);
  if (!answer.code)
    answer.code = curl_easy_perform(own->curl);
  curl_easy_getinfo(own->curl, CURLINFO_RESPONSE_CODE, &answer.http);
  return answer;
}

/* The cause, then the URL, which may be too long for the file's table. */
static parcel_status describe_failure(const handle *own, answer answer, int attempts, const char *url)
{
  const char *ending = attempts == 1 ? "" : "s";
  long error = 0;
  if (answer.code == CURLE_OK)
    return parcel_fail(PARCEL_KERNEL, "HTTP %ld, after %d attempt%s: %s", answer.http, attempts, ending, url);
  curl_easy_getinfo(own->curl, CURLINFO_OS_ERRNO, &error);
  const bool has_cause = answer.code == CURLE_COULDNT_CONNECT && error != 0;
  return parcel_fail(answer.code == CURLE_OPERATION_TIMEDOUT ? PARCEL_TIMEOUT : PARCEL_KERNEL,
                     "%s%s%s, after %d attempt%s: %s",
                     own->reason[0] ? own->reason : curl_easy_strerror(answer.code), has_cause ? ": " : "",
                     has_cause ? strerror((int)error) : "", attempts, ending, url);
}

static void pause_before(const fetcher *fetcher, int retry)
{
  const double wanted = ldexp(fetcher->options.backoff_seconds, retry - 1);
  const double seconds = fmin(wanted, longest_pause_seconds);
  const struct timespec time = {.tv_sec = (time_t)seconds,
                                .tv_nsec = (long)(1e9 * (seconds - floor(seconds)))};
  nanosleep(&time, NULL);
}

static double now_in_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static parcel_status fetch(const fetcher *fetcher, handle *own, const char *url, parcel_index row,
                           void *const columns[])
{
  const double begun = now_in_seconds();
  int attempts = 1;
  answer answer = try_url(own, url);
  for (; may_pass(answer) && attempts <= fetcher->options.retries; ++attempts) {
    pause_before(fetcher, attempts);
    answer = try_url(own, url);
  }
  if (!is_good(answer))
    return describe_failure(own, answer, attempts, url);
  ((uint16_t *)columns[0])[row] = (uint16_t)answer.http;
  ((uint64_t *)columns[1])[row] = (uint64_t)own->bytes;
  ((double *)columns[2])[row] = now_in_seconds() - begun;
  ((uint64_t *)columns[3])[row] = XXH3_64bits_digest(own->checksum);
  ((uint16_t *)columns[4])[row] = (uint16_t)attempts;
  return PARCEL_OK;
}

parcel_status fetcher_kernel(void *ctx, const parcel_slice *slice, void *const columns[])
{
  fetcher *fetcher = ctx;
  handle *own = take_handle(fetcher);
  parcel_status status = PARCEL_OK;
  for (parcel_index i = 0; i < slice->count && !status; ++i)
    status = fetch(fetcher, own, fetcher->list->urls[slice->position + i], i, columns);
  give_handle_back(fetcher, own);
  return status;
}

/* ---- the fetcher ---- */

parcel_status fetcher_open(const url_list *list, int threads, const fetcher_options *options, fetcher **out)
{
  fetcher *opening = calloc(1, sizeof *opening + (size_t)threads * sizeof(handle));
  if (!opening)
    return parcel_fail(PARCEL_MEMORY, "no memory for %d connections", threads);
  opening->list = list;
  opening->options = *options;
  opening->handle_count = threads;
  pthread_mutex_init(&opening->lock, NULL);
  const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  parcel_status status = PARCEL_OK;
  if (code)
    status = parcel_fail(PARCEL_SYSTEM, "libcurl does not start: %s", curl_easy_strerror(code));
  for (int h = 0; h < threads && !status; ++h)
    status = make_handle(opening, &opening->handles[h]);
  if (status)
    fetcher_close(&opening);
  else
    *out = opening;
  return status;
}

void fetcher_close(fetcher **closing)
{
  fetcher *fetcher = *closing;
  if (!fetcher)
    return;
  for (int h = 0; h < fetcher->handle_count; ++h) {
    curl_easy_cleanup(fetcher->handles[h].curl);
    XXH3_freeState(fetcher->handles[h].checksum);
  }
  pthread_mutex_destroy(&fetcher->lock);
  free(fetcher);
  *closing = NULL;
  curl_global_cleanup();
}
