#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "daemon/control/fipctl/commands.h"
#include "daemon/state/binding.h"

namespace fipd::fipctl {

// The binding that the words of `fipctl add` make; kBadInput with the remedy.
[[nodiscard]] Result<Binding> binding_of(const AddOptions& options);

// Of a row: what the floating IP leads to, in at most `most` forwards: "10.65.0.13",
// "tcp/443=10.65.0.13:8443 and 2 more".
[[nodiscard]] std::string target_of(const boost::json::value& row, std::size_t most);
// "in 100 Mbit/s, 1000 connections"; empty where it has none of its own.
[[nodiscard]] std::string limits_of(const boost::json::value& row);
// "172.16.1.3 -> 10.65.0.13 via tap1: announced"
[[nodiscard]] std::string sentence_of(const boost::json::value& row);

}  // namespace fipd::fipctl
