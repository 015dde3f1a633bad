#include <parcel/progress.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const double bar_every_seconds = 0.1;
static const double log_every_seconds = 5.0;
enum { BAR_CELLS = 24 };

parcel_status parcel_progress_parse(const char *text, parcel_progress_kind *out)
{
  static const char *const names[] = {"auto", "bar", "log", "none"};
  for (int kind = PARCEL_PROGRESS_AUTO; kind <= PARCEL_PROGRESS_NONE; ++kind)
    if (strcmp(text, names[kind]) == 0) {
      *out = (parcel_progress_kind)kind;
      return PARCEL_OK;
    }
  return parcel_fail(PARCEL_INVALID, "unknown progress '%s'; one of: auto, bar, log, none", text);
}

/* Reads /proc/ID/stat: "ID (name) state parent ...". */
static bool look_at_process(long id, char name[32], long *parent)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/stat", id);
  FILE *stat = fopen(path, "re");
  const bool is_read = stat && fscanf(stat, "%*d (%31[^)]) %*c %ld", name, parent) == 2;
  if (stat)
    fclose(stat);
  return is_read;
}

/* The mpirun that has started this rank on its own host; MPICH's has a helper between. 0: none. */
static long find_launcher(void)
{
  static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun"};
  char name[32] = "";
  long parent = 0;
  long launcher = getppid();
  bool is_read = look_at_process(launcher, name, &parent);
  if (is_read && strcmp(name, "hydra_pmi_proxy") == 0) {
    launcher = parent;
    is_read = look_at_process(launcher, name, &parent);
  }
  for (size_t n = 0; is_read && n < sizeof names / sizeof *names; ++n)
    if (strncmp(name, names[n], strlen(names[n])) == 0) /* also mpiexec.hydra */
      return launcher;
  return 0;
}

/* mpirun hands its ranks a pipe for stderr and copies it to its own. */
static bool ends_on_terminal(void)
{
  char path[64];
  char target[PATH_MAX] = "";
  if (isatty(STDERR_FILENO))
    return true;
  const long launcher = find_launcher();
  if (launcher == 0)
    return false;
  snprintf(path, sizeof path, "/proc/%ld/fd/2", launcher);
  const ssize_t length = readlink(path, target, sizeof target - 1);
  target[length > 0 ? length : 0] = '\0';
  return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

parcel_meter parcel_meter_make(parcel_progress_kind kind)
{
  if (kind == PARCEL_PROGRESS_AUTO)
    kind = ends_on_terminal() ? PARCEL_PROGRESS_BAR : PARCEL_PROGRESS_LOG;
  const double first = kind == PARCEL_PROGRESS_BAR ? bar_every_seconds : log_every_seconds;
  return (parcel_meter){.kind = kind, .next_seconds = first};
}

/* 12.3 M: three digits and the power of a thousand. */
static void format_rate(double per_second, char *text, size_t size)
{
  static const char prefixes[] = " kMGTPE";
  size_t thousand = 0;
  while (per_second >= 999.5 && thousand < sizeof prefixes - 2) {
    per_second /= 1000;
    ++thousand;
  }
  snprintf(text, size, "%.3g %c", per_second, prefixes[thousand]);
}

static void format_time(double seconds, char *text, size_t size)
{
  const long long whole = seconds < 1e12 ? (long long)(seconds + 0.5) : 1000000000000;
  if (whole >= 3600)
    snprintf(text, size, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    snprintf(text, size, "%lld:%02lld", whole / 60, whole % 60);
}

/* What both forms say. */
typedef struct figures {
  double fraction;
  char rate[32], left[32], failed[48];
} figures;

static figures figures_of(const parcel_progress *progress, const char *separator)
{
  figures out = {.left = "-"};
  const double done = (double)progress->done;
  const double rate = progress->elapsed_seconds > 0 ? done / progress->elapsed_seconds : 0;
  out.fraction = progress->done < progress->total ? done / (double)progress->total : 1;
  format_rate(rate, out.rate, sizeof out.rate);
  if (rate > 0)
    format_time((double)(progress->total - progress->done) / rate, out.left, sizeof out.left);
  if (progress->failures > 0)
    snprintf(out.failed, sizeof out.failed, "%s%" PRId64 " failed", separator, progress->failures);
  return out;
}

char *parcel_progress_format(const parcel_progress *progress, char text[PARCEL_PROGRESS_TEXT_SIZE])
{
  const figures f = figures_of(progress, ", ");
  snprintf(text, PARCEL_PROGRESS_TEXT_SIZE, "%5.1f %%, %" PRId64 " of %" PRId64 ", %s/s, ETA %s%s",
           100 * f.fraction, progress->done, progress->total, f.rate, f.left, f.failed);
  return text;
}

char *parcel_progress_format_bar(const parcel_progress *progress, char text[PARCEL_PROGRESS_TEXT_SIZE])
{
  char cells[BAR_CELLS + 1];
  const figures f = figures_of(progress, "  ");
  memset(cells, ' ', BAR_CELLS);
  memset(cells, '=', (size_t)(f.fraction * BAR_CELLS));
  cells[BAR_CELLS] = '\0';
  snprintf(text, PARCEL_PROGRESS_TEXT_SIZE, "[%s] %5.1f %%  %s/s  ETA %s%s", cells, 100 * f.fraction, f.rate,
           f.left, f.failed);
  return text;
}

void parcel_meter_show(void *ctx, const parcel_progress *progress)
{
  parcel_meter *meter = ctx;
  char text[PARCEL_PROGRESS_TEXT_SIZE];
  const bool is_bar = meter->kind == PARCEL_PROGRESS_BAR;

  if (meter->kind == PARCEL_PROGRESS_NONE)
    return;
  if (progress->is_over) {
    if (meter->has_bar)
      fputs("\r\033[K", stderr);
    meter->has_bar = false;
    return;
  }
  if (progress->elapsed_seconds < meter->next_seconds || progress->total < 1)
    return;
  if (is_bar)
    fprintf(stderr, "\r%s \033[K", parcel_progress_format_bar(progress, text));
  else
    fprintf(stderr, "progress: %s\n", parcel_progress_format(progress, text));
  fflush(stderr);
  meter->has_bar = is_bar;
  meter->next_seconds = progress->elapsed_seconds + (is_bar ? bar_every_seconds : log_every_seconds);
}
