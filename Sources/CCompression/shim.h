#include <isa-l/igzip_lib.h>
#include <zstd.h>
#include <lzma.h>
#include <bzlib.h>
