// What the shim needs of libc and Swift's view of it does not show.
#pragma once

// Never with _GNU_SOURCE (see CLinux.h).
#include <errno.h>
#include <linux/falloc.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Gives the free memory of the heap back to the kernel.
static inline void masu_malloc_trim(void) { malloc_trim(0); }

/// Gives the disk blocks of a part of a file back; the file stays as long as it is.
static inline long masu_punch_hole(int fd, int64_t offset, int64_t length) {
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return syscall(SYS_fallocate, fd, mode, offset, length) < 0 ? -(long)errno : 0;
}

/// Waits until the kernel has freed what it was about to free when this was called (membarrier(2),
/// MEMBARRIER_CMD_GLOBAL: a grace period of RCU). Where there is no such call it does not wait.
static inline void masu_wait_for_grace_period(void) { (void)syscall(SYS_membarrier, 1, 0, 0); }
