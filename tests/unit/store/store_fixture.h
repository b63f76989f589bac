#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/state/store.h"

namespace fipd {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fipd-store-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ / "fipd.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(directory_); }

  static StoredBinding stored(unsigned number, std::uint64_t revision = 1) {
    StoredBinding out;
    out.binding.floating = boost::asio::ip::make_address_v4(0xac100000U + number);
    out.binding.fixed = boost::asio::ip::make_address_v4(0x0a000000U + number);
    out.binding.interface = "tap" + std::to_string(number);
    out.revision = revision;
    return out;
  }

  std::unique_ptr<Store> open() {
    auto store = Store::open(path_);
    EXPECT_TRUE(store) << store.error().message();
    return store ? *std::move(store) : nullptr;
  }

  std::string refusal() {
    const auto store = Store::open(path_);
    return store ? "opened" : store.error().message();
  }

  static Outcome put(Store& store, const StoredBinding& binding) {
    const StoreChange change = binding;
    return store.commit(std::span(&change, 1));
  }

  std::filesystem::path directory_;
  std::filesystem::path path_;
};

}  // namespace fipd
