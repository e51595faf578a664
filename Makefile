# SPDX-License-Identifier: GPL-2.0-or-later
# "make help" lists the targets. DESTDIR goes in front of every installed path.

DENO_VERSION := 2.9.6
DENO_OLDEST  := 2.4.2

PREFIX      ?= /usr
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib/qubes-claw
MANDIR      ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITDIR     ?= $(PREFIX)/lib/systemd/system
ETCDIR      ?= /etc/qubes
RPCDIR      ?= /etc/qubes-rpc
SHAREDIR    ?= $(PREFIX)/share/qubes-claw
# The policies as they come; setup-dom0 puts some into /etc/qubes/policy.d.
POLICYDIR   := /usr/share/qubes-claw/policies
BUILD       := build

# Deno: DENO if it is set, else one on PATH that is new enough, else the pinned one from npm.
DENO ?= $(shell packaging=$(CURDIR)/.ci/find-deno; sh $$packaging $(DENO_OLDEST) $(DENO_VERSION))
# What compiles the dom0 programs; DENORT_BIN names a runtime that is there already.
COMPILE_DENO ?= $(DENO)
export DENO_NO_UPDATE_CHECK := 1

# ---- What each program may do. Each list stands here, once; a test reads it from here. ----

# dom0: no network, no foreign code. It runs commands as root for its VMs, so a list of files or
# programs it may touch would promise what it cannot keep; QUBES_CLAW_ROOT moves its files too.
DOM0_ENV := QUBES_CLAW_ROOT,NOTIFY_SOCKET,WATCHDOG_USEC,INVOCATION_ID,QVM_REMOTE_VMS,QUBES_REMOTE_VMS,QVM_REMOTE_VM,QUBES_REMOTE_VM,QVM_REMOTE_VM_USER,QVM_REMOTE_MAX_TIMEOUT,QVM_REMOTE_MAX_OUTPUT,QVM_REMOTE_MAX_PROCESSES,QVM_REMOTE_MAX_MEMORY,QVM_REMOTE_TOTAL_PROCESSES,QVM_REMOTE_TOTAL_MEMORY,QVM_REMOTE_PARALLEL,QVM_REMOTE_PARALLEL_PER_VM,QVM_REMOTE_PATH
QVM_REMOTE_DOM0_FLAGS := --no-prompt --deny-net --deny-ffi --deny-import --allow-read --allow-write --allow-run --allow-env=$(DOM0_ENV) --allow-sys=uid --v8-flags=--max-semi-space-size=2,--optimize-for-size

# VM: its own folder, no network, no programs. The launchers in vm/packaging put HOME in.
QVM_REMOTE_FLAGS := --no-prompt --allow-read=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-write=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-env=HOME,NO_COLOR --allow-sys=uid
QVMREMOTE_QUEUE_FLAGS := --no-prompt --allow-read=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-write=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-env=HOME,QREXEC_REMOTE_DOMAIN,QREXEC_SERVICE_ARGUMENT --allow-sys=uid

# setup-dom0: the tools it runs, the files it writes, no network.
SETUP_DOM0_TOOLS := qvm-check,qvm-create,qvm-features,qvm-firewall,qvm-ls,qvm-prefs,qvm-remove,qvm-run,qvm-service,qvm-shutdown,qvm-start,qvm-tags,qubes-prefs,systemctl
SETUP_DOM0_FLAGS := --no-prompt --deny-net --deny-ffi --deny-import --allow-read=/etc/qubes,/var/lib/openclaw,/usr/share/qubes-claw/policies --allow-write=/etc/qubes,/var/lib/openclaw,/run/openclaw-setup.lock --allow-run=$(SETUP_DOM0_TOOLS) --allow-env=QUBES_CLAW_ROOT --allow-sys=uid

# ---- openclaw-tunnel, openclaw.Mux: permissions ----

# Loopback, the one program that calls (and systemd's), its configuration, its run folder, and in
# dom0 the folder whose sockets tell which VMs run. @ROOT@ is QUBES_CLAW_ROOT where a launcher
# starts the program, and nothing in a compiled one.
SMALL_HEAP := --v8-flags=--max-semi-space-size=1,--lite-mode
OPENCLAW_TUNNEL_DOM0_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1,[::1] --allow-run=qrexec-client,systemd-notify --allow-read=@ROOT@/etc/qubes/openclaw.conf,@ROOT@/run/openclaw,@ROOT@/run/qubes --allow-write=@ROOT@/run/openclaw --allow-env=QUBES_CLAW_ROOT,NOTIFY_SOCKET,RUNTIME_DIRECTORY $(SMALL_HEAP)
OPENCLAW_TUNNEL_VM_FLAGS := --no-prompt --allow-net=127.0.0.1,[::1] --allow-run=qrexec-client-vm,systemd-notify --allow-read=@HOME@/.config/openclaw/connect.conf,@ROOT@/etc/qubes/openclaw.conf,@ROOT@/run/openclaw,@RUNTIME@/openclaw --allow-write=@ROOT@/run/openclaw,@RUNTIME@/openclaw --allow-env=QUBES_CLAW_ROOT,NOTIFY_SOCKET,RUNTIME_DIRECTORY,HOME,XDG_RUNTIME_DIR $(SMALL_HEAP)
# One port of one address, chosen by the service's argument.
OPENCLAW_MUX_FLAGS := --no-prompt --allow-net=127.0.0.1 --allow-env=QREXEC_SERVICE_ARGUMENT $(SMALL_HEAP)

# ---- openclaw.MuxPerVm (the key qube): permissions ----

# The one socket that is the calling VM's own: no TCP, and no other VM's.
CALLERS_SOCKET := @HOME@/.openclaw/vm-sockets/@CALLER@.sock
OPENCLAW_MUX_PER_VM_FLAGS := --no-prompt --allow-net=unix:$(CALLERS_SOCKET) --allow-read=$(CALLERS_SOCKET) --allow-write=$(CALLERS_SOCKET) --allow-env=HOME,QREXEC_REMOTE_DOMAIN $(SMALL_HEAP)

# ---- openclaw-ports, openclaw-connect: permissions ----

# Root's tool for the rpc folders. Deno makes links only for a program that may read and write
# everywhere; so what is narrow here is the rest: no network, and one program that answers.
OPENCLAW_PORTS_FLAGS := --no-prompt --deny-net --deny-ffi --deny-import --allow-read --allow-write --allow-run=qubesdb-read --allow-env=QUBES_CLAW_ROOT
# Asks two ports of this VM, and starts the tunnel, which has permissions of its own.
OPENCLAW_CONNECT_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1,[::1] --allow-run=openclaw-tunnel --allow-read=@HOME@/.config/openclaw/connect.conf,@ROOT@/etc/qubes/openclaw.conf --allow-env=HOME,QUBES_CLAW_ROOT $(SMALL_HEAP)

# ---- openclaw-proxy: permissions ----

# Its own files in ~/.openclaw, by name: OpenClaw's keys lie in the same folder. @CONFIGURED@ is
# what "openclaw-proxy permissions" answers, asked by the launcher with all the others: the hosts
# of the providers in proxy.json, and the programs that fetch keys, if it names any.
# A young heap of 4 MiB instead of 16: a third less memory under load, for a fifth of the requests a
# second where 64 come at once; one alone is as fast.
PROXY_FOLDER := @HOME@/.openclaw
PROXY_LEDGER := $(PROXY_FOLDER)/proxy-use.sqlite,$(PROXY_FOLDER)/proxy-use.sqlite-wal,$(PROXY_FOLDER)/proxy-use.sqlite-shm
# One socket for each VM that proxy.json knows; @CONFIGURED@ names those.
VM_SOCKETS := $(PROXY_FOLDER)/vm-sockets
# Where cursor-agent starts unless the configuration says another folder.
CURSOR_FOLDER := $(PROXY_FOLDER)/proxy-cursor
PROXY_ENV := HOME,PATH,NOTIFY_SOCKET,OPENCLAW_PROXY_PORT,OPENCLAW_PROXY_MEMORY_MIB,OPENCLAW_CURSOR_PORT,OPENCLAW_CURSOR_LOG_LEVEL,OPENCLAW_CURSOR_TOOL_MODE,OPENCLAW_CURSOR_WORKSPACE,OPENCLAW_CURSOR_TIMEOUT_MS,OPENCLAW_CURSOR_DEFAULT_MODEL,OPENCLAW_CURSOR_ENABLE_THINKING,OPENCLAW_CURSOR_LOG_SILENT
OPENCLAW_PROXY_FLAGS := --no-prompt --v8-flags=--max-semi-space-size=4 --deny-ffi --deny-import --unstable-no-legacy-abort --allow-read=$(PROXY_FOLDER)/proxy.json,$(PROXY_FOLDER)/cursor-proxy.json,$(PROXY_FOLDER)/proxy.env,$(PROXY_LEDGER),$(VM_SOCKETS),$(CURSOR_FOLDER) --allow-write=$(PROXY_LEDGER),$(VM_SOCKETS),$(CURSOR_FOLDER) --allow-env=$(PROXY_ENV) --allow-sys=uid @CONFIGURED@

# ---- setup-vm, openclaw-wait-ready: permissions ----

# setup-vm: its own files in the home, by name; what it looks at; the tools it runs. Through sudo
# root's part is done (a Qubes VM lets its user), so the rest of the list keeps from mistakes, not
# from this program. @ROOT@ is QUBES_CLAW_ROOT, for tests. No network: npm has that.
SETUP_VM_HOME := @HOME@/.openclaw,@HOME@/.config/openclaw,@HOME@/.local/state/qubes-claw
SETUP_VM_LOOKS := @HOME@/.local/lib/qubes-claw,@ROOT@/usr/lib/qubes-claw,@ROOT@/usr/share/qubes-claw,@ROOT@/usr/lib/os-release,@ROOT@/etc/os-release,@ROOT@/run/qubes-service,@ROOT@/rw/config/qubes-bind-dirs.d,@ROOT@/rw/bind-dirs/var/lib/systemd/linger,@ROOT@/var/lib/systemd/linger
SETUP_VM_TOOLS := sudo,npm,node,install,mkdir,rm,ln,df,grep,systemctl,loginctl,qubesdb-read,xenstore-read,openclaw-ports,openclaw-proxy,cursor-agent,agent,ollama,@HOME@/.local/lib/qubes-claw/openclaw/bin/openclaw,@HOME@/.local/lib/qubes-claw/openclaw/bin/node,@ROOT@/usr/lib/qubes-claw/openclaw/bin/openclaw,@ROOT@/usr/lib/qubes-claw/openclaw/bin/node
SETUP_VM_FLAGS := --no-prompt --deny-net --deny-ffi --deny-import --allow-read=$(SETUP_VM_HOME),$(SETUP_VM_LOOKS) --allow-write=$(SETUP_VM_HOME) --allow-run=$(SETUP_VM_TOOLS) --allow-env=HOME,USER,LOGNAME,QUBES_CLAW_ROOT --allow-sys=uid
# One answer of this VM's loopback.
OPENCLAW_WAIT_READY_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1 --allow-read=@HOME@/.config/openclaw/vm.json --allow-env=HOME $(SMALL_HEAP)

# ---- openclaw-ctl, openclaw-watchdog: permissions ----

# openclaw-ctl asks loopback; systemd, the journal and ss for who has a port; OpenClaw itself, where
# setup-vm puts it, for what only it knows (cron, devices, the dashboard's address, its verdict on
# its configuration), and its Node for the version. It reads what vm.json says, ~/.openclaw (for the
# doctor: modes, names of keys; the two tokens that it sends to the gateway), the flags of
# qvm-service and the state of the tunnels. It writes nothing: SQLite, read only, wants the folder of
# the books to be readable. sys: whose files they should be, how much memory there is.
CTL_PLACES := @ROOT@/usr/lib/qubes-claw/openclaw,@HOME@/.local/lib/qubes-claw/openclaw
CTL_OPENCLAW := @ROOT@/usr/lib/qubes-claw/openclaw/bin/openclaw,@ROOT@/usr/lib/qubes-claw/openclaw/bin/node,@HOME@/.local/lib/qubes-claw/openclaw/bin/openclaw,@HOME@/.local/lib/qubes-claw/openclaw/bin/node
OPENCLAW_CTL_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1 --allow-run=systemctl,journalctl,ss,$(CTL_OPENCLAW) --allow-read=@HOME@/.config/openclaw/vm.json,@HOME@/.openclaw,$(CTL_PLACES),@ROOT@/run/qubes-service,@ROOT@/run/openclaw,@RUNTIME@/openclaw --allow-env=HOME,XDG_RUNTIME_DIR,QUBES_CLAW_ROOT,NO_COLOR,TERM --allow-sys=uid,systemMemoryInfo
# openclaw-watchdog, root's where the units are the system's: loopback, systemd, two files, and the
# call that tells dom0.
OPENCLAW_WATCHDOG_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1 --allow-run=systemctl,systemd-notify,logger,qrexec-client-vm --allow-read=@HOME@/.config/openclaw/vm.json,@HOME@/.config/openclaw/watchdog.json --allow-env=HOME,NOTIFY_SOCKET,WATCHDOG_USEC,JOURNAL_STREAM $(SMALL_HEAP)

.PHONY: help
help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 22

# ---- Development ----

.PHONY: check
check: ## formatting, lint, types
	$(DENO) fmt --check --quiet
	$(DENO) lint --quiet
	$(DENO) check --quiet dom0 vm shared tests

# End-to-end tests: what is fast in "test"; attacks, crashes, time limits, loads, and the whole of
# setting up and taking back in "test-long".
E2E_FAST := $(patsubst %,tests/e2e/%_test.ts,\
  basic client authority operator reload tunnel tunnel_limits connect readme proxy proxy_clients proxy_route setup_vm docker proxy_money proxy_words proxy_providers \
  persistence watchdog ctl ctl_doctor ctl_logs ctl_pair ctl_top \
  clients_openai clients_openai_requests clients_fallback clients_responses clients_anthropic clients_ai clients_ollama)
# Those that run what "make dom0 vm" built if QVM_REMOTE_BUILT says where it is.
E2E_BUILT := $(patsubst %,tests/e2e/%_test.ts,\
  basic client authority operator reload setup setup_keyqube keyqube readme ctl_logs ctl_top watchdog)
E2E_BUILT_LONG := $(patsubst %,tests/e2e/%_test.ts,\
  bounded crash_points crash hostile_queue hostile_stream hostile operator_idle v1 \
  setup_network)
# Those that need the real OpenClaw, in "test-openclaw".
E2E_OPENCLAW := tests/e2e/ctl_openclaw_test.ts
E2E_LONG := $(filter-out $(E2E_FAST) $(E2E_OPENCLAW),$(wildcard tests/e2e/*_test.ts))

# Tests wait more than they compute: two files at once for each core.
TEST_JOBS := $(shell expr 2 \* $$(nproc))

.PHONY: test
test: check ## the tests but the long ones (some minutes)
	DENO_JOBS=$(TEST_JOBS) $(DENO) test -A --no-check --quiet --parallel tests/shared tests/dom0 tests/vm tests/sim tests/policy tests/import_rules_test.ts tests/makefile_test.ts tests/units_test.ts tests/docs_test.ts tests/launcher_test.ts
	DENO_JOBS=$(TEST_JOBS) $(DENO) test -A --no-check --quiet --parallel $(E2E_FAST)

.PHONY: test-long
test-long: ## hostile VMs and providers, limits, loads, crashes; QVM_REMOTE_ROUNDS=N for more
	$(DENO) test -A --no-check --quiet $(E2E_LONG)

.PHONY: test-compiled
test-compiled: dom0 vm ## the fast end-to-end tests, and installing, on the compiled and bundled programs
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) COMPILE_DENO="$(COMPILE_DENO)" $(DENO) test -A --no-check --quiet $(E2E_BUILT) $(wildcard tests/install_*test.ts) tests/launcher_test.ts tests/dist_test.ts

.PHONY: test-compiled-long
test-compiled-long: dom0 vm ## the long ones on the compiled and bundled programs
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) test -A --no-check --quiet $(E2E_BUILT_LONG)

# ---- Tests on machines that boot ----

# Root's: namespaces, mounts and a cgroup. The Debian is built once, by mmdebstrap, in a minute;
# QUBES_CLAW_MACHINE=FOLDER is where it is kept.
QUBES_CLAW_MACHINE ?= $(CURDIR)/.cache/machine
export QUBES_CLAW_MACHINE

.PHONY: test-machine
test-machine: dom0 vm ## units, users, journal, reboots: under a real systemd, installed by the targets below
	$(DENO) test -A --no-check --quiet $(wildcard tests/machine/*_test.ts)

.PHONY: test-machine-kernel
test-machine-kernel: dom0 vm ## limits of memory and processes, and what hits them: on a kernel of its own, under QEMU
	$(DENO) test -A --no-check --quiet tests/machine/kernel

# ---- Tests with the real OpenClaw ----

# Not part of "make test": 650 MB from the npm registry, and 1.3 GB of memory while it runs.
NODE_VERSION     := 24.21.0
OPENCLAW_VERSION := 2026.9.6
QUBES_CLAW_OPENCLAW ?= $(CURDIR)/.cache/openclaw
export QUBES_CLAW_OPENCLAW

.PHONY: openclaw
openclaw: $(QUBES_CLAW_OPENCLAW)/READY ## the real OpenClaw and its Node, for tests; QUBES_CLAW_OPENCLAW=FOLDER

# Node first: OpenClaw's install script runs with the one on PATH, and refuses older ones.
$(QUBES_CLAW_OPENCLAW)/READY:
	mkdir -p $(@D)
	npm install --no-save --no-audit --no-fund --prefix $(@D) node@$(NODE_VERSION)
	PATH="$(@D)/node_modules/node/bin:$$PATH" npm install --no-save --no-audit --no-fund --prefix $(@D) node@$(NODE_VERSION) openclaw@$(OPENCLAW_VERSION)
	PATH="$(@D)/node_modules/node/bin:$$PATH" $(@D)/node_modules/openclaw/openclaw.mjs --version >$@.new
	mv $@.new $@

.PHONY: test-openclaw
test-openclaw: openclaw ## the templates and the proxy with the real OpenClaw (some minutes, 2 GB of memory)
	$(DENO) test -A --no-check --quiet tests/openclaw $(E2E_OPENCLAW)

# ---- Tests with the real clients of the proxy ----

# Not part of "make test" either: 1.2 GB from the npm registry, most of it two programs.
CLIENT_PACKAGES := node@$(NODE_VERSION) @openai/codex@0.171.0 @anthropic-ai/claude-code@2.1.332 \
  @openai/agents@0.20.0 @langchain/openai@1.6.0 @langchain/anthropic@1.5.11 @langchain/core@1.4.0 \
  @ai-sdk/openai@4.0.118 ai@7.0.173 zod@4.6.7
QUBES_CLAW_CLIENTS ?= $(CURDIR)/.cache/clients
export QUBES_CLAW_CLIENTS

.PHONY: clients
clients: $(QUBES_CLAW_CLIENTS)/READY ## the real clients and their Node, for tests; QUBES_CLAW_CLIENTS=FOLDER

$(QUBES_CLAW_CLIENTS)/READY: Makefile
	mkdir -p $(@D)
	npm install --no-save --no-audit --no-fund --prefix $(@D) $(CLIENT_PACKAGES)
	$(@D)/node_modules/node/bin/node --version >$@.new
	mv $@.new $@

.PHONY: test-clients
test-clients: clients ## Codex, Claude Code, the SDKs and LangChain through the proxy (some minutes)
	$(DENO) test -A --no-check --quiet tests/clients

.PHONY: fuzz
SECONDS ?= 60
fuzz: ## every decoder against mutated input, SECONDS=60
	$(DENO) run -A --no-check tests/fuzz/fuzz.ts $(SECONDS)

.PHONY: bench
bench: dom0 vm ## the figures of the README, as tables and as build/bench.json, -tunnel.json, -proxy.json
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/bench.ts
	$(MAKE) --no-print-directory bench-tunnel
	$(MAKE) --no-print-directory bench-proxy

.PHONY: bench-tunnel
bench-tunnel: dom0 vm ## the tunnel's part of it; OPENCLAW_BENCH_QREXEC=VM over a real qrexec
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/tunnel-bench.ts

.PHONY: bench-proxy
bench-proxy: vm ## the proxy's part of it, beside Portkey's gateway (npm fetches it once into .cache/)
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/proxy-bench.ts

.PHONY: demo
demo: ## the main job on the simulated Qubes
	@$(DENO) run -A --no-check --quiet tests/e2e/demo.ts

.PHONY: sim
sim: ## the same world, running, with a shell in the VM "work"
	@$(DENO) run -A --no-check --quiet tests/e2e/demo.ts --shell

# ---- qrexec policy ----

.PHONY: check-policies
check-policies: ## what policies/ allows: a table of calls, each with its verdict
	@$(DENO) run --no-check --quiet --allow-read=policies,tests/vectors tests/policy/check-policies.ts

# ---- Building ----

SOURCES := $(shell find dom0 vm shared -name '*.ts')

# The date of what is built: that of the commit, so that two builds of it are the same.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
# Which deno.json the bundles are made by; deno.jsr.json takes @std from JSR.
BUNDLE_CONFIG ?= deno.json
export BUNDLE_CONFIG
PACKAGING := shared/packaging/print-launcher shared/packaging/bundle

DOM0_NAMES := qvm-remote-dom0 openclaw-tunnel setup-dom0
DOM0_PROGRAMS := $(addprefix $(BUILD)/dom0/,$(DOM0_NAMES))

.PHONY: dom0
dom0: $(DOM0_PROGRAMS) ## the dom0 programs: compiled, or portable where Deno's site is out of reach

$(BUILD)/dom0/qvm-remote-dom0: dom0/qvm-remote-dom0.ts $(SOURCES) Makefile dom0/packaging/build-program $(PACKAGING)
	DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh dom0/packaging/build-program $< $@ $(QVM_REMOTE_DOM0_FLAGS)

$(BUILD)/dom0/setup-dom0: dom0/setup-dom0.ts $(SOURCES) Makefile dom0/packaging/build-program $(PACKAGING)
	DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh dom0/packaging/build-program $< $@ $(SETUP_DOM0_FLAGS)

.PHONY: vm
vm: $(BUILD)/vm/qvm-remote $(BUILD)/vm/qvmremote.Queue $(BUILD)/vm/openclaw-tunnel $(BUILD)/vm/openclaw.Mux ## the VM programs: one bundled script and its launcher each

$(BUILD)/vm/qvm-remote: vm/qvm-remote.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(QVM_REMOTE_FLAGS)

$(BUILD)/vm/qvmremote.Queue: vm/qvmremote.Queue.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(QVMREMOTE_QUEUE_FLAGS)

# ---- openclaw-tunnel, openclaw.Mux: building ----

$(BUILD)/dom0/openclaw-tunnel: dom0/openclaw-tunnel.ts $(SOURCES) Makefile dom0/packaging/build-program $(PACKAGING)
	DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh dom0/packaging/build-program $< $@ $(OPENCLAW_TUNNEL_DOM0_FLAGS)

$(BUILD)/vm/openclaw-tunnel: vm/openclaw-tunnel.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_TUNNEL_VM_FLAGS)

$(BUILD)/vm/openclaw.Mux: vm/openclaw.Mux.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_MUX_FLAGS)

# ---- Installing: what the targets below call ----

# A folder that is there keeps its mode and owner: dom0 has /etc/qubes, its policy.d and
# /etc/qubes-rpc as root:qubes 2775, and "install -d" would make them 0755.
make-folders = for folder in $(addprefix $(DESTDIR),$(1)); do [ -d "$$folder" ] || install -d "$$folder" || exit 1; done

# $(call keep-edited,MODE,SOURCE,FILE): a file that people edit is put there once.
define keep-edited
	if [ ! -e $(DESTDIR)$(3) ]; then install -m $(1) $(2) $(DESTDIR)$(3); \
	elif ! cmp -s $(2) $(DESTDIR)$(3); then echo "Kept: $(3), which differs from this version's (in $(SHAREDIR))"; fi
endef

# $(call keep-if-edited,SOURCE,FILE): taken back as it was put there, else it stays.
keep-if-edited = if cmp -s $(1) $(DESTDIR)$(2); then rm $(DESTDIR)$(2); elif [ -e $(DESTDIR)$(2) ]; then echo "Kept: $(2)"; fi

# The launcher, and what it starts: a compiled program; in the portable form a script, and Deno.
define install-dom0-program
	$(call make-folders,$(BINDIR) $(LIBDIR))
	install -m 0755 $(BUILD)/dom0/$(1) $(DESTDIR)$(BINDIR)/$(1)
	if [ -e $(BUILD)/dom0/$(1).bin ]; then \
	  install -m 0755 $(BUILD)/dom0/$(1).bin $(DESTDIR)$(LIBDIR)/; \
	else \
	  install -m 0644 $(BUILD)/dom0/$(1).js $(DESTDIR)$(LIBDIR)/ && \
	  install -m 0755 "$$($(DENO) eval 'console.log(Deno.execPath())')" $(DESTDIR)$(LIBDIR)/deno; fi
endef

# ---- openclaw-tunnel, openclaw.Mux: installing, called by the targets below ----

# The program of the VM's side lies in the library: which ports it serves is the set of files
# openclaw.Mux+PORT in the rpc folder that lead to it, and there are none at first.
.PHONY: install-tunnel-vm
install-tunnel-vm: vm ## part of install-vm: the tunnel for client VMs, openclaw.Mux for the agent VM
	$(call make-folders,$(BINDIR) $(LIBDIR) $(UNITDIR) $(MANDIR)/man8 $(COMPLETIONS))
	install -m 0644 $(BUILD)/vm/openclaw-tunnel.js $(BUILD)/vm/openclaw.Mux.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-tunnel $(DESTDIR)$(BINDIR)/openclaw-tunnel
	install -m 0755 $(BUILD)/vm/openclaw.Mux $(DESTDIR)$(LIBDIR)/openclaw.Mux
	install -m 0644 vm/systemd/openclaw-tunnel@.service vm/systemd/openclaw-tunnels.service $(DESTDIR)$(UNITDIR)/
	install -m 0644 dom0/packaging/openclaw-tunnel.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/openclaw-tunnel.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

.PHONY: install-tunnel-dom0
install-tunnel-dom0: dom0 ## part of install-dom0: the tunnel and its units; not enabled
	$(call make-folders,$(UNITDIR) $(MANDIR)/man8 $(COMPLETIONS))
	$(call install-dom0-program,openclaw-tunnel)
	install -m 0644 dom0/systemd/openclaw-tunnel@.service dom0/systemd/openclaw-tunnels.service $(DESTDIR)$(UNITDIR)/
	install -m 0644 dom0/packaging/openclaw-tunnel.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/openclaw-tunnel.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

.PHONY: uninstall-vm-tunnel
uninstall-vm-tunnel: end-vm-services ## a part of uninstall-vm
	rm -f $(DESTDIR)$(BINDIR)/openclaw-tunnel $(DESTDIR)$(LIBDIR)/openclaw-tunnel.js $(DESTDIR)$(LIBDIR)/openclaw.Mux $(DESTDIR)$(LIBDIR)/openclaw.Mux.js $(DESTDIR)$(UNITDIR)/openclaw-tunnel@.service $(DESTDIR)$(UNITDIR)/openclaw-tunnels.service $(DESTDIR)$(MANDIR)/man8/openclaw-tunnel.8 $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

# ---- Installing ----

.PHONY: install-vm
install-vm: vm install-tunnel-vm ## into a VM or its template: client, queue service, Deno
	$(call make-folders,$(BINDIR) $(LIBDIR) $(RPCDIR) $(MANDIR)/man1 $(COMPLETIONS))
	install -m 0755 "$$($(DENO) eval 'console.log(Deno.execPath())')" $(DESTDIR)$(LIBDIR)/deno
	install -m 0644 $(BUILD)/vm/qvm-remote.js $(BUILD)/vm/qvmremote.Queue.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/qvm-remote $(DESTDIR)$(BINDIR)/qvm-remote
	install -m 0755 $(BUILD)/vm/qvmremote.Queue $(DESTDIR)$(RPCDIR)/qvmremote.Queue
	install -m 0644 vm/packaging/qvm-remote.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/qvm-remote.bash-completion $(DESTDIR)$(COMPLETIONS)/qvm-remote

.PHONY: install-dom0
install-dom0: dom0 install-tunnel-dom0 ## into dom0: daemon, unit; not enabled, configuration never overwritten
	$(call make-folders,$(UNITDIR) $(MANDIR)/man8 $(COMPLETIONS) $(ETCDIR)/policy.d $(SHAREDIR) $(POLICYDIR))
	install -d -m 0700 $(DESTDIR)$(ETCDIR)/remote.d $(DESTDIR)$(ETCDIR)/remote-policy.d
	$(call install-dom0-program,qvm-remote-dom0)
	install -m 0644 dom0/systemd/qvm-remote-dom0.service $(DESTDIR)$(UNITDIR)/
	$(call keep-edited,0600,dom0/packaging/remote.conf,$(ETCDIR)/remote.conf)
	$(call keep-edited,0664,policies/30-qvm-remote.policy,$(ETCDIR)/policy.d/30-qvm-remote.policy)
	install -m 0644 dom0/packaging/remote.conf $(DESTDIR)$(SHAREDIR)/
	install -m 0644 policies/30-qvm-remote.policy $(DESTDIR)$(POLICYDIR)/
	install -m 0644 dom0/packaging/qvm-remote-dom0.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/qvm-remote-dom0.bash-completion $(DESTDIR)$(COMPLETIONS)/qvm-remote-dom0
	printf '%s\n' $(DOM0_FILES) >$(DESTDIR)$(SHAREDIR)/dom0-files
	@echo "Installed, not enabled. Next: qvm-remote-dom0 authorize --fetch --grant full VM, then qvm-remote-dom0 enable"

# setup-dom0 puts these into /etc/qubes/policy.d, with the ports that were chosen.
SETUP_POLICIES := $(wildcard policies/50-openclaw.policy policies/40-openclaw-keys.policy policies/30-openclaw-inter-vm.policy)

# What install-dom0 installs, beside the files that people edit. "qvm-remote-dom0 uninstall" reads
# it from the last of these.
DOM0_FILES := $(addprefix $(BINDIR)/,$(DOM0_NAMES)) $(foreach name,$(DOM0_NAMES),$(LIBDIR)/$(name).js $(LIBDIR)/$(name).bin) $(LIBDIR)/deno \
  $(addprefix $(UNITDIR)/,$(notdir $(wildcard dom0/systemd/*.service))) \
  $(patsubst %,$(MANDIR)/man8/%.8,$(DOM0_NAMES)) $(addprefix $(COMPLETIONS)/,$(DOM0_NAMES)) \
  $(RPCDIR)/openclaw.Notice $(SHAREDIR)/remote.conf \
  $(addprefix $(POLICYDIR)/,30-qvm-remote.policy $(notdir $(SETUP_POLICIES))) $(SHAREDIR)/dom0-files

# What goes into the archive for dom0: files, and of the folders the project's own. An entry of
# another one, were it only "./", would give that folder this one's mode and owner.
DOM0_FOLDERS := $(LIBDIR) $(SHAREDIR) $(POLICYDIR) $(ETCDIR)/remote.d $(ETCDIR)/remote-policy.d

.PHONY: dom0-archive
dom0-archive: $(BUILD)/dom0.tgz ## build/dom0.tgz, to unpack in dom0 as the README says

$(BUILD)/dom0.tgz: $(DOM0_PROGRAMS) Makefile $(wildcard dom0/packaging/* dom0/systemd/* dom0/qubes-rpc/* policies/*)
	rm -rf $(BUILD)/dom0-tree
	@$(MAKE) --no-print-directory install-dom0 DESTDIR=$(CURDIR)/$(BUILD)/dom0-tree >/dev/null
	cd $(BUILD)/dom0-tree && { find . ! -type d; for folder in $(DOM0_FOLDERS); do [ ! -d .$$folder ] || echo .$$folder; done; } | \
	  sed 's,^\./,,' | LC_ALL=C sort | tar --no-recursion --owner=root:0 --group=root:0 --mtime=@$(SOURCE_DATE_EPOCH) -czf $(CURDIR)/$@ -T -
	rm -r $(BUILD)/dom0-tree
	@tar -tzf $@

.PHONY: dist
dist: dom0 vm dom0-archive ## all that is installed; prints the hashes, which are the same for every build of a commit
	cd $(BUILD) && sha256sum dom0.tgz dom0/* vm/* | tee SHA256SUMS

# ---- setup-dom0: called by install-dom0 and uninstall-dom0 ----

install-dom0: install-setup-dom0
.PHONY: install-setup-dom0
install-setup-dom0: $(BUILD)/dom0/setup-dom0 ## the part of install-dom0 that is setup-dom0
	$(call make-folders,$(MANDIR)/man8 $(COMPLETIONS) $(POLICYDIR))
	$(call install-dom0-program,setup-dom0)
	$(call make-folders,$(RPCDIR))
	install -m 0755 dom0/qubes-rpc/openclaw.Notice $(DESTDIR)$(RPCDIR)/openclaw.Notice
	for policy in $(SETUP_POLICIES); do install -m 0644 $$policy $(DESTDIR)$(POLICYDIR)/; done
	install -m 0644 dom0/packaging/setup-dom0.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/setup-dom0.bash-completion $(DESTDIR)$(COMPLETIONS)/setup-dom0

# ---- openclaw-ports, openclaw-connect: building and installing ----

USERUNITDIR ?= $(PREFIX)/lib/systemd/user

vm: $(BUILD)/vm/openclaw-ports $(BUILD)/vm/openclaw-connect

$(BUILD)/vm/openclaw-ports: vm/openclaw-ports.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_PORTS_FLAGS)

$(BUILD)/vm/openclaw-connect: vm/openclaw-connect.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_CONNECT_FLAGS)

install-vm: install-vm-ports
uninstall-vm: uninstall-vm-ports

.PHONY: install-vm-ports
install-vm-ports: vm ## a part of install-vm: openclaw-ports, openclaw-connect; enables nothing
	$(call make-folders,$(BINDIR) $(LIBDIR) $(USERUNITDIR) $(MANDIR)/man1 $(MANDIR)/man8 $(COMPLETIONS))
	install -m 0644 $(BUILD)/vm/openclaw-ports.js $(BUILD)/vm/openclaw-connect.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-ports $(BUILD)/vm/openclaw-connect $(DESTDIR)$(BINDIR)/
	install -m 0644 vm/systemd/user/openclaw-connect.service $(DESTDIR)$(USERUNITDIR)/
	install -m 0644 vm/packaging/openclaw-connect.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/openclaw-ports.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 vm/packaging/openclaw-ports.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-ports
	install -m 0644 vm/packaging/openclaw-connect.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-connect
	@echo "Installed, nothing opened. In the agent VM: openclaw-ports install. In clients: systemctl --user enable --now openclaw-connect"

.PHONY: uninstall-vm-ports
uninstall-vm-ports: end-vm-services ## a part of uninstall-vm; takes the whitelist back first
	[ -n "$(DESTDIR)" ] || ! command -v qubesdb-read >/dev/null || [ ! -x $(BINDIR)/openclaw-ports ] || $(BINDIR)/openclaw-ports remove
	rm -f $(DESTDIR)$(BINDIR)/openclaw-ports $(DESTDIR)$(BINDIR)/openclaw-connect $(DESTDIR)$(LIBDIR)/openclaw-ports.js $(DESTDIR)$(LIBDIR)/openclaw-connect.js $(DESTDIR)$(USERUNITDIR)/openclaw-connect.service $(DESTDIR)$(MANDIR)/man1/openclaw-connect.1 $(DESTDIR)$(MANDIR)/man8/openclaw-ports.8 $(DESTDIR)$(COMPLETIONS)/openclaw-ports $(DESTDIR)$(COMPLETIONS)/openclaw-connect

# ---- openclaw.MuxPerVm (the key qube): building and installing ----

vm: $(BUILD)/vm/openclaw.MuxPerVm

# An older Deno (2.4) does not know sockets in --allow-net: there leave to read and write is enough.
$(BUILD)/vm/openclaw.MuxPerVm: vm/openclaw.MuxPerVm.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	if echo | $(DENO) run --quiet --allow-net=unix:/x - 2>/dev/null; \
	then flags='$(OPENCLAW_MUX_PER_VM_FLAGS)'; \
	else flags='$(filter-out --allow-net=unix:%,$(OPENCLAW_MUX_PER_VM_FLAGS))'; fi; \
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $$flags

install-vm: install-vm-keyqube
uninstall-vm: uninstall-vm-keyqube

# As openclaw.Mux: the program lies in the library, and openclaw-ports makes the way to it.
.PHONY: install-vm-keyqube
install-vm-keyqube: vm ## a part of install-vm: what leads to openclaw-proxy in a key qube; opens nothing
	$(call make-folders,$(LIBDIR))
	install -m 0644 $(BUILD)/vm/openclaw.MuxPerVm.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw.MuxPerVm $(DESTDIR)$(LIBDIR)/

.PHONY: uninstall-vm-keyqube
uninstall-vm-keyqube: end-vm-services ## a part of uninstall-vm
	rm -f $(DESTDIR)$(LIBDIR)/openclaw.MuxPerVm $(DESTDIR)$(LIBDIR)/openclaw.MuxPerVm.js

# ---- openclaw-proxy: building and installing ----

vm: $(BUILD)/vm/openclaw-proxy

$(BUILD)/vm/openclaw-proxy: vm/openclaw-proxy.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_PROXY_FLAGS)

install-vm: install-vm-proxy
uninstall-vm: uninstall-vm-proxy

.PHONY: install-vm-proxy
install-vm-proxy: vm ## a part of install-vm: openclaw-proxy; enables nothing
	$(call make-folders,$(BINDIR) $(LIBDIR) $(USERUNITDIR) $(MANDIR)/man1 $(COMPLETIONS))
	install -m 0644 $(BUILD)/vm/openclaw-proxy.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-proxy $(DESTDIR)$(BINDIR)/
	install -m 0644 vm/systemd/user/openclaw-proxy.service $(DESTDIR)$(USERUNITDIR)/
	install -m 0644 vm/packaging/openclaw-proxy.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/openclaw-proxy.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-proxy

.PHONY: uninstall-vm-proxy
uninstall-vm-proxy: end-vm-services ## a part of uninstall-vm; ~/.openclaw stays
	rm -f $(DESTDIR)$(BINDIR)/openclaw-proxy $(DESTDIR)$(LIBDIR)/openclaw-proxy.js $(DESTDIR)$(USERUNITDIR)/openclaw-proxy.service $(DESTDIR)$(MANDIR)/man1/openclaw-proxy.1 $(DESTDIR)$(COMPLETIONS)/openclaw-proxy

# ---- setup-vm, the agent VM's units: building and installing ----

vm: $(BUILD)/vm/setup-vm $(BUILD)/vm/openclaw-wait-ready

$(BUILD)/vm/setup-vm: vm/setup-vm.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(SETUP_VM_FLAGS)

$(BUILD)/vm/openclaw-wait-ready: vm/openclaw-wait-ready.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_WAIT_READY_FLAGS)

install-vm: install-vm-setup
uninstall-vm: uninstall-vm-setup

AGENT_UNITS := $(notdir $(wildcard vm/systemd/qubes-openclaw-*.service))
AGENT_USER_UNITS := openclaw-gateway.service openclaw-watchdog.service openclaw-tunnel.service

.PHONY: install-vm-setup
install-vm-setup: vm ## a part of install-vm: setup-vm, templates, units; enables nothing
	$(call make-folders,$(BINDIR) $(LIBDIR) $(UNITDIR) $(USERUNITDIR) $(MANDIR)/man1 $(COMPLETIONS) $(SHAREDIR)/openclaw/openclaw $(SHAREDIR)/openclaw/node)
	install -m 0644 $(BUILD)/vm/setup-vm.js $(BUILD)/vm/openclaw-wait-ready.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/setup-vm $(DESTDIR)$(BINDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-wait-ready vm/packaging/openclaw-gateway $(DESTDIR)$(LIBDIR)/
	install -m 0644 $(wildcard vm/openclaw/*.json) $(DESTDIR)$(SHAREDIR)/openclaw/
	install -m 0644 vm/openclaw/openclaw/package.json vm/openclaw/openclaw/package-lock.json vm/openclaw/openclaw/launcher $(DESTDIR)$(SHAREDIR)/openclaw/openclaw/
	install -m 0644 vm/openclaw/node/package.json vm/openclaw/node/package-lock.json $(DESTDIR)$(SHAREDIR)/openclaw/node/
	install -m 0644 $(addprefix vm/systemd/,$(AGENT_UNITS)) $(DESTDIR)$(UNITDIR)/
	install -m 0644 $(addprefix vm/systemd/user/,$(AGENT_USER_UNITS)) $(DESTDIR)$(USERUNITDIR)/
	install -m 0644 vm/packaging/setup-vm.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/setup-vm.bash-completion $(DESTDIR)$(COMPLETIONS)/setup-vm
	@echo "Installed, nothing set up. In the agent VM, as its user: setup-vm PROVIDER"

.PHONY: uninstall-vm-setup
uninstall-vm-setup: end-vm-services ## a part of uninstall-vm; run "setup-vm --undo" before. ~/.openclaw stays
	rm -f $(DESTDIR)$(BINDIR)/setup-vm $(DESTDIR)$(LIBDIR)/setup-vm.js $(DESTDIR)$(LIBDIR)/openclaw-wait-ready $(DESTDIR)$(LIBDIR)/openclaw-wait-ready.js $(DESTDIR)$(LIBDIR)/openclaw-gateway $(DESTDIR)$(MANDIR)/man1/setup-vm.1 $(DESTDIR)$(COMPLETIONS)/setup-vm
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(AGENT_UNITS)) $(addprefix $(DESTDIR)$(USERUNITDIR)/,$(AGENT_USER_UNITS))
	rm -rf $(DESTDIR)$(SHAREDIR)/openclaw
	rmdir -p $(DESTDIR)$(SHAREDIR) 2>/dev/null || true
	[ ! -e $(DESTDIR)$(LIBDIR)/openclaw ] || echo "Kept: $(LIBDIR)/openclaw, OpenClaw itself; setup-vm --undo takes it back, or: rm -r"

# ---- openclaw-ctl, openclaw-watchdog: building and installing ----

vm: $(BUILD)/vm/openclaw-ctl $(BUILD)/vm/openclaw-watchdog

$(BUILD)/vm/openclaw-ctl: vm/openclaw-ctl.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_CTL_FLAGS)

$(BUILD)/vm/openclaw-watchdog: vm/openclaw-watchdog.ts $(SOURCES) Makefile vm/packaging/build-script $(PACKAGING)
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_WATCHDOG_FLAGS)

install-vm: install-vm-ctl
uninstall-vm: uninstall-vm-ctl

.PHONY: install-vm-ctl
install-vm-ctl: vm ## a part of install-vm: openclaw-ctl, openclaw-watchdog
	$(call make-folders,$(BINDIR) $(LIBDIR) $(MANDIR)/man1 $(MANDIR)/man8 $(COMPLETIONS))
	install -m 0644 $(BUILD)/vm/openclaw-ctl.js $(BUILD)/vm/openclaw-watchdog.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-ctl $(BUILD)/vm/openclaw-watchdog $(DESTDIR)$(BINDIR)/
	install -m 0644 vm/packaging/openclaw-ctl.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/openclaw-watchdog.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 vm/packaging/openclaw-ctl.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-ctl
	install -m 0644 vm/packaging/openclaw-watchdog.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-watchdog

.PHONY: uninstall-vm-ctl
uninstall-vm-ctl: end-vm-services ## a part of uninstall-vm
	rm -f $(DESTDIR)$(BINDIR)/openclaw-ctl $(DESTDIR)$(BINDIR)/openclaw-watchdog $(DESTDIR)$(LIBDIR)/openclaw-ctl.js $(DESTDIR)$(LIBDIR)/openclaw-watchdog.js $(DESTDIR)$(MANDIR)/man1/openclaw-ctl.1 $(DESTDIR)$(MANDIR)/man8/openclaw-watchdog.8 $(DESTDIR)$(COMPLETIONS)/openclaw-ctl $(DESTDIR)$(COMPLETIONS)/openclaw-watchdog

# ---- Docker, for machines without Qubes ----

COMPOSE ?= $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi)

.PHONY: docker-config
docker-config: ## looks whether vm/docker/compose.yaml is good; starts nothing
	OPENCLAW_PROXY_ENV=/dev/null $(COMPOSE) -f vm/docker/compose.yaml config

.PHONY: end-vm-services
end-vm-services: ## the first part of uninstall-vm: nothing that is removed still runs, or starts again
	[ -n "$(DESTDIR)" ] || sh vm/packaging/end-services $(notdir $(wildcard vm/systemd/*.service)) -- $(notdir $(wildcard vm/systemd/user/*.service))

.PHONY: uninstall-vm
uninstall-vm: uninstall-vm-tunnel ## takes back install-vm; keys and history stay
	rm -f $(DESTDIR)$(BINDIR)/qvm-remote $(DESTDIR)$(RPCDIR)/qvmremote.Queue $(DESTDIR)$(LIBDIR)/qvm-remote.js $(DESTDIR)$(LIBDIR)/qvmremote.Queue.js $(DESTDIR)$(LIBDIR)/deno $(DESTDIR)$(MANDIR)/man1/qvm-remote.1 $(DESTDIR)$(COMPLETIONS)/qvm-remote
	rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true
	[ -n "$(DESTDIR)" ] || systemctl daemon-reload
	@echo "Kept: ~/.qvm-remote of each user (key, history, audit log)."

# "qvm-remote-dom0 uninstall" ends, asks, and names what it keeps; in a staging folder nothing runs.
.PHONY: uninstall-dom0
uninstall-dom0: ## stops, disables and takes back install-dom0; keys, policy and audit stay
ifeq ($(DESTDIR),)
	$(BINDIR)/qvm-remote-dom0 uninstall --yes
else
	$(call keep-if-edited,dom0/packaging/remote.conf,$(ETCDIR)/remote.conf)
	$(call keep-if-edited,policies/30-qvm-remote.policy,$(ETCDIR)/policy.d/30-qvm-remote.policy)
	rm -f $(addprefix $(DESTDIR),$(DOM0_FILES))
	rmdir $(DESTDIR)$(POLICYDIR) $(DESTDIR)$(SHAREDIR) $(DESTDIR)$(LIBDIR) 2>/dev/null || true
endif

.PHONY: clean
clean: ## removes what was built
	rm -rf $(BUILD)
