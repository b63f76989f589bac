#include "nat/address_ranges.h"
#include "nat/element_reply.h"
#include "netlink_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for_each_message(data, size, [](const nlmsghdr& message) {
    std::vector<fipd::nat::Element> elements;
    for (unsigned kind = 0; kind < fipd::nat::kMapKinds; ++kind) {
      for (const bool v6 : {false, true}) {
        decode_elements(message, static_cast<fipd::nat::Map>(kind), v6, elements);
      }
    }
    for (const fipd::nat::Element& element : elements) (void)to_string(element);
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
