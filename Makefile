# SPDX-License-Identifier: GPL-2.0-or-later
# "make help" lists the targets. DESTDIR goes in front of every installed path. Which programs there
# are, what each may do and what is installed for it: shared/packaging/programs.ts.

DENO_VERSION := 2.9.6
DENO_OLDEST  := 2.4.2

PREFIX      ?= /usr
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib/qubes-claw
MANDIR      ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITDIR     ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
ETCDIR      ?= /etc/qubes
RPCDIR      ?= /etc/qubes-rpc
SHAREDIR    ?= $(PREFIX)/share/qubes-claw
APPLICATIONS ?= $(PREFIX)/share/applications
ICONS       ?= $(PREFIX)/share/icons/hicolor/scalable/apps
# The policies as they come; setup-dom0 puts some into /etc/qubes/policy.d.
POLICYDIR   := /usr/share/qubes-claw/policies
BUILD       := build

include shared/packaging/vendor.mk
# Deno: DENO if it is set, else one on PATH that is new enough, else the pinned one from npm.
DENO ?= $(shell sh $(CURDIR)/.ci/find-deno $(DENO_OLDEST) $(DENO_VERSION))
# What compiles the dom0 programs; DENORT_BIN names a runtime that is there already.
COMPILE_DENO ?= $(DENO)
export DENO_NO_UPDATE_CHECK := 1
# The date of what is built: that of the commit, so that two builds of it are the same.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
# Which deno.json the bundles are made by; shared/packaging/deno.jsr.json takes @std from JSR.
BUNDLE_CONFIG ?= deno.json
TOOL_CONFIG ?= $(BUNDLE_CONFIG)
export BUNDLE_CONFIG

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9%-]+:.*## ' $(MAKEFILE_LIST) | sed 's/%/PART/; s/:.*## /\t/' | expand -t 22

# ---- Development ----

.PHONY: check
check: ## formatting, lint, types
	$(DENO) task --quiet check

# The demo, the tests, the figures; a checkout without tests/ builds and installs all the same.
-include tests/tests.mk

# ---- Building ----

SOURCES := Makefile deno.json $(shell find dom0 vm shared -name '*.ts') $(wildcard dom0/admin/browser/* dom0/admin/style/*) \
  $(wildcard shared/packaging/b* shared/packaging/print-launcher */packaging/*.1 */packaging/*.8)
# A program is a .ts file at the top of dom0/ or vm/.
DOM0_PROGRAMS := $(patsubst dom0/%.ts,$(BUILD)/dom0/%,$(wildcard dom0/*.ts))
VM_PROGRAMS   := $(patsubst vm/%.ts,$(BUILD)/vm/%,$(wildcard vm/*.ts))
# What is made of the table of programs: flags, lists of files, completions, manual pages.
PACKAGING := $(BUILD)/packaging/done

$(PACKAGING): $(SOURCES)
	rm -rf $(@D)
	$(DENO) run --quiet --no-check --config $(TOOL_CONFIG) --allow-read --allow-write=$(BUILD) shared/packaging/write-packaging.ts $(BUILD)
	touch $@

.PHONY: dom0
dom0: $(DOM0_PROGRAMS) ## the dom0 programs: scripts, and the daemon compiled, too, where Deno's site is in reach

$(DOM0_PROGRAMS): $(BUILD)/dom0/%: dom0/%.ts $(SOURCES) $(PACKAGING)
	@set -f; DENO="$(COMPILE_DENO)" BUNDLE_DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh shared/packaging/build-program $< $@ $$(cat $(BUILD)/packaging/dom0/$*.form $(BUILD)/packaging/dom0/$*.flags)

.PHONY: vm
vm: $(VM_PROGRAMS) ## the VM programs: one bundled script and its launcher each

$(VM_PROGRAMS): $(BUILD)/vm/%: vm/%.ts $(SOURCES) $(PACKAGING)
	@set -f; DENO="$(DENO)" LIBDIR="$(LIBDIR)" sh shared/packaging/build-script $< $@ $$(cat $(BUILD)/packaging/vm/$*.flags)

# ---- Installing: from build/, without Deno ----

FILES = $(foreach name,DESTDIR BINDIR LIBDIR MANDIR COMPLETIONS UNITDIR USERUNITDIR ETCDIR RPCDIR SHAREDIR APPLICATIONS ICONS POLICYDIR,$(name)="$($(name))") sh shared/packaging/files

.PHONY: install-dom0
install-dom0: dom0 ## into dom0: all programs and one Deno, units; not enabled, configuration never overwritten
	@$(FILES) install $(BUILD)/packaging/dom0.list

install-dom0-%: dom0 ## a part of it: daemon, admin, tunnel, setup
	@$(FILES) install $(BUILD)/packaging/dom0.list $*

# The daemon alone is compiled; where other programs need Deno anyway, it is a script of that, too.
# FORM=compiled or FORM=bundled says it for both.
install-dom0-daemon: export FORM ?= compiled

.PHONY: install-vm
install-vm: vm ## into a VM or its template: client, queue service, tunnel, proxy, tools, Deno; enables nothing
	@$(FILES) install $(BUILD)/packaging/vm.list

install-vm-%: vm ## a part of it: client, tunnel, keyqube, ports, proxy, setup, ctl
	@$(FILES) install $(BUILD)/packaging/vm.list $*

.PHONY: install-tunnel-vm
install-tunnel-vm: install-vm-tunnel ## another name of it
.PHONY: install-tunnel-dom0
install-tunnel-dom0: install-dom0-tunnel ## another name of it
.PHONY: install-setup-dom0
install-setup-dom0: install-dom0-setup ## another name of it

# rpm, deb, arch, dist: packages and releases
include shared/packaging/packages.mk

# ---- Uninstalling ----

# "qvm-remote-dom0 uninstall" ends, asks, and names what it keeps; in a staging folder nothing runs.
.PHONY: uninstall-dom0
uninstall-dom0: ## stops, disables and takes back install-dom0; keys, policy and audit stay
ifeq ($(DESTDIR),)
	$(BINDIR)/qvm-remote-dom0 uninstall --yes
else
	@$(FILES) remove $(BUILD)/packaging/dom0.list
endif

.PHONY: end-vm-services
end-vm-services: ## the first part of uninstall-vm: nothing that is removed still runs, or starts again
	[ -n "$(DESTDIR)" ] || sh shared/packaging/end-services $(notdir $(wildcard vm/systemd/*.service)) -- $(notdir $(wildcard vm/systemd/user/*.service))

.PHONY: close-vm-ports
close-vm-ports: end-vm-services ## the second: what openclaw-ports opened and refused
	[ -n "$(DESTDIR)" ] || ! command -v qubesdb-read >/dev/null || [ ! -x $(BINDIR)/openclaw-ports ] || $(BINDIR)/openclaw-ports remove

.PHONY: uninstall-vm
uninstall-vm: $(PACKAGING) close-vm-ports ## takes back install-vm; keys and history stay. Run "setup-vm --undo" before
	@$(FILES) remove $(BUILD)/packaging/vm.list
	[ -n "$(DESTDIR)" ] || systemctl daemon-reload
	@echo "Kept: ~/.qvm-remote of each user (key, history, audit log)."

uninstall-vm-ports: close-vm-ports
uninstall-vm-%: $(PACKAGING) end-vm-services ## a part of it
	@$(FILES) remove $(BUILD)/packaging/vm.list $*

.PHONY: clean
clean: ## removes what was built
	rm -rf $(BUILD)
