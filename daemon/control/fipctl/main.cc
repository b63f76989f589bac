#include <cstdio>
#include <cstdlib>
#include <functional>

#include <CLI/CLI.hpp>

#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/table.h"

namespace fipd::fipctl {
namespace {

constexpr const char* kDefaultSocket = "/run/fipd/fipd.sock";

// Everything that the command line can say.
struct CommandLine {
  std::string socket = kDefaultSocket;
  bool json = false;
  AddOptions add;
  ForwardOptions forward;
  LsOptions ls;
  DrainOptions drain;
  WaitOptions wait;
  std::vector<std::string> addresses;
  std::string file;
  std::string address;
  std::string source;
  std::string shell;
  std::function<Verdict(const Context&)> verb;
};

void add_wait(CLI::App& command, WaitOptions& wait) {
  CLI::Option* const waiting =
      command
          .add_option("--wait", wait.state,
                      "Return once it is translated, routed or announced (alone: announced)")
          ->check(CLI::IsMember({"translated", "routed", "announced"}));
  command.add_flag("--dry-run", wait.dry_run, "Tell what would be written, and write nothing")
      ->excludes(waiting);
  command.add_option("--timeout", wait.timeout, "How long to wait: 5s, 500ms, 2m");
}

void describe_forward(CLI::App& app, CommandLine& line) {
  CLI::App& command =
      *app.add_subcommand("forward", "Add or remove forwards, and leave the others alone");
  command.add_option("FLOATING", line.forward.floating)->required();
  command.add_option("ACTION", line.forward.action, "add or rm")
      ->required()
      ->check(CLI::IsMember({"add", "rm"}));
  command.add_option("FORWARD", line.forward.forwards, "tcp/443=10.65.0.13:8443; rm: tcp/443")
      ->required();
  command.add_flag("--replace", line.forward.replace, "add: also where its ports are forwarded");
  add_wait(command, line.forward.wait);
  command.callback(
      [&line] { line.verb = [&line](const Context& c) { return forward(c, line.forward); }; });
}

void describe_changes(CLI::App& app, CommandLine& line) {
  CLI::App& add_command =
      *app.add_subcommand("add", "Bind a floating IP to a fixed IP, or its ports to several");
  add_command.add_option("FLOATING", line.add.floating)->required();
  CLI::Option* const fixed = add_command.add_option("FIXED", line.add.fixed);
  add_command.add_option("--forward", line.add.forwards, "tcp/443=10.65.0.13:8443; again for more")
      ->allow_extra_args(false)
      ->excludes(fixed);
  add_command
      .add_option("--limit", line.add.limits, "in_bits=100M, connections=1000; again for more")
      ->allow_extra_args(false);
  add_command.add_option("--interface", line.add.interface, "The instance's tap");
  add_command.add_option("--id", line.add.id, "Your own id for it");
  add_command.add_option("--port", line.add.port, "Your own id of the instance's port");
  add_command.add_flag("--primary", line.add.primary, "The instance sends from this one");
  add_command.add_option("--preference", line.add.preference,
                         "0 to 200; 100 is normal, higher is preferred");
  add_command.add_option("--color", line.add.color, "1 to 65535: a community for the routers");
  add_command.add_flag("--shared", line.add.shared, "Bound on several hosts on purpose");
  add_command.add_option("--check", line.add.check, "Of its health: tcp/443 or icmp");
  add_command.add_flag("--replace", line.add.replace, "Also where it is bound to another fixed IP");
  add_wait(add_command, line.add.wait);
  add_command.callback([&line] {
    if (line.add.fixed.empty() && line.add.forwards.empty()) {
      throw CLI::RequiredError("FIXED or --forward");
    }
    line.verb = [&line](const Context& c) { return add(c, line.add); };
  });
  describe_forward(app, line);

  CLI::App& rm = *app.add_subcommand("rm", "Remove floating IPs, all or none");
  rm.add_option("ADDRESS", line.addresses)->required();
  add_wait(rm, line.wait);
  rm.callback([&line] {
    line.verb = [&line](const Context& c) { return remove(c, line.addresses, line.wait); };
  });

  CLI::App& apply_command =
      *app.add_subcommand("apply", "Bind what a TOML or JSON file says, all or nothing");
  apply_command.add_option("-f,--file", line.file, "The file; - is standard input")->required();
  add_wait(apply_command, line.wait);
  apply_command.callback([&line] {
    line.verb = [&line](const Context& c) { return apply(c, line.file, line.wait); };
  });
}

void describe_drains(CLI::App& app, CommandLine& line) {
  CLI::App& drain_command =
      *app.add_subcommand("drain", "Announce as a last resort; nothing is withdrawn");
  CLI::App& undrain = *app.add_subcommand("undrain", "Announce as usual again");
  for (CLI::App* command : {&drain_command, &undrain}) {
    command->add_option("ADDRESS", line.drain.addresses);
    command->add_flag("--all", line.drain.all, "The whole host, and whatever comes to it");
  }
  drain_command.add_option("--wait", line.drain.wait.state, "Return once every peer was told")
      ->check(CLI::IsMember({"announced"}));
  drain_command.add_option("--timeout", line.drain.wait.timeout, "How long to wait: 60s, 2m");
  drain_command.callback(
      [&line] { line.verb = [&line](const Context& c) { return drain(c, line.drain); }; });
  undrain.callback([&line] {
    line.drain.undo = true;
    line.verb = [&line](const Context& c) { return drain(c, line.drain); };
  });
}

void describe_looks(CLI::App& app, CommandLine& line) {
  CLI::App& ls = *app.add_subcommand("ls", "List floating IPs");
  ls.add_flag("--wide", line.ls.wide, "More columns");
  ls.add_flag("-q,--quiet", line.ls.quiet, "Only the floating IPs");
  ls.add_option("--state", line.ls.state, "Only those in this state")
      ->check(CLI::IsMember({"waiting", "translated", "routed", "learned", "announced", "drained",
                             "withdrawing", "conflict", "refused", "failed"}));
  ls.callback([&line] { line.verb = [&line](const Context& c) { return list(c, line.ls); }; });

  CLI::App& show_command = *app.add_subcommand("show", "One floating IP, looked up now");
  show_command.add_option("ADDRESS", line.address)->required();
  show_command.callback(
      [&line] { line.verb = [&line](const Context& c) { return show(c, line.address); }; });

  app.add_subcommand("status", "How fipd is; exits 9 where something is not in order")
      ->callback([&line] { line.verb = status; });
  app.add_subcommand("peers", "BIRD's BGP sessions, and how many floating IPs each has")
      ->callback([&line] { line.verb = peers; });
  app.add_subcommand("monitor", "Follow what happens, a line an event")->callback([&line] {
    line.verb = monitor;
  });
}

void describe_rest(CLI::App& app, CommandLine& line) {
  app.add_subcommand("reload", "Take over the configuration")->callback([&line] {
    line.verb = reload;
  });
  CLI::App& accept_command = *app.add_subcommand("accept", "Carry out removals that are held");
  accept_command.add_option("SOURCE", line.source, "Only this source's");
  accept_command.callback(
      [&line] { line.verb = [&line](const Context& c) { return accept(c, line.source); }; });
  CLI::App& complete = *app.add_subcommand("completion", "Print a completion script");
  complete.add_option("SHELL", line.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  complete.callback(
      [&line] { line.verb = [&line](const Context&) { return completion(line.shell); }; });
}

// `--wait ADDRESS` must not take the address for its value: alone, it means "announced".
std::vector<std::string> words_of(int count, char** arguments) {
  std::vector<std::string> words;
  for (int i = count - 1; i > 0; --i) {  // CLI11 wants them backwards
    const std::string_view word = arguments[i];
    words.emplace_back(word == "--wait" ? "--wait=announced" : word);
  }
  return words;
}

int report(const Verdict& failure) {
  if (!failure) {
    // What could not be printed was not done, as far as the caller can see.
    if (std::fflush(stdout) == 0) return 0;
    std::perror("fipctl: standard output");
    return static_cast<int>(ExitCode::kRefused);
  }
  std::fflush(stdout);
  if (!failure->message.empty()) fmt::print(stderr, "fipctl: {}\n", failure->message);
  return static_cast<int>(failure->exit);
}

int run(int count, char** arguments) {
  CommandLine line;
  CLI::App app("Talks to fipd, which carries floating IPs on this host.", "fipctl");
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", "fipctl " FIPD_VERSION);
  app.add_option("--socket", line.socket, "fipd's control socket")->envname("FIPD_SOCKET");
  app.add_flag("--json", line.json, "Print JSON");
  app.footer("--json and --socket go with every verb. Exit codes: fipctl(8).");
  describe_changes(app, line);
  describe_drains(app, line);
  describe_looks(app, line);
  describe_rest(app, line);
  try {
    app.parse(words_of(count, arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  const Context context{Client(line.socket), line.json, color_wanted()};
  return report(line.verb(context));
}

}  // namespace
}  // namespace fipd::fipctl

int main(int count, char** arguments) { return fipd::fipctl::run(count, arguments); }
