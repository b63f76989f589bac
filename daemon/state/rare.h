#pragma once

#include <memory>
#include <utility>

namespace fipd {

// A value that nearly always is T(): then it costs a null pointer. Copies are deep, two are equal
// where their values are.
template <typename T>
class Rare {
 public:
  Rare() = default;
  explicit Rare(T value) : box_(value == T() ? nullptr : std::make_unique<T>(std::move(value))) {}
  Rare(const Rare& other) : box_(other.box_ ? std::make_unique<T>(*other.box_) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) {
    if (this != &other) *this = Rare(other);
    return *this;
  }
  Rare& operator=(Rare&&) noexcept = default;
  ~Rare() = default;

  [[nodiscard]] const T& operator*() const { return box_ ? *box_ : usual(); }
  [[nodiscard]] const T* operator->() const { return &**this; }
  // To be changed in place.
  [[nodiscard]] T& edit() {
    if (!box_) box_ = std::make_unique<T>();
    return *box_;
  }
  [[nodiscard]] bool is_usual() const { return !box_ || *box_ == usual(); }

  friend bool operator==(const Rare& a, const Rare& b) { return (!a.box_ && !b.box_) || *a == *b; }

 private:
  static const T& usual() {
    static const T kUsual{};
    return kUsual;
  }

  std::unique_ptr<T> box_;
};

}  // namespace fipd
