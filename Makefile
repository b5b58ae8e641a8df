# envbot. `make help` lists the targets; README.md says what to try first.
BUILD   ?= build
CC      := gcc
VERSION := 0.1.0

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
# SANITIZE=address,undefined or thread, with a BUILD of its own: see tests/sanitizers/run. Fortified
# functions would hide from the sanitizers what they are to see.
SANITIZE :=
HARDEN  := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
OPTIM   := $(if $(SANITIZE),-O1 -fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-O2)
PACKAGES := libwebsockets libcurl libcjson libpq yaml-0.1 libcrypto talloc libqrencode
# Libraries' headers are "system" headers: our warnings are about our code.
LIBFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)))
CFLAGS  = -std=c11 -D_GNU_SOURCE -DENVBOT_VERSION='"$(VERSION)"' -g $(OPTIM) $(WARN) $(HARDEN) \
          -Ibot -I. $(LIBFLAGS)
# The static runtimes share one place for reports; the shared ones do not.
LDFLAGS = -pie -Wl,-z,relro,-z,now -pthread \
          $(if $(SANITIZE),-fsanitize=$(SANITIZE) -static-libasan -static-libubsan)
LIBS    = $(shell pkg-config --libs $(PACKAGES)) -lm

SOURCES := $(wildcard bot/*.c bot/*/*.c commands/*.c approvals/*.c)
MIGRATIONS := $(wildcard bot/store/migrations/*.sql)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
LIBRARY := $(BUILD)/libenvbot.a
EXTRA   := $(if $(SANITIZE),$(BUILD)/obj/tests/sanitizers/options.o)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

DRIVERS := $(patsubst tests/drivers/%.c,$(BUILD)/drivers/%,$(wildcard tests/drivers/*.c))

MAKEFLAGS += --no-builtin-rules
.PHONY: all programs help deps deps-test deps-check demo demo-reset tour test unit e2e check lint asan \
        tsan leaks past mutants fuzz fuzz-short fuzzers \
        rbac-million race bench chaos chaos-short chaos-mistakes clean format

all: $(BUILD)/envbot ## build build/envbot

$(BUILD)/envbot: $(BUILD)/obj/bot/main.o $(EXTRA) $(LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(filter-out $(BUILD)/obj/bot/main.o,$(OBJECTS))
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/tests/sanitizers/options.o: CFLAGS += -DREPORTS='"$(abspath $(BUILD))/reports"'

# The migrations become part of the program: .incbin needs to see their changes.
$(BUILD)/obj/bot/store/migrate.o: $(MIGRATIONS)

$(BUILD)/unit/%: tests/unit/%.c $(EXTRA) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -Itests/unit $(LDFLAGS) -o $@ $< $(EXTRA) $(LIBRARY) $(LIBS) -lcmocka

# Programs that tests from outside drive.
$(BUILD)/drivers/%: tests/drivers/%.c $(EXTRA) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(EXTRA) $(LIBRARY) $(LIBS)

$(BUILD)/%.so: tests/sanitizers/%.c
	@$(CC) -D_GNU_SOURCE -O2 $(WARN) -fPIC -shared -o $@ $<

# The load generator, and what stands beside envbot and in eksctl's place while it is measured.
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/bench/%: tests/bench/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

# What a fresh Debian 12 needs, by what it is for.
DEBS_BUILD := build-essential pkg-config libwebsockets-dev libcurl4-openssl-dev libcjson-dev libpq-dev \
              libyaml-dev libssl-dev libtalloc-dev uthash-dev libqrencode-dev
DEBS_DEMO  := postgresql python3 python3-aiohttp python3-psycopg2 python3-yaml
DEBS_TOUR  := python3-selenium chromium chromium-driver
DEBS_TEST  := libcmocka-dev postgresql python3 python3-pytest python3-pytest-xdist python3-aiohttp \
              python3-psycopg2 python3-botocore python3-yaml python3-selenium chromium chromium-driver \
              python3-cryptography python3-kubernetes oathtool python3-pyzbar libfaketime fonts-lato \
              fonts-noto-color-emoji
DEBS_CHECK := clang libclang-rt-14-dev clang-format cppcheck valgrind libfaketime

deps: ## install what building needs
	@deploy/install-packages building $(DEBS_BUILD)
deps-test: deps
	@deploy/install-packages testing $(DEBS_TEST)
	@command -v kubectl >/dev/null || deploy/install-packages testing kubernetes-client
	@{ command -v node && command -v npm; } >/dev/null || deploy/install-packages testing nodejs npm
	@$(MAKE) --no-print-directory $(SDK)
deps-check: deps-test
	@deploy/install-packages checking $(DEBS_CHECK)

DEMO := /usr/bin/python3 deploy/demo/demo.py
# How many seconds a cluster takes in the demo; its life and its warnings follow.
PACE := 60
demo tour: export ENVBOT_BINARY = $(abspath $(BUILD)/envbot)
demo: ## play envbot's story in a browser, with stand-ins (PACE=60: seconds that a cluster takes)
	@deploy/install-packages "building and running the demo" $(DEBS_BUILD) $(DEBS_DEMO)
	@$(MAKE) --no-print-directory --silent all
	@$(DEMO) run --folder $(BUILD)/demo --pace $(PACE)

demo-reset: ## forget what was done in the demo
	@$(DEMO) reset --folder $(BUILD)/demo

tour: ## play the story without a person, with pictures in build/tour
	@deploy/install-packages "the tour" $(DEBS_BUILD) $(DEBS_DEMO) $(DEBS_TOUR)
	@$(MAKE) --no-print-directory --silent all
	@/usr/bin/python3 deploy/demo/tour.py --folder $(BUILD)/tour

# Slack's own SDK, from npm, which the stand-in workspace is held against.
SDK := build/sdk/node_modules/.package-lock.json
$(SDK): tests/slack/sdk/package.json tests/slack/sdk/package-lock.json
	@mkdir -p build/sdk && cp $^ build/sdk/
	@echo "  NPM   build/sdk"
	@cd build/sdk && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

test: deps-test ## build, and run all tests
	@$(MAKE) --no-print-directory -j$(shell nproc) all $(DRIVERS)
	@$(MAKE) --no-print-directory --jobs=2 --keep-going e2e unit

# What takes longest first: the others go one after the other beside it.
BESIDE := asan tsan past leaks chaos-short race fuzz-short
check: deps-check ## lint, all tests with sanitizers, a story under valgrind, a race, a little fuzzing
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@echo "Two at a time, each tells when it is done: $(BESIDE)"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=recurse --keep-going $(BESIDE)

programs: all $(UNIT) $(DRIVERS)

unit: $(UNIT) ## run the unit tests
	@failed=0; for test in $^; do \
	    if $$test >$$test.log 2>&1; then echo "$${test##*/}: $$(grep -ao 'PASSED.*' $$test.log)"; \
	    else cat $$test.log; failed=1; fi; done; exit $$failed

# Which tests from outside; so many at a time, because they mostly wait.
TESTS   := tests
WORKERS := 10
e2e: all $(DRIVERS) ## run the tests from outside (TESTS=tests/e2e/test_story.py for some of them)
	@folder=$$(mktemp -d /tmp/envbot-tests-XXXXXX); trap 'rm -rf "$$folder"' EXIT INT TERM; \
	/usr/bin/python3 -m pytest -q -p no:cacheprovider --basetemp="$$folder/t" -n $(WORKERS) \
	    --dist loadgroup $(TESTS)

# What strangers write is read by these; clang's libFuzzer writes more of it than anybody would.
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzzers/%,$(wildcard tests/fuzz/*.c))
fuzzers: $(FUZZERS)
$(BUILD)/fuzzers/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

# How many minutes for all of them; RUNS=n gives each a number of runs in its place.
MINUTES := 5
# A make that is one of several side by side shares their number of jobs.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
FUZZ_FOR = $(if $(RUNS),-runs=$(RUNS),-max_total_time=$$(($(MINUTES) * 60 / $(words $(FUZZERS)))))
fuzz: ## feed what reads strangers' texts with made-up ones (MINUTES=5, or RUNS=1000000 each)
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/fuzz CC=clang WARN=-Wall fuzzers \
	    SANITIZE=fuzzer-no-link,address,undefined \
	    LDFLAGS="-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -pthread"
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_FOR)

fuzz-short:
	@echo "---- $@"
	@$(MAKE) --no-print-directory fuzz RUNS=20000

# In a test run it is a few.
ROUNDS := 100
race: ## fifty people approve and deny at once through three bots (ROUNDS=100)
	@echo "---- $@"
	@ENVBOT_ROUNDS=$(ROUNDS) $(MAKE) --no-print-directory e2e WORKERS=1 \
	    TESTS=tests/e2e/test_attacks_race.py

past: ## what a million environments of the past cost (a test run has fewer)
	@echo "---- $@"
	@ENVBOT_PAST=1000000 $(MAKE) --no-print-directory e2e WORKERS=1 TESTS=tests/e2e/test_past.py

rbac-million: $(DRIVERS) ## ask the access rules a million questions, beside a second evaluator
	@ENVBOT_BUILD=$(abspath $(BUILD)) nice /usr/bin/python3 tests/rbac/compare.py --pairs 1000000

lint: ## check formatting, run cppcheck, check the structure of the house
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	cppcheck -j $(shell nproc) --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 \
	    --include=tests/cppcheck.h --inline-suppr --suppressions-list=tests/cppcheck.suppress \
	    -Ibot -I. bot commands approvals
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/structure

asan: ## all tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@echo "---- $@"
	@ENVBOT_PAST=20000 tests/sanitizers/run $(BUILD)/asan address,undefined unit e2e \
	    TESTS=tests/e2e WORKERS=6

# What has threads that meet.
THREADED := $(patsubst %,tests/e2e/test_%.py,socket frames http_door connections outbox story one_decision twice \
              quota_race database_lost rules_reload)
tsan: ## the tests of what has threads, with ThreadSanitizer
	@echo "---- $@"
	@tests/sanitizers/run $(BUILD)/tsan thread unit e2e TESTS="$(THREADED)" WORKERS=6

leaks: $(BUILD)/self_exe.so ## one story, with its jobs, under valgrind
	@echo "---- $@"
	@ENVBOT_BINARY=tests/sanitizers/under-valgrind \
	    tests/sanitizers/run $(BUILD) "" e2e TESTS=tests/e2e/test_story.py WORKERS=1

mutants: deps-test ## make deliberate mistakes in what decides who may; each must make a test fail
	@/usr/bin/python3 tests/mutation/run.py $(BUILD)/mutation $(MISTAKES)

# Another SEED repeats what one run decided: SEED=7 MINUTES=20.
chaos: deps-check ## play a company while everything around it is killed, cut and slow (MINUTES=5 SEED=n)
	@$(MAKE) --no-print-directory all
	@/usr/bin/python3 tests/chaos/chaos.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(CHAOS)

# Two fixed seeds, quick enough for every check.
chaos-short: all
	@echo "---- $@"
	@for seed in 1 2; do /usr/bin/python3 tests/chaos/chaos.py --seed $$seed --minutes 0.2 \
	    --people 20 --pause 0.5 --hurry 20 || exit 1; done

chaos-mistakes: deps-check ## switch off what keeps jobs sound, one by one; chaos must find each in five minutes
	@/usr/bin/python3 tests/chaos/mistakes.py $(BUILD)/chaos-mistakes $(MISTAKES)

# Slack's own framework, to be measured beside us; without node and npm the table says so.
$(BUILD)/bench/bolt/node_modules: tests/bench/bolt/package.json tests/bench/bolt/package-lock.json
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts --omit=optional && touch node_modules || \
	    { echo "  Bolt could not be installed; it is left out"; rm -rf node_modules; }

bench: deps-test $(BUILD)/envbot $(BUILD)/drivers/echo_bot $(BENCH) $(BUILD)/bench/bolt/node_modules ## measure speed and memory, beside pgbench
	@BUILD=$(abspath $(BUILD)) /usr/bin/python3 tests/bench/run.py $(BENCH_OPTIONS)

format: ## format the C code
	clang-format -i $(shell git ls-files '*.c' '*.h')

clean: ## remove what was built
	@for world in $(wildcard $(BUILD)/demo $(BUILD)/tour/world); do \
	    $(DEMO) reset --folder $$world || exit 1; done
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

-include $(OBJECTS:.o=.d) $(UNIT:=.d) $(DRIVERS:=.d) $(BENCH:=.d)
