# The fixed commands. CMake and Ninja do the work; `make` builds the release preset into build/.
#   make  make test  make lint  make bench  make fuzz  make soundness  make soak  make map-judge  make conformance  make asan  make tsan  make install  make clean
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JUDGE_COUNT ?= 100000
export FUZZ_SECONDS JUDGE_COUNT

.PHONY: all test lint bench fuzz soundness soak map-judge conformance asan tsan install clean

all: build/build.ninja
	@cmake --build --preset release

build/build.ninja:
	@scripts/bootstrap
	@cmake --preset release

# The release suite alone; scripts/test is everything.
test: all
	@ctest --test-dir build -j $$(nproc) --output-on-failure --no-tests=error

lint:
	@scripts/lint

bench: all
	@build/bin/skep-bench --json build/bench.json
	@build/bin/skep-bench-maps --json build/bench-maps.json
	@scripts/bench-verifier
	@scripts/bench-exec

fuzz:
	@scripts/fuzz

# What the verifier claims of registers against what runs find, for SOUNDNESS_SECONDS (300).
soundness: all
	@scripts/soundness

# Compiled code against the interpreter and the kernel, SOAK_RUNS (10 million) times; threads and forks, SOAK_SECONDS (60);
# programs on a hive of which some are killed, STORM_SECONDS (600).
soak: all
	@scripts/soak

# Maps of a hive against the kernel's: MAP_JUDGE_COUNT (1 million) random operations on each kind.
map-judge: all
	@scripts/map-judge

# Linux's own BPF tests; SELFTESTS_DIR is where they are built. scripts/conformance has more.
conformance: all
	@scripts/conformance

asan tsan:
	@scripts/bootstrap
	@cmake --preset $@ && cmake --build --preset $@

install: all
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

clean:
	@rm -rf build build-asan build-tsan build-fuzz
