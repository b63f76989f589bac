// What the daemon answers to a dry run: judged by the API's source, planned by the reconciler.
#include <utility>

#include "daemon/daemon.h"
#include "daemon/preview_words.h"

namespace fipd {
namespace {

constexpr std::chrono::seconds kKernelDeadline{30};

}  // namespace

boost::asio::awaitable<tl::expected<PreviewReport, ChangeFailure>> Daemon::preview(
    ChangeRequest request) {
  tl::expected<PreviewReport, ChangeFailure> outcome;
  tl::expected<ChangeRequest, ChangeFailure> judged = co_await api_->rehearse(std::move(request));
  if (!judged) {
    outcome = tl::unexpected<ChangeFailure>(std::move(judged).error());
    co_return outcome;
  }
  // What others have just changed is known once it is written.
  const bool settled = co_await reconciler_->settled(Signal::Clock::now() + kKernelDeadline);
  if (!settled) {
    Error late(ErrorCode::kTimeout, "the kernel does not answer: see fipctl status");
    ChangeFailure failure{std::move(late), std::nullopt, "kernel_timeout"};
    outcome = tl::unexpected<ChangeFailure>(std::move(failure));
    co_return outcome;
  }
  PreviewRequest wanted;
  wanted.put = std::move(judged->put);
  wanted.remove = std::move(judged->remove);
  wanted.rank = api_of(config_).rank;
  wanted.origin = kApiOrigin;
  const Preview told = reconciler_->preview(wanted);
  PreviewNames names;
  names.nft_table = at_start_.nat.table;
  names.route_table = at_start_.route.table;
  names.route_protocol = at_start_.route.protocol;
  names.interface = [this](unsigned index) {
    const bgp::Link* link = reconciler_->host().link(index);
    return link == nullptr ? fmt::format("if{}", index) : link->name;
  };
  outcome = in_words(told, names);
  co_return outcome;
}

}  // namespace fipd
