#include <sys/stat.h>

#include <fstream>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gmock/gmock.h>

#include "tests/unit/control/server_harness.h"

namespace fipd::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ServerStart : public testing::Test {
 protected:
  ServerStart() {
    std::string pattern = std::filesystem::temp_directory_path() / "fipd-start-XXXXXX";
    directory = mkdtemp(pattern.data());
    options.path = directory / "fipd.sock";
    options.group = "no-such-group";
  }
  ~ServerStart() override { std::filesystem::remove_all(directory); }

  mode_t mode() const {
    struct stat file {};
    EXPECT_EQ(stat(options.path.c_str(), &file), 0);
    return file.st_mode & 07777;
  }

  boost::asio::io_context loop{1};
  Background background;
  FakeService service;
  std::filesystem::path directory;
  HttpOptions options;
};

TEST_F(ServerStart, TheFileIsForTheGroupOrForAll) {
  {
    HttpServer server(loop.get_executor(), options, service, background);
    ASSERT_TRUE(server.start());
    EXPECT_EQ(mode(), 0660U);
  }
  options.read_by_all = true;
  HttpServer server(loop.get_executor(), options, service, background);
  ASSERT_TRUE(server.start());
  EXPECT_EQ(mode(), 0666U);
}

TEST_F(ServerStart, AGroupThatDoesNotExistIsAWarning) {
  {
    HttpServer server(loop.get_executor(), options, service, background);
    ASSERT_TRUE(server.start());
    EXPECT_THAT(server.warnings(), ElementsAre(HasSubstr("no-such-group")));
  }
  options.group = "root";
  HttpServer server(loop.get_executor(), options, service, background);
  ASSERT_TRUE(server.start());
  EXPECT_THAT(server.warnings(), IsEmpty());
}

TEST_F(ServerStart, AStaleSocketIsReplaced) {
  { boost::asio::local::stream_protocol::acceptor dead(loop, options.path.native()); }
  ASSERT_TRUE(std::filesystem::exists(options.path));
  HttpServer server(loop.get_executor(), options, service, background);
  EXPECT_TRUE(server.start());
}

TEST_F(ServerStart, ALivingDaemonIsLeftAlone) {
  HttpServer first(loop.get_executor(), options, service, background);
  ASSERT_TRUE(first.start());
  {
    HttpServer second(loop.get_executor(), options, service, background);
    const Outcome started = second.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), ErrorCode::kConflict);
  }
  EXPECT_TRUE(std::filesystem::exists(options.path));
}

TEST_F(ServerStart, AFileThatIsNoSocketIsNeverRemoved) {
  std::ofstream(options.path) << "precious";
  HttpServer server(loop.get_executor(), options, service, background);
  ASSERT_FALSE(server.start());
  EXPECT_TRUE(std::filesystem::is_regular_file(options.path));
}

TEST_F(ServerStart, AMissingDirectoryIsNamed) {
  options.path = directory / "missing" / "fipd.sock";
  HttpServer server(loop.get_executor(), options, service, background);
  const Outcome started = server.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr(options.path.native()));
}

TEST_F(ServerStart, StoppingRemovesTheFile) {
  HttpServer server(loop.get_executor(), options, service, background);
  ASSERT_TRUE(server.start());
  server.stop();
  EXPECT_FALSE(std::filesystem::exists(options.path));
}

TEST_F(ServerStart, AnUnusableMetricsAddressIsRefused) {
  for (const char* listen : {"9472", "127.0.0.1:", "127.0.0.1:99999", "host:9472", ":1"}) {
    options.metrics_listen = listen;
    HttpServer server(loop.get_executor(), options, service, background);
    const Outcome started = server.start();
    ASSERT_FALSE(started) << listen;
    EXPECT_EQ(started.error().code(), ErrorCode::kBadInput);
    EXPECT_FALSE(std::filesystem::exists(options.path));
  }
}

TEST_F(ServerStart, AMetricsPortInUseIsAWarningAndIsTakenOnceItIsFree) {
  using boost::asio::ip::tcp;
  tcp::acceptor other(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const tcp::endpoint wanted = other.local_endpoint();
  options.metrics_listen = fmt::format("127.0.0.1:{}", wanted.port());
  HttpServer server(loop.get_executor(), options, service, background);
  ASSERT_TRUE(server.start());
  const std::string problem = fmt::format("[metrics] listen = \"{}\"", options.metrics_listen);
  EXPECT_THAT(server.warnings(), Contains(HasSubstr(problem)));
  other.close();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (server.warnings().size() > 1 && std::chrono::steady_clock::now() < deadline) {
    loop.run_one_for(std::chrono::milliseconds(100));
  }
  EXPECT_THAT(server.warnings(), Not(Contains(HasSubstr(problem))));
  tcp::socket client(loop);
  boost::system::error_code refused;
  client.connect(wanted, refused);
  EXPECT_FALSE(refused) << refused.message();
}

TEST_F(ServerStart, StoppingEndsOpenEventStreamsBeforeTheHubGoes) {
  auto harness = std::make_unique<ServerHarness>();
  RawClient client(harness->options.path);
  client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
  client.receive_until("\r\n\r\n");
  harness.reset();
  EXPECT_EQ(client.receive(), "");
  EXPECT_FALSE(client.timed_out());
}

}  // namespace
}  // namespace fipd::control
