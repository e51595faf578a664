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
 * Has a pipe open, as number 9, that is the stdin of a command: so it does not end. Lets go when the daemon
 * no longer holds the lock on a file, if the word "end" is in it or it is gone. Else the daemon has ended
 * without that word, and this waits for the end of the command. The TERM that ends a whole unit must not
 * end it first.
 *
 *     $1 the file   $2 the command's first process
 */
const KEEPER = `
trap "" TERM
exec <"$1" || exit 0
/usr/bin/flock 0
read -r word
[ "$word" != end ] || exit 0
while kill -0 "$2"; do /usr/bin/sleep 0.1; done
`;

/**
 * Joins its cgroup, and makes it if it is not there, while nobody waits for it: the kernel takes
 * 10 ms and more to move a process. (Deno would need every permission there is to write below /sys.)
 * Then waits for its order on stdin, sets the limits and becomes the command. It leads a session of its own already, so its
 * process number is that of the session. Where the kernel offers a limit and it cannot be set,
 * nothing is run.
 *
 *     $1 the cgroup to be in, or ""   $2 the holder to end, or ""
 *     $3 the file of a keeper, which is started first, outside of that cgroup; or ""
 *     order, words that end with NUL: how many follow, most processes, most memory, the file to be
 *     read on stdin or "-" for what follows the order, number of variables, the variables as
 *     NAME=value, the command's words, "go"
 */
export const WARDEN = `
cgroup=$1
[ -z "$2" ] || kill -KILL "$2"
if [ -n "$3" ]; then
  exec 9>/proc/self/fd/0 || exit 125
  (${MARK_VARIABLE}="\${3##*/}" /usr/bin/setsid -- /bin/bash -c '${KEEPER}' ${NAME} "$3" $$ </dev/null >/dev/null 2>&1 &)
  exec 9>&-
fi
if [ -n "$cgroup" ]; then
  [ -d "$cgroup" ] || /usr/bin/mkdir -- "$cgroup" </dev/null || exit 125
  echo 0 >"$cgroup/cgroup.procs" || exit 125
fi
read -r -d '' words && mapfile -d '' -t -n "$words" order
[ "\${#order[@]}" -gt 5 ] && [ "\${order[-1]}" = go ] || exit 125 # the daemon has ended
unset 'order[-1]'
if [ -n "$cgroup" ]; then
  put() { [ ! -e "$cgroup/$1" ] || echo "$2" >"$cgroup/$1" || exit 125; }
  put pids.max "\${order[0]}"
  put memory.max "\${order[1]}"
  put memory.swap.max 0
  put memory.oom.group 1 # half a command is of no use to anybody
fi
# The unit keeps the daemon from being ended where dom0 runs out of memory; not what it runs.
read -r score </proc/self/oom_score_adj
[ "$score" -ge 0 ] || echo 0 >/proc/self/oom_score_adj || exit 125
[ "\${order[2]}" = - ] || exec <"\${order[2]}" || exit 125
export "\${order[@]:4:order[3]}"
umask 022
exec -- "\${order[@]:4+order[3]}"
`;

/**
 * Starts wardens outside of the daemon's unit: reads lines "NUMBER HOLDER KEEPER cgroup", with "-" for none, and prints
 * "NUMBER code" when that one has ended. The holder is a process that has the pipes; the
 * warden ends it as soon as it has them. bash reads this text from its stdin, and the lines after it.
 */
export const SPAWNER = `
warden=${quoted(WARDEN)}
run() {
  code=125
  if [ -e "/proc/$2/fd/0" ]; then
    /usr/bin/setsid -- /bin/bash -c "$warden" ${NAME} "$3" "$2" "$4" \\
      <"/proc/$2/fd/0" >"/proc/$2/fd/1" 2>"/proc/$2/fd/2"
    code=$?
  fi
  echo "$1 $code"
}
set -m # else what runs in the background ignores INT and QUIT for ever
cd /
for name in $(compgen -e); do unset "$name"; done
echo "ready $$"
while read -r number holder keeper cgroup; do
  run "$number" "$holder" "$cgroup" "\${keeper#-}" </dev/null &
  disown
done
`;

/** For bash, as one word. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Divides a cgroup in two: "daemon" for its owner and what that starts for itself, and
 * "commands", with limits for all commands together. A cgroup that has members cannot hand
 * controllers down, so all of them move. What an earlier daemon left in "commands" is ended. Prints
 * "kernel" or "watched" for processes, "kernel" or "none" for memory, and the folder; or says on
 * stderr what is wrong, and fails.
 *
 *     $1 folder, or "" for the one that the owner is in   $2 most processes   $3 most memory
 *     $4 the owner's process
 */
export const PREPARE_CGROUPS = `
fail() { echo "$*" >&2; exit 1; }
folder=$1 owner=$4
if [ -z "$folder" ]; then
  while IFS=: read -r id _ path; do [ "$id" != 0 ] || own=$path; done <"/proc/$owner/cgroup"
  while read -r _ _ _ _ mount _ rest; do
    case $rest in *"- cgroup2 "*) root=$mount ;; esac
  done </proc/self/mountinfo
  [ -n "$root" ] && [ -n "$own" ] || fail "no cgroup of version 2 is mounted"
  [ "$own" != / ] || fail "process $owner has no cgroup of its own"
  folder=$root$own
fi
commands=$folder/commands
mkdir -p -- "$folder" || exit 1
[ -e "$folder/cgroup.kill" ] ||
  fail "$folder has no cgroup.kill: it is no cgroup of version 2, or Linux is older than 5.14"
# Only what is the owner's is moved: others' processes mean that the cgroup is others'.
mapfile -t members <"$folder/cgroup.procs" || exit 1
for pid in "\${members[@]}"; do
  parent=
  { read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue # it has ended
  read -r _ parent _ <<<"\${line##*) }"
  case " $owner $$ " in
    *" $pid "* | *" $parent "*) ;;
    *) fail "process $pid is in $folder and none of process $owner" ;;
  esac
done
mkdir -p -- "$folder/daemon" "$commands" || exit 1
echo 1 >"$commands/cgroup.kill" || exit 1
for round in {1..100}; do
  find "$commands" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
  left=$(find "$commands" -mindepth 1 -type d) || exit 1
  [ -n "$left" ] || break
  sleep 0.05
done
[ -z "$left" ] || fail "what an earlier daemon left does not end: $left"
[ "$owner" != "$PPID" ] || members+=("$owner" "$$")
for pid in "\${members[@]}"; do
  echo "$pid" >"$folder/daemon/cgroup.procs" || [ ! -e "/proc/$pid" ] || exit 1
done
processes=watched memory=none
read -r controllers <"$folder/cgroup.controllers"
case " $controllers " in *" pids "*) processes=kernel ;; esac
case " $controllers " in *" memory "*) memory=kernel ;; esac
for at in "$folder" "$commands"; do
  [ "$processes" != kernel ] || echo +pids >"$at/cgroup.subtree_control" || exit 1
  [ "$memory" != kernel ] || echo +memory >"$at/cgroup.subtree_control" || exit 1
done
[ "$processes" != kernel ] || echo "$2" >"$commands/pids.max" || exit 1
[ "$memory" != kernel ] || echo "$3" >"$commands/memory.max" || exit 1
echo "$processes $memory $folder"
`;

/** Ends each question to the keeper, before the newline. */
export const KEEPER_END = "\x1e";

/**
 * Looks after the cgroups: reads "VERB words cgroup" lines, each with KEEPER_END before its newline,
 * and prints one line for each. It starts no process, so it works on while a command takes every
 * process there is. bash reads a pipe byte by byte: so a cgroup goes by its name in the folder.
 *
 *     TERM, KILL       signals its members
 *     WATCH most       kills it as soon as it has more processes, or, where the kernel holds the
 *                      limit (most is "kernel"), as soon as it was refused one
 *     SETTLE           kills what is left; "busy" and how many processes that were, until nothing
 *                      is. Then "ended" and what happened: "killed" for having too many processes; "refused" if it was
 *                      refused one; "oom" if the kernel ended one for lack of memory, and "total"
 *                      too if it was the memory of all commands that was used up
 *     TOTAL p m        (of ".") the most processes and memory of all commands
 *
 *     $1 the folder with the cgroups
 *     $2 seconds between two looks while something is watched   $3 the same in microseconds
 */
export const CGROUP_KEEPER = `
exec 2>/dev/null
set -f # the lines are words
cd -- "$1" || exit
declare -A most killed
looked=0
counted() { # file, name: what an events file says
  value=0
  [ ! -e "$1" ] || while read -r name count; do [ "$name" != "$2" ] || value=$count; done <"$1"
}
look() { # not more often: while lines come one after the other, too
  local cgroup now=\${EPOCHREALTIME/.}
  # If the clock was set back, at once.
  [ "$now" -lt "$looked" ] || [ "$now" -ge $((looked + $1)) ] || return
  looked=$now
  for cgroup in "\${!most[@]}"; do
    if [ "\${most[$cgroup]}" = kernel ]; then
      counted "$cgroup/pids.events" max
      [ "$value" -gt 0 ] || continue
    else
      pids=()
      mapfile -t pids <"$cgroup/cgroup.procs"
      [ "\${#pids[@]}" -gt "\${most[$cgroup]}" ] || continue
    fi
    echo 1 >"$cgroup/cgroup.kill"
    killed[$cgroup]=1
    unset 'most[$cgroup]'
  done
}
settle() {
  populated=0
  read -r _ populated <"$cgroup/cgroup.events"
  if [ "$populated" != 0 ]; then
    pids=()
    mapfile -t pids <"$cgroup/cgroup.procs"
    answer="busy \${#pids[@]}"
    echo 1 >"$cgroup/cgroup.kill"
    return
  fi
  answer=ended
  [ -z "\${killed[$cgroup]}" ] || answer+=" killed"
  counted "$cgroup/pids.events" max
  [ "$value" = 0 ] || answer+=" refused"
  counted "$cgroup/memory.events" oom_kill
  if [ "$value" != 0 ]; then
    answer+=" oom"
    counted "$cgroup/memory.events" oom
    [ "$value" != 0 ] || answer+=" total"
  fi
  unset 'most[$cgroup]' 'killed[$cgroup]'
}
pending= end=$'\\x1e'
while :; do
  wait_for=()
  [ "\${#most[@]}" = 0 ] || wait_for=(-t "$2")
  IFS= read -r "\${wait_for[@]}" line
  code=$?
  line=$pending$line pending=
  # Its time may be over in the middle of a line, or at its end: the line itself has to tell.
  if [ "\${line%"$end"}" = "$line" ]; then
    [ "$code" != 1 ] || exit # the daemon has ended
    pending=$line
    [ "$code" = 0 ] || look "$3"
    continue
  fi
  words=(\${line%"$end"})
  verb=\${words[0]} first=\${words[1]} second=\${words[2]} cgroup=\${words[-1]} answer=ok
  case $verb in
    TERM) while read -r pid; do kill -TERM "$pid"; done <"$cgroup/cgroup.procs" ;;
    KILL) echo 1 >"$cgroup/cgroup.kill" ;;
    WATCH) most[$cgroup]=$first ;;
    SETTLE) settle ;;
    TOTAL)
      [ ! -e "$cgroup/pids.max" ] || echo "$first" >"$cgroup/pids.max" || answer=failed
      [ ! -e "$cgroup/memory.max" ] || echo "$second" >"$cgroup/memory.max" || answer=failed
      ;;
  esac
  echo "$answer"
  [ "\${#most[@]}" = 0 ] || look "$3"
done
`;

/**
 * Removes cgroups of commands that have ended, and what they made in them; prints those that are
 * still there. Makes others.
 *
 *     $1 how many are to be removed   $2… these, and those to be made
 */
export const TURN_OVER_CGROUPS = `
ended=("\${@:2:$1}") fresh=("\${@:$1+2}")
[ "$1" = 0 ] || rmdir -- "\${ended[@]}" || find "\${ended[@]}" -depth -type d -exec rmdir {} +
[ "\${#fresh[@]}" = 0 ] || mkdir -- "\${fresh[@]}"
for cgroup in "\${ended[@]}"; do [ ! -e "$cgroup" ] || echo "$cgroup"; done
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
  declare -A each # one may have both the mark and the session
  for pid in "\${members[@]}"; do each[$pid]=1; done
  echo "\${#each[@]}"
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

/** How one of the texts ended. */
export interface BashEnd {
  readonly code: number;
  /** Without the last newline. */
  readonly out: string;
  readonly err: string;
}

/** Runs one of the texts to its end. @throws {Error} if no process can be started */
export async function runBash(text: string, ...words: readonly string[]): Promise<BashEnd> {
  const { code, stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: ["-c", text, NAME, ...words],
    clearEnv: true,
    env: CLEAN_ENV,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const read = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trimEnd();
  return { code, out: read(stdout), err: read(stderr) };
}
