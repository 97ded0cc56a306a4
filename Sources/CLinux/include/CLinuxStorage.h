// Loop devices, btrfs subvolumes, the device mapper: ioctls on files and on the nodes that stand for a driver.
//
// The structures are written down here where the kernel's own headers collide with those of the C library.
#pragma once

#include <errno.h>
#include <linux/dm-ioctl.h>
#include <linux/dqblk_xfs.h>
#include <linux/loop.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// --- files ---------------------------------------------------------------------------------------------------------

/// ioctl_ficlone(2): `to` shares all blocks of `from`.
static inline long masu_clone_file(int to, int from) {
    int result = ioctl(to, _IOW(0x94, 9, int), from);
    return result < 0 ? -errno : result;
}

// --- loop devices --------------------------------------------------------------------------------------------------

/// The number of a loop device that is free at this moment.
static inline long masu_loop_free(int control) {
    int result = ioctl(control, LOOP_CTL_GET_FREE);
    return result < 0 ? -errno : result;
}

/// LOOP_CONFIGURE (Linux 5.8): makes `device` show the file `file`. It lets go of it with its last user.
static inline long masu_loop_configure(int device, int file, int isReadOnly, const char *name) {
    struct loop_config config;
    memset(&config, 0, sizeof config);
    config.fd = (unsigned)file;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (isReadOnly ? LO_FLAGS_READ_ONLY : 0);
    strncpy((char *)config.info.lo_file_name, name, LO_NAME_SIZE - 1);
    return ioctl(device, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
}

// --- btrfs ---------------------------------------------------------------------------------------------------------

struct masu_btrfs_arguments {
    int64_t fd;
    uint64_t transaction, flags, unused[4];
    char name[4040];
};

struct masu_btrfs_old_arguments {
    int64_t fd;
    char name[4088];
};

/// BTRFS_IOC_SUBVOL_CREATE_V2, or with a `source` that is not negative BTRFS_IOC_SNAP_CREATE_V2.
static inline long masu_btrfs_create(int directory, const char *name, int source) {
    struct masu_btrfs_arguments arguments;
    if (strlen(name) >= sizeof arguments.name) return -ENAMETOOLONG;
    memset(&arguments, 0, sizeof arguments);
    strcpy(arguments.name, name);
    arguments.fd = source < 0 ? 0 : source;
    unsigned long command = _IOW(0x94, 24, struct masu_btrfs_arguments);
    if (source >= 0) command = _IOW(0x94, 23, struct masu_btrfs_arguments);
    return ioctl(directory, command, &arguments) < 0 ? -errno : 0;
}

/// BTRFS_IOC_SNAP_DESTROY_V2, or before Linux 5.7 BTRFS_IOC_SNAP_DESTROY.
static inline long masu_btrfs_destroy(int directory, const char *name) {
    struct masu_btrfs_arguments arguments;
    if (strlen(name) >= sizeof arguments.name) return -ENAMETOOLONG;
    memset(&arguments, 0, sizeof arguments);
    strcpy(arguments.name, name);
    if (ioctl(directory, _IOW(0x94, 63, struct masu_btrfs_arguments), &arguments) == 0) return 0;
    if (errno != ENOTTY && errno != EOPNOTSUPP) return -errno;
    struct masu_btrfs_old_arguments old;
    memset(&old, 0, sizeof old);
    strcpy(old.name, name);
    return ioctl(directory, _IOW(0x94, 15, struct masu_btrfs_old_arguments), &old) < 0 ? -errno : 0;
}

static inline long masu_btrfs_get_flags(int subvolume, uint64_t *flags) {
    return ioctl(subvolume, _IOR(0x94, 25, uint64_t), flags) < 0 ? -errno : 0;
}
static inline long masu_btrfs_set_flags(int subvolume, uint64_t flags) {
    return ioctl(subvolume, _IOW(0x94, 26, uint64_t), &flags) < 0 ? -errno : 0;
}

/// BTRFS_IOC_QUOTA_CTL: has the file system count what each subvolume takes.
static inline long masu_btrfs_enable_quota(int directory) {
    struct {
        uint64_t command, status;
    } arguments = {1, 0};
    return ioctl(directory, _IOC(_IOC_READ | _IOC_WRITE, 0x94, 40, sizeof arguments), &arguments) < 0 ? -errno : 0;
}

/// BTRFS_IOC_QGROUP_LIMIT: how many bytes the subvolume may refer to.
static inline long masu_btrfs_limit(int subvolume, uint64_t bytes) {
    // The group 0 is that of the subvolume, and the flag 1 says which of the four limits is meant.
    struct {
        uint64_t group, flags, max_referenced, unused[3];
    } arguments = {0, 1, bytes, {0, 0, 0}};
    return ioctl(subvolume, _IOC(_IOC_READ, 0x94, 43, sizeof arguments), &arguments) < 0 ? -errno : 0;
}

// --- project quotas ------------------------------------------------------------------------------------------------

struct masu_file_attributes {
    uint32_t flags, extent_size, extents, project, copy_extent_size;
    uint8_t unused[8];
};

/// FS_IOC_FSSETXATTR, ioctl_xfs_fssetxattr(2): gives a directory a project, which all that is made in it inherits.
static inline long masu_set_project(int directory, uint32_t project) {
    struct masu_file_attributes attributes;
    if (ioctl(directory, _IOR('X', 31, struct masu_file_attributes), &attributes) < 0) return -errno;
    attributes.project = project;
    attributes.flags |= 0x200;  // FS_XFLAG_PROJINHERIT
    return ioctl(directory, _IOW('X', 32, struct masu_file_attributes), &attributes) < 0 ? -errno : 0;
}

/// quotactl_fd(2) (Linux 5.14), or with a `device` quotactl(2): a command about the quota of a project.
static inline long masu_project_quota(
    int command, int file, const char *device, uint32_t project, struct fs_disk_quota *quota) {
    unsigned request = (unsigned)command << 8 | 2;  // PRJQUOTA
    long result = device ? syscall(SYS_quotactl, request, device, project, quota)
                         : syscall(443, file, request, project, quota);
    return result < 0 ? -errno : 0;
}

/// The bytes that a project takes, and those that it may take.
static inline long masu_get_project_quota(
    int file, const char *device, uint32_t project, uint64_t *used, uint64_t *limit) {
    struct fs_disk_quota quota;
    memset(&quota, 0, sizeof quota);
    long result = masu_project_quota(Q_XGETQUOTA, file, device, project, &quota);
    *used = quota.d_bcount * 512;
    *limit = quota.d_blk_hardlimit * 512;
    return result;
}

/// How many bytes a project may take; 0 for all that there are.
static inline long masu_set_project_quota(int file, const char *device, uint32_t project, uint64_t bytes) {
    struct fs_disk_quota quota;
    memset(&quota, 0, sizeof quota);
    quota.d_version = FS_DQUOT_VERSION;
    quota.d_id = project;
    quota.d_flags = FS_PROJ_QUOTA;
    quota.d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT;
    quota.d_blk_hardlimit = quota.d_blk_softlimit = bytes / 512;
    return masu_project_quota(Q_XSETQLIM, file, device, project, &quota);
}

// --- device mapper -------------------------------------------------------------------------------------------------

/// What a command of the device mapper says of a device.
struct masu_dm_answer {
    uint64_t device;
    uint32_t flags, open_count, target_count;
    /// Where in the buffer the command's own data begin and end.
    uint32_t start, end;
};

/// One command (`_IOWR(0xfd, number, struct dm_ioctl)`) to /dev/mapper/control. `buffer` holds the header, and from
/// `sizeof (struct dm_ioctl)` on the `payload` bytes that belong to the command; afterwards what the kernel has to say.
static inline long masu_dm(
    int control, unsigned number, const char *name, uint32_t flags, uint32_t targets, void *buffer, uint32_t capacity,
    struct masu_dm_answer *answer) {
    struct dm_ioctl *header = (struct dm_ioctl *)buffer;
    if (strlen(name) >= sizeof header->name) return -ENAMETOOLONG;
    memset(header, 0, sizeof *header);
    header->version[0] = 4;
    header->data_size = capacity;
    header->data_start = sizeof *header;
    header->target_count = targets;
    header->flags = flags;
    strcpy(header->name, name);
    if (ioctl(control, _IOWR(DM_IOCTL, number, struct dm_ioctl), header) < 0) return -errno;
    answer->device = header->dev;
    answer->flags = header->flags;
    answer->open_count = (uint32_t)header->open_count;
    answer->target_count = header->target_count;
    answer->start = header->data_start;
    answer->end = header->data_size;
    return 0;
}
