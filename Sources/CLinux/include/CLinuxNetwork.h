// The few ioctls on network interfaces that a new network namespace needs before netlink is worth its cost, and the
// constants of netlink's families.
#pragma once

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/// Sets the interface's flags to `IFF_UP | IFF_RUNNING`; `fd` is any socket in the namespace.
static inline long masu_interface_up(int fd, const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -(long)errno : 0;
}

/// Gives a netlink socket the number by which the kernel knows it. Without one it hears of few changes.
static inline long masu_netlink_bind(int fd) {
    struct sockaddr_nl address;
    memset(&address, 0, sizeof address);
    address.nl_family = AF_NETLINK;
    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -(long)errno : 0;
}

/// Receives one datagram of a netlink socket. Returns its whole length, which may be more than `size`, and in `*sender`
/// who sent it: 0 is the kernel. What goes to a group bears the number of the socket that caused it, and needs the same
/// rights to be sent as the change that it tells of: that counts as the kernel's.
static inline long masu_netlink_receive(int fd, void *bytes, size_t size, uint32_t *sender) {
    struct sockaddr_nl address;
    memset(&address, 0, sizeof address);
    socklen_t length = sizeof address;
    long result = recvfrom(fd, bytes, size, MSG_TRUNC, (struct sockaddr *)&address, &length);
    *sender = address.nl_groups ? 0 : address.nl_pid;
    return result < 0 ? -(long)errno : result;
}
