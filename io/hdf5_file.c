/* A driver of HDF5's virtual file layer in which no write ever fails: HDF5 keeps a file that it could not
 * close, and its exit handler crashes on it. After the first error nothing more is written, as if the process
 * had been killed at that moment, and closing the file tells what went wrong. Apart from that it does what
 * HDF5's own driver for POSIX files does (H5FDsec2.c). */
#include "hdf5_file_impl.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include "fault_impl.h"
#include "file_impl.h"
#include "hdf5_impl.h"

enum { PAGE = 4096 };

/* What the caller and the driver share. HDF5 opens and closes a file several times, and may keep it when the
 * caller is done with it. */
typedef struct record {
  int fd;      /* first: it is HDF5's handle of a POSIX file */
  int error;   /* errno of the first write that failed */
  haddr_t end; /* of the file, once it is closed */
  int uses;    /* by the caller, and by the driver's files */
} record;

typedef struct driver_file {
  H5FD_t parent; /* first: HDF5's part */
  record *record;
  haddr_t eoa, eof; /* ends of what HDF5 has allocated, and of the file */
} driver_file;

static void drop(record *own)
{
  if (own && --own->uses == 0)
    free(own);
}

/* The caller's use ends: whatever HDF5 still does with it comes to nothing. */
static void abandon(record *own)
{
  if (own)
    *own = (record){.fd = -1, .error = EIO, .uses = own->uses};
  drop(own);
}

/* ---- the driver ---- */

static H5FD_t *open_driver(const char *name, unsigned flags, hid_t access, haddr_t most)
{
  record *const *info = H5Pget_driver_info(access);
  driver_file *file = info ? calloc(1, sizeof *file) : NULL;
  struct stat size;
  (void)name, (void)most;
  if (!file || fstat((*info)->fd, &size) != 0) {
    free(file);
    return NULL;
  }
  file->record = *info;
  ++file->record->uses;
  file->eof = flags & H5F_ACC_TRUNC ? 0 : (haddr_t)size.st_size;
  return &file->parent;
}

static herr_t close_driver(H5FD_t *parent)
{
  driver_file *file = (driver_file *)parent;
  file->record->end = file->eoa;
  drop(file->record);
  free(file);
  return 0;
}

static herr_t query(const H5FD_t *parent, unsigned long *flags)
{
  (void)parent;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

static haddr_t get_eoa(const H5FD_t *parent, H5FD_mem_t type)
{
  (void)type;
  return ((const driver_file *)parent)->eoa;
}

static herr_t set_eoa(H5FD_t *parent, H5FD_mem_t type, haddr_t end)
{
  (void)type;
  ((driver_file *)parent)->eoa = end;
  return 0;
}

static haddr_t get_eof(const H5FD_t *parent, H5FD_mem_t type)
{
  (void)type;
  return ((const driver_file *)parent)->eof;
}

static herr_t get_handle(H5FD_t *parent, hid_t access, void **handle)
{
  (void)access;
  *handle = ((driver_file *)parent)->record;
  return 0;
}

/* What is beyond the end reads as zeros. */
static herr_t read_bytes(H5FD_t *parent, H5FD_mem_t type, hid_t transfer, haddr_t offset, size_t size,
                         void *buffer)
{
  const driver_file *file = (const driver_file *)parent;
  char *to = buffer;
  (void)type, (void)transfer;
  while (size > 0) {
    const ssize_t got = pread(file->record->fd, to, size, (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0) {
      memset(to, 0, size);
      return 0;
    }
    to += got;
    offset += (haddr_t)got;
    size -= (size_t)got;
  }
  return 0;
}

static herr_t write_bytes(H5FD_t *parent, H5FD_mem_t type, hid_t transfer, haddr_t offset, size_t size,
                          const void *buffer)
{
  driver_file *file = (driver_file *)parent;
  const char *from = buffer;
  (void)type, (void)transfer;
  if (offset + size > file->eof)
    file->eof = offset + size;
  while (size > 0 && !file->record->error) {
    const ssize_t written =
        parcel__fault("hdf5.write") ? -1 : pwrite(file->record->fd, from, size, (off_t)offset);
    if (written < 0 && errno != EINTR)
      file->record->error = errno;
    if (written > 0) {
      from += written;
      offset += (haddr_t)written;
      size -= (size_t)written;
    }
  }
  return 0;
}

/* HDF5 cuts a file before it notes the new end: that has to wait (parcel__hdf5_file_close). */
static herr_t truncate_file(H5FD_t *parent, hid_t transfer, hbool_t is_closing)
{
  driver_file *file = (driver_file *)parent;
  struct stat size;
  (void)transfer, (void)is_closing;
  file->eof = file->eoa;
  if (!file->record->error &&
      (fstat(file->record->fd, &size) != 0 ||
       ((haddr_t)size.st_size < file->eoa && ftruncate(file->record->fd, (off_t)file->eoa) != 0)))
    file->record->error = errno;
  return 0;
}

/* The file has a lock of Parcel's own. */
static herr_t lock(H5FD_t *parent, hbool_t is_exclusive)
{
  (void)parent, (void)is_exclusive;
  return 0;
}

static herr_t unlock(H5FD_t *parent)
{
  (void)parent;
  return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)0x5041, /* above those that The HDF Group gives away */
#endif
    .name = "parcel",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(record *),
    .open = open_driver,
    .close = close_driver,
    .query = query,
    .get_eoa = get_eoa,
    .set_eoa = set_eoa,
    .get_eof = get_eof,
    .get_handle = get_handle,
    .read = read_bytes,
    .write = write_bytes,
    .truncate = truncate_file,
    .lock = lock,
    .unlock = unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY};

/* ---- files ---- */

/* Sets the driver in the properties of a file that is going to be opened. NULL on failure. */
static record *make_record(const char *path, int fd, hid_t access)
{
  record *own = calloc(1, sizeof *own);
  const hid_t driver_id = H5FDregister(&driver);
  bool is_set = false;
  if (!own) {
    parcel_fail(PARCEL_MEMORY, "no memory to open '%s'", path);
  } else {
    *own = (record){.fd = fd, .uses = 1};
    is_set = parcel__hdf5_good(H5Pset_driver(access, driver_id, &own), "prepare to open", path);
  }
  if (driver_id >= 0)
    H5FDunregister(driver_id); /* the properties keep it, and so does an open file */
  if (is_set)
    return own;
  free(own);
  return NULL;
}

void parcel__hdf5_use_pages(hid_t access)
{
  H5Pset_alignment(access, 1, PAGE);
  H5Pset_meta_block_size(access, 0);
  H5Pset_small_data_block_size(access, 0);
}

hid_t parcel__hdf5_file_open(const char *path, int fd, parcel_hdf5_use use)
{
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  const unsigned flags = use == PARCEL_HDF5_READ ? H5F_ACC_RDONLY : H5F_ACC_RDWR;
  if (use == PARCEL_HDF5_WRITE_PAGES)
    parcel__hdf5_use_pages(access);
  record *own = make_record(path, fd, access);
  const hid_t file = own ? H5Fopen(path, flags, access) : H5I_INVALID_HID;
  if (own && !parcel__hdf5_good(file, "open the file", path))
    abandon(own);
  H5Pclose(access);
  return file;
}

hid_t parcel__hdf5_file_create(const char *path, int fd, hid_t creation, hid_t access)
{
  record *own = make_record(path, fd, access);
  const hid_t file = own ? H5Fcreate(path, H5F_ACC_TRUNC, creation, access) : H5I_INVALID_HID;
  if (own && !parcel__hdf5_good(file, "create the file", path))
    abandon(own);
  return file;
}

static record *record_of(hid_t file)
{
  void *handle = NULL;
  return H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 ? NULL : handle;
}

static int cut(int fd, haddr_t end)
{
  struct stat size;
  if (fstat(fd, &size) != 0)
    return errno;
  return (haddr_t)size.st_size <= end || (fsync(fd) == 0 && ftruncate(fd, (off_t)end) == 0) ? 0 : errno;
}

parcel_status parcel__hdf5_file_close(hid_t file, const char *path, parcel_status status)
{
  char text[PARCEL_ERROR_SIZE];
  snprintf(text, sizeof text, "%s", parcel_last_error());
  record *own = record_of(file);
  const bool is_closed = parcel__hdf5_good(H5Fclose(file), "close the file", path);
  int error = own ? own->error : 0;
  if (own && is_closed && !error)
    error = cut(own->fd, own->end);
  abandon(own);
  if (error) {
    errno = error;
    return parcel__file_fail("write", path);
  }
  if (status)
    return parcel_fail(status, "%s", text);
  return is_closed ? PARCEL_OK : PARCEL_HDF5;
}

void parcel__hdf5_file_forget(hid_t file)
{
  if (file < 0)
    return;
  const parcel_hdf5_printing before = parcel__hdf5_silence();
  record *own = record_of(file);
  H5Fclose(file);
  abandon(own);
  parcel__hdf5_restore(before);
}
