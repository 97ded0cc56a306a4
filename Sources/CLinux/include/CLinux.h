// What Swift cannot call: system calls without a libc function, variadic functions, macros, and structures whose
// headers cannot be included beside libc's own. Every function is a single system call and returns its result, or the
// negated errno. No policy of any kind.
#pragma once

// Never with _GNU_SOURCE: Swift's own module of glibc is made without it, and structures that differ between the two
// (fd_set, sockaddr arguments) would break whichever module sees both. What only _GNU_SOURCE declares stands below.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "CLinuxNetwork.h"
#include "CLinuxNumbers.h"
#include "CLinuxSeccomp.h"
#include "CLinuxSockets.h"
#include "CLinuxSpawn.h"
#include "CLinuxStorage.h"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static inline long masu_result(long result) { return result < 0 ? -(long)errno : result; }

// --- standard streams ----------------------------------------------------------------------------------------------

/// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed, so that no file or socket that the program
/// opens later takes its number and is read or written as a standard stream. Where there is no /dev/null, the root
/// directory takes the number: it can be neither read nor written.
static inline void masu_secure_standard_streams(void) {
    for (int number = 0; number <= 2; number++) {
        if (fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is this one.
        if (open("/dev/null", O_RDWR) < 0) (void)open("/", O_RDONLY | O_DIRECTORY);
    }
}

// --- processes -----------------------------------------------------------------------------------------------------

struct masu_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/// clone3(2) in the manner of fork: 0 in the child, which runs on a copy of the caller's memory.
static inline long masu_clone3(uint64_t flags, int *pidfd, int cgroup) {
    struct masu_clone_args args;
    memset(&args, 0, sizeof args);
    args.flags = flags;
    args.pidfd = (uint64_t)(uintptr_t)pidfd;
    // A sibling sends the signal its maker would.
    args.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD;
    args.cgroup = (uint64_t)(cgroup < 0 ? 0 : cgroup);
    return masu_result(syscall(SYS_clone3, &args, sizeof args));
}

static inline long masu_fork(void) { return masu_result(fork()); }
static inline long masu_setns(int fd, int flags) { return masu_result(syscall(SYS_setns, fd, flags)); }
static inline long masu_unshare(int flags) { return masu_result(syscall(SYS_unshare, flags)); }
static inline long masu_pidfd_open(int pid, unsigned flags) { return masu_result(syscall(SYS_pidfd_open, pid, flags)); }
static inline long masu_pidfd_getfd(int pidfd, int number) {
    return masu_result(syscall(SYS_pidfd_getfd, pidfd, number, 0));
}
static inline long masu_pidfd_send_signal(int fd, int signal) {
    return masu_result(syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0));
}
// The kernel's own structure: all zero is SIG_DFL, no flags, an empty mask.
static inline long masu_reset_signal(int signal) {
    uint64_t action[4] = {0};
    return masu_result(syscall(SYS_rt_sigaction, signal, action, NULL, 8));
}
/// Whether this program has been executed anew from a copy of its file that nobody can write to (Sealing.c).
int masu_is_sealed(void);
extern char **environ;
static inline char **masu_environment(void) { return environ; }
static inline long masu_execve(const char *path, char *const *argv, char *const *envp) {
    return masu_result(execve(path, argv, envp));
}
static inline long masu_execveat(int fd, const char *path, char *const *argv, char *const *envp, int flags) {
    return masu_result(syscall(SYS_execveat, fd, path, argv, envp, flags));
}
static inline long masu_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return masu_result(prctl(option, a, b, c, d));
}
static inline long masu_prctl_pointer(int option, unsigned long a, const void *b) {
    return masu_result(prctl(option, a, (unsigned long)(uintptr_t)b, 0UL, 0UL));
}
static inline long masu_waitpid(int pid, int *status, int flags) { return masu_result(waitpid(pid, status, flags)); }
static inline int masu_exited(int status) { return WIFEXITED(status); }
static inline int masu_exit_status(int status) { return WEXITSTATUS(status); }
static inline int masu_signaled(int status) { return WIFSIGNALED(status); }
static inline int masu_term_signal(int status) { return WTERMSIG(status); }
static inline long masu_keyctl_join_session(const char *name) {
    return masu_result(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, name));
}
static inline long masu_personality(unsigned long domain) { return masu_result(syscall(SYS_personality, domain)); }
static inline long masu_ioprio_set(int which, int who, int value) {
    return masu_result(syscall(SYS_ioprio_set, which, who, value));
}
struct masu_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
static inline long masu_sched_setattr(int pid, struct masu_sched_attr *attr) {
    attr->size = sizeof *attr;
    return masu_result(syscall(SYS_sched_setattr, pid, attr, 0));
}
static inline long masu_sched_setaffinity(int pid, size_t size, const void *mask) {
    return masu_result(syscall(SYS_sched_setaffinity, pid, size, mask));
}
static inline long masu_set_mempolicy(int mode, const unsigned long *mask, unsigned long bits) {
    return masu_result(syscall(SYS_set_mempolicy, mode, mask, bits));
}

// --- credentials ---------------------------------------------------------------------------------------------------

struct masu_cap_header {
    uint32_t version;
    int32_t pid;
};
struct masu_cap_data {
    uint32_t effective, permitted, inheritable;
};
static inline long masu_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct masu_cap_header header = {0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0};
    struct masu_cap_data data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return masu_result(syscall(SYS_capset, &header, data));
}
static inline long masu_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable) {
    struct masu_cap_header header = {0x20080522, 0};
    struct masu_cap_data data[2];
    memset(data, 0, sizeof data);
    long result = masu_result(syscall(SYS_capget, &header, data));
    *effective = data[0].effective | (uint64_t)data[1].effective << 32;
    *permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    *inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return result;
}
// The raw calls change this thread alone, which in a single-threaded process is the whole of it.
static inline long masu_setgroups(size_t count, const uint32_t *groups) {
    return masu_result(syscall(SYS_setgroups, count, groups));
}
static inline long masu_setresuid(uint32_t uid) { return masu_result(syscall(SYS_setresuid, uid, uid, uid)); }
static inline long masu_setresgid(uint32_t gid) { return masu_result(syscall(SYS_setresgid, gid, gid, gid)); }
static inline long masu_prlimit(int pid, int resource, const struct rlimit *limit, struct rlimit *old) {
    return masu_result(syscall(SYS_prlimit64, pid, resource, limit, old));
}

// --- mounts --------------------------------------------------------------------------------------------------------

static inline long masu_mount(
    const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    return masu_result(mount(source, target, type, flags, data));
}
static inline long masu_umount2(const char *target, int flags) { return masu_result(umount2(target, flags)); }
static inline long masu_pivot_root(const char *root, const char *old) {
    return masu_result(syscall(SYS_pivot_root, root, old));
}
static inline long masu_open_tree(int directory, const char *path, unsigned flags) {
    return masu_result(syscall(SYS_open_tree, directory, path, flags));
}
static inline long masu_move_mount(int from, const char *fromPath, int to, const char *toPath, unsigned flags) {
    return masu_result(syscall(SYS_move_mount, from, fromPath, to, toPath, flags));
}
static inline long masu_fsopen(const char *type, unsigned flags) {
    return masu_result(syscall(SYS_fsopen, type, flags));
}
static inline long masu_fsconfig(int fd, unsigned command, const char *key, const void *value, int auxiliary) {
    return masu_result(syscall(SYS_fsconfig, fd, command, key, value, auxiliary));
}
static inline long masu_fsmount(int fd, unsigned flags, unsigned attributes) {
    return masu_result(syscall(SYS_fsmount, fd, flags, attributes));
}
struct masu_mount_attr {
    uint64_t set, clear, propagation, userns_fd;
};
static inline long masu_mount_setattr(
    int directory, const char *path, unsigned flags, const struct masu_mount_attr *attr) {
    return masu_result(syscall(SYS_mount_setattr, directory, path, flags, attr, sizeof *attr));
}
static inline long masu_statfs_type(const char *path) {
    struct statfs status;
    long result = masu_result(statfs(path, &status));
    return result < 0 ? result : (long)(status.f_type & 0xffffffff);
}
static inline long masu_fstatfs_type(int fd) {
    struct statfs status;
    long result = masu_result(fstatfs(fd, &status));
    return result < 0 ? result : (long)(status.f_type & 0xffffffff);
}
static inline long masu_fstatfs_flags(int fd) {
    struct statfs status;
    long result = masu_result(fstatfs(fd, &status));
    return result < 0 ? result : (long)status.f_flags;
}

// --- files ---------------------------------------------------------------------------------------------------------

struct masu_open_how {
    uint64_t flags, mode, resolve;
};
static inline long masu_openat2(int directory, const char *path, const struct masu_open_how *how) {
    return masu_result(syscall(SYS_openat2, directory, path, how, sizeof *how));
}
static inline long masu_openat(int directory, const char *path, int flags, unsigned mode) {
    return masu_result(openat(directory, path, flags, mode));
}
static inline long masu_mkdirat(int directory, const char *path, unsigned mode) {
    return masu_result(mkdirat(directory, path, mode));
}
static inline long masu_mknodat(int directory, const char *path, unsigned mode, unsigned major, unsigned minor) {
    return masu_result(mknodat(directory, path, mode, makedev(major, minor)));
}
static inline long masu_symlinkat(const char *target, int directory, const char *path) {
    return masu_result(symlinkat(target, directory, path));
}
static inline long masu_unlinkat(int directory, const char *path, int flags) {
    return masu_result(unlinkat(directory, path, flags));
}
static inline long masu_readlinkat(int directory, const char *path, char *buffer, size_t size) {
    return masu_result(readlinkat(directory, path, buffer, size));
}
static inline long masu_fchownat(int directory, const char *path, uint32_t uid, uint32_t gid, int flags) {
    return masu_result(fchownat(directory, path, uid, gid, flags));
}
static inline long masu_fchmodat(int directory, const char *path, unsigned mode) {
    return masu_result(fchmodat(directory, path, mode, 0));
}
static inline long masu_fchmod(int fd, unsigned mode) { return masu_result(fchmod(fd, mode)); }
static inline long masu_fchown(int fd, uint32_t uid, uint32_t gid) { return masu_result(fchown(fd, uid, gid)); }
static inline long masu_faccessat2(int directory, const char *path, int mode, int flags) {
    return masu_result(syscall(SYS_faccessat2, directory, path, mode, flags));
}
static inline long masu_fstatat(int directory, const char *path, struct stat *status, int flags) {
    return masu_result(fstatat(directory, path, status, flags));
}
static inline long masu_statx(int directory, const char *path, int flags, unsigned mask, struct statx *status) {
    return masu_result(syscall(SYS_statx, directory, path, flags, mask, status));
}
static inline unsigned masu_major(uint64_t device) { return major(device); }
static inline unsigned masu_minor(uint64_t device) { return minor(device); }
static inline long masu_close_range(unsigned first, unsigned last, unsigned flags) {
    return masu_result(syscall(SYS_close_range, first, last, flags));
}
static inline long masu_fcntl(int fd, int command, long argument) { return masu_result(fcntl(fd, command, argument)); }
static inline long masu_pipe2(int *ends, int flags) { return masu_result(syscall(SYS_pipe2, ends, flags)); }
static inline long masu_copy_file_range(int from, int64_t *source, int to, int64_t *target, size_t count) {
    return masu_result(syscall(SYS_copy_file_range, from, source, to, target, count, 0));
}
/// renameat2(2) of one name in two directories, with RENAME_NOREPLACE.
static inline long masu_move_unless_there(int from, int to, const char *name) {
    return masu_result(syscall(SYS_renameat2, from, name, to, name, 1));
}
/// fallocate(2) with FALLOC_FL_KEEP_SIZE: blocks are reserved, the file stays as long as it is.
static inline long masu_reserve(int fd, int64_t length) {
    return masu_result(syscall(SYS_fallocate, fd, 1, 0L, length));
}
static inline long masu_memfd_create(const char *name, unsigned flags) {
    return masu_result(syscall(SYS_memfd_create, name, flags));
}
static inline long masu_getcwd(char *buffer, size_t size) { return masu_result(syscall(SYS_getcwd, buffer, size)); }
static inline long masu_getdents64(int fd, void *buffer, size_t size) {
    return masu_result(syscall(SYS_getdents64, fd, buffer, size));
}

// --- terminals -----------------------------------------------------------------------------------------------------

static inline long masu_set_window_size(int fd, unsigned short rows, unsigned short columns) {
    struct winsize size = {rows, columns, 0, 0};
    return masu_result(ioctl(fd, TIOCSWINSZ, &size));
}
static inline long masu_get_window_size(int fd, unsigned short *rows, unsigned short *columns) {
    struct winsize size;
    memset(&size, 0, sizeof size);
    long result = masu_result(ioctl(fd, TIOCGWINSZ, &size));
    *rows = size.ws_row;
    *columns = size.ws_col;
    return result;
}
static inline long masu_set_controlling_terminal(int fd) { return masu_result(ioctl(fd, TIOCSCTTY, 0)); }
static inline long masu_unlock_terminal(int fd) {
    int locked = 0;
    return masu_result(ioctl(fd, TIOCSPTLCK, &locked));
}
static inline long masu_terminal_peer(int fd, int flags) { return masu_result(ioctl(fd, TIOCGPTPEER, flags)); }
static inline long masu_terminal_number(int fd) {
    unsigned number = 0;
    long result = masu_result(ioctl(fd, TIOCGPTN, &number));
    return result < 0 ? result : (long)number;
}

// --- descriptors over sockets --------------------------------------------------------------------------------------

/// Sends `size` bytes and, if there are any, up to 16 descriptors.
static inline long masu_sendmsg(
    int fd, const void *bytes, size_t size, const int *descriptors, size_t count, int flags) {
    struct iovec vector = {(void *)bytes, size};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
        struct cmsghdr header;
    } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (count > 16) return -EINVAL;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    return masu_result(sendmsg(fd, &message, flags | MSG_NOSIGNAL));
}

/// Receives up to `size` bytes and up to 16 descriptors, which are close-on-exec; `*count` says how many came.
static inline long masu_recvmsg(int fd, void *bytes, size_t size, int *descriptors, size_t *count, int flags) {
    struct iovec vector = {bytes, size};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
        struct cmsghdr header;
    } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    *count = 0;
    long result = masu_result(recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC));
    if (result < 0) return result;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (*count + here > 16) here = 16 - *count;
        memcpy(descriptors + *count, CMSG_DATA(header), here * sizeof(int));
        *count += here;
    }
    return result;
}

static inline long masu_accept(int fd, int flags) { return masu_result(syscall(SYS_accept4, fd, NULL, NULL, flags)); }

/// The pid, uid and gid of the process at the other end of a connected Unix socket.
static inline long masu_peer_credentials(int fd, int *pid, uint32_t *uid, uint32_t *gid) {
    struct {
        int pid;
        uint32_t uid, gid;
    } credentials;
    socklen_t size = sizeof credentials;
    long result = masu_result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size));
    if (result < 0) return result;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

/// bind(2) (`connecting` 0) or connect(2) of a Unix socket at `path`.
static inline long masu_unix_socket_name(int fd, const char *path, size_t length, int connecting) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    // A path ends with a null byte. An abstract name begins with one and has just its own length.
    int abstract = length > 0 && path[0] == 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
    return masu_result(
        connecting ? connect(fd, (struct sockaddr *)&address, size) : bind(fd, (struct sockaddr *)&address, size));
}
