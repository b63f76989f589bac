#include "tests/unit/etcd/etcd_fake.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

namespace fipd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;

std::string base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return out;
}

std::string text_at(const json::object& in, const char* name) {
  const json::value* value = in.if_contains(name);
  return value == nullptr ? std::string() : std::string(value->as_string());
}

std::string bytes_at(const json::object& in, const char* name) {
  const std::string text = text_at(in, name);
  std::string out(3 * (text.size() / 4), '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(out.size() - padding);
  return out;
}

bool within(const std::string& key, const std::string& from, const std::string& end) {
  return end.empty() ? key == from : from <= key && key < end;
}

std::string kv(const std::string& key, const std::string& value, std::int64_t revision) {
  return fmt::format(R"({{"key":"{}","value":"{}","mod_revision":"{}"}})", base64(key),
                     base64(value), revision);
}

}  // namespace

EtcdFake::EtcdFake(asio::io_context& loop)
    : acceptor_(loop, {asio::ip::make_address("127.0.0.1"), 0}), released_(loop.get_executor()) {
  asio::co_spawn(loop, serve(), asio::detached);
}

EtcdEndpoint EtcdFake::endpoint() const {
  EtcdEndpoint made;
  made.host = "127.0.0.1";
  made.port = std::to_string(acceptor_.local_endpoint().port());
  return made;
}

void EtcdFake::put(const std::string& key, const std::string& value) {
  state_.keys[key] = {value, ++state_.revision};
  log(key, "PUT", value);
}

void EtcdFake::remove(const std::string& key) {
  state_.keys.erase(key);
  ++state_.revision;
  log(key, "DELETE", "");
}

void EtcdFake::log(const std::string& key, const std::string& type, const std::string& value) {
  const std::string event =
      fmt::format(R"("events":[{{"type":"{}","kv":{}}}])", type, kv(key, value, state_.revision));
  log_.push_back({key, state_.revision, reply(event)});
  for (const Watch& watch : watches_) {
    if (within(key, watch.key, watch.end)) send(watch, log_.back().line);
  }
}

std::string EtcdFake::reply(const std::string& members) const {
  return fmt::format(R"({{"result":{{"header":{{"cluster_id":"{}","revision":"{}"}},{}}}}})",
                     state_.cluster, state_.revision, members);
}

void EtcdFake::tell_progress() {
  for (const Watch& watch : watches_) send(watch, reply(R"("events":[])"));
}

void EtcdFake::send(const Watch& watch, const std::string& line) {
  const std::string chunk = fmt::format("{:x}\r\n{}\n\r\n", line.size() + 1, line);
  boost::system::error_code ignored;
  asio::write(watch.stream->socket(), asio::buffer(chunk), ignored);
}

void EtcdFake::cut() {
  watches_.clear();
  for (const auto& each : streams_) {
    if (const Stream stream = each.lock()) stream->close();
  }
  streams_.clear();
}

void EtcdFake::restore(State state) {
  state_ = std::move(state);
  log_.clear();
  cut();
}

void EtcdFake::release() {
  held_.clear();
  released_.notify_all();
}

int EtcdFake::asked(const std::string& prefix) const {
  return static_cast<int>(std::count_if(asked_.begin(), asked_.end(), [&](const std::string& each) {
    return each.starts_with(prefix);
  }));
}

void EtcdFake::close() {
  release();
  acceptor_.close();
  cut();
}

asio::awaitable<void> EtcdFake::serve() {
  for (;;) {
    asio::ip::tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    auto stream = std::make_shared<beast::tcp_stream>(std::move(socket));
    streams_.push_back(stream);
    asio::co_spawn(acceptor_.get_executor(), answer(stream), asio::detached);
  }
}

asio::awaitable<void> EtcdFake::answer(Stream stream) {
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    co_await http::async_read(*stream, buffer, request, asio::use_awaitable);
    const json::object question = json::parse(request.body()).as_object();
    if (request.target() == "/v3/watch") {
      begin_watch(question.at("create_request").as_object(), stream);
      co_return;
    }
    const std::string key = bytes_at(question, "key");
    asked_.push_back(key);
    http::response<http::string_body> response(http::status::ok, 11);
    response.body() = range(question);
    response.prepare_payload();
    ++holding_;
    while (!held_.empty() && key.starts_with(held_)) co_await released_.wait();
    --holding_;
    co_await http::async_write(*stream, response, asio::use_awaitable);
  }
}

std::string EtcdFake::range(const json::object& question) const {
  const std::string from = bytes_at(question, "key");
  const std::string end = bytes_at(question, "range_end");
  std::string pairs;
  for (const auto& [key, stored] : state_.keys) {
    if (!within(key, from, end)) continue;
    pairs += (pairs.empty() ? "" : ",") + kv(key, stored.value, stored.revision);
  }
  return fmt::format(R"({{"header":{{"cluster_id":"{}","revision":"{}"}},"kvs":[{}]}})",
                     state_.cluster, state_.revision, pairs);
}

void EtcdFake::begin_watch(const json::object& question, const Stream& stream) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  boost::system::error_code ignored;
  asio::write(stream->socket(), asio::buffer(head), ignored);
  watches_.push_back({bytes_at(question, "key"), bytes_at(question, "range_end"), stream});
  const Watch& watch = watches_.back();
  send(watch, reply(R"("created":true)"));
  const std::int64_t since = std::stoll(text_at(question, "start_revision"));
  for (const Logged& each : log_) {
    if (each.revision >= since && within(each.key, watch.key, watch.end)) send(watch, each.line);
  }
}

}  // namespace fipd
