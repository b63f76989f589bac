#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"
#include "daemon/sources/etcd/etcd_endpoint.h"
#include "daemon/state/binding.h"
#include "nat/nat_table.h"

namespace fipd {

// Everything that /etc/fipd/fipd.toml and conf.d/*.toml can say, with its defaults. docs: the
// commented conf/fipd.toml.
struct Config {
  struct Host {
    std::string name;  // as written; empty: the system's host name, filled in by parse_config
  } host;
  struct Control {
    std::filesystem::path socket = "/run/fipd/fipd.sock";
    std::string group = "fipd";  // may change things, besides root
    bool read_by_all = false;    // else reading is for root and the group, too
  } control;
  struct StoreSettings {
    std::filesystem::path path = "/var/lib/fipd/fipd.db";
  } store;
  struct Route {
    std::uint32_t table = 172;
    unsigned protocol = 172;
    std::uint32_t metric = 1024;
    std::uint32_t preferred_metric = 512;
    std::uint32_t drained_metric = 4096;
    // How long an address that another host announces, too, is preferred after it came here.
    std::chrono::milliseconds settle{75'000};
    // An instance that is being migrated here is announced when it is heard on its tap.
    bool take_over_when_heard = true;
  } route;
  struct Nat {
    std::string table = "fipd";
    nat::SnatMode snat = nat::SnatMode::kEgress;
    std::vector<Prefix> internal;
    // How long a withdrawn address is still translated where BIRD cannot say that no peer has it.
    std::chrono::milliseconds linger{2000};
    bool guard = true;        // drop what is for a pool and was not translated
    bool accounting = false;  // count packets and bytes of each floating IP
    bool keep_connections_on_remove = false;
  } nat;
  // Where instances' calls of the metadata address go.
  struct Metadata {
    std::vector<nat::Endpoint> listen;  // at most one of a family; empty: no redirect
    std::vector<std::string> interfaces = {"tap*"};
  } metadata;
  fipd::Limits floating_ip_limits;  // for bindings without limits of their own
  struct Bird {
    bool enabled = true;
    std::filesystem::path socket = "/run/bird/bird.ctl";
    std::chrono::milliseconds timeout{2000};   // for one answer
    std::chrono::milliseconds interval{2000};  // between looks at the sessions
    // Empty: found out by asking BIRD.
    std::vector<std::string> kernel_protocols;
    std::vector<std::string> sessions;
  } bird;
  // Of the instances behind bindings that have a `check`.
  struct Health {
    std::chrono::milliseconds interval{2000};
    std::chrono::milliseconds timeout{1000};
    unsigned rise = 2;
    unsigned fall = 3;
    double jitter = 0.2;               // of the interval, either way
    std::string on_failure = "drain";  // or "withdraw"
    // While more than this share, and more than so many, fail at once, nothing more is withdrawn.
    double brake_share = 0.5;
    unsigned brake_above = 2;
  } health;
  struct Pools {
    std::vector<Prefix> allowed;  // empty: any address is admitted
  } pools;
  struct Sources {
    std::vector<std::string> order = {"api", "files", "etcd", "calico"};  // the first wins a
                                                                          // conflict
    // A snapshot that would remove more than this share, and more than `hold_above` entries, is
    // held until `fipctl accept`.
    double hold_share = 0.5;
    unsigned hold_above = 10;
  } sources;
  struct Files {
    std::filesystem::path directory = "/etc/fipd/floating-ips.d";
  } files;
  struct Etcd {
    std::vector<EtcdEndpoint> endpoints;  // none: no source "etcd"
    std::string prefix = "/fipd/v1/";
    std::filesystem::path ca;  // PEM; empty: the system's
    std::filesystem::path certificate;
    std::filesystem::path key;
    std::string user;  // empty: no login
    std::string password;
    std::chrono::milliseconds timeout{5000};
    std::chrono::milliseconds probe{5000};
  } etcd;
  // networking-calico's keys. The deadlines are those of [etcd].
  struct Calico {
    bool enabled = false;
    std::string region;                      // empty: none
    std::chrono::milliseconds settle{2000};  // a removed endpoint counts so long
    std::vector<EtcdEndpoint> endpoints;     // none: those of [etcd], with all that goes with them
    std::filesystem::path ca;
    std::filesystem::path certificate;
    std::filesystem::path key;
    std::string user;
    std::string password;
  } calico;
  struct Metrics {
    std::string listen;  // "127.0.0.1:9472"; empty: off
    // Traffic has a series for each floating IP while at most so many are counted.
    std::size_t traffic_series = 0;
  } metrics;
  struct Log {
    std::string level = "info";  // trace debug info warning error
  } log;
  struct Limits {
    unsigned floating_ips = 250000;
    unsigned clients = 64;
    std::size_t request_bytes = 16 << 20;
    std::size_t unsent_bytes = 1 << 20;
  } limits;
};

struct ConfigText {
  std::string name;  // for the messages
  std::string text;
};
// The pure core of load_config: later texts over earlier ones.
[[nodiscard]] Result<Config> parse_config(std::span<const ConfigText> texts);

// Reads `file`, then `conf.d/*.toml` beside it in the order of their names, later ones over
// earlier. Every error says file, line and column and what to write instead; all errors of all
// files come at once, a line each.
[[nodiscard]] Result<Config> load_config(const std::filesystem::path& file);

// The settings in which `now` and `next` differ that only a restart can change, by name
// ("control.socket"), for the log and the answer of `fipctl reload`.
[[nodiscard]] std::vector<std::string> needs_restart(const Config& now, const Config& next);

}  // namespace fipd
