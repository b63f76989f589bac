#include "bgp/bird_reply.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/bird_layout.h"
#include "bgp/bird_protocols.h"
#include "bgp/bird_routes.h"

namespace {

using fipd::bgp::BirdReply;
using fipd::bgp::BirdReplyReader;

// Every parser on every reply: none may crash, and none may hand out what it promises not to.
void parse_all(const BirdReply& reply) {
  (void)fipd::bgp::parse_greeting(reply);
  (void)fipd::bgp::parse_status(reply);
  if (const auto protocols = fipd::bgp::parse_protocols(reply)) {
    for (const auto& protocol : *protocols) {
      if (protocol.name.find('\n') != std::string::npos || protocol.since.empty()) std::abort();
      if (protocol.last_error.size() > 83 || protocol.channels.size() > 16) std::abort();
    }
    const fipd::bgp::BirdLayout layout(*protocols, {});
    for (const std::string& problem : layout.problems()) {
      if (problem.empty()) std::abort();
    }
  }
  (void)fipd::bgp::parse_exported(reply);
  if (const auto routes = fipd::bgp::parse_routes(reply)) {
    for (const auto& route : *routes) {
      if (!route.prefix || route.source.empty() || route.via.size() > 83) std::abort();
    }
  }
}

std::vector<unsigned> codes_of(std::string_view bytes, std::size_t piece, bool parse) {
  BirdReplyReader reader;
  std::vector<unsigned> codes;
  while (!bytes.empty()) {
    if (!reader.feed(bytes.substr(0, piece))) break;
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (const auto reply = reader.take()) {
      codes.push_back(reply->code());
      if (parse) parse_all(*reply);
    }
  }
  return codes;
}

}  // namespace

// The first byte says in what pieces the rest comes. Pieces of one byte hand over as many replies
// as any others, or more where an error follows within a piece.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<unsigned> pieces = codes_of(bytes, data[0] + std::size_t{1}, true);
  const std::vector<unsigned> single = codes_of(bytes, 1, false);
  if (pieces.size() > single.size()) std::abort();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i] != single[i]) std::abort();
  }
  return 0;
}
