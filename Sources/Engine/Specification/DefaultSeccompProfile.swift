import OCISpec

/// Which system calls a container may make unless it is told otherwise: Docker's allow-list as data.
///
/// All that is not listed fails with EPERM, `clone3` with ENOSYS, so that the C library falls back to `clone`, whose
/// name space flags can be looked at.
package enum DefaultSeccompProfile {
    /// Allowed whatever the container's capabilities are.
    private static let always = words(
        """
        accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
        clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
        clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
        epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
        exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
        fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
        fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
        futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
        getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
        getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
        getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
        ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32
        lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat
        lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
        mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
        mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
        name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
        pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease
        process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead
        readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat
        rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
        sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
        select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto
        set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
        setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
        setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
        sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
        statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete
        timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
        timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink
        unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
        """)

    /// Allowed with a capability.
    private static let byCapability: [(String, [String])] = [
        ("CAP_BPF", words("bpf")),
        ("CAP_DAC_READ_SEARCH", words("open_by_handle_at")),
        ("CAP_PERFMON", words("perf_event_open")),
        (
            "CAP_SYS_ADMIN",
            words(
                """
                bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
                lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
                sethostname setns syslog umount umount2 unshare
                """)
        ),
        ("CAP_SYS_BOOT", words("reboot")),
        ("CAP_SYS_CHROOT", words("chroot")),
        ("CAP_SYSLOG", words("syslog")),
        ("CAP_SYS_MODULE", words("delete_module finit_module init_module")),
        ("CAP_SYS_NICE", words("get_mempolicy mbind set_mempolicy set_mempolicy_home_node")),
        ("CAP_SYS_PACCT", words("acct")),
        ("CAP_SYS_PTRACE", words("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace")),
        ("CAP_SYS_RAWIO", words("ioperm iopl")),
        ("CAP_SYS_TIME", words("clock_settime clock_settime64 settimeofday stime")),
        ("CAP_SYS_TTY_CONFIG", words("vhangup")),
    ]

    /// Allowed on one machine type.
    #if arch(arm64)
    private static let ofMachine = words(
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2")
    private static let architectures = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    /// The architecture as Docker's profile names it.
    package static let machine = "arm64"
    #else
    private static let ofMachine = words("arch_prctl modify_ldt")
    private static let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    /// The architecture as Docker's profile names it.
    package static let machine = "amd64"
    #endif

    /// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: none of them may be set without CAP_SYS_ADMIN.
    private static let cloneNamespaceFlags: UInt64 = 0x7E02_0000

    /// The profile for a container with `capabilities`.
    package static func profile(capabilities: [String]) -> LinuxSeccomp {
        let held = Set(capabilities)
        var names = always + ofMachine
        for (capability, calls) in byCapability where held.contains(capability) { names += calls }
        var rules = [LinuxSyscall(names: names, action: allow)]
        // Not the kernel's crypto sockets (AF_ALG, 38) and not those to a hypervisor (AF_VSOCK, 40).
        rules.append(rule("socket", argument: 0, 38, "SCMP_CMP_LT"))
        rules.append(rule("socket", argument: 0, 39, "SCMP_CMP_EQ"))
        rules.append(rule("socket", argument: 0, 40, "SCMP_CMP_GT"))
        // PER_LINUX, PER_LINUX32, both with UNAME26, and asking for the present one.
        for personality: UInt64 in [0, 0x8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF] {
            rules.append(rule("personality", argument: 0, personality, "SCMP_CMP_EQ"))
        }
        if !held.contains("CAP_SYS_ADMIN") {
            let mask = LinuxSeccompArg(index: 0, value: cloneNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")
            rules.append(LinuxSyscall(names: ["clone"], action: allow, args: [mask]))
            rules.append(LinuxSyscall(names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38))
        }
        var seccomp = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        seccomp.defaultErrnoRet = 1
        seccomp.architectures = architectures
        seccomp.syscalls = rules
        return seccomp
    }

    private static let allow = "SCMP_ACT_ALLOW"

    private static func rule(_ name: String, argument: UInt32, _ value: UInt64, _ comparison: String) -> LinuxSyscall {
        LinuxSyscall(
            names: [name], action: allow, args: [LinuxSeccompArg(index: argument, value: value, op: comparison)])
    }

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
