// Keeps a program that forks into containers from being overwritten by one of them (CVE-2019-5736).
//
// A process on its way into a container is, until it executes the container's program, a copy of ours, and its
// /proc/<pid>/exe leads to our file on the host. A container that has us execute "/proc/self/exe" gets hold of that
// file and, being root, could write to it. Against that the program executes itself once more from a private copy of
// the mount its file is on, which is read-only and attached nowhere: whoever opens /proc/<pid>/exe is on that mount,
// where nobody can write, whatever the host's own mount allows.
//
// This has to happen before anything else, so that the first of the two lives costs as little as possible: therefore
// a constructor, which runs before Swift's runtime sets itself up.

#define _GNU_SOURCE

#include "CLinux.h"
#include <stdio.h>
#include <stdlib.h>

// Defined by programs that want this; says for a command line whether it leads to a container.
extern int masu_runs_sealed(int argc, char **argv) __attribute__((weak));

static const char marker[] = "MASU_SEALED=1";
enum { read_only_mount = 1 /* ST_RDONLY */ };

static int is_sealed(void) {
    struct statfs status;
    return statfs("/proc/self/exe", &status) == 0 && (status.f_flags & read_only_mount);
}

static void fail(const char *what) {
    fprintf(stderr, "cannot protect this program's file from containers: %s: %s\n", what, strerror(errno));
    _exit(1);
}

__attribute__((constructor(101))) static void seal(int argc, char **argv, char **envp) {
    if (!masu_runs_sealed || argc < 1 || !masu_runs_sealed(argc, argv)) return;
    size_t count = 0;
    int is_second_life = 0;
    while (envp[count]) is_second_life |= strcmp(envp[count++], marker) == 0;
    // Without the marker it is the host's own mount that is read-only, which may change.
    if (is_second_life) {
        if (!is_sealed()) {
            errno = EROFS;
            fail("the read-only copy is not read-only");
        }
        // The kernel before 6.14 names a program executed by descriptor after the descriptor's number.
        const char *name = strrchr(argv[0], '/');
        prctl(PR_SET_NAME, name ? name + 1 : argv[0], 0, 0, 0);
        unsetenv("MASU_SEALED");
        return;
    }
    int file = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
    if (file < 0) {
        // Who may not do this can make no container either; what they asked for may still be possible.
        if (errno == EPERM || errno == ENOSYS) return;
        fail("open_tree");
    }
    struct masu_mount_attr attributes = {1 /* MOUNT_ATTR_RDONLY */, 0, 0, 0};
    if (syscall(SYS_mount_setattr, file, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) fail("mount_setattr");
    const char **environment = malloc((count + 2) * sizeof *environment);
    if (!environment) fail("malloc");
    memcpy(environment, envp, count * sizeof *environment);
    environment[count] = marker;
    environment[count + 1] = NULL;
    syscall(SYS_execveat, file, "", argv, environment, AT_EMPTY_PATH);
    fail("execveat");
}
