// toml++ is compiled once, here: its implementation costs 4 s of compiler time per file otherwise.
#define TOML_IMPLEMENTATION
#include "daemon/state/toml_text.h"
