#include "daemon/state/store_keeper.h"

#include <utility>

namespace fipd {

Result<std::vector<StoredBinding>> StoreKeeper::load(Store& store) {
  auto drains = store.drains();
  if (!drains) return fail(std::move(drains).error());
  drains_ = std::move(*drains);
  return store.load();
}

Result<std::vector<StoredBinding>> StoreKeeper::load() {
  auto opened = Store::open(path_);
  if (opened) {
    store_ = std::move(*opened);
    return load(*store_);
  }
  if (opened.error().os_error() == 0) return fail(std::move(opened).error());
  const auto copy = Store::open_copy(path_, scratch_);
  if (!copy) {
    return fail(ErrorCode::kUnavailable, "{}; nor can it be read through a copy: {}",
                opened.error().message(), copy.error().message());
  }
  problem_ = opened.error().message();
  return load(**copy);
}

Result<std::optional<std::vector<StoredBinding>>> StoreKeeper::reopen() {
  if (store_) return std::nullopt;
  auto opened = Store::open(path_);
  if (!opened) {
    problem_ = opened.error().message();
    return fail(std::move(opened).error());
  }
  auto found = (*opened)->load();
  if (!found) {
    problem_ = found.error().message();
    return fail(std::move(found).error());
  }
  store_ = std::move(*opened);
  problem_.clear();
  return std::move(*found);
}

Outcome StoreKeeper::commit(std::span<const StoreChange> changes) {
  if (!store_) return fail(ErrorCode::kUnavailable, "{}", problem_);
  return store_->commit(changes);
}

void StoreKeeper::close(const Error& why) {
  store_.reset();
  problem_ = why.message();
}

}  // namespace fipd
