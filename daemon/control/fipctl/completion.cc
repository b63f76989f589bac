#include <cstdio>

#include "daemon/control/fipctl/commands.h"

namespace fipd::fipctl {
namespace {

constexpr std::string_view kBash = R"script(# fipctl for bash: source <(fipctl completion bash)
_fipctl() {
  local current=${COMP_WORDS[COMP_CWORD]} verb="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) verb=$word; break ;; esac
  done
  local common="--json --socket --help"
  local words=""
  COMPREPLY=()
  case $verb in
    "") words="add forward rm apply drain undrain ls show status peers monitor reload accept completion --version $common" ;;
    add) words="--forward --limit --interface --id --port --primary --preference --color --shared --check --replace --wait --timeout --dry-run $common" ;;
    forward) words="$(fipctl ls --quiet 2>/dev/null) add rm --replace --wait --timeout --dry-run $common" ;;
    rm) words="$(fipctl ls --quiet 2>/dev/null) --wait --timeout --dry-run $common" ;;
    drain) words="$(fipctl ls --quiet 2>/dev/null) --all --wait --timeout $common" ;;
    undrain) words="$(fipctl ls --quiet 2>/dev/null) --all $common" ;;
    show) words="$(fipctl ls --quiet 2>/dev/null) $common" ;;
    apply) words="-f --file --wait --timeout --dry-run $common" ;;
    ls) words="--wide --quiet --state $common" ;;
    completion) words="bash zsh fish" ;;
    *) words=$common ;;
  esac
  case ${COMP_WORDS[COMP_CWORD-1]} in
    -f|--file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --interface) words=$(ls /sys/class/net 2>/dev/null) ;;
    --limit) words="in_bits= in_burst= out_bits= out_burst= new_connections= new_connections_burst= connections="
             compopt -o nospace 2>/dev/null ;;
    --state) words="waiting translated routed learned announced drained withdrawing conflict refused failed" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$current"
}
complete -F _fipctl fipctl
)script";

constexpr std::string_view kZsh = R"script(#compdef fipctl
# fipctl for zsh: fipctl completion zsh > a directory of $fpath, as _fipctl
_fipctl() {
  local -a verbs
  verbs=(
    'add:bind a floating IP to a fixed IP' 'forward:add or remove forwards'
    'rm:remove floating IPs' 'apply:bind what a file says'
    'drain:announce as a last resort' 'undrain:announce as usual again' 'ls:list floating IPs' 'show:one floating IP, looked up now'
    'status:how fipd is' 'peers:BGP sessions' 'monitor:follow events' 'reload:take over the configuration'
    'accept:carry out held removals' 'completion:print a completion script')
  _arguments -C '--json[print JSON]' '--socket[control socket]:socket:_files' \
    '1:verb:->verb' '*::argument:->argument'
  case $state in
    verb) _describe verb verbs ;;
    argument)
      case $words[1] in
        add) _arguments '*--forward:forward' '*--limit:limit:(in_bits= in_burst= out_bits=
               out_burst= new_connections= new_connections_burst= connections=)' '--interface[tap]:tap:_net_interfaces' '--id:id' '--port:port' '--primary' \
               '--preference:0 to 200' '--color:color' '--shared' '--check:tcp/443 or icmp' \
               '--replace' '--dry-run' '--wait=-[wait for]::state:(translated routed announced)' \
               '--timeout:time' ;;
        forward) compadd -- add rm --replace ${(f)"$(fipctl ls --quiet 2>/dev/null)"} ;;
        rm|show) compadd -- ${(f)"$(fipctl ls --quiet 2>/dev/null)"} ;;
        drain) _arguments '--all' '--wait=-::state:(announced)' '--timeout:time' \
               '*:address:compadd -- ${(f)"$(fipctl ls --quiet 2>/dev/null)"}' ;;
        undrain) _arguments '--all' '*:address:compadd -- ${(f)"$(fipctl ls --quiet 2>/dev/null)"}' ;;
        apply) _arguments '-f[file]:file:_files' '--wait=-::state:(translated routed announced)' ;;
        ls) _arguments '--wide' '--quiet' '--state:state:(waiting translated routed learned
               announced drained withdrawing conflict refused failed)' ;;
        completion) compadd bash zsh fish ;;
      esac ;;
  esac
}
if [ "$funcstack[1]" = _fipctl ]; then _fipctl "$@"; else compdef _fipctl fipctl; fi
)script";

constexpr std::string_view kFish = R"script(# fipctl for fish: fipctl completion fish | source
set -l verbs add forward rm apply drain undrain ls show status peers monitor reload accept completion
complete -c fipctl -f
complete -c fipctl -l json -d 'Print JSON'
complete -c fipctl -l socket -r -F -d 'Control socket'
complete -c fipctl -n "not __fish_seen_subcommand_from $verbs" -a "$verbs"
complete -c fipctl -n '__fish_seen_subcommand_from forward rm show drain undrain' -a '(fipctl ls --quiet 2>/dev/null)'
complete -c fipctl -n '__fish_seen_subcommand_from add' -l interface -x -a '(command ls /sys/class/net)'
complete -c fipctl -n '__fish_seen_subcommand_from add' -l forward -x
complete -c fipctl -n '__fish_seen_subcommand_from add' -l limit -x -a 'in_bits= in_burst= out_bits= out_burst= new_connections= new_connections_burst= connections='
complete -c fipctl -n '__fish_seen_subcommand_from forward' -a 'add rm'
complete -c fipctl -n '__fish_seen_subcommand_from add' -l id -x
complete -c fipctl -n '__fish_seen_subcommand_from add' -l port -x
complete -c fipctl -n '__fish_seen_subcommand_from add' -l primary
complete -c fipctl -n '__fish_seen_subcommand_from add' -l preference -x
complete -c fipctl -n '__fish_seen_subcommand_from add' -l color -x
complete -c fipctl -n '__fish_seen_subcommand_from add' -l shared
complete -c fipctl -n '__fish_seen_subcommand_from add' -l check -x
complete -c fipctl -n '__fish_seen_subcommand_from add forward' -l replace
complete -c fipctl -n '__fish_seen_subcommand_from add forward rm apply' -l wait -a 'translated routed announced'
complete -c fipctl -n '__fish_seen_subcommand_from add forward rm apply' -l timeout -x
complete -c fipctl -n '__fish_seen_subcommand_from drain undrain' -l all
complete -c fipctl -n '__fish_seen_subcommand_from drain' -l wait -a 'announced'
complete -c fipctl -n '__fish_seen_subcommand_from drain' -l timeout -x
complete -c fipctl -n '__fish_seen_subcommand_from add forward rm apply' -l dry-run
complete -c fipctl -n '__fish_seen_subcommand_from apply' -s f -l file -r -F
complete -c fipctl -n '__fish_seen_subcommand_from ls' -l wide
complete -c fipctl -n '__fish_seen_subcommand_from ls' -l quiet
complete -c fipctl -n '__fish_seen_subcommand_from ls' -l state -x -a 'waiting translated routed learned announced drained withdrawing conflict refused failed'
complete -c fipctl -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
)script";

}  // namespace

Verdict completion(const std::string& shell) {
  std::string_view script = kBash;
  if (shell == "zsh") script = kZsh;
  if (shell == "fish") script = kFish;
  std::fwrite(script.data(), 1, script.size(), stdout);
  return {};
}

}  // namespace fipd::fipctl
