# wsproxy. `make help` lists what can be made.

BUILD ?= release
TARGET ?=
LISTEN ?=
ARGS ?=
Q := $(if $(V),,@)
MAKEFLAGS += -j$(shell nproc)
SECONDS ?= 60
DESTDIR ?=
prefix ?= /usr/local
sysconfdir ?= /etc
localstatedir ?= /var
runstatedir ?= /run
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
websockifydir ?= $(prefix)/bin

out := build/$(BUILD)
page := build/page

# --- flags -----------------------------------------------------------------------------------------

ifeq ($(filter $(BUILD),release debug asan tsan cov fuzz),)
$(error BUILD is one of release debug asan tsan cov fuzz, not '$(BUILD)')
endif

# libFuzzer and coverage as the source has it are clang's
ifneq ($(filter fuzz cov,$(BUILD)),)
CXX := $(if $(findstring clang,$(CXX)),$(CXX),clang++-19)
endif

optimize_release := -O2 -D_FORTIFY_SOURCE=3 -DNDEBUG
optimize_debug := -O0
optimize_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
optimize_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
# counts what the source says: without the branches that a compiler adds for exceptions
optimize_cov := -O0 -fprofile-instr-generate -fcoverage-mapping
optimize_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

warnings := -Wall -Wextra -Wpedantic -Werror
hardening := -fstack-protector-strong -fcf-protection=full -D_GLIBCXX_ASSERTIONS -fPIE
ifneq ($(shell uname -m),x86_64)
hardening := $(filter-out -fcf-protection=full,$(hardening))
endif

# GoogleTest's templates take the compiler twice as long when they are optimised, for tests that run in seconds
test_flags := $(if $(filter release asan tsan,$(BUILD)),-O0 -g1 -U_FORTIFY_SOURCE) \
  $(if $(filter cov,$(BUILD)),-fno-profile-instr-generate -fno-coverage-mapping)

# a sanitizer's report wants lines, and no types
CXXFLAGS ?= $(if $(filter asan tsan,$(BUILD)),-g1,-g)
compile_flags := -std=c++23 -Isrc -I$(page) $(warnings) $(hardening) $(optimize_$(BUILD)) $(CXXFLAGS)
link_flags := $(filter -fsanitize% -fprofile%,$(optimize_$(BUILD))) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
libs := -lssl -lcrypto

# sockets from systemd and its watchdog; WITH_SYSTEMD=0 builds without
WITH_SYSTEMD ?= $(shell { pkg-config --exists libsystemd; } 2>/dev/null && echo 1 || echo 0)
ifeq ($(WITH_SYSTEMD),1)
compile_flags += -DWSPROXY_SYSTEMD $(shell pkg-config --cflags libsystemd)
libs += $(shell pkg-config --libs libsystemd)
endif

# the sandbox's system calls; WITH_SECCOMP=0 builds without
WITH_SECCOMP ?= $(shell { pkg-config --exists libseccomp; } 2>/dev/null && echo 1 || echo 0)
ifeq ($(WITH_SECCOMP),1)
$(out)/src/daemon/system_calls.o $(out)/tests/daemon/sandbox_test.o: compile_flags += -DWSPROXY_SECCOMP $(shell pkg-config --cflags libseccomp)
libs += $(shell pkg-config --libs libseccomp)
endif

# --- files -----------------------------------------------------------------------------------------

sources := $(sort $(shell find src -name '*.cc' -not -path '*/node_modules/*'))
objects := $(patsubst src/%.cc,$(out)/src/%.o,$(sources))
core := $(filter-out $(out)/src/main.o,$(objects)) $(out)/page_assets.o

test_sources := $(sort $(shell find tests -name '*_test.cc') $(wildcard tests/support/*.cc))
fuzz_sources := $(sort $(wildcard tests/fuzz/*_fuzz.cc))
# AddressSanitizer watches what is tested; the tests are the release build's, for compiling them takes longest
tests_out := $(if $(filter asan,$(BUILD)),build/release,$(out))/tests
test_objects := $(patsubst tests/%.cc,$(tests_out)/%.o,$(test_sources))
fuzz_objects := $(patsubst tests/%.cc,$(tests_out)/%.o,$(fuzz_sources) tests/fuzz/replay_main.cc)
fuzz_targets := $(patsubst tests/fuzz/%.cc,$(out)/fuzz/%,$(fuzz_sources))
replay_targets := $(patsubst tests/fuzz/%.cc,$(out)/replay/%,$(fuzz_sources))

page_sources := $(filter-out %.cc %.h,$(wildcard src/web/*.* src/web/lang/*.js scripts/page-*.mjs))
cc_files := $(shell find src tests scripts -name '*.cc' -o -name '*.h' -o -name '*.c' | grep -v node_modules)

.PHONY: all run check check-unit check-e2e lint layers format tidy bench fuzz coverage man install uninstall page clean help
.DELETE_ON_ERROR:

all: deps-build
	@$(MAKE) --no-print-directory $(out)/wsproxy

# --- build -----------------------------------------------------------------------------------------

.PHONY: deps-%
deps-%:
	@scripts/install-deps $*

$(out)/wsproxy: $(objects) $(out)/page_assets.o | $(out)/rebind.so
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ $(libs)

# goes into the programs that wsproxy starts (`-- CMD`): nothing but libc, and no sanitizer
$(out)/rebind.so: src/daemon/rebind.c
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) -std=c17 $(warnings) -O2 -g -D_FORTIFY_SOURCE=3 $(filter-out -D% -fPIE,$(hardening)) -fPIC -fvisibility=hidden \
	  -shared -Wl,-z,relro,-z,now,-z,noexecstack -o $@ $<

$(out)/src/%.o: src/%.cc | $(page)/page_assets.inc
	@mkdir -p $(@D)
	@echo "  CXX  $@"
	$(Q)$(CXX) $(compile_flags) -MMD -MP -c -o $@ $<

# ThreadSanitizer's build is made for one test: what nearly every source includes is read once for all of them.
# Warnings are the other builds' business: behind a precompiled header g++ 12 has some about its own library.
ifeq ($(BUILD),tsan)
library := $(out)/tests/library.h
$(library).gch: tests/support/library.h
	@mkdir -p $(@D)
	@echo "  PCH  $@"
	@cp $< $(library)
	$(Q)$(CXX) $(compile_flags) -x c++-header -o $@ $(library)
$(objects): $(library).gch
$(objects): compile_flags += -w -include $(library)
endif

$(out)/tests/%.o: tests/%.cc | $(page)/page_assets.inc
	@mkdir -p $(@D)
	@echo "  CXX  $@"
	$(Q)$(CXX) $(compile_flags) $(test_flags) -Itests -MMD -MP -c -o $@ $<

ifeq ($(BUILD),asan)
$(test_objects) $(fuzz_objects): release-tests ;
.PHONY: release-tests
release-tests:
	@$(MAKE) --no-print-directory BUILD=release test-objects
else
.PHONY: test-objects
test-objects: $(test_objects) $(fuzz_objects)

# the same flags as theirs, or the compiler does not take it
precompiled := $(out)/tests/precompiled.h
$(precompiled).gch: tests/support/precompiled.h
	@mkdir -p $(@D)
	@echo "  PCH  $@"
	@cp $< $(precompiled)
	$(Q)$(CXX) $(compile_flags) $(test_flags) -Itests -x c++-header -o $@ $(precompiled)
$(test_objects): $(precompiled).gch
$(test_objects): test_flags += -include $(precompiled)
endif

$(out)/page_assets.o: $(page)/page_assets.S $(page)/page_assets.inc
	@mkdir -p $(@D)
	@echo "  AS   $@"
	$(Q)$(CXX) -fPIE -c -o $@ $<

# the page, bundled: assembler and table name every file, so one stamp stands for all
$(page)/page_assets.S $(page)/page_assets.inc &: $(page_sources) scripts/bundle-page.mjs src/web/node_modules/.package-lock.json
	node scripts/bundle-page.mjs $(page)

src/web/tools/node_modules/.package-lock.json: src/web/tools/package-lock.json src/web/tools/package.json
	cd src/web/tools && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

src/web/node_modules/.package-lock.json: src/web/package-lock.json src/web/package.json
	cd src/web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

-include $(objects:.o=.d) $(if $(filter asan,$(BUILD)),,$(test_objects:.o=.d) $(fuzz_objects:.o=.d)) $(wildcard $(out)/tests/bench/*.d $(out)/tests/bench/*/*.d)

# --- run -------------------------------------------------------------------------------------------

ifeq ($(TARGET),)
run: deps-run all
	@WSPROXY=$(out)/wsproxy LISTEN=$(LISTEN) scripts/demo-desktop $(ARGS)
else
run: all
	$(out)/wsproxy $(ARGS) $(or $(LISTEN),6080) $(TARGET)
endif

# --- tests -----------------------------------------------------------------------------------------

# ours first: of what headers define the linker takes the first it meets, and ours is what coverage counts
$(out)/unit_tests: $(core) $(test_objects) | $(out)/rebind.so
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ $(libs) -lgtest -lgtest_main -lgmock -lpthread

# make would delete them behind the link, and compile them again for the next
.SECONDARY: $(fuzz_objects)

# a target takes out of it what it needs; sessions are the uppermost that there are targets for
$(out)/core.a: $(filter-out $(out)/src/server/% $(out)/src/daemon/%,$(core))
	@echo "  AR   $@"
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(out)/replay/%: $(tests_out)/fuzz/%.o $(tests_out)/fuzz/replay_main.o $(out)/core.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ $(libs)

# what drives the targets; another one, for who has it
LIB_FUZZING_ENGINE ?= -fsanitize=fuzzer
$(out)/fuzz/%: $(out)/tests/fuzz/%.o $(out)/core.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ $(LIB_FUZZING_ENGINE) $(libs)

# what `check` needs of one build, made in a make of its own so that its BUILD counts
.PHONY: test-binaries
test-binaries: $(out)/unit_tests $(replay_targets) $(out)/wsproxy $(if $(filter release,$(BUILD)),$(out)/bench_load)

tests/e2e/node_modules/.package-lock.json: tests/e2e/package-lock.json tests/e2e/package.json
	cd tests/e2e && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

check: deps-check
	@$(MAKE) --no-print-directory BUILD=release test-binaries
	@$(MAKE) --no-print-directory tests/e2e/node_modules/.package-lock.json
	@scripts/check

check-unit: deps-check
	@$(MAKE) --no-print-directory test-binaries
	$(out)/unit_tests

coverage: deps-coverage
	@$(MAKE) --no-print-directory BUILD=cov build/cov/unit_tests
	@scripts/coverage build/cov

fuzz: deps-fuzz
	@$(MAKE) --no-print-directory BUILD=fuzz fuzz-targets
	@FUZZ_SECONDS=$(SECONDS) scripts/fuzz $(ONLY)
.PHONY: fuzz-targets
fuzz-targets: $(fuzz_targets)

# --- benchmarks ------------------------------------------------------------------------------------

load_objects := $(patsubst tests/%.cc,$(out)/tests/%.o,$(wildcard tests/bench/load/*.cc))
codec_objects := $(patsubst tests/%.cc,$(out)/tests/%.o,$(wildcard tests/bench/*_bench.cc))
# what takes the time here is optimised as the program is
$(load_objects) $(codec_objects) $(out)/tests/bench/peers/floor.o: test_flags :=

$(out)/bench_load: $(load_objects)
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ -lssl -lcrypto

$(out)/bench_floor: $(out)/tests/bench/peers/floor.o
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^

$(out)/bench_codecs: $(codec_objects) $(out)/tests/bench/load/frames.o $(out)/tests/bench/load/pattern.o $(out)/tests/bench/load/report.o $(core)
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ $(libs) -lbenchmark -lbenchmark_main -lpthread

$(out)/bench_openssl_memory: $(out)/tests/bench/openssl_memory.o
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^ -lssl -lcrypto

# Go and its library as Debian has them; without Go that peer is skipped
$(out)/bench_go_relay: tests/bench/peers/relay.go
	@echo "  GO   $@"
	$(Q)if command -v go >/dev/null; then \
	  GOPATH=/usr/share/gocode GO111MODULE=off GOFLAGS= GOCACHE=$(CURDIR)/build/gocache go build -o $@ $<; fi

# what npm packages of the peers; without it that one is skipped
tests/bench/peers/npm/node_modules/.package-lock.json: tests/bench/peers/npm/package-lock.json tests/bench/peers/npm/package.json
	-cd tests/bench/peers/npm && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json

bench: deps-bench
	@$(MAKE) -s BUILD=release bench-programs tests/bench/peers/npm/node_modules/.package-lock.json
	@SCENARIOS="$(SCENARIOS)" PEERS="$(PEERS)" ROUNDS="$(ROUNDS)" WSPROXY="$(WSPROXY)" BASELINE="$(BASELINE)" PUBLISH="$(PUBLISH)" \
	  SECONDS_EACH="$(if $(filter file,$(origin SECONDS)),,$(SECONDS))" tests/bench/run
.PHONY: bench-programs
bench-programs: $(out)/wsproxy $(out)/bench_load $(out)/bench_floor $(out)/bench_codecs $(out)/bench_openssl_memory $(out)/bench_go_relay

# --- lint ------------------------------------------------------------------------------------------

lint: deps-lint $(page)/page_assets.inc src/web/tools/node_modules/.package-lock.json layers
	clang-format-19 --dry-run --Werror $(cc_files)
	scripts/tidy $(cc_files)
	shellcheck .ci/run tests/bench/run tests/fuzz/oss-fuzz/build.sh scripts/debian/wsproxy.p* scripts/service/wsproxy.init scripts/service/wsproxy.hand-over $(filter-out %.mjs %.cc %.py %.bash-completion scripts/service scripts/debian,$(wildcard scripts/*))
	mandoc -Tlint -Wwarning man/wsproxy.8 man/wsproxy.conf.5
	for page in man/wsproxy.8 man/wsproxy.conf.5; do MANROFFSEQ= man --warnings -E UTF-8 -l -Tutf8 $$page 2>&1 >/dev/null | (! grep .) || exit 1; done
	cd src/web/tools && npm run --silent check

layers:
	@scripts/check-layers

format: deps-lint
	clang-format-19 -i $(cc_files)

# --- what is made from the option table: man pages, sample file, completion -------------------------

$(out)/write_options: $(patsubst src/%.cc,$(out)/src/%.o,$(wildcard src/config/*.cc src/base/*.cc)) $(out)/write_options.o
	@echo "  LINK $@"
	$(Q)$(CXX) $(link_flags) -o $@ $^
$(out)/write_options.o: scripts/write_options.cc $(wildcard src/config/*.h)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(compile_flags) -c -o $@ $<

man: $(out)/write_options
	$(out)/write_options

# --- install ---------------------------------------------------------------------------------------

# MODE:SOURCE:WHERE; install and uninstall both go by this list. What has @prefix@ and the like in it is filled in.
doc := $(prefix)/share/doc/wsproxy
installed := \
  755:$(out)/wsproxy:$(prefix)/bin/wsproxy \
  644:$(out)/rebind.so:$(prefix)/lib/wsproxy/rebind.so \
  644:man/wsproxy.8:$(prefix)/share/man/man8/wsproxy.8 \
  644:man/wsproxy.conf.5:$(prefix)/share/man/man5/wsproxy.conf.5 \
  644:scripts/wsproxy.bash-completion:$(prefix)/share/bash-completion/completions/wsproxy \
  644:LICENSE:$(doc)/LICENSE \
  644:$(page)/LICENSES.txt:$(doc)/LICENSES.txt \
  644:systemd/wsproxy.conf:$(doc)/examples/wsproxy.conf \
  644:scripts/service/supervisor-program.conf:$(doc)/examples/supervisor-program.conf \
  644:scripts/service/supervisor-fcgi-program.conf:$(doc)/examples/supervisor-fcgi-program.conf \
  644:systemd/wsproxy.service:$(unitdir)/wsproxy.service \
  644:systemd/wsproxy@.service:$(unitdir)/wsproxy@.service \
  644:systemd/wsproxy.socket:$(unitdir)/wsproxy.socket \
  644:systemd/wsproxy@.socket:$(unitdir)/wsproxy@.socket \
  644:systemd/wsproxy-tls.socket:$(unitdir)/wsproxy-tls.socket \
  644:systemd/wsproxy.sysusers:$(sysusersdir)/wsproxy.conf \
  755:scripts/service/wsproxy.hand-over:$(prefix)/lib/wsproxy/hand-over \
  755:scripts/service/wsproxy.init:$(sysconfdir)/init.d/wsproxy \
  644:scripts/service/wsproxy.logrotate:$(sysconfdir)/logrotate.d/wsproxy

websockify_to = $(shell realpath -sm --relative-to=$(websockifydir) $(prefix)/bin/wsproxy)

install: all
	@$(MAKE) --no-print-directory install-files

# without building anything; for packages
.PHONY: install-files
install-files:
	@set -e; for entry in $(installed); do \
	  mode=$${entry%%:*} rest=$${entry#*:}; from=$${rest%%:*} to="$(DESTDIR)$${rest#*:}"; \
	  echo "  INSTALL $$to"; \
	  install -D -m $$mode $$from "$$to"; \
	  case $$from in systemd/* | scripts/service/*) \
	    sed -i -e 's|@prefix@|$(prefix)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' \
	      -e 's|@localstatedir@|$(localstatedir)|g' -e 's|@runstatedir@|$(runstatedir)|g' "$$to" ;; \
	  esac; \
	done
	@install -d $(DESTDIR)$(sysconfdir)/wsproxy
# in place of websockify, but never over somebody else's
	@link="$(DESTDIR)$(websockifydir)/websockify"; install -d "$${link%/*}"; \
	if [ "$$(readlink "$$link")" = $(websockify_to) ] || ! [ -e "$$link" ]; then \
	  echo "  LINK    $$link"; ln -sfn $(websockify_to) "$$link"; \
	else echo "$$link belongs to another program and is left as it is"; fi

# Leaves what is not ours: wsproxy.conf, logs, and folders that others use as well.
uninstall:
	@for entry in $(installed); do rm -f "$(DESTDIR)$${entry##*:}"; done
	@link="$(DESTDIR)$(websockifydir)/websockify"; \
	if [ "$$(readlink "$$link")" = $(websockify_to) ]; then rm -f "$$link"; fi
	@for folder in $(doc)/examples $(doc) $(prefix)/lib/wsproxy $(sysconfdir)/wsproxy; do \
	  rmdir "$(DESTDIR)$$folder" 2>/dev/null || true; done

.PHONY: deb
deb: deps-deb
	@$(MAKE) --no-print-directory BUILD=release build/release/wsproxy
	@scripts/make-deb

# the page alone, for another web server
page: $(page)/page_assets.inc
	@[ -n "$(DESTDIR)" ] || { echo "make page DESTDIR=/where/to"; exit 2; }
	install -d $(DESTDIR)
	install -m 644 $(filter-out %.gz %.S %.inc,$(wildcard $(page)/*)) $(DESTDIR)

clean:
	rm -rf build

help:
	@echo "make all                 build $(out)/wsproxy (installs what the build needs)"
	@echo "make run                 build, and show a demonstration desktop on localhost:6080"
	@echo "make run TARGET=H:P      the same for your own VNC server; LISTEN=[ADDR:]PORT (6080), ARGS='more options'"
	@echo "make check               all tests; ends with 'N passed, N failed'"
	@echo "make check-unit          the unit tests of one BUILD"
	@echo "make lint                layers, format, clang-tidy, shellcheck, mandoc, the page's types and style"
	@echo "make format              bring the sources into the project's format"
	@echo "make fuzz SECONDS=60     fuzz every target for that long, or ONLY=\"session url\""
	@echo "make coverage            what the unit tests reach; parsers have to have 95 % of their branches"
	@echo "make bench               measure wsproxy beside its peers; SCENARIOS=\"down vnc\" PEERS=floor ROUNDS=5 SECONDS=1"
	@echo "make man                 write the option table into man pages, sample file and completion"
	@echo "make install             to DESTDIR, prefix ($(prefix)), sysconfdir ($(sysconfdir)), unitdir, sysusersdir,"
	@echo "                         websockifydir (of the link to run in place of websockify)"
	@echo "make deb                 a Debian package, in build/deb"
	@echo "make page DESTDIR=DIR    write the page's files out, for another web server"
	@echo "make uninstall, clean"
	@echo "V=1 shows the commands; BUILD=release|debug|asan|tsan|cov|fuzz picks flags and build/BUILD"
