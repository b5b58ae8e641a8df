# envbot. `make help` lists the targets; README.md says what to try first.
BUILD   ?= build
CC      := gcc
VERSION := 0.1.0

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPTIM   ?= -O2
SANITIZE ?=
PACKAGES := libwebsockets libcurl libcjson libpq yaml-0.1 libcrypto talloc
# Libraries' headers are "system" headers: our warnings are about our code.
LIBFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)))
CFLAGS  = -std=c11 -D_GNU_SOURCE -DENVBOT_VERSION='"$(VERSION)"' -g $(OPTIM) $(WARN) $(HARDEN) \
          $(SANITIZE) -Ibot -I. $(LIBFLAGS)
LDFLAGS = -pie -Wl,-z,relro,-z,now -pthread $(SANITIZE)
LIBS    = $(shell pkg-config --libs $(PACKAGES)) -lm

SOURCES := $(wildcard bot/*.c bot/*/*.c commands/*.c approvals/*.c)
MIGRATIONS := $(wildcard bot/store/migrations/*.sql)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
LIBRARY := $(BUILD)/libenvbot.a
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

DRIVERS := $(patsubst tests/drivers/%.c,$(BUILD)/drivers/%,$(wildcard tests/drivers/*.c))

MAKEFLAGS += --no-builtin-rules
.PHONY: all help deps deps-test deps-check demo demo-reset tour test unit e2e check bench clean format

all: $(BUILD)/envbot ## build build/envbot

$(BUILD)/envbot: $(BUILD)/obj/bot/main.o $(LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(filter-out $(BUILD)/obj/bot/main.o,$(OBJECTS))
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# The migrations become part of the program: .incbin needs to see their changes.
$(BUILD)/obj/bot/store/migrate.o: $(MIGRATIONS)

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -Itests/unit $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS) -lcmocka

# Programs that tests from outside drive.
$(BUILD)/drivers/%: tests/drivers/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

# What a fresh Debian 12 needs, by what it is for.
DEBS_BUILD := build-essential pkg-config libwebsockets-dev libcurl4-openssl-dev libcjson-dev libpq-dev \
              libyaml-dev libssl-dev libtalloc-dev uthash-dev
DEBS_DEMO  := postgresql python3 python3-aiohttp python3-psycopg2 python3-yaml
DEBS_TOUR  := python3-selenium chromium chromium-driver
DEBS_TEST  := libcmocka-dev postgresql python3 python3-pytest python3-pytest-xdist python3-aiohttp \
              python3-psycopg2 python3-botocore python3-yaml python3-selenium chromium chromium-driver \
              fonts-lato fonts-noto-color-emoji
DEBS_CHECK := clang-format cppcheck valgrind

deps: ## install what building needs
	@deploy/install-packages building $(DEBS_BUILD)
deps-test: deps
	@deploy/install-packages testing $(DEBS_TEST)
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

test: deps-test ## build and run all tests
	@$(MAKE) --no-print-directory unit e2e

check: deps-check ## formatting, static analysis, sanitizers
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	cppcheck --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 \
	    --include=tests/cppcheck.h \
	    --inline-suppr --suppressions-list=tests/cppcheck.suppress -Ibot -I. bot commands approvals

unit: $(UNIT) ## run the C unit tests
	@set -e; for t in $(UNIT); do echo "== $$(basename $$t)"; $$t; done

# Where tests from outside live; two workers, each with a PostgreSQL of its own.
PYTEST := /usr/bin/python3 -m pytest -q -p no:cacheprovider -n 2 --dist loadfile
e2e: $(BUILD)/envbot $(DRIVERS) ## run the tests from outside
	$(PYTEST) tests

format: ## format the C code
	clang-format -i $(shell git ls-files '*.c' '*.h')

clean: ## remove what was built
	@! test -d $(BUILD)/demo || $(DEMO) reset --folder $(BUILD)/demo
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

-include $(OBJECTS:.o=.d) $(UNIT:=.d) $(DRIVERS:=.d)
