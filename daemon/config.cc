#include "daemon/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "daemon/config_settings.h"
#include "daemon/state/extras_draft.h"
#include "daemon/state/suggestion.h"
#include "daemon/state/text_file.h"
#include "daemon/state/toml_text.h"

namespace fipd {
namespace {

std::string name_of(const Setting& setting) {
  return fmt::format("{}.{}", setting.section, setting.key);
}

std::vector<std::string_view> sections() {
  std::vector<std::string_view> out;
  for (const Setting& setting : settings()) {
    if (out.empty() || out.back() != setting.section) out.push_back(setting.section);
  }
  return out;
}

// Reads files one over another and gathers what is wrong with them.
class Reader {
 public:
  void read(const ConfigText& file) {
    Result<toml::table> document = parse_toml(file.text, file.name);
    if (!document) return problem(document.error().message());
    for (const auto& [key, node] : *document) {
      const std::string place = place_of(key, file.name);
      if (const toml::table* table = node.as_table()) {
        read_section(key.str(), *table, place, file.name);
      } else {
        problem("{}: {}: is {} outside of any section: write it under a [section]", place,
                printable(key.str()), kind_of(node));
      }
    }
  }

  // What only all values together can be wrong in.
  void check() {
    const Config::Route& route = config.route;
    if (route.preferred_metric >= route.metric || route.metric >= route.drained_metric) {
      problem(
          "{}: route: preferred_metric {} < metric {} < drained_metric {} does not hold: a "
          "lower metric is preferred",
          place("route.metric", "route.preferred_metric", "route.drained_metric"),
          route.preferred_metric, route.metric, route.drained_metric);
    }
    if (config.control.socket == config.bird.socket) {
      problem("{}: control.socket: {} is BIRD's: write another path",
              place("control.socket", "bird.socket"), config.control.socket.string());
    }
    if (config.control.socket == config.store.path) {
      problem("{}: store.path: {} is the control socket: write another path",
              place("store.path", "control.socket"), config.store.path.string());
    }
    check_nat();
    check_etcd();
  }

  Config config;
  std::vector<std::string> problems;

 private:
  // A setting must not silently do nothing.
  void check_nat() {
    if (!config.metadata.listen.empty() && config.metadata.interfaces.empty()) {
      problem(
          "{}: metadata.interfaces: none, and metadata.listen redirects from these: write the "
          "instances' interfaces, or remove metadata.listen",
          place("metadata.interfaces", "metadata.listen"));
    }
    if (Outcome fits = check_limits(config.floating_ip_limits); !fits) {
      problem("{}: floating_ip_limits: {}",
              place("floating_ip_limits.in_burst", "floating_ip_limits.out_burst",
                    "floating_ip_limits.new_connections_burst"),
              fits.error().message());
    }
  }

  void check_etcd() {
    check_login("etcd", config.etcd);
    check_login("calico", config.calico);
    const Config::Calico& calico = config.calico;
    if (calico.enabled && calico.endpoints.empty() && config.etcd.endpoints.empty()) {
      problem("{}: calico.enabled: there is no etcd to read: write calico.endpoints",
              place("calico.enabled"));
    }
    const bool own = !calico.ca.empty() || !calico.certificate.empty() || !calico.user.empty();
    if (own && calico.endpoints.empty()) {
      problem(
          "{}: calico.ca, certificate and user go with calico.endpoints: write those, or remove "
          "them, and all is as in [etcd]",
          place("calico.ca", "calico.certificate", "calico.user"));
    }
  }

  void check_login(const std::string& section, const auto& of) {
    const std::string certificate = section + ".certificate";
    const std::string key = section + ".key";
    if (of.certificate.empty() != of.key.empty()) {
      problem("{}: {} and {} go together: write both, or neither",
              place(certificate.c_str(), key.c_str()), certificate, key);
    }
    if (of.user.empty() && !of.password.empty()) {
      problem("{}: {}.password is of no user: write {}.user, too",
              place((section + ".password").c_str()), section, section);
    }
  }

  void problem(std::string text) { problems.push_back(std::move(text)); }
  template <typename First, typename... Args>
  void problem(fmt::format_string<First, Args...> format, First&& first, Args&&... args) {
    problems.push_back(
        fmt::format(format, std::forward<First>(first), std::forward<Args>(args)...));
  }

  void read_section(std::string_view section, const toml::table& table, const std::string& at,
                    std::string_view file) {
    const std::vector<std::string_view> known = sections();
    if (std::find(known.begin(), known.end(), section) == known.end()) {
      return problem("{}: [{}]: no such section{}", at, printable(section),
                     suggestion(section, known));
    }
    for (const auto& [key, node] : table) read_setting(section, key, node, file);
  }

  void read_setting(std::string_view section, const toml::key& key, const toml::node& node,
                    std::string_view file) {
    std::vector<std::string_view> keys;
    for (const Setting& setting : settings()) {
      if (setting.section != section) continue;
      keys.push_back(setting.key);
      if (setting.key != key.str()) continue;
      places_[name_of(setting)] = place_of(node, file);
      const Outcome read = setting.read(node, config);
      if (!read) {
        problem("{}: {}: {}", place_of(node, file), name_of(setting), read.error().message());
      }
      return;
    }
    problem("{}: {}.{}: no such setting{}", place_of(key, file), section, printable(key.str()),
            suggestion(key.str(), keys));
  }

  // Of the first of these settings that is written anywhere.
  template <typename... Names>
  std::string place(Names... names) const {
    for (const char* name : {names...}) {
      if (const auto found = places_.find(name); found != places_.end()) return found->second;
    }
    return "defaults";
  }

  std::map<std::string, std::string, std::less<>> places_;
};

std::string system_host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

// *.toml, but not what editors and package managers leave behind; by name.
Result<std::vector<std::filesystem::path>> parts_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> parts;
  std::error_code error;
  std::filesystem::directory_iterator at(directory, error);
  if (error == std::errc::no_such_file_or_directory) return parts;
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".toml") && !name.starts_with('.')) parts.push_back(at->path());
  }
  if (error) return fail_errno(error.value(), directory.string(), ErrorCode::kBadInput);
  std::sort(parts.begin(), parts.end());
  return parts;
}

}  // namespace

Result<Config> parse_config(std::span<const ConfigText> texts) {
  Reader reader;
  for (const ConfigText& text : texts) reader.read(text);
  // A value that could not be read would be blamed a second time.
  if (reader.problems.empty()) reader.check();
  if (!reader.problems.empty()) {
    return fail(ErrorCode::kBadInput, "{}", fmt::join(reader.problems, "\n"));
  }
  if (reader.config.host.name.empty()) reader.config.host.name = system_host_name();
  return std::move(reader.config);
}

Result<Config> load_config(const std::filesystem::path& file) {
  Result<std::vector<std::filesystem::path>> paths = parts_of(file.parent_path() / "conf.d");
  if (!paths) return fail(std::move(paths).error());
  paths->insert(paths->begin(), file);
  std::vector<ConfigText> texts;
  for (const std::filesystem::path& path : *paths) {
    Result<TextFile> read = read_text_file(path);
    if (!read) return fail(std::move(read).error());
    texts.push_back({path.string(), std::move(read->text)});
  }
  return parse_config(texts);
}

std::vector<std::string> needs_restart(const Config& now, const Config& next) {
  std::vector<std::string> out;
  for (const Setting& setting : settings()) {
    if (!setting.live && !setting.equal(now, next)) out.push_back(name_of(setting));
  }
  return out;
}

}  // namespace fipd
