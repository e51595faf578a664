// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The fixed bash texts of the daemon, all of them here. Their words come as arguments and are
 * never evaluated. They do what Deno keeps from a program without every permission: look into
 * /proc, and write cgroups.
 *
 * @module
 */

/** The variable that marks a command's processes. */
export const MARK_VARIABLE = "QVM_REMOTE_MARK";

/**
 * Starts the command in its group and session, waits for it, ends what it left in its cgroup,
 * and exits as it did.
 *
 *     $1 cgroup or ""   $2 session file   $3 mark   $4 most processes   $5 most memory
 *     $6… the command
 */
export const WARDEN = `
cgroup=$1 session_file=$2 mark=$3 processes=$4 memory=$5
shift 5
exec 3>&2 2>/dev/null # bash's own messages are not the command's
if [ -n "$cgroup" ]; then
  [ ! -e "$cgroup/pids.max" ] || echo "$processes" >"$cgroup/pids.max"
  if [ -e "$cgroup/memory.max" ]; then
    echo "$memory" >"$cgroup/memory.max"
    echo 0 >"$cgroup/memory.swap.max"
    before=$(<"$cgroup/memory.events")
  fi
fi
(
  [ -z "$cgroup" ] || echo 0 >"$cgroup/cgroup.procs" || exit 125
  umask 022
  export ${MARK_VARIABLE}="$mark"
  exec setsid -- "$@" 2>&3 3>&-
) &
child=$!
[ -n "$cgroup" ] || echo "$child" >"$session_file"
exec >&- 3>&- # the command's streams end with the command
wait "$child"
code=$?
if [ -n "$cgroup" ]; then
  while read -r _ populated <"$cgroup/cgroup.events" && [ "$populated" = 1 ]; do
    echo 1 >"$cgroup/cgroup.kill"
    sleep 0.01
  done
  [ ! -e "$cgroup/memory.max" ] || [ "$before" = "$(<"$cgroup/memory.events")" ] ||
    case $code in 137) echo oom >"$session_file" ;; esac
fi
exit "$code"
`;

/**
 * Makes cgroups for the commands and prints the folder they are in; prints nothing where there
 * is no cgroup to divide. The daemon moves into a leaf of its own: a cgroup that has members
 * cannot hand controllers down.
 *
 *     $1 folder, or "" for the one that this process is in   $2… names of the cgroups
 */
export const PREPARE_CGROUPS = `
folder=$1
shift
if [ -z "$folder" ]; then
  while IFS=: read -r id _ path; do [ "$id" != 0 ] || own=$path; done </proc/self/cgroup
  while read -r _ _ _ _ mount _ rest; do
    case $rest in *"- cgroup2 "*) root=$mount ;; esac
  done </proc/self/mountinfo
  [ -n "$root" ] && [ -n "$own" ] && [ "$own" != / ] || exit 0
  folder=$root$own
fi
mkdir -p "$folder/daemon" && echo "$PPID" >"$folder/daemon/cgroup.procs" || exit 0
for controller in pids memory; do
  case " $(<"$folder/cgroup.controllers") " in
    *" $controller "*) echo "+$controller" >"$folder/cgroup.subtree_control" ;;
  esac
done
for name; do
  mkdir -p "$folder/$name" && echo 1 >"$folder/$name/cgroup.kill" || exit 0
done
kind=counted
[ ! -e "$folder/$name/pids.max" ] || kind=limited
echo "$kind $folder"
`;

/** $1 cgroup   $2 TERM or KILL */
export const SIGNAL_CGROUP = `
if [ "$2" = KILL ]; then echo 1 >"$1/cgroup.kill"; exit; fi
while read -r pid; do kill -"$2" "$pid"; done <"$1/cgroup.procs"
`;

/** $1 cgroup. Prints how many processes it has. */
export const COUNT_CGROUP = `mapfile -t pids <"$1/cgroup.procs" && echo "\${#pids[@]}"`;

/**
 * Prints nothing, or with "count" how many there are: the processes that carry one of the
 * marks, or are in one of the sessions. A signal goes to them again until none is new, and
 * before a KILL they are stopped, so that a fork bomb cannot outrun the loop.
 *
 *     $1 count, TERM or KILL   $2 sessions, with spaces   $3… marks, a mark with "*" is a prefix
 */
export const MARKED = `
what=$1 sessions=" $2 "
shift 2
patterns=()
for mark; do
  case $mark in
    *'*') patterns+=(-e "^${MARK_VARIABLE}=\${mark%?}") ;;
    *) patterns+=(-e "^${MARK_VARIABLE}=$mark\\$") ;;
  esac
done
find_members() {
  members=()
  local file line pid rest state session
  for file in $(grep -lsz "\${patterns[@]}" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    members+=("\${pid%/environ}")
  done
  [ "$sessions" != "  " ] || return 0
  for file in /proc/[0-9]*/stat; do
    read -r line <"$file" || continue
    rest=\${line##*) }
    read -r state _ _ session _ <<<"$rest"
    [ "$state" != Z ] || continue
    case $sessions in *" $session "*) members+=("\${line%% *}") ;; esac
  done
}
exec 2>/dev/null
find_members
if [ "$what" = count ]; then
  echo "\${#members[@]}"
  exit
fi
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  new=()
  for pid in "\${members[@]}"; do
    case $hit in *" $pid "*) ;; *) new+=("$pid"); hit+=" $pid " ;; esac
  done
  [ "\${#new[@]}" -gt 0 ] || break
  [ "$what" != KILL ] || kill -STOP "\${new[@]}"
  kill -"$what" "\${new[@]}"
  find_members
done
`;

/** Runs one of the texts. @returns what it printed, without the last newline */
export async function runBash(text: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command("/bin/bash", {
    args: ["-c", text, "qvm-remote-dom0", ...words],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trimEnd();
}
