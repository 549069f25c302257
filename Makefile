# The front door. `make run` and `make test` install what they need first (tools/install-deps).
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
DEV := build-dev

.PHONY: run build dev test check-one bench fuzz format install deps clean

run: build
	$(BUILD)/httpsocketd --dev examples

build: deps
	@test -d $(BUILD)/meson-private || meson setup $(BUILD) --buildtype=release -Db_lto=true --prefix=$(PREFIX)
	@meson compile -C $(BUILD)

# Sanitizers are the default while developing; every test runs against this build.
dev: deps
	@test -d $(DEV)/meson-private || meson setup $(DEV) --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
	@meson compile -C $(DEV)

test: build dev
	@tools/test

# make check-one T=unit/test_slice, or T=scenario/websocket.test.mjs: one test; a C test runs under gdb.
check-one: dev
	@tools/test --one $(T)

bench: build
	@bench/run

# Each target for SECONDS seconds (make fuzz SECONDS=600).
SECONDS ?= 60
fuzz: deps
	@tools/fuzz $(SECONDS)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: build
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

deps:
	@tools/install-deps

clean:
	rm -rf $(BUILD) $(DEV) build-fuzz
