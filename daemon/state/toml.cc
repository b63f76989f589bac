// toml++ is compiled once, here: its implementation costs 4 s of compiler time per file otherwise.
#define TOML_IMPLEMENTATION
// The parser of 3.3 holds it for certain, by assertion or as an assumption to the compiler, that a
// key follows "[", and aborts (gcc, debug) or is undefined (clang, release) on "[:". It words the
// proper error where nothing is taken for certain. Found by tests/fuzz/config.cc.
#include <toml++/impl/preprocessor.h>
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expr) static_assert(true)

#include "daemon/state/toml_text.h"
