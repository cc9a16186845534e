# Everything here needs Go, make and git; `make deps` gets what the tests and the demo use beyond that.

PREFIX   ?= /usr/local
BIN      ?= bin
BUILDVCS ?= auto
COMMANDS := $(notdir $(wildcard cmd/*))
GOBUILD  := CGO_ENABLED=0 go build -trimpath -buildvcs=$(BUILDVCS) -ldflags='-s -w'
# A helper ends before it collects anything, and the collector of Go 1.26 has it touch a page more for each size of object:
# 5 % of its run. Later releases have no other one.
COLLECTOR := $(if $(filter go1.26%,$(shell go env GOVERSION)),GOEXPERIMENT=nogreenteagc)
# The race detector needs a C compiler.
RACE     := $(if $(shell command -v $${CC:-cc} 2>/dev/null),-race)
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# The platform that runs this is built for in any case.
OTHERS    := $(filter-out $(shell go env GOOS)/$(shell go env GOARCH),$(PLATFORMS))

.PHONY: build install test demo bench bench-check collector deps lint cross clean FORCE

build: $(COMMANDS:%=$(BIN)/%)

$(BIN)/docker-credential-%: FORCE
	$(COLLECTOR) $(GOBUILD) -o $@ ./cmd/docker-credential-$*

$(BIN)/%: FORCE
	$(GOBUILD) -o $@ ./cmd/$*

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(COMMANDS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin

# go test does not show what was skipped, so the tests note it.
test: export SKIPPED := $(CURDIR)/bin/skipped
test:
	go vet ./...
	@mkdir -p bin && rm -f $(SKIPPED)
	go test $(RACE) -count=1 ./...; code=$$?; \
	if [ -s $(SKIPPED) ]; then echo "Some tests were skipped:"; sort -u $(SKIPPED) | sed 's/^/  /'; fi; exit $$code

demo: build
	go run ./internal/demo

# Measures and writes the report in bench; ONLY=get,miss measures these sections anew.
bench:
	go run -trimpath ./internal/bench $(if $(ONLY),-only $(ONLY))
	cd bench/charts && go run . ..

# Prints what the benchmark builds empty programs with, to compare like with like.
collector:
	@echo $(COLLECTOR)

# Exits 1 with a table of what is over budget. What was built since it was measured is measured anew.
bench-check:
	go run -trimpath ./internal/bench -check

deps:
	bash .ci/deps

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go mod tidy -diff

cross: $(OTHERS:%=cross/%)

cross/%: FORCE
	@echo "build for $*"
	@GOOS=$(*D) GOARCH=$(*F) CGO_ENABLED=0 go build -o /dev/null ./cmd/...

clean:
	rm -rf bin
