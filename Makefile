# SPDX-License-Identifier: MIT
# The front door. Each command installs what it needs first, if it is
# missing (tools/install-deps; DEPS=no: not).
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
DEV := build-dev
WERROR ?= false
export DEPS

.PHONY: run run-tcp build dev test check-one bench fuzz torture cuts upgrades storm format install
.PHONY: clean

run: build
	$(BUILD)/httpsocketd --dev --stdio-files /lines examples

# Pages that talk IRC, IMAP and Telnet, each with its server. One of them: make run-tcp EXAMPLE=irc
run-tcp: build
	@tools/install-deps tcp
	tools/tcp-examples $(EXAMPLE)

build:
	@tools/install-deps build
	@test -f $(BUILD)/build.ninja || \
	    meson setup $(BUILD) --buildtype=release -Db_lto=true -Dtests=disabled -Dwerror=$(WERROR)
	@meson compile -C $(BUILD)

# Sanitizers are the default while developing; every test runs against this build.
dev:
	@tools/install-deps test
	@test -f $(DEV)/build.ninja || \
	    meson setup $(DEV) --buildtype=debugoptimized -Db_sanitize=address,undefined \
	        -Db_lundef=false -Dwerror=$(WERROR)
	@meson compile -C $(DEV)

test: dev
	@tools/test

# make check-one T=unit/test_slice, or T=scenario/websocket-clients.test.mjs: one test; a C test
# runs under gdb, if that is there.
check-one: dev
	@tools/test --one $(T)

bench: build
	@tools/install-deps bench
	@meson setup --reconfigure $(BUILD) >/dev/null
	@meson compile -C $(BUILD) benchmarks
	@bench/run

# Each codec's target for SECONDS seconds, and then the whole server (make fuzz SECONDS=600).
SECONDS ?= 60
fuzz: dev
	@tools/install-deps fuzz
	@tools/fuzz $(SECONDS)
	@fuzz/server/run $(SECONDS)

# Each allocation and each system call of eleven small scenarios fails once (some minutes), or those
# of one: make torture SCENARIO=page.
SCENARIO ?=
torture: dev
	@tests/torture/run $(SCENARIO)

# Cuts connections of 1000 sessions over 2 and 4 workers, of the optimized server: CUTS of them, but
# for no longer than SECONDS (make cuts CUTS=1000000 SECONDS=3600).
CUTS ?= 20000
cuts: build
	@meson compile -C $(BUILD) fuzz_program_counter >/dev/null
	@fuzz/cuts/run --cuts $(CUTS) --seconds $(SECONDS)

# Replaces the program file of the optimized server under 2000 sessions, every 10 s, for SECONDS.
upgrades: build
	@meson compile -C $(BUILD) fuzz_program_counter >/dev/null
	@fuzz/upgrades/run --seconds $(SECONDS)

# Three optimized servers behind HAProxy, 1000 sessions: servers and brokers die and come back, for
# SECONDS (docs/cluster.md).
storm: build
	@tools/install-deps test
	@fuzz/cluster/run --seconds $(SECONDS)

format:
	@tools/install-deps format
	@tools/check-form --mend

install: build
	@meson introspect $(BUILD) --buildoptions | grep -q '"name": "prefix", "value": "$(PREFIX)"' || \
	    { meson configure $(BUILD) --prefix=$(PREFIX) && meson compile -C $(BUILD); }
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(DEV) build-fuzz build-threads
