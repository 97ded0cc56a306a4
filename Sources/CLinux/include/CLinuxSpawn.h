#pragma once
// posix_spawn(3) extensions that glibc declares only under _GNU_SOURCE, which Swift's importer does not define.

#include <spawn.h>

int posix_spawn_file_actions_addtcsetpgrp_np(posix_spawn_file_actions_t *actions, int terminal);
