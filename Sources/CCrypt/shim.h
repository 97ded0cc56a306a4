// Password hashes by crypt(3), of all kinds that the system's library knows (package libcrypt-dev).
#pragma once
#include <crypt.h>
