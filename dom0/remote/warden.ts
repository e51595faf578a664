// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The fixed bash texts of the daemon, all of them here. Their words come as arguments or on
 * stdin and are never evaluated. They do what Deno keeps from a program without every
 * permission: look into /proc, and write cgroups.
 *
 * @module
 */

/** The variable that marks a command's processes. */
export const MARK_VARIABLE = "QVM_REMOTE_MARK";
/** What bash calls itself where it has something to say, as of a command that is not found. */
export const NAME = "qvm-remote-dom0";

/**
 * Waits for its order on stdin, joins the command's group and becomes the command. It leads a
 * session of its own already, so its process number is that of the session.
 *
 *     order, words that end with NUL: cgroup or "", most processes, most memory, number of
 *     variables, the variables as NAME=value, the command's words, "go"
 */
export const WARDEN = `
mapfile -d '' -t order
[ "\${#order[@]}" -gt 5 ] && [ "\${order[-1]}" = go ] || exit 125 # the daemon has ended
unset 'order[-1]'
cgroup=\${order[0]}
if [ -n "$cgroup" ]; then
  {
    [ ! -e "$cgroup/pids.max" ] || echo "\${order[1]}" >"$cgroup/pids.max"
    if [ -e "$cgroup/memory.max" ]; then
      echo "\${order[2]}" >"$cgroup/memory.max"
      echo 0 >"$cgroup/memory.swap.max"
    fi
    echo 0 >"$cgroup/cgroup.procs" || exit 125
  } 2>/dev/null
fi
export "\${order[@]:4:order[3]}"
umask 022
exec -- "\${order[@]:4+order[3]}" </dev/null
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

/**
 * Looks after the cgroups: reads "VERB cgroup" lines, prints one line for each. It starts no
 * process, so it works on while a command takes every process there is.
 *
 *     TERM, KILL   signals its members
 *     COUNT        how many they are
 *     SETTLE       kills what is left; "busy" until nothing is, then "oom" if the kernel ended a
 *                  process for lack of memory since the last time, else "ended"
 */
export const CGROUP_KEEPER = `
exec 2>/dev/null
declare -A oom_kills
while read -r verb cgroup; do
  answer=ok
  case $verb in
    TERM) while read -r pid; do kill -TERM "$pid"; done <"$cgroup/cgroup.procs" ;;
    KILL) echo 1 >"$cgroup/cgroup.kill" ;;
    COUNT)
      mapfile -t pids <"$cgroup/cgroup.procs"
      answer=\${#pids[@]}
      ;;
    SETTLE)
      populated=0
      read -r _ populated <"$cgroup/cgroup.events"
      if [ "$populated" != 0 ]; then
        echo 1 >"$cgroup/cgroup.kill"
        answer=busy
      else
        answer=ended
        kills=0
        [ ! -e "$cgroup/memory.events" ] || while read -r name count; do
          [ "$name" != oom_kill ] || kills=$count
        done <"$cgroup/memory.events"
        [ "\${oom_kills[$cgroup]-$kills}" = "$kills" ] || answer=oom
        oom_kills[$cgroup]=$kills
      fi
      ;;
  esac
  echo "$answer"
done
`;

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

/** What bash itself needs; a command's variables come with its order. */
export const CLEAN_ENV = { PATH: "/usr/bin:/bin", LC_ALL: "C" };

/** Runs one of the texts. @returns what it printed, without the last newline */
export async function runBash(text: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command("/bin/bash", {
    args: ["-c", text, NAME, ...words],
    clearEnv: true,
    env: CLEAN_ENV,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trimEnd();
}
