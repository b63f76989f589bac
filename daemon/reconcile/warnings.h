#pragma once

#include <string>

#include "nat/nat_table.h"

namespace fipd {

// What to say, and to do, about somebody else's chain; empty where nothing is to be said. Of chains
// that only see what is for the host itself there is something to say only where it answers
// instances (`metadata`). Pure.
[[nodiscard]] std::string warning_of(const nat::Neighbour& neighbour, bool metadata);

}  // namespace fipd
