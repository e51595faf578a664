# SPDX-License-Identifier: GPL-2.0-or-later
# What is run from tests/: the simulated Qubes, tests of every kind, measurements. Included by the
# Makefile.

.PHONY: demo
demo: ## the main job on the simulated Qubes
	@$(DENO) task --quiet demo

.PHONY: sim
sim: ## the same world, running, with a shell in the VM "work"
	@$(DENO) task --quiet demo --shell

.PHONY: sim-web
sim-web: ## the same world in a browser: the web admin, and an agent that asks
	@$(DENO) run -A --no-check --quiet tests/e2e/sim-web.ts

.PHONY: check-policies
check-policies: ## what policies/ allows: a table of calls, each with its verdict
	@$(DENO) run --no-check --quiet --allow-read=policies,tests/vectors tests/policy/check-policies.ts

COMPOSE ?= $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi)

.PHONY: docker-config
docker-config: ## looks whether vm/docker/compose.yaml is good; starts nothing
	OPENCLAW_PROXY_ENV=/dev/null $(COMPOSE) -f vm/docker/compose.yaml config

# End-to-end tests: what is fast in "test"; attacks, crashes, time limits, loads, and the whole of
# setting up and taking back in "test-long".
E2E_FAST := $(patsubst %,tests/e2e/%_test.ts,\
  basic client operations payload transfer recipes authority approval plan mcp restart tunnel tunnel_limits connect readme proxy proxy_clients proxy_route docker proxy_money proxy_words proxy_providers \
  ctl ctl_logs ctl_pair ctl_top \
  clients_openai clients_openai_requests clients_fallback clients_responses clients_anthropic clients_ai clients_ollama)
# Those that run what "make dom0 vm" built if QVM_REMOTE_BUILT says where it is.
E2E_BUILT := $(patsubst %,tests/e2e/%_test.ts,\
  basic client operations recipes authority approval plan mcp operator restart reload setup setup_keyqube keyqube readme ctl_logs ctl_top watchdog)
E2E_BUILT_LONG := $(patsubst %,tests/e2e/%_test.ts,\
  bounded crash_points crash_approval crash_undo crash_jobs crash hostile_queue hostile_stream hostile operator_idle v1 \
  setup_network)
# Those that need the real OpenClaw, in "test-openclaw".
E2E_OPENCLAW := tests/e2e/ctl_openclaw_test.ts
# The one that needs Ansible, in "test-ansible".
E2E_ANSIBLE := tests/e2e/ansible_test.ts
E2E_LONG := $(filter-out $(E2E_FAST) $(E2E_OPENCLAW) $(E2E_ANSIBLE),$(wildcard tests/e2e/*_test.ts))

# Tests wait more than they compute: two files at once for each core.
TEST_JOBS := $(shell expr 2 \* $$(nproc))

.PHONY: test
test: check ## the tests but the long ones (some minutes)
	DENO_JOBS=$(TEST_JOBS) $(DENO) test -A --no-check --quiet --parallel tests/shared tests/dom0 tests/vm tests/sim tests/policy $(filter-out tests/install% tests/dist_test.ts tests/launcher_test.ts,$(wildcard tests/*_test.ts))
	DENO_JOBS=$(TEST_JOBS) $(DENO) test --doc --no-check --quiet --parallel $(wildcard shared/protocol/*.ts shared/protocol/*/*.ts)
	DENO_JOBS=$(TEST_JOBS) $(DENO) test -A --no-check --quiet --parallel $(E2E_FAST)

# In a browser: Debian's chromium, or CHROMIUM; screenshots go to build/screenshots.
.PHONY: test-web
test-web: ## the web admin in a real browser: every page, every action, by keyboard, for all eyes
	$(DENO) test -A --no-check --quiet --parallel tests/web

.PHONY: test-long
test-long: ## hostile VMs and providers, limits, loads, crashes; QVM_REMOTE_ROUNDS=N for more
	DENO_JOBS=2 $(DENO) test -A --no-check --quiet --parallel $(E2E_LONG)

.PHONY: test-compiled
test-compiled: dom0 vm ## the fast end-to-end tests, and installing, on the compiled and bundled programs
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) DENO_JOBS=2 $(DENO) test -A --no-check --quiet --parallel $(E2E_BUILT)
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) COMPILE_DENO="$(COMPILE_DENO)" $(DENO) test -A --no-check --quiet $(wildcard tests/install_*test.ts) tests/launcher_test.ts tests/dist_test.ts

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

# ---- Tests of the packages ----

# The next release is the same source with another number. What the packages of other systems are
# checked by is used where it is: rpmlint, lintian.
.PHONY: test-packages
test-packages: dist ## packages of each system: built, and on machines that boot installed, upgraded, removed
	@$(MAKE) --no-print-directory rpm deb RELEASE=2
	QUBES_CLAW_DIST=$(CURDIR)/$(BUILD)/dist $(DENO) test -A --no-check --quiet tests/packages

.PHONY: test-salt
test-salt: ## the formula for Salt, rendered by jinja and yaml (Debian's python3-jinja2, python3-yaml)
	$(DENO) test -A --no-check --quiet tests/salt

.PHONY: arch-test
arch-test: arch ## the packages for an Arch, by pacman's own tools
	QUBES_CLAW_DIST=$(CURDIR)/$(BUILD)/dist $(DENO) test -A --no-check --quiet tests/packages/arch_test.ts

# ---- One word each ----

.PHONY: all-test
all-test: test test-long test-web test-openclaw test-clients test-ansible test-compiled test-compiled-long test-machine test-machine-kernel test-packages test-salt ## every suite (an hour or two)
	@echo "All suites have passed."

.PHONY: dom0-test
dom0-test: ## dom0 on the simulated Qubes: its modules, then its programs with real VMs' folders around them
	DENO_JOBS=$(TEST_JOBS) $(DENO) test -A --no-check --quiet --parallel tests/dom0 tests/policy tests/sim \
	  $(patsubst %,tests/e2e/%_test.ts,basic operations recipes authority approval plan operator reload)

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

# Not part of "make test" either: 1.9 GB from the npm registry, most of it three programs.
CLIENT_PACKAGES := node@$(NODE_VERSION) @openai/codex@0.171.0 @anthropic-ai/claude-code@2.1.332 \
  @openai/agents@0.20.0 @langchain/openai@1.6.0 @langchain/anthropic@1.5.11 @langchain/core@1.4.0 \
  @ai-sdk/openai@4.0.118 ai@7.0.173 zod@4.6.7 openai@7.57.0 @anthropic-ai/sdk@1.12.0 \
  @modelcontextprotocol/inspector@2.12.0
QUBES_CLAW_CLIENTS ?= $(CURDIR)/.cache/clients
export QUBES_CLAW_CLIENTS

.PHONY: clients
clients: $(QUBES_CLAW_CLIENTS)/READY ## the real clients and their Node, for tests; QUBES_CLAW_CLIENTS=FOLDER

$(QUBES_CLAW_CLIENTS)/READY: tests/tests.mk
	mkdir -p $(@D)
	npm install --no-save --no-audit --no-fund --prefix $(@D) $(CLIENT_PACKAGES)
	$(@D)/node_modules/node/bin/node --version >$@.new
	mv $@.new $@

.PHONY: test-clients
test-clients: clients openclaw ## Codex, Claude Code, OpenClaw, the SDKs and LangChain through the proxy (some minutes)
	$(DENO) test -A --no-check --quiet tests/clients

.PHONY: test-ansible
test-ansible: ## dom0 as a host of the real Ansible (Debian's ansible-core), by its page's lines
	$(DENO) test -A --no-check --quiet $(E2E_ANSIBLE)

.PHONY: fuzz
SECONDS ?= 60
fuzz: ## every decoder against mutated input, SECONDS=60
	$(DENO) run -A --no-check tests/fuzz/fuzz.ts $(SECONDS)

.PHONY: bench
bench: dom0 vm ## the figures of the README, as tables and as build/bench.json, -tunnel.json, -proxy.json, -web.json
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/bench.ts
	$(MAKE) --no-print-directory bench-tunnel
	$(MAKE) --no-print-directory bench-proxy
	$(MAKE) --no-print-directory bench-web

.PHONY: bench-web
bench-web: dom0 vm ## the web admin's part of it, in chromium; WEB_BENCH_MINUTES=10 to follow the log longer
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/web-bench.ts

.PHONY: bench-tunnel
bench-tunnel: dom0 vm ## the tunnel's part of it; OPENCLAW_BENCH_QREXEC=VM over a real qrexec
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/tunnel-bench.ts

.PHONY: bench-proxy
bench-proxy: vm ## the proxy's part of it, beside Portkey's gateway (npm fetches it once into .cache/)
	QVM_REMOTE_BUILT=$(CURDIR)/$(BUILD) $(DENO) run -A --no-check tests/bench/proxy-bench.ts
