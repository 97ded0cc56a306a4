// Hashes of OpenSSL's libcrypto (package libssl-dev).
#pragma once

// OpenSSL 3 would rather have the functions below called by way of its providers. They need no provider, no
// configuration file and no memory, cannot fail, and use the same instructions of the processor.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
