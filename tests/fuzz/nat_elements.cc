#include "nat/address_ranges.h"
#include "nat/element_reply.h"
#include "netlink_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fipd::nat::Map;
  for_each_message(data, size, [](const nlmsghdr& message) {
    std::vector<fipd::nat::Element> mappings;
    for (const Map map : {Map::kFixedByFloating, Map::kHairpin}) {
      for (const bool v6 : {false, true}) {
        fipd::nat::decode_elements(message, map, v6, mappings);
      }
    }
    std::vector<fipd::nat::IntervalMark> marks;
    fipd::nat::for_each_element(message, [&](const fipd::nat::ElementView& element) {
      if (element.key.size() != 4 && element.key.size() != 16) return;
      marks.push_back(
          {fipd::from_bytes(element.key.data(), element.key.size()), (element.flags & 1U) != 0});
    });
    (void)fipd::nat::ranges_of(std::move(marks));
  });
  return 0;
}
