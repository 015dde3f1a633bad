/* Rank 0 makes a file; each rank opens it, writes its page, and after all have written reads every page. A
 * rank that does not find the file has a folder of its own under the same name. */
#include <parcel/place.h>

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "file_system_impl.h"

enum { PAGE = 4096, SCRATCH_SIZE = PATH_MAX + 64 };

static const char elsewhere[] = "parsquares -o $HOME/squares.h5 ...";
static const int64_t least_free_bytes = (int64_t)100 << 20;

/* How far a rank came. */
typedef enum step { NOT_SEEN, NOT_WRITTEN, NOT_READ, ALTERED, DONE } step;

static const char *const doing[] = {"open a file", "write 4 KiB", "read 4 KiB"};

typedef struct rank_facts {
  char host[65];
  step step;
  int error;           /* errno of the step that failed */
  int culprit;         /* whose page was not as it was written, for ALTERED */
  int lock_error;      /* errno of a shared lock; 0: fine */
  unsigned hdf5[3];    /* version */
  int64_t file_system; /* its magic number */
} rank_facts;

typedef struct place {
  const parcel_world *world;
  char folder[PATH_MAX];
  char scratch[SCRATCH_SIZE];
  int fd;
  rank_facts own;
  rank_facts *all; /* [ranks] on rank 0 */
  parcel_findings *out;
} place;

/* What there is to be said of a kind of file system besides its name. */
static const struct {
  int64_t magic;
  parcel_severity severity;
  const char *fact;
  const char *line;
} remarks[] = {
    {0x0bd00bd0, PARCEL_FINDING_NOTE, ": a file on several targets is written faster",
     "lfs setstripe -c -1 ."},
    {TMPFS_MAGIC, PARCEL_FINDING_WARNING, ": results there take up memory and are gone with this host or job",
     elsewhere},
    {RAMFS_MAGIC, PARCEL_FINDING_WARNING, ": results there take up memory and are gone with this host or job",
     elsewhere},
    {OVERLAYFS_SUPER_MAGIC, PARCEL_FINDING_NOTE, ": inside a container, results may be gone with it", NULL}};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- what each rank does ---- */

static void find_folder(place *place, const char *path)
{
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  snprintf(place->folder, sizeof place->folder, "%s", dirname(copy));
}

static void make_scratch(place *place)
{
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
    random = (uint64_t)getpid();
  snprintf(place->scratch, sizeof place->scratch, "%s/.parcel-doctor-%016" PRIx64, place->folder, random);
  place->fd = open(place->scratch, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  place->own.error = errno;
}

static void open_scratch(place *place)
{
  if (place->fd >= 0)
    close(place->fd);
  place->fd = open(place->scratch, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  place->own.error = errno;
}

/* A page that no other rank writes: its words count on from a number of the rank. */
static void fill_page(uint64_t page[], int rank)
{
  for (size_t w = 0; w < PAGE / sizeof *page; ++w)
    page[w] = ((uint64_t)rank + 1) * 0x9e3779b97f4a7c15U + w;
}

static void write_page(place *place)
{
  uint64_t page[PAGE / sizeof(uint64_t)];
  const int rank = parcel_world_rank(place->world);
  place->own.step = place->fd < 0 ? NOT_SEEN : NOT_WRITTEN;
  if (place->fd < 0)
    return;
  fill_page(page, rank);
  if (pwrite(place->fd, page, PAGE, (off_t)rank * PAGE) != PAGE || fsync(place->fd) != 0)
    place->own.error = errno;
  else
    place->own.step = NOT_READ;
}

/* Opened again, as results are before they are believed: on a network file system that shows what others
 * have written. */
static void read_pages(place *place)
{
  uint64_t expected[PAGE / sizeof(uint64_t)];
  uint64_t page[PAGE / sizeof(uint64_t)];
  if (place->own.step != NOT_READ)
    return;
  open_scratch(place);
  place->own.step = DONE;
  for (int r = 0; r < parcel_world_size(place->world); ++r) {
    const ssize_t got = pread(place->fd, page, PAGE, (off_t)r * PAGE);
    fill_page(expected, r);
    if (got == PAGE && memcmp(page, expected, PAGE) == 0)
      continue;
    place->own.step = got < 0 ? NOT_READ : ALTERED;
    place->own.error = errno;
    place->own.culprit = r;
    return;
  }
}

static void look_at_system(place *place)
{
  struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  place->own.file_system = parcel__file_system_of(place->folder).magic;
  if (place->fd >= 0 && fcntl(place->fd, F_OFD_SETLK, &shared) != 0)
    place->own.lock_error = errno;
  gethostname(place->own.host, sizeof place->own.host - 1);
  H5get_libversion(&place->own.hdf5[0], &place->own.hdf5[1], &place->own.hdf5[2]);
}

/* ---- what rank 0 makes of it ---- */

/* What helps against the error with which a file could not be made. */
static const char *remedy(const place *place, int error, char line[PARCEL_FINDING_TEXT_SIZE])
{
  if (error == ENOENT)
    snprintf(line, PARCEL_FINDING_TEXT_SIZE, "mkdir -p '%.400s'", place->folder);
  else if (error == EACCES)
    snprintf(line, PARCEL_FINDING_TEXT_SIZE, "chmod u+rwx '%.400s'", place->folder);
  else if (error == ENOSPC || error == EDQUOT)
    snprintf(line, PARCEL_FINDING_TEXT_SIZE, "df -h . && df -i . && quota");
  else
    snprintf(line, PARCEL_FINDING_TEXT_SIZE, "%s", elsewhere);
  return line;
}

static const char *text_of(int error)
{
  return strerror(error); /* NOLINT(concurrency-mt-unsafe): only the main thread is here */
}

/* A rank that did not come through. */
static void judge_trouble(const place *place, int rank)
{
  const rank_facts *first = &place->all[0];
  const rank_facts *own = &place->all[rank];
  char line[PARCEL_FINDING_TEXT_SIZE];
  if (own->step == NOT_SEEN && first->step != NOT_SEEN && own->error == ENOENT) {
    parcel_findings_add(place->out, PARCEL_FINDING_ERROR, "node-local", elsewhere,
                        "rank %d on %s does not see the file that rank 0 on %s made in '%s': each has a "
                        "folder of its own there",
                        rank, own->host, first->host, place->folder);
  } else if (own->step == ALTERED) {
    parcel_findings_add(place->out, PARCEL_FINDING_ERROR, "output", "parsquares --io=collective ...",
                        "rank %d on %s reads in '%s' other bytes than rank %d on %s has written there", rank,
                        own->host, place->folder, own->culprit, place->all[own->culprit].host);
  } else {
    parcel_findings_add(place->out, PARCEL_FINDING_ERROR, "output", remedy(place, own->error, line),
                        "rank %d on %s cannot %s in '%s': %s", rank, own->host, doing[own->step],
                        place->folder, text_of(own->error));
  }
}

/* Who stumbled first also made others stumble: his page is missing. */
static void judge_round_trip(place *place)
{
  int rank = 0;
  for (int r = 1; r < parcel_world_size(place->world); ++r)
    rank = place->all[r].step < place->all[rank].step ? r : rank;
  if (place->all[rank].step != DONE)
    judge_trouble(place, rank);
  else
    parcel_findings_add(place->out, PARCEL_FINDING_OK, "output", NULL,
                        "every rank writes in '%s' and reads what the others have written", place->folder);
}

/* Whether hosts with caches of their own are going to write there. */
static bool is_incoherent(const place *place, parcel_file_system kind)
{
  return !kind.is_coherent && parcel_world_node_size(place->world) < parcel_world_size(place->world);
}

static void judge_kind(place *place, parcel_file_system kind)
{
  parcel_severity severity = PARCEL_FINDING_OK;
  const char *fact = "";
  const char *line = NULL;
  char name[64];
  if (!kind.is_coherent) {
    severity = PARCEL_FINDING_NOTE;
    fact = is_incoherent(place, kind)
               ? ", where a host may not see at once what others write: all ranks write together"
               : ", which is not known to show hosts at once what others write; one host is fine";
  }
  for (size_t r = 0; r < LENGTH(remarks); ++r)
    if (remarks[r].magic == kind.magic) {
      severity = remarks[r].severity;
      fact = remarks[r].fact;
      line = remarks[r].line;
    }
  snprintf(name, sizeof name, "a file system unknown to this program (0x%" PRIx64 ")", (uint64_t)kind.magic);
  parcel_findings_add(place->out, severity, "file system", line, "'%s' is on %s%s", place->folder,
                      kind.name ? kind.name : name, fact);
}

static void judge_file_system(place *place)
{
  for (int r = 1; r < parcel_world_size(place->world); ++r)
    if (place->all[r].file_system != place->all[0].file_system && place->all[r].step == DONE)
      parcel_findings_add(place->out, PARCEL_FINDING_NOTE, "file system", NULL,
                          "'%s' is of another kind for rank %d on %s than for rank 0", place->folder, r,
                          place->all[r].host);
  if (place->all[0].file_system == 0)
    return; /* there is no such folder */
  judge_kind(place, parcel__file_system_find(place->all[0].file_system));
}

static void judge_space(place *place)
{
  struct statfs disk;
  if (statfs(place->folder, &disk) != 0)
    return;
  const int64_t bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_bsize;
  const bool is_little = bytes < least_free_bytes || (disk.f_files > 0 && disk.f_ffree == 0);
  parcel_findings_add(place->out, is_little ? PARCEL_FINDING_WARNING : PARCEL_FINDING_OK, "space",
                      is_little ? "df -h . && df -i ." : NULL,
                      "%.3g GB are free in '%s', room for %.3g billion numbers%s", (double)bytes / 1e9,
                      place->folder, (double)bytes / 8e9,
                      disk.f_files > 0 && disk.f_ffree == 0 ? ", but no file can be made" : "");
}

/* Parcel's own lock, by which a second run on the same output is refused (io/file_lock.c). Where there are no
 * locks, the process that the file names is asked after, which is seen on its own host only. */
static void judge_locking(place *place)
{
  for (int r = 0; r < parcel_world_size(place->world); ++r) {
    if (place->all[r].lock_error) {
      parcel_findings_add(
          place->out, PARCEL_FINDING_WARNING, "locking", elsewhere,
          "rank %d on %s cannot lock a file in '%s' (%s): two runs on different hosts may write "
          "the same output",
          r, place->all[r].host, place->folder, text_of(place->all[r].lock_error));
      return;
    }
  }
  if (place->all[0].step != NOT_SEEN)
    parcel_findings_add(place->out, PARCEL_FINDING_OK, "locking", NULL, "files in '%s' can be locked",
                        place->folder);
}

static void judge_hdf5(place *place)
{
  const unsigned *hdf5 = place->all[0].hdf5;
  for (int r = 1; r < parcel_world_size(place->world); ++r) {
    const unsigned *other = place->all[r].hdf5;
    if (memcmp(other, hdf5, sizeof place->all[r].hdf5) != 0) {
      parcel_findings_add(place->out, PARCEL_FINDING_ERROR, "HDF5", "ldd $(command -v parsquares)",
                          "rank %d on %s runs HDF5 %u.%u.%u, rank 0 %u.%u.%u", r, place->all[r].host,
                          other[0], other[1], other[2], hdf5[0], hdf5[1], hdf5[2]);
      return;
    }
  }
  if (hdf5[0] == 1 && hdf5[1] == 10 && hdf5[2] >= 5 && hdf5[2] <= 8)
    parcel_findings_add(place->out, PARCEL_FINDING_NOTE, "HDF5", "export OMPI_MCA_fcoll=^vulcan",
                        "HDF5 1.10.%u can hang in collective writes through Open MPI's vulcan component, and "
                        "its collective metadata reads (which Parcel leaves off) are broken",
                        hdf5[2]);
  else
    parcel_findings_add(place->out, PARCEL_FINDING_OK, "HDF5", NULL, "%u.%u.%u on every rank", hdf5[0],
                        hdf5[1], hdf5[2]);
}

/* ---- the steps, together ---- */

static parcel_status barrier(const place *place)
{
  return parcel_world_check_mpi(place->world, MPI_Barrier(parcel_world_comm(place->world)), "MPI_Barrier");
}

static parcel_status exchange_pages(place *place)
{
  MPI_Comm comm = parcel_world_comm(place->world);
  parcel_status status = PARCEL_OK;
  place->fd = -1;
  if (parcel_world_rank(place->world) == 0)
    make_scratch(place);
  if ((status =
           parcel_world_check_mpi(place->world, MPI_Bcast(place->scratch, SCRATCH_SIZE, MPI_BYTE, 0, comm),
                                  "MPI_Bcast of a file's name")))
    return status;
  if (parcel_world_rank(place->world) != 0)
    open_scratch(place);
  write_page(place);
  if ((status = barrier(place)))
    return status;
  read_pages(place);
  look_at_system(place);
  if (place->fd >= 0)
    close(place->fd);
  if ((status = barrier(place)))
    return status;
  if (parcel_world_rank(place->world) == 0)
    unlink(place->scratch);
  return parcel_world_check_mpi(place->world,
                                MPI_Gather(&place->own, (int)sizeof place->own, MPI_BYTE, place->all,
                                           (int)sizeof place->own, MPI_BYTE, 0, comm),
                                "MPI_Gather of what each rank saw");
}

parcel_status parcel_place_examine(const parcel_world *world, const char *path, parcel_findings *findings)
{
  const int size = parcel_world_size(world);
  const bool is_root = parcel_world_rank(world) == 0;
  place place = {.world = world, .out = findings};
  find_folder(&place, path);
  place.all = is_root ? calloc((size_t)size, sizeof *place.all) : NULL;
  parcel_status status = is_root && !place.all
                             ? parcel_fail(PARCEL_MEMORY, "no memory for the facts of %d ranks", size)
                             : PARCEL_OK;
  if (!(status = parcel_world_follow_root(world, status)))
    status = exchange_pages(&place);
  if (!status && is_root) {
    judge_round_trip(&place);
    judge_file_system(&place);
    judge_space(&place);
    judge_locking(&place);
    judge_hdf5(&place);
  }
  free(place.all);
  return parcel_world_agree(world, status);
}
