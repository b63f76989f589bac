// The body of a change, which any member of group fipd controls.
#include "daemon/control/request_body.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const fipd::IpAddress kFloating = *fipd::parse_address("172.16.1.3");
  const auto put = fipd::control::put_from_json(text, kFloating);
  if (put && put->put.at(0).floating != kFloating) std::abort();
  const auto forwards = fipd::control::forwards_from_json(text, kFloating);
  if (forwards && forwards->forwards->add.empty() && forwards->forwards->remove.empty())
    std::abort();
  const auto batch = fipd::control::batch_from_json(text);
  if (!batch && batch.error().message().empty()) std::abort();
  return 0;
}
