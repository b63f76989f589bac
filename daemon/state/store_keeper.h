#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/state/store.h"

namespace fipd {

// A store whose disk may be read-only, full or away for a while: what it holds is served from the
// start, and it is opened as soon as that can be done. Blocks, as Store does. One caller at a time,
// from any thread.
class StoreKeeper {
 public:
  // `scratch`: a directory that can be written whatever happens to the store's disk.
  StoreKeeper(std::filesystem::path path, std::filesystem::path scratch)
      : path_(std::move(path)), scratch_(std::move(scratch)) {}

  // Once, first. What the store holds; where its disk does not let it be opened, problem() says
  // why. Fails where nobody can know what it holds, and where it is damaged, foreign or in use.
  [[nodiscard]] Result<std::vector<StoredBinding>> load();
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // What was drained, by the store that load() read.
  [[nodiscard]] const StoredDrains& drains() const { return drains_; }

  // Nothing where the store is open already; else opens it, and what it holds now is to be compared
  // with what is served.
  [[nodiscard]] Result<std::optional<std::vector<StoredBinding>>> reopen();
  // As Store::commit(). Refused where the store is not open.
  [[nodiscard]] Outcome commit(std::span<const StoreChange> changes);
  // Until the next reopen().
  void close(const Error& why);

 private:
  [[nodiscard]] Result<std::vector<StoredBinding>> load(Store& store);

  std::filesystem::path path_;
  std::filesystem::path scratch_;
  std::unique_ptr<Store> store_;
  std::string problem_;
  StoredDrains drains_;
};

}  // namespace fipd
