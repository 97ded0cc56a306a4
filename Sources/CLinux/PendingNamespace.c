// A network namespace that is made while its maker does something else.
//
// The kernel takes the better part of a millisecond for one. It is made by a thread that shares everything with the process and that
// the C library knows nothing of: so little does it do that a stack of two pages is enough, and that neither pthread_create
// nor what follows from it (a C library that takes locks from then on) is worth it.

#define _GNU_SOURCE

#include "CLinux.h"
#include "RawCall.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { stack_size = 16384 };

struct masu_pending_namespace {
    // The thread's number until it has ended and the kernel writes 0.
    pid_t thread;
    // A descriptor of the namespace, or a negative errno.
    int result;
};

#ifdef MASU_RAW_CALLS
static const char own_namespace[] = "/proc/thread-self/ns/net";

__attribute__((no_stack_protector)) static int make(void *argument) {
    struct masu_pending_namespace *pending = argument;
    long result = raw_call(SYS_unshare, CLONE_NEWNET, 0, 0, 0, 0);
    if (result == 0) result = raw_call(SYS_openat, AT_FDCWD, (long)own_namespace, O_RDONLY | O_CLOEXEC, 0, 0);
    pending->result = (int)result;
    raw_call(SYS_exit, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}
#endif

struct masu_pending_namespace *masu_pending_network(void) {
#ifdef MASU_RAW_CALLS
    // The structure lies at the lower end of the stack, which grows down from the other.
    char *memory = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct masu_pending_namespace *pending = (void *)memory;
    pending->thread = 1;
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    if (clone(make, memory + stack_size, flags, pending, NULL, NULL, &pending->thread) >= 0) return pending;
    munmap(memory, stack_size);
#endif
    return NULL;
}

int masu_pending_result(struct masu_pending_namespace *pending) {
    pid_t thread;
    // Ends only with the thread, which must not be running on a stack that is not there any more.
    while ((thread = __atomic_load_n(&pending->thread, __ATOMIC_ACQUIRE)) != 0)
        syscall(SYS_futex, &pending->thread, FUTEX_WAIT, thread, NULL, NULL, 0);
    int result = pending->result;
    munmap(pending, stack_size);
    return result;
}
