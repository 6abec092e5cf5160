# What `make bench` and `make bench-engine` run; no part of `make all`, nor of the tests' build.

BENCH_C := $(wildcard tests/bench/*.c)

# Drivers of the engine alone; all other files are the load generator's.
BENCH_ENGINES := engine inlined
BENCH_LOAD    := $(filter-out $(BENCH_ENGINES:%=tests/bench/%.c) tests/bench/pretended.c,$(BENCH_C))

# Peers: what each links with, and the header that tells whether its library is here.
BENCH_PEERS      := $(patsubst tests/bench/peers/%.c,%,$(wildcard tests/bench/peers/*.c))
PEER_LIBS.libev    := -lev
PEER_LIBS.libuv    := -luv
PEER_LIBS.libuv-try := -luv
PEER_LIBS.libevent := -levent_core
PEER_HEADER.libev    := ev.h
PEER_HEADER.libuv    := uv.h
PEER_HEADER.libuv-try := uv.h
PEER_HEADER.libevent := event2/event.h

# A library's macros are not ours to warn of.
$(BUILD)/obj/tests/bench/peers/%.o: WARNINGS := -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror)
$(BUILD)/obj/tests/bench/peers/libev.o: WARNINGS += -Wno-strict-aliasing

ifneq ($(filter bench-%,$(MAKECMDGOALS)),)
peer_is_here = $(if $(PEER_HEADER.$(1)),$(shell echo '\#include <$(PEER_HEADER.$(1))>' | \
	$(CC) -E - >/dev/null 2>&1 && echo yes),yes)
PEERS_HERE  := $(foreach peer,$(BENCH_PEERS),$(if $(call peer_is_here,$(peer)),$(peer)))
PEERS_HERE  += $(if $(shell command -v go),go)
endif

bench-programs: programs bench-peers $(BUILD)/bench/load $(BUILD)/servers/tutorial
bench-engines: $(BENCH_ENGINES:%=$(BUILD)/bench/%)
bench-peers: $(PEERS_HERE:%=$(BUILD)/bench/peers/%)

.PHONY: bench bench-engine bench-programs bench-engines bench-peers

$(BUILD)/bench/load: $(call objects,$(BENCH_LOAD))
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

$(BENCH_ENGINES:%=$(BUILD)/bench/%): $(BUILD)/bench/%: $(call objects,tests/bench/%.c tests/bench/pretended.c) $(archive)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK_WHOLE) -o $@ $^ $(LDLIBS)

$(BENCH_PEERS:%=$(BUILD)/bench/peers/%): $(BUILD)/bench/peers/%: $(call objects,tests/bench/peers/%.c tests/servers/common.c)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) -pthread -o $@ $^ $(PEER_LIBS.$*) $(LDLIBS)

$(BUILD)/bench/peers/go: tests/bench/peers/go.go
	@mkdir -p $(@D)
	$(call say,GO)
	$(Q)GOFLAGS= GO111MODULE=off GOCACHE=$(abspath $(BUILD)/bench/go-cache) go build -o $@ $<

-include $(patsubst %.c,$(BUILD)/obj/%.d,$(BENCH_C) $(BENCH_PEERS:%=tests/bench/peers/%.c))
