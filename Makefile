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
BUILD       := build

# Deno: DENO if it is set, else one on PATH that is new enough, else the pinned one from npm.
DENO ?= $(shell packaging=$(CURDIR)/.ci/find-deno; sh $$packaging $(DENO_OLDEST) $(DENO_VERSION))
# What compiles the dom0 programs; DENORT_BIN names a runtime that is there already.
COMPILE_DENO ?= $(DENO)
export DENO_NO_UPDATE_CHECK := 1

# ---- What each program may do. Each list stands here, once; a test reads it from here. ----

# dom0: no network, no foreign code. It runs commands as root for its VMs, so a list of files or
# programs it may touch would promise what it cannot keep; QUBES_CLAW_ROOT moves its files too.
DOM0_ENV := QUBES_CLAW_ROOT,NOTIFY_SOCKET,WATCHDOG_USEC,INVOCATION_ID,QVM_REMOTE_VMS,QUBES_REMOTE_VMS,QVM_REMOTE_VM,QUBES_REMOTE_VM,QVM_REMOTE_VM_USER,QVM_REMOTE_MAX_TIMEOUT,QVM_REMOTE_MAX_OUTPUT,QVM_REMOTE_MAX_PROCESSES,QVM_REMOTE_MAX_MEMORY,QVM_REMOTE_PARALLEL,QVM_REMOTE_PARALLEL_PER_VM,QVM_REMOTE_PATH
QVM_REMOTE_DOM0_FLAGS := --no-prompt --deny-net --deny-ffi --deny-import --allow-read --allow-write --allow-run --allow-env=$(DOM0_ENV) --allow-sys=uid --v8-flags=--max-semi-space-size=2,--optimize-for-size

# VM: its own folder, no network, no programs. The launchers in vm/packaging put HOME in.
QVM_REMOTE_FLAGS := --no-prompt --allow-read=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-write=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-env=HOME,NO_COLOR --allow-sys=uid
QVMREMOTE_QUEUE_FLAGS := --no-prompt --allow-read=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-write=@HOME@/.qvm-remote,@HOME@/.qubes-remote --allow-env=HOME,QREXEC_REMOTE_DOMAIN,QREXEC_SERVICE_ARGUMENT --allow-sys=uid

# ---- openclaw-tunnel, openclaw.Mux: permissions ----

# Loopback, the one program that calls (and systemd's), its configuration, its run folder, and in
# dom0 the folder whose sockets tell which VMs run. @ROOT@ is QUBES_CLAW_ROOT where a launcher
# starts the program, and nothing in a compiled one.
SMALL_HEAP := --v8-flags=--max-semi-space-size=2,--optimize-for-size
OPENCLAW_TUNNEL_DOM0_FLAGS := --no-prompt --deny-ffi --deny-import --allow-net=127.0.0.1,[::1] --allow-run=qrexec-client,systemd-notify --allow-read=@ROOT@/etc/qubes/openclaw.conf,@ROOT@/run/openclaw,@ROOT@/run/qubes --allow-write=@ROOT@/run/openclaw --allow-env=QUBES_CLAW_ROOT,NOTIFY_SOCKET,RUNTIME_DIRECTORY $(SMALL_HEAP)
OPENCLAW_TUNNEL_VM_FLAGS := --no-prompt --allow-net=127.0.0.1,[::1] --allow-run=qrexec-client-vm,systemd-notify --allow-read=@ROOT@/etc/qubes/openclaw.conf,@ROOT@/run/openclaw --allow-write=@ROOT@/run/openclaw --allow-env=QUBES_CLAW_ROOT,NOTIFY_SOCKET,RUNTIME_DIRECTORY $(SMALL_HEAP)
# One port of one address, chosen by the service's argument.
OPENCLAW_MUX_FLAGS := --no-prompt --allow-net=127.0.0.1 --allow-env=QREXEC_SERVICE_ARGUMENT $(SMALL_HEAP)

.PHONY: help
help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 22

# ---- Development ----

.PHONY: check
check: ## formatting, lint, types
	$(DENO) fmt --check --quiet
	$(DENO) lint --quiet
	$(DENO) check --quiet dom0 vm shared tests

# End-to-end tests: what is fast in "test", attacks and crashes in "test-long".
E2E_FAST := $(addprefix tests/e2e/,basic_test.ts client_test.ts operator_test.ts reload_test.ts tunnel_test.ts)
E2E_LONG := $(filter-out $(E2E_FAST),$(wildcard tests/e2e/*_test.ts))

.PHONY: test
test: check ## the tests but the long ones (some minutes)
	$(DENO) test -A --no-check --quiet --parallel tests/shared tests/dom0 tests/vm tests/sim tests/import_rules_test.ts tests/makefile_test.ts tests/docs_test.ts
	$(DENO) test -A --no-check --quiet $(E2E_FAST)

.PHONY: test-long
test-long: ## hostile VMs, limits, protocol 1, crashes; QVM_REMOTE_ROUNDS=N for more
	$(DENO) test -A --no-check --quiet $(E2E_LONG)

.PHONY: test-compiled
test-compiled: dom0 vm ## the fast end-to-end tests, and installing, on the compiled and bundled programs
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) test -A --no-check --quiet $(E2E_FAST) tests/install_test.ts

.PHONY: test-compiled-long
test-compiled-long: dom0 vm ## the long ones on the compiled and bundled programs
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) test -A --no-check --quiet $(E2E_LONG)

.PHONY: fuzz
SECONDS ?= 60
fuzz: ## every decoder against mutated input, SECONDS=60
	$(DENO) run -A --no-check tests/fuzz/fuzz.ts $(SECONDS)

.PHONY: bench
bench: dom0 vm ## the figures of the README, as tables and as build/bench.json, build/bench-tunnel.json
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/bench.ts
	$(MAKE) --no-print-directory bench-tunnel

.PHONY: bench-tunnel
bench-tunnel: dom0 vm ## the tunnel's part of it; OPENCLAW_BENCH_QREXEC=VM over a real qrexec
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/tunnel_bench.ts

.PHONY: demo
demo: ## the main job on the simulated Qubes
	@$(DENO) run -A --no-check --quiet tests/e2e/demo.ts

.PHONY: sim
sim: ## the same world, running, with a shell in the VM "work"
	@$(DENO) run -A --no-check --quiet tests/e2e/demo.ts --shell

# ---- Building ----

SOURCES := $(shell find dom0 vm shared -name '*.ts')

.PHONY: dom0
dom0: $(BUILD)/dom0/qvm-remote-dom0 $(BUILD)/dom0/openclaw-tunnel ## the dom0 programs: compiled, or portable where Deno's site is out of reach

$(BUILD)/dom0/qvm-remote-dom0: dom0/qvm-remote-dom0.ts $(SOURCES) Makefile dom0/packaging/build-program
	DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" sh dom0/packaging/build-program $< $@ $(QVM_REMOTE_DOM0_FLAGS)

.PHONY: vm
vm: $(BUILD)/vm/qvm-remote $(BUILD)/vm/qvmremote.Queue $(BUILD)/vm/openclaw-tunnel $(BUILD)/vm/openclaw.Mux ## the VM programs: one bundled script and its launcher each

$(BUILD)/vm/qvm-remote: vm/qvm-remote.ts $(SOURCES) Makefile vm/packaging/build-script
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(QVM_REMOTE_FLAGS)

$(BUILD)/vm/qvmremote.Queue: vm/qvmremote.Queue.ts $(SOURCES) Makefile vm/packaging/build-script
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(QVMREMOTE_QUEUE_FLAGS)

# ---- openclaw-tunnel, openclaw.Mux: building ----

$(BUILD)/dom0/openclaw-tunnel: dom0/openclaw-tunnel.ts $(SOURCES) Makefile dom0/packaging/build-program
	DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" sh dom0/packaging/build-program $< $@ $(OPENCLAW_TUNNEL_DOM0_FLAGS)

$(BUILD)/vm/openclaw-tunnel: vm/openclaw-tunnel.ts $(SOURCES) Makefile vm/packaging/build-script
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_TUNNEL_VM_FLAGS)

$(BUILD)/vm/openclaw.Mux: vm/openclaw.Mux.ts $(SOURCES) Makefile vm/packaging/build-script
	DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh vm/packaging/build-script $< $@ $(OPENCLAW_MUX_FLAGS)

# ---- openclaw-tunnel, openclaw.Mux: installing, called by the targets below ----

# The program of the VM's side lies in the library: which ports it serves is the set of files
# openclaw.Mux+PORT in the rpc folder that lead to it, and there are none at first.
.PHONY: install-tunnel-vm
install-tunnel-vm: vm ## part of install-vm: the tunnel for client VMs, openclaw.Mux for the agent VM
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONS)
	install -m 0644 $(BUILD)/vm/openclaw-tunnel.js $(BUILD)/vm/openclaw.Mux.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/openclaw-tunnel $(DESTDIR)$(BINDIR)/openclaw-tunnel
	install -m 0755 $(BUILD)/vm/openclaw.Mux $(DESTDIR)$(LIBDIR)/openclaw.Mux
	install -m 0644 vm/systemd/openclaw-tunnel@.service vm/systemd/openclaw-tunnels.service $(DESTDIR)$(UNITDIR)/
	install -m 0644 dom0/packaging/openclaw-tunnel.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/openclaw-tunnel.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

.PHONY: install-tunnel-dom0
install-tunnel-dom0: dom0 ## part of install-dom0: the tunnel and its units; not enabled
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONS)
	install -m 0755 $(BUILD)/dom0/openclaw-tunnel $(DESTDIR)$(BINDIR)/openclaw-tunnel
	if [ -e $(BUILD)/dom0/openclaw-tunnel.js ]; then \
	  install -d $(DESTDIR)$(LIBDIR) && \
	  install -m 0644 $(BUILD)/dom0/openclaw-tunnel.js $(DESTDIR)$(LIBDIR)/; fi
	install -m 0644 dom0/systemd/openclaw-tunnel@.service dom0/systemd/openclaw-tunnels.service $(DESTDIR)$(UNITDIR)/
	install -m 0644 dom0/packaging/openclaw-tunnel.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/openclaw-tunnel.bash-completion $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

.PHONY: uninstall-tunnel
uninstall-tunnel: ## part of uninstall-vm and uninstall-dom0
	[ -n "$(DESTDIR)" ] || systemctl disable --now openclaw-tunnels.service 'openclaw-tunnel@*.service' || true
	rm -f $(DESTDIR)$(BINDIR)/openclaw-tunnel $(DESTDIR)$(LIBDIR)/openclaw-tunnel.js $(DESTDIR)$(LIBDIR)/openclaw.Mux $(DESTDIR)$(LIBDIR)/openclaw.Mux.js $(DESTDIR)$(UNITDIR)/openclaw-tunnel@.service $(DESTDIR)$(UNITDIR)/openclaw-tunnels.service $(DESTDIR)$(MANDIR)/man8/openclaw-tunnel.8 $(DESTDIR)$(COMPLETIONS)/openclaw-tunnel

# ---- Installing ----

.PHONY: install-vm
install-vm: vm install-tunnel-vm ## into a VM or its template: client, queue service, Deno
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(RPCDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(COMPLETIONS)
	install -m 0755 "$$($(DENO) eval 'console.log(Deno.execPath())')" $(DESTDIR)$(LIBDIR)/deno
	install -m 0644 $(BUILD)/vm/qvm-remote.js $(BUILD)/vm/qvmremote.Queue.js $(DESTDIR)$(LIBDIR)/
	install -m 0755 $(BUILD)/vm/qvm-remote $(DESTDIR)$(BINDIR)/qvm-remote
	install -m 0755 $(BUILD)/vm/qvmremote.Queue $(DESTDIR)$(RPCDIR)/qvmremote.Queue
	install -m 0644 vm/packaging/qvm-remote.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 0644 vm/packaging/qvm-remote.bash-completion $(DESTDIR)$(COMPLETIONS)/qvm-remote

.PHONY: install-dom0
install-dom0: dom0 install-tunnel-dom0 ## into dom0: daemon, unit; not enabled, configuration never overwritten
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(COMPLETIONS) $(DESTDIR)/etc/qubes/policy.d
	install -d -m 0700 $(DESTDIR)$(ETCDIR)/remote.d $(DESTDIR)$(ETCDIR)/remote-policy.d
	install -m 0755 $(BUILD)/dom0/qvm-remote-dom0 $(DESTDIR)$(BINDIR)/qvm-remote-dom0
	if [ -e $(BUILD)/dom0/qvm-remote-dom0.js ]; then \
	  install -d $(DESTDIR)$(LIBDIR) && \
	  install -m 0644 $(BUILD)/dom0/qvm-remote-dom0.js $(DESTDIR)$(LIBDIR)/ && \
	  install -m 0755 "$$($(DENO) eval 'console.log(Deno.execPath())')" $(DESTDIR)$(LIBDIR)/deno; fi
	install -m 0644 dom0/systemd/qvm-remote-dom0.service $(DESTDIR)$(UNITDIR)/
	[ -e $(DESTDIR)$(ETCDIR)/remote.conf ] || install -m 0600 dom0/packaging/remote.conf $(DESTDIR)$(ETCDIR)/remote.conf
	[ -e $(DESTDIR)/etc/qubes/policy.d/30-qvm-remote.policy ] || install -m 0664 policies/30-qvm-remote.policy $(DESTDIR)/etc/qubes/policy.d/
	install -m 0644 dom0/packaging/qvm-remote-dom0.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 dom0/packaging/qvm-remote-dom0.bash-completion $(DESTDIR)$(COMPLETIONS)/qvm-remote-dom0
	@echo "Installed, not enabled. Next: qvm-remote-dom0 authorize --fetch --grant full VM, then qvm-remote-dom0 enable"

.PHONY: uninstall-vm
uninstall-vm: uninstall-tunnel ## takes back install-vm; keys and history stay
	rm -f $(DESTDIR)$(BINDIR)/qvm-remote $(DESTDIR)$(RPCDIR)/qvmremote.Queue $(DESTDIR)$(LIBDIR)/qvm-remote.js $(DESTDIR)$(LIBDIR)/qvmremote.Queue.js $(DESTDIR)$(LIBDIR)/deno $(DESTDIR)$(MANDIR)/man1/qvm-remote.1 $(DESTDIR)$(COMPLETIONS)/qvm-remote
	rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true
	@echo "Kept: ~/.qvm-remote of each user (key, history, audit log)."

.PHONY: uninstall-dom0
uninstall-dom0: uninstall-tunnel ## stops, disables and takes back install-dom0; keys, policy and audit stay
	[ -n "$(DESTDIR)" ] || systemctl disable --now qvm-remote-dom0.service || true
	rm -f $(DESTDIR)$(BINDIR)/qvm-remote-dom0 $(DESTDIR)$(LIBDIR)/qvm-remote-dom0.js $(DESTDIR)$(LIBDIR)/deno $(DESTDIR)$(UNITDIR)/qvm-remote-dom0.service $(DESTDIR)$(MANDIR)/man8/qvm-remote-dom0.8 $(DESTDIR)$(COMPLETIONS)/qvm-remote-dom0 $(DESTDIR)/etc/qubes/policy.d/30-qvm-remote.policy
	rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true
	@echo "Kept: $(ETCDIR)/remote.conf, remote.d (keys), remote-policy.d; /var/lib/qvm-remote; /var/log/qubes/qvm-remote.*"

.PHONY: clean
clean: ## removes what was built
	rm -rf $(BUILD)
