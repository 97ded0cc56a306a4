// libFuzzer's driver, as a program with a main function of its own calls it.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Runs `target` on inputs for as long as the arguments say.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t size));
