// Numbers of the kernel's interface that the C library's headers do not show without _GNU_SOURCE, or not in all its
// versions, by the names that they have in the headers said above each group.
#pragma once

// <linux/fcntl.h>
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

// <linux/mount.h>
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC 0x80000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x4
#endif
#ifndef MOVE_MOUNT_T_EMPTY_PATH
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#endif
#ifndef FSMOUNT_CLOEXEC
#define FSMOUNT_CLOEXEC 1
#endif
// The C library has these three in an enumeration, or not at all.
#define MASU_FSCONFIG_SET_FLAG 0
#define MASU_FSCONFIG_SET_STRING 1
#define MASU_FSCONFIG_CMD_CREATE 6

// <linux/statfs.h>: the flags of a mount that are not those of mount(2)
#define MASU_ST_RELATIME 0x1000
#define MASU_ST_NOSYMFOLLOW 0x2000

// <linux/close_range.h>
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

// <linux/memfd.h>
#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING 2
#endif

// <linux/ioprio.h>
#ifndef IOPRIO_WHO_PROCESS
#define IOPRIO_WHO_PROCESS 1
#endif
#ifndef IOPRIO_CLASS_SHIFT
#define IOPRIO_CLASS_SHIFT 13
#endif

// <linux/btrfs.h>
#ifndef BTRFS_SUBVOL_RDONLY
#define BTRFS_SUBVOL_RDONLY 2
#endif

// <linux/sched.h>, which has them as numbers with a suffix that Swift does not read
#define MASU_CLONE_PIDFD 0x00001000
#define MASU_CLONE_PARENT 0x00008000
#define MASU_CLONE_INTO_CGROUP 0x200000000
