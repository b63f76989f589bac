#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fipd {

// How long things took, in steps, for a histogram of Prometheus. Value; one thread.
class Latency {
 public:
  static constexpr std::array<double, 9> kBounds = {0.001, 0.005, 0.01, 0.05, 0.1,
                                                    0.5,   1.0,   5.0,  30.0};  // seconds

  void note(std::chrono::steady_clock::duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      if (seconds <= kBounds[i]) ++within_[i];
    }
    sum_ += seconds;
    ++count_;
  }

  // How many took no longer than kBounds[step].
  [[nodiscard]] std::uint64_t within(std::size_t step) const { return within_.at(step); }
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::array<std::uint64_t, kBounds.size()> within_{};
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace fipd
