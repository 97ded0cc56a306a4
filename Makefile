# Masu. `make` alone explains itself.
#
# There is one configuration: release. The daemon and the four static programs get their linking from
# Package.swift, so the tests run the very products that are installed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PROGRAMS := masu masud masu-shim masu-runtime masu-init masu-registry masu-tls
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
# Where SwiftPM works.
BUILD_DIR ?= .build
SWIFT_FLAGS := -c release --scratch-path $(BUILD_DIR)
PRODUCTS := $(BUILD_DIR)/release

.PHONY: help
help: ## this page
	@echo 'Masu, a container platform in Swift. The two commands that matter first:'
	@echo
	@echo '  make demo      builds Masu and shows what it does, on a real Debian root (needs root)'
	@echo '  make test      builds Masu and runs all tests (those that need root are skipped without)'
	@echo
	@echo 'All of them:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-10s%s\n", $$1, $$2}'

.PHONY: packages
packages:
	@scripts/require-swift
	@scripts/install-packages build

.PHONY: build
build: packages ## compile all programs, stripped copies in bin/
	@MASU_PROGRAMS=all scripts/build $(SWIFT_FLAGS)
	@$(MAKE) --no-print-directory bin

# Without the registry, and without TLS to daemons on other machines.
.PHONY: demo-programs
demo-programs: packages
	@MASU_PROGRAMS=demo scripts/build $(SWIFT_FLAGS)
	@$(MAKE) --no-print-directory bin PROGRAMS='$(filter-out masu-registry masu-tls,$(PROGRAMS))'

# Only what changed is stripped again. The unstripped program stays in .build for debuggers. A running program is
# replaced, never written into.
.PHONY: bin
bin:
	@mkdir -p bin
	@for program in $(PROGRAMS); do \
	    if [ ! bin/$$program -nt $(PRODUCTS)/$$program ]; then \
	        strip -o bin/.$$program.new $(PRODUCTS)/$$program && mv -f bin/.$$program.new bin/$$program; \
	    fi; \
	done
	@ls -l bin | awk 'NR > 1 {printf "  bin/%-14s%6.1f MiB\n", $$NF, $$5 / 1048576}'

.PHONY: test
test: packages ## compile, then run every test
	@scripts/install-packages test
	@scripts/install-packages --optional extra vm clients
	@scripts/test $(SWIFT_FLAGS)

.PHONY: test-only
test-only: packages ## some modules' tests: make test-only T=NetlinkTests,TextTests
	@MASU_TESTS='$(T)' swift build --build-tests $(SWIFT_FLAGS)
	@MASU_TESTS='$(T)' swift test --skip-build $(SWIFT_FLAGS)

.PHONY: api
api: packages ## write docs/api.md and docs/openapi.json anew, from the daemon's own table
	@MASU_TESTS=EngineAPITests swift build --build-tests $(SWIFT_FLAGS)
	@MASU_WRITE_API=yes MASU_TESTS=EngineAPITests swift test --skip-build $(SWIFT_FLAGS) --filter APITableTests

.PHONY: check
check: packages ## formatting, own rules, scripts
	@scripts/install-packages --optional check
	@scripts/check

.PHONY: demo
demo: demo-programs ## a tour of a real Debian container, in a minute
	@scripts/install-packages --optional demo
	@scripts/demo

.PHONY: bench
bench: build ## ratios against crun, runc, docker, podman and a floor program
	@scripts/install-packages --optional bench
	@bench/run

.PHONY: soak
soak: build ## 5,000 containers, and a look at what they leave
	@scripts/soak $(SOAK)

.PHONY: steady
steady: ## integration tests five times in a row while two processes keep processors busy (after make test)
	@scripts/steady $(STEADY)

.PHONY: scale
scale: build ## 1,000 containers on one network while masud is killed, and a look at what is left
	@scripts/install-packages test
	@scripts/scale $(SCALE)

.PHONY: stats-cost
stats-cost: build ## what it costs masud that somebody watches 500 containers
	@scripts/install-packages test
	@scripts/stats-cost $(STATS)

.PHONY: takeover
takeover: build ## containers and data of an earlier version's daemon (OLD=DIR of its programs)
	@scripts/takeover $(OLD)

.PHONY: clients
clients: build ## nginx, PostgreSQL, Redis; docker network, Compose, testcontainers
	@scripts/install-packages --optional clients extra test
	@scripts/clients/run $(CLIENTS)

.PHONY: api-fuzz
api-fuzz: build ## requests that a fuzzer makes of the API's description, ten minutes (APIFUZZ="60 7": seconds, seed)
	@scripts/install-packages --optional clients
	@scripts/api-fuzz $(APIFUZZ)

.PHONY: compat
compat: build ## the same docker commands to Debian's dockerd and to masud, and what differs
	@scripts/install-packages --optional extra test
	@scripts/compat/run $(COMPAT)

.PHONY: interop
interop: build ## images between Masu, docker, podman, skopeo and umoci
	@scripts/install-packages --optional extra test
	@scripts/interop $(INTEROP)

.PHONY: fuzz
fuzz: packages ## parsers under libFuzzer, ten minutes each
	@scripts/fuzz $(FUZZ)

.PHONY: install
install: ## copy programs and the systemd unit (PREFIX, DESTDIR)
	@for program in $(PROGRAMS); do \
	    [ -x bin/$$program ] || { echo 'bin/ is not complete: run "make build" first' >&2; exit 1; }; \
	done
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(UNITDIR)'
	install -m 755 $(addprefix bin/,$(PROGRAMS)) '$(DESTDIR)$(PREFIX)/bin/'
	sed 's|@PREFIX@|$(PREFIX)|g' contrib/masud.service >'$(DESTDIR)$(UNITDIR)/masud.service'
	chmod 644 '$(DESTDIR)$(UNITDIR)/masud.service'

.PHONY: uninstall
uninstall: ## remove what install copied
	rm -f $(foreach p,$(PROGRAMS),'$(DESTDIR)$(PREFIX)/bin/$(p)') '$(DESTDIR)$(UNITDIR)/masud.service'

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD_DIR) bin bench-results.json steady.log
