// Writes numbered lines of 72 bytes to standard output, as fast as somebody reads them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 72, LINES = 1024 };

int main(int count, char **arguments) {
    if (count != 2) return 2;
    long long last = atoll(arguments[1]);
    static char block[LINE * LINES + 1];
    for (long long number = 0; number < last;) {
        int used = 0;
        for (; used < LINES && number < last; used++, number++)
            sprintf(block + LINE * used,
                    "%012lld the quick brown fox jumps over the lazy dog, again and aga\n", number);
        for (size_t sent = 0, size = (size_t)used * LINE; sent < size;) {
            ssize_t step = write(STDOUT_FILENO, block + sent, size - sent);
            if (step <= 0) return 1;
            sent += (size_t)step;
        }
    }
    return 0;
}
