# `make help` lists what can be made; V=1 shows the commands.

VERSION := 0.1.0

PREFIX       ?= /usr/local
DESTDIR      ?=
CLANG        ?= clang
CLANG_FUZZ   ?= clang-19
AFL_CLANG    ?= afl-clang-fast
FUZZ_TIME    ?= 60
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14) clang-format)
SHELLCHECK   ?= shellcheck

# A mode is a way to build: each has a folder, an optimisation that CFLAGS overrides, flags of its
# own, and perhaps a compiler. In `plain` the user's CC counts.
MODE  := plain
BUILD := $(if $(filter plain,$(MODE)),build,build/$(MODE))

OPTIMISE.plain    := -O2 -g
OPTIMISE.short    := -O2 -g
OPTIMISE.asan     := -O1 -g
OPTIMISE.valgrind := -O1 -g
OPTIMISE.tsan     := -O1 -g
FLAGS.asan        := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS.valgrind    := -gdwarf-4
FLAGS.tsan        := -fsanitize=thread
CC.asan           := clang
CC.tsan           := clang
CC.valgrind       := gcc

# The modes of fuzzing: an engine and what watches over the target. `cmplog` tells AFL++ what is
# compared; those named `replay-` run inputs again, as `plain`, `asan` and `valgrind` do.
FUZZ_FLAGS       := -O2 -gline-tables-only -fno-omit-frame-pointer
SANITIZE         := -fno-sanitize-recover=all -fsanitize=
FLAGS.libfuzzer-address   := $(SANITIZE)fuzzer-no-link,address,undefined -fsanitize-address-use-after-return=never
FLAGS.libfuzzer-undefined := $(SANITIZE)fuzzer-no-link,undefined
FLAGS.libfuzzer-memory    := $(SANITIZE)fuzzer-no-link,memory -fsanitize-memory-track-origins
FLAGS.afl-address         := $(SANITIZE)address,undefined
FLAGS.afl-undefined       := $(SANITIZE)undefined
FLAGS.afl-memory          := $(SANITIZE)memory -fsanitize-memory-track-origins
FLAGS.replay-memory              := $(SANITIZE)memory -fsanitize-memory-track-origins
FLAGS.replay-coverage            := -fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc -DECHO_MEASURED
ENGINES   := libfuzzer-address libfuzzer-undefined libfuzzer-memory \
	afl-address afl-undefined afl-memory afl-cmplog
REPLAYERS := replay-memory replay-coverage
AFL_ENV.afl-cmplog := AFL_LLVM_CMPLOG=1
OPTIMISE.replay-coverage  := -O0 -g
$(foreach mode,$(ENGINES) replay-memory,$(eval OPTIMISE.$(mode) := $(FUZZ_FLAGS)))
$(foreach mode,$(filter libfuzzer-%,$(ENGINES)) $(REPLAYERS),$(eval CC.$(mode) := $(CLANG_FUZZ)))
$(foreach mode,$(filter afl-%,$(ENGINES)),$(eval \
	CC.$(mode) := AFL_QUIET=1 $(AFL_ENV.$(mode)) $(AFL_CLANG)))

# In the mode `env` all of it comes from the environment: see fuzz/oss-fuzz/build.sh.
ENGINE_LINK := $(if $(filter env,$(MODE)),$(LIB_FUZZING_ENGINE),$(if $(filter $(MODE),$(ENGINES)),-fsanitize=fuzzer))

CC     := $(or $(CC.$(MODE)),$(CC))
CFLAGS ?= $(OPTIMISE.$(MODE))

# In the mode `short` these calls go to __wrap_NAME in tests/short.c, which asks the kernel for
# less than it was asked for, and has epoll announce what was left. A wrap without a function there
# is an error of the linker.
SHORT_CALLS := recv send splice epoll_ctl
SHORT_LINK  := $(SHORT_CALLS:%=-Wl,--wrap=%)

# From OpenSSF's compiler options guide; what the compiler at hand does not take is left out.
# None of it in `asan` and `valgrind`: zeroed variables and checked calls hide errors from them.
HARDEN_COMPILE := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-mbranch-protection=standard -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3 -fPIE \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing \
	-Wformat=2 -Wimplicit-fallthrough -Wtrampolines -Wbidi-chars=any \
	-Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types \
	-Werror=int-conversion
HARDEN_LINK := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen \
	-Wl,--as-needed -Wl,--no-copy-dt-needed-entries
# Fortified calls have other names, which would slip through the wraps of `short`.
FORTIFY := '-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3'

CANDIDATES.plain := $(HARDEN_COMPILE) $(FORTIFY)

# Programs are optimised as a whole, which halves what the engine costs; its objects hold machine code
# as well, for those that are linked often and run once.
WHOLE.plain := -flto=auto -ffat-lto-objects
CANDIDATES.short := $(HARDEN_COMPILE) -U_FORTIFY_SOURCE

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	$(if $(filter 1,$(WERROR)),-Werror)
DEFINES  := -Isrc -D_GNU_SOURCE -DEPOLL_ECHO_VERSION='"$(VERSION)"'

COMPILE = $(CC) -std=c11 $(DEFINES) $(CPPFLAGS) $(WARNINGS) $(FLAGS.$(MODE)) $(TAKEN_COMPILE) $(CFLAGS)
LINK    = $(LINKER) $(TAKEN_LINK) $(if $(TAKEN_WHOLE),-fno-lto) $(LDFLAGS)
LINK_WHOLE = $(LINKER) $(TAKEN_LINK) $(TAKEN_WHOLE) $(LDFLAGS)
LINKER  = $(if $(filter env,$(MODE)),$(CXX) $(CXXFLAGS),$(CC) $(FLAGS.$(MODE)) $(CFLAGS)) -pthread

# Everything that is no program goes into one archive, from which each program takes what it uses.
PROGRAMS := epoll-echo epoll-scenario epoll-replay
LIBRARY  := $(filter-out $(PROGRAMS:%=src/%.c),$(wildcard src/*.c src/*/*.c))
PURE     := $(patsubst src/%/,%,$(wildcard src/core/ src/model/))
TESTS    := $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
HELPERS  := $(wildcard tests/world*.c tests/script.c)
SERVERS  := $(filter-out common,$(patsubst tests/servers/%.c,%,$(wildcard tests/servers/*.c)))
TARGETS  := $(patsubst fuzz/%.c,%,$(wildcard fuzz/fuzz_*.c))
PLAYERS  := codec differ simulate
DRIVERS  := replay afl_mutator $(PLAYERS)
MODES    := asan valgrind tsan short $(ENGINES) $(REPLAYERS)
TEST_MODES := asan valgrind tsan short libfuzzer-address $(REPLAYERS)
C_FILES  := $(wildcard $(foreach folder,src tests fuzz,$(folder)/*.[ch] $(folder)/*/*.[ch]) tests/bench/*/*.[ch])

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
archive = $(BUILD)/libepoll-echo.a
say     = @printf '  %-4s %s\n' $(1) $@
Q       := $(if $(V),,@)

all: programs ## Build the programs (what a bare `make` does)
programs: $(PROGRAMS:%=$(BUILD)/%)

run: $(BUILD)/epoll-echo ## Build and serve on 0.0.0.0:3000; ARGS='--port 4000' adds options
	@exec $< $(ARGS)

test: ## Pass all tests; PARTS='unit spec' some of them, ci/test --list names them
	@exec ci/test $(PARTS)

fuzz: ## Fuzz every target for FUZZ_TIME seconds (60) on all cores; ci/campaign --help tells more
	@exec ci/campaign --time $(FUZZ_TIME)

fuzz-canaries: corpus ## Plant defects in the engine and parsers, and show that fuzzing finds each
	@exec ci/canaries

regress: corpus fuzz-targets asan valgrind replay-memory ## Replay seeds and regressions in four modes
	@exec ci/regress

smoke: corpus libfuzzer-address ## Fuzz each target for a few seconds from the seeds
	@exec ci/smoke $(if $(SMOKE_TIME),--time $(SMOKE_TIME))

coverage: corpus replay-coverage ## Tell how much of the core the seeds and regressions cover
	@exec ci/coverage --uncovered

corpus: $(BUILD)/fuzz/codec ## Compile seeds and regressions to build/corpus
	@ci/corpus

seeds: programs $(BUILD)/fuzz/codec libfuzzer-address ## Record `bats spec/`, and make seeds of it; ARGS='--add 10' writes as text those that reach more
	@exec ci/seeds $(ARGS)

static: ## Build build/static/epoll-scenario, one file with all clauses, for any Linux
	@$(MAKE) --no-print-directory BUILD=build/static LDFLAGS=-static-pie build/static/epoll-scenario build/static/init

kernels: ## Play all clauses on kernels that Debian packages, and write spec/KERNELS.md
	@exec ci/kernels

bench: ## Measure against other echo servers; ARGS='--quick', tests/bench/bench --help tells how
	@exec tests/bench/bench $(ARGS)

bench-engine: ## Measure the engine alone: instructions a message up to 1,000,000 connections
	@exec tests/bench/bench-engine $(ARGS)

INSTALLED := bin/epoll-echo bin/epoll-replay share/man/man8/epoll-echo.8 share/man/man1/epoll-replay.1

install: $(BUILD)/epoll-echo $(BUILD)/epoll-replay ## Install the programs and their manual pages; PREFIX and DESTDIR as usual
	install -D -m 755 -t '$(DESTDIR)$(PREFIX)/bin' $^
	install -D -m 644 epoll-echo.8 '$(DESTDIR)$(PREFIX)/share/man/man8/epoll-echo.8'
	install -D -m 644 epoll-replay.1 '$(DESTDIR)$(PREFIX)/share/man/man1/epoll-replay.1'

uninstall: ## Remove what `make install` put there
	rm -f $(INSTALLED:%='$(DESTDIR)$(PREFIX)/%')

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

clean: ## Remove build/
	rm -rf build

format: ## Lay out the C files by .clang-format
	$(CLANG_FORMAT) -i $(C_FILES)

format-check: ## Check the layout of the C files
	@command -v $(CLANG_FORMAT) >/dev/null || { echo 'format: skipped, there is no clang-format'; exit; }; \
	$(CLANG_FORMAT) --dry-run --Werror $(C_FILES)

# What a bats file loads is not seen, so its variables seem unset (SC2154).
lint: ## Check the shell scripts and the bats files
	@command -v $(SHELLCHECK) >/dev/null || { echo 'lint: skipped, there is no shellcheck'; exit; }; \
	status=0; \
	$(SHELLCHECK) $$(grep -lsE '^#!.*\<(sh|bash)$$' ci/* .ci/* spec/* tests/* fuzz/* fuzz/oss-fuzz/* .clusterfuzzlite/*) || status=1; \
	$(foreach file,$(wildcard spec/*.bats tests/*.bats),$(SHELLCHECK) -e SC2154 $(file) || status=1;) \
	exit $$status

pure: $(PURE:%=build/pure/%.o) ## Check that the core is pure: its headers, its symbols, wasm32

diagram: $(BUILD)/diagram ## Write docs/STATES.md from the engine's table of states
	$< >docs/STATES.md

diagram-check: $(BUILD)/diagram ## Check that docs/STATES.md is what that table says
	$< | diff -u docs/STATES.md -

# What it takes in is no header, which the compiler would tell of.
$(BUILD)/obj/src/epoll-scenario.o: $(wildcard spec/epoll/*.scenario)

everything: programs unit-tests servers fuzz-targets $(PLAYERS:%=$(BUILD)/fuzz/%) $(BUILD)/init $(BUILD)/bench/load bench-engines $(call objects,$(wildcard tests/short.c)) ## Build all there is, in one mode

unit-tests: $(TESTS:%=$(BUILD)/tests/%) ## Build the unit tests
fuzz-targets: $(TARGETS:%=$(BUILD)/fuzz/%) ## Build the fuzz targets, which replay the files that they are given
servers: $(SERVERS:%=$(BUILD)/servers/%) ## Build the servers that the specification must accept or reject

programs-for-test: everything corpus afl-mutator $(TEST_MODES) ## Build all that the tests run

.PHONY: all programs run test fuzz fuzz-canaries regress smoke coverage corpus seeds static kernels afl-mutator install uninstall help clean format format-check lint pure diagram diagram-check everything \
	unit-tests servers fuzz-targets programs-for-test $(MODES) FORCE
.SECONDARY:
.DELETE_ON_ERROR:

# The modes.

ifeq ($(MODE),plain)
asan: ## Build the server and the unit tests with ASan and UBSan
valgrind: ## Build the server and the unit tests for Valgrind
asan valgrind:
	@+$(MAKE) --no-print-directory MODE=$@ build/$@/epoll-echo unit-tests fuzz-targets

$(ENGINES) $(REPLAYERS):
	@+$(MAKE) --no-print-directory MODE=$@ fuzz-targets

tsan: ## Build the server with TSan
	@+$(MAKE) --no-print-directory MODE=$@ build/$@/epoll-echo

short: ## Build a server whose transfers are truly short
	@+$(MAKE) --no-print-directory MODE=$@ build/$@/epoll-echo

# A file of a mode is made with all others of it: makes that run side by side would get in each
# other's way.
$(foreach mode,$(MODES),$(eval build/$(mode)/%: $(mode); @test -e $$@))
endif

# The files.

$(BUILD)/obj/%.o: %.c $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(archive): $(call objects,$(LIBRARY))
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/src/%.o $(archive)
	$(call say,LINK)
	$(Q)$(LINK_WHOLE) -o $@ $^ $(LDLIBS)

# Comparisons tell a fuzzer which words a parser looks for. The engine and the model look for none, and
# to report each of their comparisons would more than double the time of a run.
ifneq ($(filter libfuzzer-%,$(MODE)),)
$(call objects,$(wildcard src/core/*.c src/model/*.c fuzz/world*.c fuzz/judge*.c fuzz/mutator*.c) \
	src/steps/steps.c fuzz/program.c $(wildcard fuzz/versus*.c)): \
	FLAGS.$(MODE) += -fno-sanitize-coverage=trace-cmp
endif

ifeq ($(MODE),short)
$(BUILD)/epoll-echo: LDFLAGS += $(SHORT_LINK)
$(BUILD)/epoll-echo: $(call objects,tests/short.c)
endif

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call objects,$(HELPERS)) $(BUILD)/libfuzz.a $(archive)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ -lcmocka $(LDLIBS)

# A fuzzing engine brings a main() of its own; elsewhere a target replays files.
$(BUILD)/libfuzz.a: $(call objects,$(filter-out $(DRIVERS:%=fuzz/%.c) $(TARGETS:%=fuzz/%.c),$(wildcard fuzz/*.c)))
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/fuzz/fuzz_%.o $(if $(ENGINE_LINK),,$(call objects,fuzz/replay.c)) \
		$(BUILD)/libfuzz.a $(archive)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ $(ENGINE_LINK) $(LDLIBS)

$(PLAYERS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/%.o $(BUILD)/libfuzz.a $(archive)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

# AFL++ loads a mutator as a library; for the targets of the engine it is the one that they bring for
# libFuzzer.
afl-mutator: build/afl-mutator/libmutator.so ## Build the mutator of runs for AFL++
build/afl-mutator/libmutator.so: $(wildcard fuzz/*mutator*.[ch]) src/steps/steps.c $(wildcard src/steps/*.h)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -std=c11 $(DEFINES) $(WARNINGS) -O2 -fPIC -shared -o $@ $(filter %.c,$^)

$(BUILD)/diagram: $(BUILD)/obj/tests/diagram.o $(archive)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

$(BUILD)/servers/%: $(call objects,tests/servers/%.c $(wildcard tests/servers/common.c))
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -pthread -o $@ $^ $(LDLIBS)

# The first process of the machines on which ci/kernels plays the clauses.
$(BUILD)/init: $(call objects,tests/kernels/init.c)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

-include $(patsubst %.c,$(BUILD)/obj/%.d,$(wildcard src/*.c src/*/*.c tests/*.c tests/*/*.c fuzz/*.c))

# Not in trees that have what is tested and fuzzed only.
-include tests/bench/bench.mk

# What the compiler takes is probed once, and again when one of these changes. Every object depends
# on the outcome, and so is built anew.

SETTINGS := $(strip $(MODE) $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(WERROR) \
	$(if $(filter env,$(MODE)),$(CXX) $(CXXFLAGS) $(LIB_FUZZING_ENGINE)))
UNPROBED := test fuzz bench bench-engine kernels afl-mutator uninstall help clean format format-check lint pure $(MODES)

ifneq ($(filter-out $(UNPROBED),$(or $(MAKECMDGOALS),all)),)
-include $(BUILD)/flags.mk
ifneq ($(SETTINGS),$(PROBED))
$(BUILD)/flags.mk: FORCE
endif
endif

$(BUILD)/flags.mk: Makefile
	@mkdir -p $(@D)
	$(call say,PROBE)
	@printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >$@.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@.out $@.c || { echo '$(CC) does not compile' >&2; exit 1; }
	@taken=; link=; \
	compiles() { $(CC) -Werror $(CPPFLAGS) $$taken "$$@" $(CFLAGS) -o $@.out $@.c 2>/dev/null; }; \
	for flag in $(CANDIDATES.$(MODE)); do \
		if compiles $$flag -c; then taken="$$taken $$flag"; fi; \
	done; \
	for flag in $(if $(CANDIDATES.$(MODE)),$(HARDEN_LINK)); do \
		if compiles $$link $$flag $(LDFLAGS) -Wl,--fatal-warnings; then link="$$link $$flag"; fi; \
	done; \
	whole='$(WHOLE.$(MODE))'; \
	if [ -n "$$whole" ] && compiles $$whole $$link $(LDFLAGS); then taken="$$taken $$whole"; else whole=; fi; \
	printf '%s\n' 'PROBED := $(SETTINGS)' "TAKEN_COMPILE :=$$taken" "TAKEN_LINK :=$$link" "TAKEN_WHOLE :=$$whole" >$@
	@rm -f $@.c $@.out

# Purity is checked on a plain build, where nothing else brings symbols in. Each folder is linked by
# itself, as neither may know of the other. Mutable static data counts as impure too.

PURE_HEADERS := stdint|stddef|stdbool|limits
PURE_SYMBOLS := memcpy|memmove|memset|memcmp
PURE_FLAGS   := -std=c11 -O2 -ffreestanding -fno-stack-protector -fno-pic -U_FORTIFY_SOURCE

build/pure/%.o: FORCE
	@mkdir -p build/pure/$*
	@if grep -nE '^[[:space:]]*#[[:space:]]*include' src/$*/*.[ch] | \
		grep -vE 'include[[:space:]]*(<($(PURE_HEADERS))\.h>|"[[:alnum:]_-]+\.h")'; then \
		echo 'pure: src/$* may include its own headers and $(PURE_HEADERS) only' >&2; exit 1; fi
	@for source in $(wildcard src/$*/*.c); do \
		object=build/pure/$*/$$(basename $$source .c); \
		$(CC) $(PURE_FLAGS) -c -o $$object.o $$source || exit 1; \
		$(CLANG) --target=wasm32 -std=c11 -O2 -ffreestanding -c -o $$object.wasm $$source || \
			{ echo "pure: $$source does not compile for wasm32" >&2; exit 1; }; \
	done
	@$(LD) -r -o $@ $(patsubst src/%.c,build/pure/%.o,$(wildcard src/$*/*.c))
	@if nm -u $@ | awk '{ print $$NF }' | grep -vxE '$(PURE_SYMBOLS)'; then \
		echo 'pure: src/$* may need no symbol but $(PURE_SYMBOLS)' >&2; exit 1; fi
	@if nm $@ | grep -E ' [bBdDC] '; then \
		echo 'pure: src/$* may hold no static data that changes' >&2; exit 1; fi
	@echo 'pure: src/$* includes, calls and keeps nothing of the outside'
