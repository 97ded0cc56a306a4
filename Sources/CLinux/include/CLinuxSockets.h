// Calls on sockets of TCP and UDP that Swift cannot make: with messages beside the data, and through pipes.
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Lets nothing that the network sends reach the socket: a program for the kernel's packet filter that keeps 0 bytes.
static inline long masu_socket_drop_all(int fd) {
    struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    struct sock_fprog program = {1, code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -(long)errno : 0;
}

/// splice(2) without waiting.
static inline long masu_splice(int from, int to, size_t count, unsigned flags) {
    long result = syscall(SYS_splice, from, NULL, to, NULL, count, flags);
    return result < 0 ? -(long)errno : result;
}

/// The address that a datagram was sent to, or is to be sent from: the structure that comes beside it has these bytes.
struct masu_local_address {
    /// 4, 6, or 0 where it is not known.
    int family;
    /// In the order of the network; of IPv4 the first four.
    unsigned char address[16];
    /// The interface's number.
    unsigned interface;
};

// struct in6_pktinfo, which the C library declares with _GNU_SOURCE only.
struct masu_in6_pktinfo {
    struct in6_addr address;
    unsigned interface;
};

/// recvmsg(2) of one datagram, without waiting, on a socket that asks for IP_PKTINFO or IPV6_RECVPKTINFO.
static inline long masu_receive_datagram(int fd, void *buffer, size_t count, struct sockaddr_storage *peer,
                                         struct masu_local_address *local) {
    struct iovec vector = {buffer, count};
    union {
        char bytes[CMSG_SPACE(sizeof(struct masu_in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {0};
    message.msg_name = peer;
    message.msg_namelen = sizeof *peer;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    long result = recvmsg(fd, &message, MSG_DONTWAIT);
    if (result < 0) return -(long)errno;
    memset(local, 0, sizeof *local);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(part), sizeof info);
            local->family = 4;
            memcpy(local->address, &info.ipi_addr, 4);
            local->interface = (unsigned)info.ipi_ifindex;
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == 50 /* IPV6_PKTINFO */) {
            struct masu_in6_pktinfo info;
            memcpy(&info, CMSG_DATA(part), sizeof info);
            local->family = 6;
            memcpy(local->address, &info.address, 16);
            local->interface = info.interface;
        }
    }
    return result;
}

/// sendmsg(2) of one datagram, without waiting, from the address that an earlier one was sent to.
static inline long masu_send_datagram(int fd, const void *buffer, size_t count, const struct sockaddr *peer,
                                      socklen_t length, const struct masu_local_address *local) {
    struct iovec vector = {(void *)buffer, count};
    union {
        char bytes[CMSG_SPACE(sizeof(struct masu_in6_pktinfo))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {0};
    message.msg_name = (void *)peer;
    message.msg_namelen = length;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (local->family == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, local->address, 4);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof info);
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = IPPROTO_IP;
        part->cmsg_type = IP_PKTINFO;
        part->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(part), &info, sizeof info);
    } else if (local->family == 6) {
        struct masu_in6_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.address, local->address, 16);
        info.interface = local->interface;
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof info);
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = IPPROTO_IPV6;
        part->cmsg_type = 50 /* IPV6_PKTINFO */;
        part->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(part), &info, sizeof info);
    }
    long result = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return result < 0 ? -(long)errno : result;
}
