// Loading of BPF programs: seccomp filters and cgroup v2 device filters.
#pragma once

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/// seccomp(2), SECCOMP_SET_MODE_FILTER: `count` instructions of 8 bytes each. Returns 0 or the notification descriptor.
static inline long masu_seccomp_load(const void *instructions, unsigned short count, unsigned flags) {
    struct sock_fprog program = {count, (struct sock_filter *)instructions};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return result < 0 ? -(long)errno : result;
}

/// bpf(2), BPF_PROG_LOAD of a program of type cgroup device; `count` instructions of 8 bytes each.
static inline long masu_bpf_load_device_program(const void *instructions, unsigned count) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)instructions;
    attr.insn_cnt = count;
    attr.license = (uint64_t)(uintptr_t)"Apache-2.0";
    long result = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    return result < 0 ? -(long)errno : result;
}

/// bpf(2), BPF_PROG_ATTACH or, with `replaced` >= 0, replacement of that program.
static inline long masu_bpf_attach_device_program(int cgroup, int program, int replaced) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced >= 0) {
        attr.attach_flags |= BPF_F_REPLACE;
        attr.replace_bpf_fd = (uint32_t)replaced;
    }
    long result = syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof attr);
    return result < 0 ? -(long)errno : result;
}

/// bpf(2), BPF_PROG_QUERY: the ids of the device programs attached to a cgroup; returns how many there are.
static inline long masu_bpf_device_programs(int cgroup, uint32_t *ids, uint32_t capacity) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = (uint32_t)cgroup;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attr.query.prog_cnt = capacity;
    long result = syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof attr);
    return result < 0 ? -(long)errno : (long)attr.query.prog_cnt;
}

/// The name that the linker gave this build of the program (the note NT_GNU_BUILD_ID), which no other build has.
///
/// Returns its length, at most `capacity`; 0 if it has none.
size_t masu_build_id(void *buffer, size_t capacity);

/// bpf(2), BPF_PROG_GET_FD_BY_ID.
static inline long masu_bpf_program_descriptor(uint32_t id) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    long result = syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof attr);
    return result < 0 ? -(long)errno : result;
}
