# SPDX-License-Identifier: GPL-2.0-or-later
# A source package brings what the build takes from elsewhere in vendor/ ("write-vendor"): Deno, its
# standard library, esbuild, and perhaps the runtime of compiled programs. Then nothing is fetched.

ifneq ($(wildcard vendor/deno),)
DENO ?= $(CURDIR)/vendor/deno
COMPILE_DENO ?= $(firstword $(wildcard $(CURDIR)/vendor/compile/deno) $(DENO))
DENORT_BIN ?= $(wildcard $(CURDIR)/vendor/compile/denort)
TOOL_CONFIG := vendor/deno.json --no-lock
export DENO_DIR ?= $(CURDIR)/vendor/cache
export DENORT_BIN
endif
