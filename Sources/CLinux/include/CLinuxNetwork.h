// The few ioctls on network interfaces that a new network namespace needs before netlink is worth its cost, and the
// constants of rtnetlink.
#pragma once

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/// Sets the interface's flags to `IFF_UP | IFF_RUNNING`; `fd` is any socket in the namespace.
static inline long masu_interface_up(int fd, const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -(long)errno : 0;
}
