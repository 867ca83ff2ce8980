#!/bin/sh
# Installs thormesh on this machine, or removes it. For root. POSIX sh: dash and BusyBox run it. Every option is also a variable:
# THORMESH_INSTALL_FILE for --file, and so on (switches: 1). Nothing runs before the last line, so half a download does nothing.
set -eu

usage() {
  cat <<'TEXT'
Usage: install.sh --agent|--controller|--both [--file FILE | --url URL] [options]
       install.sh --uninstall [--purge --yes]

  --agent, --controller, --both  what this machine runs (default: what it runs already, else --agent)
  --file FILE       the executable, or its .xz; FILE.minisig or FILE.sha256 beside it is checked
  --url URL         directory with the executable's .xz, or itself, and .minisig or .sha256, which is checked
  --key KEY         minisign's public key: there must be a signature by it
  --join URL TOKEN  join the fleet of the controller at URL; TOKEN "-" reads it from standard input
  --prefix DIR      install below DIR (default: /usr/local, or /opt where that is read-only)
  --user NAME       user of the service (default: thormesh-agent, thormesh-controller)
  --group A,B       groups of the board for the agent's user (default: those of video and render that exist)
  --sudoers         on a board without systemd: let the agent's user set power modes by sudo
  --no-start        do not start anything
  --no-enable       do not start at boot
  --dry-run         say what would be done
  --yes             ask nothing
  --uninstall       remove everything but configuration, records and users; with --purge those, too
TEXT
}

say() { printf '%s\n' "$*"; }
note() { printf 'note: %s\n' "$*" >&2; }
fail() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}
# Runs a command, or says it.
act() {
  if [ "$dry_run" = 1 ]; then say "would run: $*"; else "$@"; fi
}
have() { command -v "$1" >/dev/null 2>&1; }
is_set() { [ -n "$1" ] && [ "$1" != 0 ]; }

read_options() {
  roles=${THORMESH_INSTALL_ROLES:-}
  file=${THORMESH_INSTALL_FILE:-}
  url=${THORMESH_INSTALL_URL:-}
  key=${THORMESH_INSTALL_KEY:-$default_key}
  join_url=${THORMESH_INSTALL_JOIN:-}
  join_token=
  prefix=${THORMESH_INSTALL_PREFIX:-}
  wanted_user=${THORMESH_INSTALL_USER:-}
  groups=${THORMESH_INSTALL_GROUP:-}
  sudoers=${THORMESH_INSTALL_SUDOERS:-}
  no_start=${THORMESH_INSTALL_NO_START:-}
  no_enable=${THORMESH_INSTALL_NO_ENABLE:-}
  dry_run=${THORMESH_INSTALL_DRY_RUN:-}
  yes=${THORMESH_INSTALL_YES:-}
  uninstall=${THORMESH_INSTALL_UNINSTALL:-}
  purge=${THORMESH_INSTALL_PURGE:-}
  if [ -n "$join_url" ]; then
    case $join_url in
      *' '*) join_token=${join_url#* } join_url=${join_url%% *} ;;
      *) fail "THORMESH_INSTALL_JOIN: expected an address, a blank and a token" ;;
    esac
  fi
  while [ $# -gt 0 ]; do
    case $1 in
      --file | --url | --key | --prefix | --user | --group) [ $# -ge 2 ] || fail "$1: expected a value" ;;
      --join) [ $# -ge 3 ] || fail "--join: expected the controller's address and a token" ;;
    esac
    case $1 in
      --agent | --controller | --both) roles=${1#--} ;;
      --file) file=$2 && shift ;;
      --url) url=$2 && shift ;;
      --key) key=$2 && shift ;;
      --join) join_url=$2 join_token=$3 && shift 2 ;;
      --prefix) prefix=$2 && shift ;;
      --user) wanted_user=$2 && shift ;;
      --group) groups=$2 && shift ;;
      --sudoers) sudoers=1 ;;
      --no-start) no_start=1 ;;
      --no-enable) no_enable=1 ;;
      --dry-run) dry_run=1 ;;
      --yes) yes=1 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      --help | -h) usage && exit 0 ;;
      *)
        usage >&2
        fail "$1: there is no such option"
        ;;
    esac
    shift
  done
  is_set "$dry_run" && dry_run=1 || dry_run=0
  case $prefix in '' | /*) ;; *) fail "--prefix: expected a path that begins with /, got $prefix" ;; esac
  case $prefix$wanted_user$groups in *[!A-Za-z0-9/._,-]*) fail "--prefix, --user, --group: expected letters, digits and ._- only" ;; esac
  case $roles in '' | agent | controller | both) ;; *) fail "THORMESH_INSTALL_ROLES: expected agent, controller or both, got $roles" ;; esac
  [ -z "$file" ] || [ -z "$url" ] || fail "--file and --url: expected one of them"
  [ "$dry_run" = 1 ] || [ "$(id -u)" = 0 ] || fail "expected to be run by root, like: sudo sh install.sh …"
}

# What an earlier installation noted of itself.
noted() { [ ! -f "$lib/installed" ] || sed -n "s/^$1=//p" "$lib/installed"; }

find_place() {
  if [ -z "$prefix" ]; then
    prefix=/usr/local
    # Where it was installed before, there it is changed.
    if [ ! -f $prefix/lib/thormesh/installed ] && [ -f /opt/lib/thormesh/installed ]; then prefix=/opt; fi
    if [ "$dry_run" = 0 ] && ! is_set "$uninstall" && ! mkdir -p $prefix/lib/thormesh 2>/dev/null; then
      note "$prefix can't be written to: installing below /opt"
      prefix=/opt
    fi
  fi
  lib=$prefix/lib/thormesh
  bin=$prefix/bin/thormesh
  [ -n "$roles" ] || roles=$(noted roles)
  [ -n "$roles" ] || roles=agent
  case $(noted roles),$roles in agent,controller | controller,agent) roles=both ;; esac
  [ "$roles" = both ] && roles="controller agent"
  [ -z "$wanted_user" ] || [ "$roles" = agent ] || [ "$roles" = controller ] || fail "--user: agent and controller can't have the same user; leave it out"
  [ -z "$join_url" ] || case $roles in *agent*) ;; *) fail "--join is for agents" ;; esac
}

# User of a role's service.
user_of() {
  if [ -n "$wanted_user" ]; then say "$wanted_user"; else
    before=$(noted "user_$1")
    say "${before:-thormesh-$1}"
  fi
}

check_machine() {
  [ "$(uname -s)" = Linux ] || fail "expected Linux, got $(uname -s)"
  case $(uname -m) in
    x86_64 | amd64) arch=x64 machine=3e ;;
    aarch64 | arm64) arch=arm64 machine=b7 ;;
    *) fail "expected an x86-64 or 64-bit ARM processor, got $(uname -m)" ;;
  esac
  libc=$( (getconf GNU_LIBC_VERSION || ldd --version) 2>/dev/null | sed -n '1s/^.*[^0-9.]\([0-9][0-9]*\.[0-9][0-9]*\)$/\1/p')
  case $libc in
    [3-9].* | '') ;;
    2.*) [ "${libc#2.}" -ge 28 ] || fail "expected glibc 2.28 or newer, got $libc" "JetPack 5, Debian 10 and Ubuntu 20.04 have it" ;;
  esac
  if grep -qx /usr/bin/thormesh /var/lib/dpkg/info/thormesh.list 2>/dev/null; then
    fail "the Debian package thormesh is installed, and dpkg keeps its files" "update it: apt install ./thormesh_VERSION_ARCHITECTURE.deb" "or remove it first: apt remove thormesh"
  fi
  if [ "$(date +%Y)" -lt 2026 ]; then
    clock="this machine's clock says $(date +%Y-%m-%d)"
    if [ -n "$join_url$url" ]; then
      fail "$clock, with which no certificate is valid" "set it first: timedatectl set-ntp true, or date -s"
    fi
    note "$clock: set it (timedatectl set-ntp true) before the agent joins a fleet"
  fi
}

fetch() { # URL FILE
  case $1 in http://* | https://*) ;; *) fail "--url: expected http:// or https://, got $1" ;; esac
  (
    # In 512 or 1024 bytes: whatever a server sends, the disk does not fill up.
    ulimit -f 1000000
    if have curl; then
      curl -fsSL --retry 3 --connect-timeout 20 --speed-limit 1000 --speed-time 60 -o "$2" "$1"
    elif have wget; then
      wget -q -t 3 -T 60 -O "$2" "$1"
    else
      fail "curl or wget is needed for --url" "or copy the executable here and give it with --file"
    fi
  )
}

hash_of() {
  if have sha256sum; then sha256sum "$1" | cut -d' ' -f1; else openssl dgst -sha256 -r "$1" | cut -d' ' -f1; fi
}

# What a release says of a file of it: its signature, else its hash.
fetch_description() { # NAME
  fetch "${url%/}/$1.minisig" "$work/minisig" 2>"$work/said" && return
  rm -f "$work/minisig"
  fetch "${url%/}/$1.sha256" "$work/sha256" 2>"$work/said" && return
  rm -f "$work/sha256"
  return 1
}

can_unpack() { have xz || have dpkg-deb; }
ar_header() { printf '%-16s%-12s%-6s%-6s%-8s%-10s`\n' "$1" 0 0 0 100644 "$2"; }
unpack() { # FROM TO
  (
    ulimit -f 1000000
    if have xz; then xz -dc <"$1" >"$2" && return; else
      # Debian's dpkg, which all its relatives have, reads this format inside packages: so one is made around the file.
      bytes=$(wc -c <"$1")
      {
        printf '!<arch>\n'
        ar_header debian-binary 4 && printf '2.0\n'
        ar_header control.tar 0
        ar_header data.tar.xz "$bytes" && cat "$1"
        [ $((bytes % 2)) = 0 ] || echo
      } >"$2.deb" && dpkg-deb --fsys-tarfile "$2.deb" >"$2" && rm "$2.deb"
    fi
  )
}

# Puts what was published, with what is known of it, into $work.
get_published() {
  name=thormesh-linux-$arch
  published=$name
  if [ -n "$url" ]; then
    if can_unpack && fetch_description "$name.xz"; then published=$name.xz; else
      can_unpack || note "neither xz nor dpkg-deb is installed: the executable is fetched as it is, twice as many bytes"
      fetch_description "$name" || fail "${url%/}/$name can't be fetched: neither .minisig nor .sha256 is there" "nothing was changed"
    fi
    say "fetching ${url%/}/$published"
    fetch "${url%/}/$published" "$work/published" || fail "${url%/}/$published can't be fetched" "nothing was changed"
  else
    [ -f "$file" ] || fail "--file: $file is not there" "give the executable with --file, or where to fetch it with --url"
    kilobytes=$(du -k "$file" | cut -f1)
    if [ "$(first_bytes 6 "$file")" = fd377a585a00 ]; then
      published=$name.xz
      kilobytes=$((kilobytes * 4))
    fi
    free=$(df -Pk "$lib" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt $((kilobytes + 16384)) ] || fail "$lib: expected $((kilobytes / 1024 + 16)) MB free, got $((free / 1024)) MB" "free some space, or choose another disk with --prefix"
    cp "$file" "$work/published" || fail "$file can't be copied to $lib" "nothing was changed"
    [ ! -f "$file.sha256" ] || cp "$file.sha256" "$work/sha256"
    [ ! -f "$file.minisig" ] || cp "$file.minisig" "$work/minisig"
  fi
}

# In hexadecimal.
first_bytes() { # COUNT FILE [FROM]
  od -An -tx1 -j "${3:-0}" -N "$1" "$2" 2>/dev/null | tr -d ' \n'
}

# Before anything is done with it.
check_published() {
  expected=
  if [ -f "$work/minisig" ]; then
    # What was signed says which file it is, so that an older one, or another machine's, is not taken for it.
    signed=$(sed -n 's/^trusted comment: //p' "$work/minisig" | tr '\t' '\n')
    signed_name=$(say "$signed" | sed -n 's/^file://p')
    [ "$signed_name" = "$published" ] || fail "the signature is of another file: expected $published, got $signed_name" "nothing was changed"
    expected=$(say "$signed" | sed -n 's/^sha256://p')
  elif [ -f "$work/sha256" ]; then
    expected=$(cut -d' ' -f1 "$work/sha256")
  fi
  if [ -n "$expected" ]; then
    got=$(hash_of "$work/published")
    [ "$expected" = "$got" ] || fail "the file is not the one that was published: expected SHA-256 $expected, got $got" "nothing was changed; fetch it again"
  fi
  if [ -n "$key" ]; then
    [ -f "$work/minisig" ] || fail "expected a signature beside the executable: $published.minisig" "nothing was changed"
    if have minisign; then
      minisign -V -q -P "$key" -m "$work/published" -x "$work/minisig" >/dev/null || fail "the signature is not of this file and key" "nothing was changed"
    else
      note "minisign is not installed: the hash was checked, the signature was not"
    fi
  fi
}

check_executable() {
  if [ "$published" = "$name" ]; then mv "$work/published" "$work/thormesh"; else
    can_unpack || fail "xz is needed to unpack ${file:-$url}" "install xz-utils, or take the executable as it is: $name"
    unpack "$work/published" "$work/thormesh" 2>"$work/said" || fail "${file:-$url} can't be unpacked: $(tail -n 1 "$work/said")" "nothing was changed; if the file was copied, it may be cut: copy it again"
    rm "$work/published"
  fi
  [ "$(first_bytes 4 "$work/thormesh")" = 7f454c46 ] || fail "expected an executable, got something else: ${file:-$url}" "the release's file for this machine is $name"
  [ "$(first_bytes 1 "$work/thormesh" 18)" = "$machine" ] || fail "the executable is for another processor: this machine is $(uname -m)" "the release's file for it is $name"
  chmod 755 "$work/thormesh"
  # In a shell of its own, which says how it ended.
  version=$({ "$work/thormesh" version; } 2>"$work/said" | sed -n 's/^thormesh \([^ ]*\) .*/\1/p') || true
  [ -n "$version" ] || fail "the executable does not run here: $(tail -n 1 "$work/said")" "nothing was changed; if the file was copied, it may be cut: copy it again"
  case $version in *[!0-9A-Za-z.+-]*) fail "expected a version, got $version" ;; esac
}

# True when the file was not what standard input says, and is now. write FILE MODE OWNER
write() {
  cat >"$work/new"
  if cmp -s "$work/new" "$1"; then return 1; fi
  mkdir -p "$(dirname "$1")"
  cp "$work/new" "$1.installing"
  chown "$3" "$1.installing"
  chmod "$2" "$1.installing"
  mv -f "$1.installing" "$1"
}

# True when the first version is older than the second.
is_older() {
  awk -v a="$1" -v b="$2" 'BEGIN {
    split(a, x, /[.+-]/); split(b, y, /[.+-]/)
    for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 < y[i] + 0)
    exit !(index(a, "-") && !index(b, "-"))
  }'
}

install_executable() {
  to=$lib/versions/$version
  if ! cmp -s "$work/thormesh" "$to/thormesh"; then
    changed=1
    mkdir -p "$to"
    mv -f "$work/thormesh" "$to/thormesh"
  else
    rm -f "$work/thormesh"
  fi
  now=$(readlink "$lib/current" || true)
  if [ "$now" != "versions/$version" ]; then
    changed=1
    if [ -n "$now" ] && is_older "$version" "${now#versions/}"; then
      note "$version is older than ${now#versions/}, which was in force; records that it can't read are put aside, and the agent's log says so"
    fi
    [ -z "$now" ] || switch "$now" "$lib/previous"
    switch "versions/$version" "$lib/current"
  fi
  mkdir -p "$prefix/bin"
  [ "$(readlink "$bin" || true)" = ../lib/thormesh/current/thormesh ] || switch ../lib/thormesh/current/thormesh "$bin"
  [ "$prefix" != /opt ] || [ -e /usr/bin/thormesh ] || ln -s /opt/bin/thormesh /usr/bin/thormesh 2>/dev/null || note "$prefix/bin is not in everybody's PATH"
  "$lib/current/thormesh" service-files "$work/files"
  for each in install.sh boot-check; do
    [ ! -f "$work/files/$each" ] || write "$lib/$each" 755 0:0 <"$work/files/$each" || true
  done
}

# Lets a link point elsewhere in one step.
switch() {
  rm -f "$2.installing"
  ln -s "$1" "$2.installing"
  mv -T "$2.installing" "$2"
}

make_user() { # ROLE USER
  home=/var/lib/thormesh-$1
  if ! id "$2" >/dev/null 2>&1; then
    if have useradd; then
      useradd --system --user-group --home-dir "$home" --no-create-home --shell /usr/sbin/nologin "$2"
    else
      addgroup -S "$2" && adduser -S -D -H -h "$home" -s /bin/false -G "$2" "$2"
    fi
    made_users="$made_users $2"
  fi
  if [ "$1" = agent ]; then
    for group in $(say "${groups:-video,render}" | tr , ' '); do
      if ! grep -q "^$group:" /etc/group; then
        [ -z "$groups" ] || fail "--group: there is no group $group"
      elif ! id -nG "$2" | tr ' ' '\n' | grep -qx "$group"; then
        if have usermod; then usermod --append --groups "$group" "$2"; else addgroup "$2" "$group"; fi
      fi
    done
  fi
  for directory in "$home" "/var/cache/thormesh-$1"; do
    [ -d "$directory" ] || mkdir -m 700 "$directory"
    # Root may have run it by hand here: the service could not read what that left.
    if [ -n "$(find "$directory" ! -user "$2" -print | head -n 1)" ]; then chown -Rh "$2:" "$directory"; fi
    chmod 700 "$directory"
  done
}

# Writes the configuration, unless there is one; beside one that was changed, what it would be now.
write_config() { # ROLE USER
  config=/etc/thormesh/$1.yaml
  "$lib/current/thormesh" config init "$1" | sed "s|^#stateDir: .*|stateDir: /var/lib/thormesh-$1|" >"$work/config"
  if [ "$1,$roles,$join_url" = "agent,controller agent," ] && [ ! -d /var/lib/thormesh-agent/identity ]; then
    printf '\n# given by the controller on this machine\nbroker: {passwordFile: /var/lib/thormesh-agent/broker.password}\n' >>"$work/config"
  fi
  if [ "$1" = agent ] && is_set "$sudoers"; then
    printf '\n# nvpmodel by sudo: /etc/sudoers.d/thormesh-power\npower: {jetson: {nvpmodelSet: [sudo, -n, /usr/sbin/nvpmodel]}}\n' >>"$work/config"
  fi
  mkdir -p "$lib/shipped"
  if [ ! -e "$config" ]; then
    changed=1
    write "$config" 640 "0:$2" <"$work/config"
  elif cmp -s "$config" "$lib/shipped/$1.yaml"; then
    if write "$config" 640 "0:$2" <"$work/config"; then changed=1; fi
  elif ! cmp -s "$work/config" "$lib/shipped/$1.yaml" && write "$config.new" 640 "0:$2" <"$work/config"; then
    say "$config stays as it is; what a new one has is in $config.new"
  fi
  write "$lib/shipped/$1.yaml" 644 0:0 <"$work/config" || true
  environment=/etc/default/thormesh-$1
  if [ ! -e "$environment" ]; then
    options=$(say "$1" | tr '[:lower:]' '[:upper:]')_OPTIONS
    printf '%s\n' "# Read by root alone. Secrets can stand here: THORMESH_SERVER_API_KEY, THORMESH_MQTT_PASSWORD; each key of the" \
      "# configuration has a variable, too." "$options=\"--config $config\"" | write "$environment" 600 0:0
  fi
}

has_systemd() { [ -d /run/systemd/system ] && have systemctl; }
is_jetson() { [ -e /etc/nv_tegra_release ] || have nvpmodel || [ -x /usr/sbin/nvpmodel ]; }

write_units() { # ROLE USER
  # The second one ends an update that a power cut interrupted.
  units="thormesh-$1.service thormesh-update-resume.service"
  # Updates that the fleet orders, where the agent's configuration allows them.
  [ "$1" = controller ] || units="$units thormesh-update.path thormesh-update.service"
  if [ "$1" = agent ] && is_jetson; then units="$units thormesh-power.socket thormesh-power@.service"; fi
  for unit in $units; do
    if sed -e "s|/usr/local/|$prefix/|g" -e "s/^\(User\|Group\|SocketGroup\)=thormesh-$1\$/\1=$2/" -e "s|/boot-check $1\$|& $lib|" -e "s/chown -Rh thormesh-$1:/chown -Rh $2:/" "$work/files/$unit" | write "/etc/systemd/system/$unit" 644 0:0; then
      changed=1
      reload=1
    fi
  done
}

# For machines without systemd: starts the service as its user, and again whenever it ends.
write_runner() { # ROLE USER
  options=$(say "$1" | tr '[:lower:]' '[:upper:]')_OPTIONS
  write "$lib/run-$1" 755 0:0 <<TEXT || true
#!/bin/sh
# Runs the thormesh $1 as $2, and again whenever it fails; SIGUSR1 starts it anew. For machines without systemd; for root.
# Its log: /var/log/thormesh-$1.log, and what was before in .log.1, of about 10 MB each.
set -eu
umask 077
set -a
[ ! -e /etc/default/thormesh-$1 ] || . /etc/default/thormesh-$1
export HOME=/var/lib/thormesh-$1 STATE_DIRECTORY=/var/lib/thormesh-$1 CACHE_DIRECTORY=/var/cache/thormesh-$1
set +a
echo \$\$ >/run/thormesh-$1.run
log=/var/log/thormesh-$1.log
child='' again=0 helpers=
stop() {
  for each in \$child \$helpers; do kill \$each 2>/dev/null || true; done
  [ -z "\$child" ] || wait \$child 2>/dev/null || true
  rm -f /run/thormesh-$1.run
  exit 0
}
trap stop TERM INT
trap 'again=1; [ -z "\$child" ] || kill \$child 2>/dev/null || true' USR1
chown -Rh $2: \$STATE_DIRECTORY \$CACHE_DIRECTORY
keep_log_small() {
  while sleep 20; do
    [ "\$(wc -c <\$log)" -gt 10000000 ] || continue
    cp \$log \$log.1 || rm -f \$log.1
    : >\$log
  done
}
touch \$log
keep_log_small 2>/dev/null &
helpers=\$!
# Ends an update that a power cut interrupted, once the $1 has had time to start.
{ sleep 20 && $lib/boot-check --resume $lib; } >>\$log 2>&1 &
helpers="\$helpers \$!"
while :; do
  again=0
  # A new version that does not even start is left for the one before.
  $lib/boot-check $1 $lib >>\$log 2>&1 || true
  $(as_user "$2") $bin $1 \${$options:-} >>\$log 2>&1 &
  child=\$!
  code=0
  wait \$child || code=\$?
  # A signal to this script ends the waiting, not the service.
  while kill -0 \$child 2>/dev/null; do wait \$child || code=\$?; done
  child=
  [ \$again = 0 ] || continue
  [ \$code != 0 ] || break
  sleep 5 &
  wait \$! || true
done
stop
TEXT
}

# The words with which a command is run as a user.
as_user() {
  if have setpriv; then say "setpriv --reuid $1 --regid $1 --init-groups"; else say "runuser -u $1 --"; fi
}

# Runs the program as the user of a role: as_service ROLE USER ARGUMENTS…
as_service() {
  service=$1
  prefixed=$(as_user "$2")
  shift 2
  # Unquoted: words.
  HOME=/var/lib/thormesh-$service STATE_DIRECTORY=/var/lib/thormesh-$service CACHE_DIRECTORY=/var/cache/thormesh-$service \
    $prefixed "$bin" "$@"
}

join_fleet() { # USER
  [ "$join_token" != - ] || read -r join_token
  say "joining the fleet of $join_url"
  before=$(cat /var/lib/thormesh-agent/identity/* 2>/dev/null | cksum)
  # By the environment: everybody sees command lines.
  (
    cd /
    THORMESH_JOIN_TOKEN=$join_token
    export THORMESH_JOIN_TOKEN
    as_service agent "$1" agent join "$join_url" --config /etc/thormesh/agent.yaml
  ) || fail "the device is installed, and has not joined" "try again: sudo $lib/install.sh --agent --join $join_url TOKEN"
  [ "$(cat /var/lib/thormesh-agent/identity/* 2>/dev/null | cksum)" = "$before" ] || changed=1
}

# The agent on the controller's machine gets its password for the controller's broker.
share_password() { # CONTROLLER_USER AGENT_USER
  password=/var/lib/thormesh-agent/broker.password
  (cd / && as_service controller "$1" controller secret "$(uname -n)" --config /etc/thormesh/controller.yaml) >"$work/password" ||
    fail "the controller gives no password for this machine's agent"
  if write "$password" 600 "$2:" <"$work/password"; then changed=1; fi
}

start() { # ROLE
  service=thormesh-$1
  if has_systemd; then
    [ "$reload" = 0 ] || systemctl daemon-reload
    reload=0
    sockets=
    [ ! -f /etc/systemd/system/thormesh-power.socket ] || [ "$1" != agent ] || sockets=thormesh-power.socket
    paths=
    [ "$1" = controller ] || paths=thormesh-update.path
    # Unquoted: there may be none.
    is_set "$no_enable" || systemctl --quiet enable $sockets $paths thormesh-update-resume.service "$service.service"
    is_set "$no_start" && return
    [ -z "$sockets$paths" ] || systemctl start $sockets $paths
    if [ "$changed" = 1 ] || ! systemctl --quiet is-active "$service.service"; then
      systemctl restart "$service.service" || fail "the $1 does not start" "read: journalctl -u $service -n 30" "then: thormesh doctor"
      say "the $1 is running: systemctl status $service"
    else
      say "the $1 is running, and nothing of it has changed"
    fi
  else
    is_set "$no_start" && return
    running=$(cat "/run/$service.run" 2>/dev/null || true)
    if [ -n "$running" ] && kill -0 "$running" 2>/dev/null; then
      [ "$changed" = 1 ] || { say "the $1 is running, and nothing of it has changed" && return; }
      stop_runner "$1"
    fi
    setsid "$lib/run-$1" </dev/null >/dev/null 2>&1 &
    say "there is no systemd: the $1 was started by $lib/run-$1; let your init run that at boot"
  fi
}

stop_runner() { # ROLE
  running=$(cat "/run/thormesh-$1.run" 2>/dev/null || true)
  [ -n "$running" ] || return 0
  kill "$running" 2>/dev/null || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$running" 2>/dev/null || return 0
    sleep 1
  done
  kill -9 "$running" 2>/dev/null || true
}

write_sudoers() { # USER
  sed "s/^thormesh-agent ALL/$1 ALL/" "$work/files/thormesh-power.sudoers" >"$work/sudoers"
  have visudo || fail "--sudoers: sudo is not installed"
  visudo -cqf "$work/sudoers" || fail "--sudoers: sudo does not understand the rule"
  write /etc/sudoers.d/thormesh-power 440 0:0 <"$work/sudoers" || true
}

install_all() {
  check_machine
  if [ "$dry_run" = 1 ]; then
    say "would install ${file:-${url:-the executable that is here}} below $lib, with $bin"
    for role in $roles; do
      say "would make the user $(user_of "$role"), /etc/thormesh/$role.yaml, /etc/default/thormesh-$role, /var/lib/thormesh-$role and /var/cache/thormesh-$role"
      if has_systemd; then say "would make, enable and start thormesh-$role.service"; else say "would start the $role by $lib/run-$role (there is no systemd)"; fi
    done
    is_jetson && say "this is a Jetson: would install the power helper"
    [ -z "$join_url" ] || say "would join the fleet of $join_url"
    return
  fi
  if [ -z "$file$url" ]; then
    [ -e "$lib/current/thormesh" ] || fail "expected --file or --url: the executable to install" "install.sh --help has the options"
    file=$lib/current/thormesh
  fi
  mkdir -p "$lib" || fail "$lib can't be made" "choose another place with --prefix"
  # On the disk of the installation: /tmp may be small, or nothing may run from it.
  work=$(mktemp -d "$lib/installing.XXXXXX")
  changed=0 reload=0 made_users=$(noted made_users)
  get_published
  check_published
  check_executable
  install_executable
  [ -z "$sudoers" ] || write_sudoers "$(user_of agent)"
  # First, so that whatever fails below can be removed.
  note_installation
  for role in $roles; do
    user=$(user_of "$role")
    make_user "$role" "$user"
    write_config "$role" "$user"
    if has_systemd; then write_units "$role" "$user"; else write_runner "$role" "$user"; fi
    note_installation
  done
  for role in $roles; do
    if [ "$role" = agent ] && [ -n "$join_url" ]; then join_fleet "$(user_of agent)"; fi
    if [ "$role" = agent ] && [ "$roles" = "controller agent" ] && [ -z "$join_url" ] && [ ! -d /var/lib/thormesh-agent/identity ]; then share_password "$(user_of controller)" "$(user_of agent)"; fi
    start "$role"
  done
  say "thormesh $version is installed; to check it: sudo thormesh doctor; to remove it: sudo $lib/install.sh --uninstall"
}

note_installation() {
  {
    say "version=$version"
    say "roles=$(say "$roles" | sed 's/controller agent/both/')"
    say "made_users=$made_users"
    for role in controller agent; do
      case " $roles " in *" $role "*) say "user_$role=$(user_of "$role")" ;; *) noted "user_$role" | sed "s/^/user_$role=/" ;; esac
    done
  } >"$work/noted"
  write "$lib/installed" 644 0:0 <"$work/noted" || true
}

uninstall_all() {
  if is_set "$purge" && ! is_set "$yes" && [ "$dry_run" = 0 ]; then
    [ -t 0 ] || fail "--purge removes the records: expected --yes with it"
    printf 'Remove configuration and records, too? [y/N] '
    read -r answer
    [ "$answer" = y ] || fail "nothing was removed"
  fi
  for role in agent controller; do
    units="thormesh-$role.service thormesh-update-resume.service"
    [ "$role" = controller ] || units="$units thormesh-power.socket thormesh-power@.service thormesh-update.path thormesh-update.service"
    for unit in $units; do
      [ -f "/etc/systemd/system/$unit" ] || continue
      case $unit in *@*) ;; *) has_systemd && act systemctl --quiet disable --now "$unit" ;; esac
      act rm -rf "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d"
      removed_units=1
    done
    [ "$dry_run" = 1 ] || stop_runner "$role"
  done
  if [ -n "${removed_units:-}" ] && has_systemd; then act systemctl daemon-reload; fi
  users=$(noted made_users)
  act rm -f /etc/sudoers.d/thormesh-power
  [ "$(readlink "$bin" || true)" != ../lib/thormesh/current/thormesh ] || act rm -f "$bin"
  [ "$(readlink /usr/bin/thormesh || true)" != /opt/bin/thormesh ] || act rm -f /usr/bin/thormesh
  act rm -rf "$lib" /var/cache/thormesh-agent /var/cache/thormesh-controller /var/cache/thormesh-update
  [ "$dry_run" = 1 ] || [ "$prefix" != /opt ] || rmdir /opt/lib /opt/bin 2>/dev/null || true
  if is_set "$purge"; then
    act rm -rf /etc/thormesh /etc/default/thormesh-agent /etc/default/thormesh-controller /var/lib/thormesh-agent /var/lib/thormesh-controller
    # What root ran by hand: the libraries that it unpacked, and directories that it left empty.
    act rm -rf "${HOME:-/root}/.cache/thormesh"
    [ ! -d "${HOME:-/root}/.local/state/thormesh" ] || act find "${HOME:-/root}/.local/state/thormesh" -depth -type d -empty -delete || true
    act rm -f /var/log/thormesh-agent.log /var/log/thormesh-agent.log.1 /var/log/thormesh-controller.log /var/log/thormesh-controller.log.1
    for user in $(say "$users" thormesh-agent thormesh-controller | tr ' ' '\n' | sort -u); do
      id "$user" >/dev/null 2>&1 || continue
      if have userdel; then act userdel "$user"; else act deluser "$user"; fi
    done
    say "thormesh is removed, with all that it kept"
  else
    say "thormesh is removed. Kept: /etc/thormesh, /etc/default/thormesh-*, /var/lib/thormesh-* and the users"
  fi
}

# Leaves nothing of an installation that did not begin.
clean_up() {
  [ -z "$work" ] || rm -rf "$work"
  [ "$dry_run" = 1 ] || rmdir "$lib" 2>/dev/null || true
}

main() {
  # Minisign's public key of the releases.
  default_key=
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  umask 022
  read_options "$@"
  work='' lib=/nowhere
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  find_place
  if is_set "$uninstall"; then uninstall_all; else install_all; fi
}

main "$@"
