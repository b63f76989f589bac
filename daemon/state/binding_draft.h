#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>

#include "daemon/base/address.h"
#include "daemon/base/result.h"
#include "daemon/state/binding.h"
#include "daemon/state/word.h"

namespace fipd {

// A binding on its way from its written form: the one place that knows the keys and what each may
// hold. Errors say what is wrong and what to write; the reader adds the place.
class BindingDraft {
 public:
  [[nodiscard]] Outcome set(std::string_view key, const Word& word);
  // Whether all is there and fits together; then the binding is whole.
  [[nodiscard]] Outcome finish() const;

  Binding binding;

 private:
  bool floating_ = false;
  bool fixed_ = false;
};

// Whether it leads to one address or forwards ports, all of one family.
[[nodiscard]] Outcome check_target(const Binding& binding);

// Whether `key` is one of a binding.
[[nodiscard]] bool is_binding_key(std::string_view key);

// Where each floating IP of a document was first seen.
class FirstPlaces {
 public:
  explicit FirstPlaces(std::size_t expected) { first_.reserve(expected); }
  // The index of the earlier one, or `index` where this is the first.
  std::size_t note(const IpAddress& floating, std::size_t index) {
    return first_.emplace(floating, index).first->second;
  }

 private:
  std::unordered_map<IpAddress, std::size_t, AddressHash> first_;
};

}  // namespace fipd
