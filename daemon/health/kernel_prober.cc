#include "daemon/health/kernel_prober.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fipd::health {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// The host's own want, which says nothing of the instance.
bool is_own_fault(int number) {
  switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EPERM:  // a firewall rule of this host
    case EACCES:
      return true;
    default:
      return false;
  }
}

ProbeResult result_of(const error_code& error) {
  if (!error) return {};
  const auto kind =
      is_own_fault(error.value()) ? ProbeResult::Kind::kImpossible : ProbeResult::Kind::kFailed;
  return {kind, error.message()};
}

}  // namespace

// One connection attempt; lives as long as its handlers.
class KernelProber::Connect : public std::enable_shared_from_this<Connect> {
 public:
  Connect(const boost::asio::any_io_executor& executor, std::shared_ptr<Shared> shared, Done done)
      : socket_(executor), timer_(executor), shared_(std::move(shared)), done_(std::move(done)) {
    shared_->connects.insert(this);
  }

  void start(const CheckTarget& target, std::chrono::milliseconds timeout) {
    error_code error;
    const tcp::endpoint peer(target.address, target.port);
    socket_.open(peer.protocol(), error);
    if (error) return finish_later(result_of(error));
    timer_.expires_after(timeout);
    timer_.async_wait([self = shared_from_this(), timeout](const error_code& cancelled) {
      if (cancelled) return;
      self->finish(
          {ProbeResult::Kind::kFailed, fmt::format("no answer in {} ms", timeout.count())});
    });
    socket_.async_connect(peer, [self = shared_from_this()](const error_code& problem) {
      if (!problem) self->reset();
      self->finish(result_of(problem));
    });
  }

  void abandon() { finish({}); }

 private:
  void reset() {
    error_code ignored;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  }

  void finish(const ProbeResult& result) {
    Done done = std::exchange(done_, nullptr);
    if (!done) return;
    shared_->connects.erase(this);
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
    if (shared_->open) done(result);
  }

  void finish_later(ProbeResult result) {
    auto later = [self = shared_from_this(), result = std::move(result)] { self->finish(result); };
    boost::asio::post(timer_.get_executor(), std::move(later));
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Shared> shared_;
  Done done_;
};

KernelProber::KernelProber(boost::asio::any_io_executor executor)
    : executor_(executor),
      shared_(std::make_shared<Shared>()),
      echoes4_(std::make_shared<EchoSocket>(executor, AF_INET)),
      echoes6_(std::make_shared<EchoSocket>(executor, AF_INET6)) {}

KernelProber::~KernelProber() { close(); }

void KernelProber::close() {
  shared_->open = false;
  const std::vector<Connect*> open(shared_->connects.begin(), shared_->connects.end());
  for (Connect* each : open) each->abandon();
  echoes4_->close();
  echoes6_->close();
}

void KernelProber::probe(const CheckTarget& target, std::chrono::milliseconds timeout, Done done) {
  if (!shared_->open) return;
  if (target.port != 0) {
    std::make_shared<Connect>(executor_, shared_, std::move(done))->start(target, timeout);
    return;
  }
  EchoSocket& echoes = target.address.is_v4() ? *echoes4_ : *echoes6_;
  echoes.ask(target.address, timeout, std::move(done));
}

}  // namespace fipd::health
