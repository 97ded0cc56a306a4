// Runs commands and says what each took: a program of its own, because a command started by something big is charged
// with the memory of what started it (ru_maxrss survives execve), and because timing in C adds the least of its own.
//
//     measure < ORDERS
//
// An order is a line. Its words are separated by tabs; a word "REAP" ends one command and waits for every process that
// the commands before it left behind, outside of what is timed; "THEN" only ends a command. With a number N > 1 as its
// first word the (single) command is started N times at once, with "%" in its words replaced by 0…N-1.
//
// The answer is a line: exit status of the first command that failed or 0, nanoseconds of all commands together, the
// largest ru_maxrss in KiB, microseconds in user and in system mode (these three of the commands and of what they
// waited for).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { most_words = 128, most_at_once = 1000 };

static struct {
    long status, nanoseconds, kibibytes, user, system;
} total;

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static posix_spawn_file_actions_t streams;

static pid_t start(char **words) {
    pid_t pid;
    int error = posix_spawnp(&pid, words[0], &streams, NULL, words, environ);
    if (error) {
        fprintf(stderr, "measure: %s: %s\n", words[0], strerror(error));
        exit(1);
    }
    return pid;
}

static void take(int status, const struct rusage *usage) {
    if (status && !total.status) total.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (usage->ru_maxrss > total.kibibytes) total.kibibytes = usage->ru_maxrss;
    total.user += usage->ru_utime.tv_sec * 1000000L + usage->ru_utime.tv_usec;
    total.system += usage->ru_stime.tv_sec * 1000000L + usage->ru_stime.tv_usec;
}

static void one(char **words) {
    int status;
    struct rusage usage;
    long begin = now();
    pid_t pid = start(words);
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) continue;
    total.nanoseconds += now() - begin;
    take(status, &usage);
}

// A copy of `words` with every "%" replaced by `number`.
static char **numbered(char **words, int number) {
    char **copy = calloc(most_words + 1, sizeof *copy);
    for (int i = 0; words[i]; i++) {
        char *mark = strchr(words[i], '%');
        if (!mark) {
            copy[i] = words[i];
        } else if (asprintf(&copy[i], "%.*s%d%s", (int)(mark - words[i]), words[i], number, mark + 1) < 0) {
            exit(1);
        }
    }
    return copy;
}

static void at_once(int count, char **words) {
    static char **commands[most_at_once];
    for (int i = 0; i < count; i++) commands[i] = numbered(words, i);
    long begin = now();
    for (int i = 0; i < count; i++) start(commands[i]);
    for (int i = 0; i < count; i++) {
        int status;
        struct rusage usage;
        if (wait4(-1, &status, 0, &usage) > 0) take(status, &usage);
    }
    total.nanoseconds = now() - begin;
}

static void in_order(char **words) {
    for (int begin = 0, i = 0;; i++) {
        int reaps = words[i] && strcmp(words[i], "REAP") == 0;
        int ends = !words[i] || reaps || strcmp(words[i], "THEN") == 0;
        if (!ends) continue;
        int is_last = !words[i];
        words[i] = NULL;
        if (words[begin]) one(words + begin);
        while (reaps && (wait(NULL) > 0 || errno == EINTR)) continue;
        if (is_last) return;
        begin = i + 1;
    }
}

int main(void) {
    static char line[65536];
    // What a runtime leaves behind (a container that has been created) becomes our child and can be waited for.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    posix_spawn_file_actions_init(&streams);
    posix_spawn_file_actions_addopen(&streams, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&streams, 1, "/dev/null", O_WRONLY, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        char *words[most_words + 1] = {NULL};
        int count = 0;
        for (char *word = strtok(line, "\t\n"); word && count < most_words; word = strtok(NULL, "\t\n"))
            words[count++] = word;
        memset(&total, 0, sizeof total);
        int parallel = count ? atoi(words[0]) : 0;
        if (parallel > 1 && parallel <= most_at_once) {
            at_once(parallel, words + 1);
        } else {
            in_order(words);
        }
        printf("%ld %ld %ld %ld %ld\n", total.status, total.nanoseconds, total.kibibytes, total.user, total.system);
        fflush(stdout);
    }
    return 0;
}
