// Whatever a client sends as bindings; what is taken comes back the same when it is written again.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/state/document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = fipd::bindings_from_json({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  boost::json::array array;
  for (const fipd::Binding& binding : *parsed) array.push_back(fipd::to_json(binding));
  boost::json::object document;
  document["floating_ips"] = std::move(array);
  const auto again = fipd::bindings_from_json(boost::json::serialize(document));
  if (!again || *again != *parsed) __builtin_trap();
  return 0;
}
