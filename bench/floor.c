// The floor: the least that has to happen for `true` to run in a container, and nothing else.
//
//     floor [-g CGROUP-DIRECTORY]... [-w FILE=TEXT]... [-c CAPABILITIES -f FILTER] ROOTFS PROGRAM [ARGUMENT...]
//
// One clone3 with six new namespaces, the mounts, devices, masked and read-only paths of a default container,
// pivot_root, exec, wait. No configuration is read, no capability dropped, no filter loaded, no state written, no error
// explained. What a runtime takes longer than this is the price of being one. With options the part of that price which
// is the kernel's is paid as well:
//
//     -g   each of these directories is made before, joined by the child, and removed after
//     -w   these limits are written when the directories have been made
//     -c   the rest of what a default container's configuration asks for: the control groups' mounts, a session and a
//          keyring of its own, the loopback interface, of the capabilities those of this mask (in hexadecimal digits)
//     -f   a system call filter: a file of struct sock_filter
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)             \
    do {                       \
        if ((call) < 0) {      \
            perror(#call);     \
            _exit(125);        \
        }                      \
    } while (0)

static const struct {
    const char *source, *target, *type;
    unsigned long flags;
    const char *data;
} mounts[] = {
    {"proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
    {"tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
    {"devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
    {"sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL},
    {"mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
    {"shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k"},
};

static const struct {
    const char *path;
    unsigned major, minor;
} devices[] = {
    {"dev/null", 1, 3}, {"dev/zero", 1, 5},   {"dev/full", 1, 7},
    {"dev/tty", 5, 0},  {"dev/random", 1, 8}, {"dev/urandom", 1, 9},
};

static const char *const links[][2] = {
    {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
    {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
};

static const char *const masked_files[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list"};
static const char *const masked_directories[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware"};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *groups[32], *limits[64];
static size_t group_count, limit_count;
static const char *capabilities, *filter;
static struct sock_filter instructions[BPF_MAXINSNS];
static size_t instruction_count;

static void join_groups(void) {
    for (size_t i = 0; i < group_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/tasks", groups[i]);
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0) {
            snprintf(path, sizeof path, "%s/cgroup.procs", groups[i]);
            MUST(file = open(path, O_WRONLY | O_CLOEXEC));
        }
        MUST(write(file, "0", 1));
        close(file);
    }
}

// FILE=TEXT
static void write_limit(const char *limit) {
    const char *text = strchr(limit, '=');
    char path[4096];
    snprintf(path, sizeof path, "%.*s", (int)(text - limit), limit);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text + 1, strlen(text + 1)) < 0) {
        perror(limit);
        for (size_t i = 0; i < group_count; i++) rmdir(groups[i]);
        exit(125);
    }
    close(file);
}

static void read_filter(void) {
    int file;
    ssize_t length;
    MUST(file = open(filter, O_RDONLY | O_CLOEXEC));
    MUST(length = read(file, instructions, sizeof instructions));
    close(file);
    instruction_count = (size_t)length / sizeof *instructions;
}

// A file system in memory, and below it the group of each hierarchy.
static void mount_groups(void) {
    const unsigned long safe = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    MUST(mount("tmpfs", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755"));
    for (size_t i = 0; i < group_count; i++) {
        char target[4096];
        const char *hierarchy = groups[i] + strlen("/sys/fs/cgroup/");
        snprintf(target, sizeof target, "sys/fs/cgroup/%.*s", (int)strcspn(hierarchy, "/"), hierarchy);
        MUST(mkdir(target, 0755));
        MUST(mount(groups[i], target, NULL, MS_BIND, NULL));
        MUST(mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | safe, NULL));
    }
    MUST(mount(NULL, "sys/fs/cgroup", NULL, MS_BIND | MS_REMOUNT | safe, NULL));
}

static void confine(void) {
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int network;
    MUST(network = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    MUST(ioctl(network, SIOCSIFFLAGS, &loopback));
    MUST(setsid());
    MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses.floor"));
    unsigned long long kept = strtoull(capabilities, NULL, 16);
    for (unsigned long number = 0; number <= CAP_LAST_CAP; number++) {
        // An older kernel has fewer.
        if (!(kept >> number & 1)) prctl(PR_CAPBSET_DROP, number);
    }
    if (filter) {
        struct sock_fprog program = {(unsigned short)instruction_count, instructions};
        MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
    }
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(unsigned)kept, (unsigned)kept, 0}, {(unsigned)(kept >> 32), (unsigned)(kept >> 32), 0}};
    MUST(syscall(SYS_capset, &header, data));
}

static void child(const char *rootfs, char **arguments) {
    join_groups();
    MUST(sethostname("floor", 5));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    MUST(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
    MUST(chdir(rootfs));
    umask(0);
    for (size_t i = 0; i < COUNT(mounts); i++) {
        mkdir(mounts[i].target, 0755);
        MUST(mount(mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].data));
    }
    if (capabilities) mount_groups();
    for (size_t i = 0; i < COUNT(devices); i++)
        MUST(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)));
    for (size_t i = 0; i < COUNT(links); i++) MUST(symlink(links[i][0], links[i][1]));
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    // Not every kernel has each of these files.
    for (size_t i = 0; i < COUNT(masked_files); i++) mount("/dev/null", masked_files[i], NULL, MS_BIND, NULL);
    for (size_t i = 0; i < COUNT(masked_directories); i++)
        mount("tmpfs", masked_directories[i], "tmpfs", MS_RDONLY, "size=0k");
    for (size_t i = 0; i < COUNT(read_only); i++) {
        if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            mount(NULL, read_only[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
    if (capabilities) confine();
    char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    execvpe(arguments[0], arguments, environment);
    perror(arguments[0]);
    _exit(127);
}

int main(int count, char **arguments) {
    int option;
    while ((option = getopt(count, arguments, "+g:w:c:f:")) != -1) {
        if (option == 'g' && group_count < COUNT(groups)) {
            groups[group_count++] = optarg;
        } else if (option == 'w' && limit_count < COUNT(limits) && strchr(optarg, '=')) {
            limits[limit_count++] = optarg;
        } else if (option == 'c') {
            capabilities = optarg;
        } else if (option == 'f') {
            filter = optarg;
        } else {
            optind = count;
            break;
        }
    }
    if (count - optind < 2) {
        fprintf(stderr, "usage: floor [-g CGROUP-DIRECTORY]... [-w FILE=TEXT]... [-c CAPABILITIES -f FILTER] "
                "ROOTFS PROGRAM "
                        "[ARGUMENT...]\n");
        return 2;
    }
    arguments += optind;
    for (size_t i = 0; i < group_count; i++) MUST(mkdir(groups[i], 0755));
    for (size_t i = 0; i < limit_count; i++) write_limit(limits[i]);
    if (filter) read_filter();
    struct clone_args clone = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &clone, sizeof clone);
    if (pid == 0) child(arguments[0], arguments + 1);
    MUST(pid);
    int status;
    MUST(waitpid((pid_t)pid, &status, 0));
    for (size_t i = 0; i < group_count; i++) MUST(rmdir(groups[i]));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
