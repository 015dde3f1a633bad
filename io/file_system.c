#include "file_system_impl.h"

#include <linux/magic.h>
#include <stddef.h>
#include <sys/statfs.h>

/* Numbers that linux/magic.h does not have are from the file systems' own sources. Virtiofs has FUSE's. */
static const parcel_file_system known[] = {
    /* of one host */
    {EXT4_SUPER_MAGIC, "ext4", true},
    {XFS_SUPER_MAGIC, "XFS", true},
    {BTRFS_SUPER_MAGIC, "Btrfs", true},
    {0x2fc12fc1, "ZFS", true},
    {F2FS_SUPER_MAGIC, "F2FS", true},
    {0xca451a4e, "bcachefs", true},
    {0x3153464a, "JFS", true},
    {TMPFS_MAGIC, "tmpfs", true},
    {RAMFS_MAGIC, "ramfs", true},
    {OVERLAYFS_SUPER_MAGIC, "overlay", true},
    /* of several hosts that see each other's bytes at once */
    {0x0bd00bd0, "Lustre", true},
    {0x47504653, "GPFS", true},
    {0x19830326, "BeeGFS", true},
    {CEPH_SUPER_MAGIC, "CephFS", true},
    {0x01161970, "GFS2", true},
    {OCFS2_SUPER_MAGIC, "OCFS2", true},
    /* of several hosts that have caches of their own */
    {NFS_SUPER_MAGIC, "NFS", false},
    {FUSE_SUPER_MAGIC, "FUSE", false},
    {SMB2_SUPER_MAGIC, "SMB", false},
    {CIFS_SUPER_MAGIC, "SMB", false},
    {SMB_SUPER_MAGIC, "SMB", false},
    {V9FS_MAGIC, "9P", false},
    {AFS_SUPER_MAGIC, "AFS", false},
    {AFS_FS_MAGIC, "AFS", false},
    {CODA_SUPER_MAGIC, "Coda", false},
    {0x786f4256, "VirtualBox", false}};

parcel_file_system parcel__file_system_find(int64_t magic)
{
  for (size_t k = 0; k < sizeof known / sizeof *known; ++k)
    if (known[k].magic == magic)
      return known[k];
  return (parcel_file_system){.magic = magic};
}

/* f_type is a signed int on some machines. */
parcel_file_system parcel__file_system_of(const char *path)
{
  struct statfs disk;
  return parcel__file_system_find(statfs(path, &disk) == 0 ? (int64_t)(uint32_t)disk.f_type : 0);
}
