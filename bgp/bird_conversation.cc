#include "bgp/bird_conversation.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace fipd::bgp {

namespace asio = boost::asio;
using boost::system::error_code;

BirdQueue::Place::Place(BirdQueue& queue, const asio::any_io_executor& executor)
    : queue_(queue), woken_(executor, asio::steady_timer::time_point::max()) {
  queue_.waiting_.push_back(this);
}

BirdQueue::Place::~Place() {
  const bool was_first = queue_.waiting_.front() == this;
  queue_.waiting_.remove(this);
  if (was_first && !queue_.waiting_.empty()) queue_.waiting_.front()->woken_.cancel();
}

asio::awaitable<bool> BirdQueue::Place::turn() {
  if (queue_.waiting_.front() == this) co_return true;
  error_code ignored;
  co_await woken_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return queue_.waiting_.front() == this;
}

// Something that must be finished: leaving it early (an error, a cancelled or destroyed coroutine)
// closes the connection, because half an answer would be taken for the next one's.
class BirdConnection::Step {
 public:
  explicit Step(BirdConnection& connection) : connection_(connection) {
    connection_.start_deadline();
  }
  ~Step() {
    ++connection_.deadline_number_;
    connection_.deadline_.cancel();
    if (!finished_) connection_.disconnect();
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  void finish() { finished_ = true; }

 private:
  BirdConnection& connection_;
  bool finished_ = false;
};

BirdConnection::BirdConnection(asio::any_io_executor executor, BirdOptions options, BirdRight right)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      right_(right),
      socket_(executor_),
      deadline_(executor_),
      random_(std::random_device{}()) {}

void BirdConnection::shut_down() {
  shut_down_ = true;
  disconnect();
}

void BirdConnection::disconnect() {
  error_code ignored;
  socket_.close(ignored);
  version_.clear();
  reader_ = BirdReplyReader();
}

void BirdConnection::start_deadline() {
  late_ = false;
  const std::uint64_t number = ++deadline_number_;
  deadline_.expires_after(options_.timeout);
  auto on_late = [weak = weak_from_this(), number](const error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->deadline_number_ != number) return;
    self->late_ = true;
    error_code ignored;
    self->socket_.close(ignored);
  };
  deadline_.async_wait(std::move(on_late));
}

std::optional<BirdConnection::FileIdentity> BirdConnection::identify() const {
  struct stat status {};
  if (::stat(options_.path.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

Error BirdConnection::in_words(const error_code& error) const {
  const std::string path = options_.path.string();
  const auto say = [&path](ErrorCode code, const char* format) {
    return Error(code, fmt::format(fmt::runtime(format), path));
  };
  if (shut_down_) return Error(ErrorCode::kUnavailable, "fipd has stopped asking BIRD");
  if (late_) {
    return Error(
        ErrorCode::kTimeout,
        fmt::format("BIRD does not answer at {} within {} ms: is it stopped or overloaded?", path,
                    options_.timeout.count()));
  }
  // First, because Asio's own end-of-file has the number of ENOENT.
  if (error == asio::error::eof || error == asio::error::broken_pipe ||
      error == asio::error::connection_reset) {
    return say(ErrorCode::kUnavailable, "BIRD closed the connection at {}: did it stop?");
  }
  switch (error.value()) {
    case ENOENT:
      return say(ErrorCode::kUnavailable,
                 "there is no socket {}: start BIRD, or set [bird] socket to where it listens");
    case EACCES:
    case EPERM:
      return say(ErrorCode::kNotPermitted,
                 "fipd may not open {}: its user must be in the group bird "
                 "(SupplementaryGroups=bird in fipd's unit)");
    case ECONNREFUSED:
      return say(ErrorCode::kUnavailable, "nobody listens at {}: BIRD is not running");
    case ENOTCONN:
    case EAGAIN:
      return say(ErrorCode::kUnavailable,
                 "BIRD takes no more connections at {}: is it stopped or overloaded?");
    default:
      break;
  }
  return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", path, error.message()));
}

void BirdConnection::note_failure(const Error& error) {
  failure_ = error;
  const int doublings = std::min(failures_++, 16);
  const std::chrono::milliseconds longer = options_.retry_min * (1 << doublings);
  const std::chrono::milliseconds pause = std::min(options_.retry_max, longer);
  // Between half of it and all of it: many hosts, or callers, do not come in step.
  std::uniform_int_distribution<std::int64_t> jitter(pause.count() / 2, pause.count());
  retry_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(jitter(random_));
}

asio::awaitable<Outcome> BirdConnection::connect() {
  if (Outcome opened = co_await open(); !opened) co_return opened;
  if (right_ == BirdRight::kChange) co_return success();
  Outcome restricted = co_await restrict();
  if (!restricted) disconnect();
  co_return restricted;
}

// A mistake of ours then cannot reconfigure BIRD.
asio::awaitable<Outcome> BirdConnection::restrict() {
  constexpr unsigned kRestricted = 16;
  const std::string command = "restrict\n";
  const Result<BirdReply> reply = co_await exchange(command);
  if (!reply) co_return fail(reply.error());
  if (reply->code() == kRestricted) co_return success();
  co_return fail(ErrorCode::kUnavailable, "BIRD does not restrict the connection: {:04} {}",
                 reply->code(), quotable(reply->verdict()));
}

asio::awaitable<Outcome> BirdConnection::open() {
  if (options_.path.native().size() >= sizeof(sockaddr_un::sun_path)) {
    co_return fail(ErrorCode::kBadInput, "{}: too long for a socket's path; shorten [bird] socket",
                   options_.path.string());
  }
  disconnect();
  Step step(*this);
  identity_ = identify().value_or(FileIdentity());
  error_code error;
  const asio::local::stream_protocol::endpoint endpoint(options_.path.native());
  co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  if (error || late_) co_return fail(in_words(error));
  Result<BirdReply> greeting = co_await read_reply();
  if (!greeting) co_return fail(std::move(greeting.error()));
  Result<std::string> version = parse_greeting(*greeting);
  if (!version) co_return fail(std::move(version.error()).within(options_.path.string()));
  version_ = std::move(*version);
  step.finish();
  co_return success();
}

asio::awaitable<Result<BirdReply>> BirdConnection::read_reply() {
  for (;;) {
    if (std::optional<BirdReply> reply = reader_.take()) {
      if (!reader_.take()) co_return std::move(*reply);
      co_return fail(ErrorCode::kUnavailable, "BIRD answered what it was not asked");
    }
    error_code error;
    const std::size_t size = co_await socket_.async_read_some(
        asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, error));
    if (error || late_) co_return fail(in_words(error));
    const std::string_view bytes(buffer_.data(), size);
    if (Outcome fed = reader_.feed(bytes); !fed) co_return fail(std::move(fed.error()));
  }
}

asio::awaitable<Result<BirdReply>> BirdConnection::exchange(std::string command) {
  Step step(*this);
  error_code error;
  co_await asio::async_write(socket_, asio::buffer(command),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error || late_) co_return fail(in_words(error));
  Result<BirdReply> reply = co_await read_reply();
  if (reply) step.finish();
  co_return reply;
}

asio::awaitable<Result<BirdReply>> BirdConnection::ask(std::string command) {
  // At 1024 BIRD drops the connection, at 4095 in pieces it hangs for good.
  constexpr std::size_t kLongestCommand = 1000;
  command += '\n';
  if (command.size() >= kLongestCommand || command.find('\n') != command.size() - 1) {
    co_return fail(ErrorCode::kInternal, "no command for BIRD: \"{}\"", quotable(command));
  }
  if (shut_down_) co_return fail(in_words(error_code()));
  if (failure_ && std::chrono::steady_clock::now() < retry_at_) co_return fail(*failure_);

  Result<BirdReply> reply = co_await try_to_ask(std::move(command));
  const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
  if (reply) {
    failure_.reset();
    failures_ = 0;
  } else if (cancelled.cancelled() == asio::cancellation_type::none) {
    note_failure(reply.error());
  }
  co_return reply;
}

asio::awaitable<Result<std::string>> BirdConnection::greet() {
  if (shut_down_) co_return fail(in_words(error_code()));
  if (failure_ && std::chrono::steady_clock::now() < retry_at_) co_return fail(*failure_);
  if (Outcome connected = co_await connect(); !connected) {
    note_failure(connected.error());
    co_return fail(std::move(connected.error()));
  }
  co_return version_;
}

asio::awaitable<Result<BirdReply>> BirdConnection::try_to_ask(std::string command) {
  const bool same_file = identify() == std::optional<FileIdentity>(identity_);
  if (socket_.is_open() && same_file) {
    Result<BirdReply> reply = co_await exchange(command);
    if (reply || late_ || shut_down_) co_return reply;
    // Most likely BIRD was restarted since: once more, on a new connection.
  }
  if (Outcome connected = co_await connect(); !connected) {
    co_return fail(std::move(connected.error()));
  }
  co_return co_await exchange(std::move(command));
}

}  // namespace fipd::bgp
