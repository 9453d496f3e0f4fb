# Keepsake: programs, the libraries they share, and four rules.
# All output is in $(BUILD).  make help lists the targets.

BUILD      ?= build
CC         ?= gcc
PKG_CONFIG ?= pkg-config
PROTOC_C   ?= protoc-c
CFLAGS     ?= -O2 -g
DESTDIR    ?=
PREFIX     ?= /usr/local
VERSION    := 0.1.0

PACKAGES := libzmq libprotobuf-c lmdb libsodium libzstd nettle libutf8proc \
            libxxhash jansson libmicrohttpd libqrencode libseccomp

# What the code relies on is apart from CFLAGS, which stay the caller's.
# The hardening needs optimisation, so it is dropped where there is none.
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -pthread -fPIC -fstack-protector-strong \
              -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla \
              -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith \
              -Ilib -Iclient/lib -Igateway -I$(BUILD)/proto -MMD -MP \
              -DKEEPSAKE_VERSION='"$(VERSION)"' \
              $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS       := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -pthread
LDFLAGS    += -Wl,-z,relro,-z,now -Wl,--as-needed

# name: folders with its sources
keepsake-auth_DIRS    := services/auth
keepsake-store_DIRS   := services/store
keepsake-binding_DIRS := services/binding
keepsake-notify_DIRS  := services/notify
keepsake-gateway_DIRS := gateway gateway/zmtp
keepsake_DIRS         := client/cli
keepsakectl_DIRS      := ops

PROGRAMS := keepsake-auth keepsake-store keepsake-binding keepsake-notify \
            keepsake-gateway keepsake keepsakectl
CLIENTS  := keepsake

COMMON_DIRS := lib/base lib/bus lib/db lib/crypto lib/card \
               lib/watch lib/service
PROTOS      := $(wildcard proto/*.proto)
PROTO_C     := $(PROTOS:proto/%.proto=$(BUILD)/proto/%.pb-c.c)

sources = $(foreach dir,$(1),$(wildcard $(dir)/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))

COMMON  := $(BUILD)/libcommon.a
LIBRARY := $(BUILD)/libkeepsake.a
SHARED  := $(BUILD)/libkeepsake.so
SONAME  := libkeepsake.so.0
PROGS   := $(PROGRAMS:%=$(BUILD)/%)
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%, \
             $(wildcard tests/unit/check_*.c))
TOOLS   := $(patsubst tests/tool/%.c,$(BUILD)/tests/tool/%, \
             $(wildcard tests/tool/*.c))

.PHONY: all
all: $(PROGS) $(SHARED)

define program_rule
$(BUILD)/$(1): $(call objects,$($(1)_DIRS)) \
               $(if $(filter $(1),$(CLIENTS)),$(LIBRARY)) $(COMMON)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(COMMON): $(PROTO_C:.c=.o) $(call objects,$(COMMON_DIRS))
	rm -f $@ && ar rcs $@ $^

$(LIBRARY): $(call objects,client/lib)
	rm -f $@ && ar rcs $@ $^

# For applications: only what keepsake.h declares is visible.
$(SHARED): $(LIBRARY) $(COMMON) client/lib/keepsake.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
	    -Wl,--version-script=client/lib/keepsake.map -o $@ \
	    -Wl,--whole-archive $(LIBRARY) -Wl,--no-whole-archive $(COMMON) \
	    $(LIBS)

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h &: proto/%.proto
	mkdir -p $(BUILD)/proto
	$(PROTOC_C) --proto_path=proto --c_out=$(BUILD)/proto $<

# Generated code is not ours to warn about.
$(BUILD)/proto/%.pb-c.o: $(BUILD)/proto/%.pb-c.c | $(PROTO_C)
	$(CC) $(ALL_CFLAGS) -w $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c | $(PROTO_C)
	mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CFLAGS) -c -o $@ $<

# A unit test of a program's own file links that program's objects.
PROGRAM_OBJS := $(filter-out %/main.o,$(foreach p,$(PROGRAMS), \
                  $(call objects,$($(p)_DIRS))))
PARTS        := $(BUILD)/libparts.a
$(PARTS): $(PROGRAM_OBJS)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(PARTS) $(LIBRARY) $(COMMON)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) \
	    $(shell $(PKG_CONFIG) --libs check)

$(BUILD)/tests/tool/%: $(BUILD)/tests/tool/%.o $(LIBRARY) $(PARTS) $(COMMON)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
	    $(LIBS)

# A tool of several files has the others in a folder.
$(BUILD)/tests/tool/attacker: $(call objects,tests/tool/attacks)
$(BUILD)/tests/tool/maketree: $(call objects,tests/tool/trees)

# What records the writes of a process, and cuts the power: by being linked
# in, or preloaded.
RECORDER := $(BUILD)/tests/power/record.so $(BUILD)/tests/power/powercut
$(patsubst %,$(BUILD)/tests/unit/check_power_%,db files): \
    $(patsubst %,$(BUILD)/tests/power/%.o,record disk disk_image trace)

%/record.so: %/record.o
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^

%/powercut: %/powercut.o %/disk.o %/disk_image.o %/trace.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: units tools
units: $(UNITS)
tools: $(TOOLS) $(RECORDER)

# ---- for a newcomer ----

.PHONY: help deps run demo
help:
	@echo 'make            build everything into $(BUILD)/'
	@echo 'make run        start a whole system here, show what it does, serve'
	@echo 'make demo       the same, but stop when it has been shown'
	@echo 'make check      all tests, plain and sanitized, and lint'
	@echo 'make faults     kills, power cuts, bad links: long, ROUNDS= (1000) kills'
	@echo 'make compose-check  containers and units of deploy/, for real (root)'
	@echo 'make fuzz       each decoder on random bytes, SECONDS= (60) each'
	@echo 'make mutants    take one guard away at a time: a test must notice'
	@echo 'make bench      speed and size, as ratios to a peer or limit'
	@echo 'make install    programs, man pages, library, units, completion'
	@echo '                (DESTDIR=, PREFIX=, SYSCONFDIR=); make uninstall'

deps:
	@deploy/install-deps build

run: deps
	@$(MAKE) --no-print-directory all
	@deploy/run $(if $(filter 0,$(DEMO)),--no-demo) $(BUILD)

demo: deps
	@$(MAKE) --no-print-directory all
	@deploy/run --leave $(BUILD)

# ---- tests ----

SANITIZED := $(BUILD)/sanitized
SANITIZE  := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
             -fno-omit-frame-pointer

.PHONY: check unit lint bench faults
check:
	@deploy/install-deps build test $$([ $$(id -u) -ne 0 ] || echo compose)
	@$(MAKE) -s -j$$(nproc) CFLAGS='-O2 -g -Werror' all units tools replays
	@$(MAKE) -s -j$$(nproc) BUILD=$(SANITIZED) CFLAGS='$(SANITIZE) -Werror' all units tools replays
	@$(MAKE) -s lint
	tests/check $(BUILD) $(SANITIZED)

unit: units
	@printf 'ids\ttest\tresult\tseconds\n' > $(BUILD)/unit.tsv
	tests/run $(BUILD) $(BUILD)/unit.tsv unit

# The same as in make check, for longer: more kills, cuts at every write.
ROUNDS ?= 1000
faults: export ROUNDS := $(ROUNDS)
faults: export TEST_SECONDS_MAX := 14400
faults: export TEST_JOBS := 1
faults: export LONG := yes
faults:
	@deploy/install-deps build test
	@$(MAKE) -s -j$$(nproc) all units tools
	@printf 'ids\ttest\tresult\tseconds\n' > $(BUILD)/faults.tsv
	CUTS=1000000 $(BUILD)/tests/unit/check_power_db
	CUTS=1000000 $(BUILD)/tests/unit/check_power_files
	tests/run $(BUILD) $(BUILD)/faults.tsv faults

# The containers and units of deploy/, for real; needs root.
.PHONY: compose-check
compose-check:
	@deploy/install-deps build test $$([ $$(id -u) -ne 0 ] || echo compose)
	@$(MAKE) -s all tools
	@printf 'ids\ttest\tresult\tseconds\n' > $(BUILD)/compose.tsv
	tests/run $(BUILD) $(BUILD)/compose.tsv deploy

# A harness for each decoder of bytes from outside.  replay_X runs it over
# its corpus, for make check; fuzz_X looks for more, and needs clang.
HARNESSES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS   := $(HARNESSES:%=$(BUILD)/tests/fuzz/replay_%)
FUZZERS   := $(HARNESSES:%=$(BUILD)/tests/fuzz/fuzz_%)
FUZZED    := $(BUILD)/fuzz
SECONDS   ?= 60
FUZZ_CC   ?= clang-14

$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o \
                              $(BUILD)/tests/fuzz/replay.o \
                              $(PARTS) $(LIBRARY) $(COMMON)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o \
                            $(PARTS) $(LIBRARY) $(COMMON)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/fuzz/seeds: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuzz/seeds*.c)) \
                           $(PARTS) $(LIBRARY) $(COMMON)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: replays fuzzers fuzz
replays: $(REPLAYS)
fuzzers: $(FUZZERS)

fuzz:
	@deploy/install-deps build fuzz
	$(MAKE) BUILD=$(FUZZED) CC=$(FUZZ_CC) \
	    CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' fuzzers
	tests/fuzz/run $(FUZZED) $(SECONDS)

lint: export LINT_FLAGS = $(ALL_CFLAGS)
lint: $(PROTO_C)
	tests/lint

# Takes one guard away at a time: a test must notice.
.PHONY: mutants
mutants:
	@deploy/install-deps build test
	tests/mutants/run $(BUILD) $(MUTANTS)

BENCHES := $(sort $(wildcard tests/bench/p[0-9]*.sh))

bench:
	@deploy/install-deps build bench
	$(MAKE) all tools
	for part in $(BENCHES); do BUILD=$(BUILD) $$part || exit 1; done

# ---- installation ----

MAN1 := client/cli/keepsake.1
MAN8 := $(wildcard services/*/*.8 gateway/*.8 ops/*.8)
DOCS := README.md LICENSE DESIGN.md CHANGES.md docs/operations.md \
        docs/protocol.md

UNITS_SYSTEMD := $(wildcard deploy/systemd/*.service deploy/systemd/*.target)
COMPLETED     := keepsake keepsakectl

SYSCONFDIR ?= /etc
BINDIR     := $(PREFIX)/bin
SBINDIR    := $(PREFIX)/sbin
LIBDIR     := $(PREFIX)/lib
HEADERS    := $(PREFIX)/include/keepsake
DATADIR    := $(PREFIX)/share
DOCDIR     := $(DATADIR)/doc/keepsake
COMPLETION := $(DATADIR)/bash-completion/completions
CONFIG     := $(SYSCONFDIR)/keepsake/keepsake.conf

$(BUILD)/completion/%: $(BUILD)/%
	mkdir -p $(@D)
	$< --completion bash > $@

.PHONY: install
install: all $(COMPLETED:%=$(BUILD)/completion/%)
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) \
	    $(LIBDIR)/pkgconfig $(LIBDIR)/systemd/system $(LIBDIR)/sysusers.d \
	    $(LIBDIR)/tmpfiles.d $(HEADERS)/base $(DATADIR)/man/man1 \
	    $(DATADIR)/man/man8 $(DOCDIR) $(COMPLETION) $(dir $(CONFIG)))
	install -m 755 $(BUILD)/keepsake $(DESTDIR)$(BINDIR)
	install -m 755 $(filter-out %/keepsake,$(PROGS)) $(DESTDIR)$(SBINDIR)
	install -m 644 $(MAN1) $(DESTDIR)$(DATADIR)/man/man1
	install -m 644 $(MAN8) $(DESTDIR)$(DATADIR)/man/man8
	install -m 644 $(DOCS) $(DESTDIR)$(DOCDIR)
	install -m 644 $(COMPLETED:%=$(BUILD)/completion/%) \
	    $(DESTDIR)$(COMPLETION)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libkeepsake.so
	install -m 644 client/lib/keepsake.h $(DESTDIR)$(HEADERS)
	install -m 644 lib/base/status.h $(DESTDIR)$(HEADERS)/base
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' \
	    client/lib/keepsake.pc.in \
	    > $(DESTDIR)$(LIBDIR)/pkgconfig/keepsake.pc
	for unit in $(UNITS_SYSTEMD); do \
	    sed 's|@PREFIX@|$(PREFIX)|' $$unit > \
	        $(DESTDIR)$(LIBDIR)/systemd/system/$${unit##*/} || exit 1; \
	done
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/keepsake.pc \
	    $(addprefix $(DESTDIR)$(LIBDIR)/systemd/system/, \
	        $(notdir $(UNITS_SYSTEMD)))
	install -m 644 deploy/systemd/sysusers.conf \
	    $(DESTDIR)$(LIBDIR)/sysusers.d/keepsake.conf
	install -m 644 deploy/systemd/tmpfiles.conf \
	    $(DESTDIR)$(LIBDIR)/tmpfiles.d/keepsake.conf
	[ -e $(DESTDIR)$(CONFIG) ] || \
	    install -m 644 deploy/keepsake.conf $(DESTDIR)$(CONFIG)

# Configuration, keys and data stay.
.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/keepsake \
	    $(addprefix $(DESTDIR)$(SBINDIR)/,$(filter-out keepsake,$(PROGRAMS))) \
	    $(addprefix $(DESTDIR)$(DATADIR)/man/man1/,$(notdir $(MAN1))) \
	    $(addprefix $(DESTDIR)$(DATADIR)/man/man8/,$(notdir $(MAN8))) \
	    $(addprefix $(DESTDIR)$(COMPLETION)/,$(COMPLETED)) \
	    $(addprefix $(DESTDIR)$(LIBDIR)/systemd/system/, \
	        $(notdir $(UNITS_SYSTEMD))) \
	    $(addprefix $(DESTDIR)$(LIBDIR)/,$(SONAME) libkeepsake.so \
	        pkgconfig/keepsake.pc sysusers.d/keepsake.conf \
	        tmpfiles.d/keepsake.conf)
	rm -rf $(DESTDIR)$(HEADERS) $(DESTDIR)$(DOCDIR)

.PHONY: clean
clean:
	rm -rf $(BUILD)

.SECONDARY: # or make deletes the generated sources
# Not the files of the containers that tests run.
-include $(shell find $(BUILD) -path $(BUILD)/docker -prune -o \
           -type f -name '*.d' -print 2>/dev/null)
