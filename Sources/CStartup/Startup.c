// Parts of Swift's runtime that a program which lives for milliseconds does without.
//
// The runtime's own versions come out of an archive, and the linker takes none of what is defined here already. With
// them go two constructors, which cost such a program a quarter of its start, and which it has no use for:
//
// - One reads and takes apart /proc/self/maps to find the arguments on the stack. The C library hands them to every
//   constructor.
// - The other looks in eight places for a program that is to be executed after a crash. Wherever these programs are
//   installed there is none, and one that somebody has put there should not be executed by root.

#include <stdbool.h>
#include <stdlib.h>

static int count;
static char **arguments;

__attribute__((constructor(102))) static void keep(int argc, char **argv, char **environment) {
    (void)environment;
    count = argc;
    arguments = argv;
}

// What `CommandLine` is made of. The caller takes the list for one of its own and never frees it.
char **_swift_stdlib_getUnsafeArgvArgc(int *result) {
    *result = count;
    return arguments;
}

// All zero: crashes are not examined.
struct {
    char settings[256];
} _swift_backtraceSettings;

bool _swift_backtrace_isThunkFunction(const char *name) {
    (void)name;
    return false;
}
