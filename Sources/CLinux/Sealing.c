// Keeps a program that forks into containers from being overwritten by one of them (CVE-2019-5736).
//
// A process on its way into a container is, until it executes the container's program, a copy of ours, and its
// /proc/<pid>/exe leads to our file on the host. A container that has us execute "/proc/self/exe" gets hold of that
// file and, being root, could write to it. Against that the program executes itself once more from a private copy of
// the mount its file is on, which is read-only and attached nowhere: whoever opens /proc/<pid>/exe is on that mount,
// where nobody can write, whatever the host's own mount allows.
//
// The copy is of the directory that the file is in, not of the file alone: by the root of a mount that is attached
// nowhere anybody who may mount, be it in a user namespace of their own, can take "read-only" away again, and
// /proc/<pid>/exe would be that root.
//
// Who may not mount does so in a user namespace; where the file cannot be found in its directory (it is a mount itself,
// or has been deleted), a sealed copy in memory serves.
//
// This has to happen before anything else, so that the first of the two lives costs as little as possible: therefore
// at the very entry of the program, before the C library sets itself up (which on a virtual machine takes a quarter of
// a millisecond, as each question it has for the processor goes to the hypervisor). Where that cannot be done, or
// fails, a constructor does it, with the means to say why not; it runs before Swift's runtime sets itself up.

#define _GNU_SOURCE

#include "CLinux.h"
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

// Defined by programs that want this; says for a command line whether it leads to a container.
extern int masu_runs_sealed(int argc, char **argv) __attribute__((weak));

static const char own_file[] = "/proc/self/exe";
static int has_been_sealed;
static const char marker[] = "MASU_SEALED=1";
enum {
    read_only_mount = 1,       // ST_RDONLY
    read_only_attribute = 1,   // MOUNT_ATTR_RDONLY
    clone_of_tree = 1,         // OPEN_TREE_CLONE
    all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

// MARK: Without the C library

#if defined(__x86_64__)
static inline long raw_call(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return number;
}
// Programs name it as their entry. On the stack are the count of arguments, they, and the environment; all of it and
// the registers that mean something there go on to the C library's own entry.
__asm__(".text\n"
        ".globl masu_entry\n"
        ".type masu_entry, @function\n"
        "masu_entry:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rbx\n"
        "    mov %rdx, %r12\n"
        "    mov %rsp, %rdi\n"
        "    call masu_seal_at_entry\n"
        "    mov %rbx, %rsp\n"
        "    mov %r12, %rdx\n"
        "    jmp _start\n"
        ".size masu_entry, . - masu_entry\n");
#elif defined(__aarch64__)
static inline long raw_call(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
__asm__(".text\n"
        ".globl masu_entry\n"
        ".type masu_entry, %function\n"
        "masu_entry:\n"
        "    mov x29, #0\n"
        "    mov x19, x0\n"
        "    mov x0, sp\n"
        "    bl masu_seal_at_entry\n"
        "    mov x0, x19\n"
        "    mov x30, #0\n"
        "    b _start\n"
        ".size masu_entry, . - masu_entry\n");
#else
__asm__(".text\n.globl masu_entry\n.set masu_entry, _start\n");
#endif

#if defined(__x86_64__) || defined(__aarch64__)
// Nothing of the C library can be called from here on, and the compiler must not think of calling it either.
#define BEFORE_LIBRARY __attribute__((no_stack_protector, no_builtin, used, noinline))

BEFORE_LIBRARY static int is_marker(const char *text) {
    for (size_t i = 0; i < sizeof marker; i++) {
        if (text[i] != marker[i]) return 0;
    }
    return 1;
}

BEFORE_LIBRARY void masu_seal_at_entry(long *stack) {
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
    if (!masu_runs_sealed || argc < 1 || !masu_runs_sealed(argc, argv)) return;
    size_t count = 0;
    while (envp[count]) {
        if (is_marker(envp[count++])) return;
    }
    // Others have more ways to try; see below.
    if (raw_call(SYS_geteuid, 0, 0, 0, 0, 0) != 0) return;
    char path[PATH_MAX];
    long length = raw_call(SYS_readlinkat, AT_FDCWD, (long)own_file, (long)path, sizeof path - 1, 0);
    if (length <= 0) return;
    path[length] = 0;
    long slash = length;
    while (slash > 0 && path[slash] != '/') slash--;
    const char *name = path + slash + 1, *directory = slash > 0 ? path : "/";
    if (path[slash] != '/') return;
    path[slash] = 0;
    long tree = raw_call(SYS_open_tree, AT_FDCWD, (long)directory, clone_of_tree | O_CLOEXEC, 0, 0);
    if (tree < 0) return;
    struct masu_mount_attr attributes = {read_only_attribute, 0, 0, 0};
    long file = -1;
    struct stat own, found;
    if (raw_call(SYS_mount_setattr, tree, (long)"", AT_EMPTY_PATH, (long)&attributes, sizeof attributes) == 0)
        file = raw_call(SYS_openat, tree, (long)name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, 0);
    if (file >= 0 && raw_call(SYS_newfstatat, AT_FDCWD, (long)own_file, (long)&own, 0, 0) == 0
        && raw_call(SYS_newfstatat, file, (long)"", (long)&found, AT_EMPTY_PATH, 0) == 0 && own.st_dev == found.st_dev
        && own.st_ino == found.st_ino) {
        const char *environment[count + 2];
        for (size_t i = 0; i <= count; i++) environment[i] = envp[i];
        environment[count] = marker;
        environment[count + 1] = NULL;
        raw_call(SYS_execveat, file, (long)"", (long)argv, (long)environment, AT_EMPTY_PATH);
    }
    if (file >= 0) raw_call(SYS_close, file, 0, 0, 0, 0);
    raw_call(SYS_close, tree, 0, 0, 0, 0);
}
#endif

// MARK: With it

static void fail(const char *what) {
    fprintf(stderr, "cannot protect this program's file from containers: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static int is_sealed(void) {
    struct statfs status;
    if (statfs(own_file, &status) == 0 && (status.f_flags & read_only_mount)) return 1;
    int file = open(own_file, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    int seals = fcntl(file, F_GET_SEALS);
    close(file);
    return seals >= 0 && (seals & all_seals) == all_seals;
}

// A read-only copy of the mount at `directory`, or -1.
static int copy_mount(const char *directory) {
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, directory, 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
    if (tree < 0) return -1;
    struct masu_mount_attr attributes = {1 /* MOUNT_ATTR_RDONLY */, 0, 0, 0};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) return tree;
    close(tree);
    return -1;
}

// The same by a child with which this process shares its descriptors, in a user namespace of the child's own.
static int copy_mount_in_user_namespace(const char *directory) {
    enum { failed = 255 };
    long child = syscall(SYS_clone, CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) {
        int tree = copy_mount(directory);
        _exit(tree < 0 || tree >= failed ? failed : tree);
    }
    int status;
    if (child < 0 || waitpid((pid_t)child, &status, 0) < 0) return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) != failed) return WEXITSTATUS(status);
    errno = EPERM;
    return -1;
}

// This program's file `own` on a read-only copy of the mount that its directory is on; -1 if it is not to be found
// there.
static int file_on_copy(const struct stat *own) {
    char path[PATH_MAX];
    ssize_t length = readlink(own_file, path, sizeof path - 1);
    if (length <= 0) return -1;
    path[length] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return -1;
    char name[NAME_MAX + 1];
    if (strlen(slash + 1) >= sizeof name) return -1;
    strcpy(name, slash + 1);
    slash[slash == path] = 0;
    int tree = copy_mount(path);
    if (tree < 0 && errno == EPERM) tree = copy_mount_in_user_namespace(path);
    if (tree < 0) return -1;
    int file = openat(tree, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat found;
    if (file >= 0 && (fstat(file, &found) < 0 || found.st_dev != own->st_dev || found.st_ino != own->st_ino)) {
        close(file);
        file = -1;
    }
    close(tree);
    return file;
}

static int file_in_memory(void) {
    int source = open(own_file, O_RDONLY | O_CLOEXEC);
    if (source < 0) fail("open");
    int file = memfd_create("masu", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10 /* MFD_EXEC */);
    if (file < 0 && errno == EINVAL) file = memfd_create("masu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) fail("memfd_create");
    ssize_t copied;
    while ((copied = sendfile(file, source, NULL, 1 << 30)) > 0) {}
    if (copied < 0) fail("sendfile");
    if (fcntl(file, F_ADD_SEALS, all_seals) < 0) fail("sealing a copy in memory");
    close(source);
    return file;
}

// Root's files are out of reach for containers of somebody else, whose user namespaces have not got root's id.
static int is_out_of_reach(const struct stat *own) {
    return geteuid() != 0 && own->st_uid == 0 && !(own->st_mode & (S_IWGRP | S_IWOTH));
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
        has_been_sealed = 1;
        return;
    }
    struct stat own;
    if (stat(own_file, &own) < 0) fail("stat");
    if (is_out_of_reach(&own)) return;
    int file = file_on_copy(&own);
    if (file < 0) file = file_in_memory();
    const char **environment = malloc((count + 2) * sizeof *environment);
    if (!environment) fail("malloc");
    memcpy(environment, envp, count * sizeof *environment);
    environment[count] = marker;
    environment[count + 1] = NULL;
    syscall(SYS_execveat, file, "", argv, environment, AT_EMPTY_PATH);
    fail("execveat");
}

int masu_is_sealed(void) { return has_been_sealed; }
