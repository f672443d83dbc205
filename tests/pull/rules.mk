# SPDX-License-Identifier: Apache-2.0
# The pull: build/pull-run pulls one image into a store, build/pull-limit measures what no pull can do without.

PULL_ARCHIVES := $(foreach d,extractor registry runtime/base,$(call archive,rel,$d))

$(B)/pull-run: $(call objects,rel,tests/pull/pull_run.c) $(PULL_ARCHIVES) $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $@ $< -Wl,--start-group $(PULL_ARCHIVES) -Wl,--end-group $(LIBS.rel)
$(B)/pull-limit: $(call objects,rel,tests/pull/limit.c) $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $@ $< $(LIBS.rel)
$(B)/pull-shape: $(call objects,rel,tests/pull/shape.c)
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) -o $@ $<

.PHONY: bench-pull pull-compare pull-test test-pull test-faults
# ROUNDS=7 and WHERE="tmpfs ext4 shaped starts" select; FIRST=1 runs all at a real-time priority, so that other programs do not count;
# DOCS=1 puts the picture into docs/.
bench-pull: $(B)/pull-run $(B)/pull-limit $(B)/pull-shape all
	@layer-build/setup.sh build run bench-pull
	@$(PYTHON) tests/pull/bench.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(FIRST),--first) $(if $(DOCS),--docs) $(WHERE)
# Pulls that go wrong: all of them, and the few that `make test` runs. SEED=n repeats a run.
test-faults: $(B)/pull-run
	@$(PYTHON) tests/pull/faults.py $(if $(SEED),--seed $(SEED))
pull-test: $(B)/pull-run
	@$(PYTHON) tests/pull/faults.py --kills 20 --drops 20 --disks 6 $(if $(SEED),--seed $(SEED))
# Everything about the pull, about ten minutes: its modules, the inputs of its fuzz targets, whole invocations, the images compared with umoci's
# trees, all faults. tests/run.sh has the Python packages that some of them need.
PULL_E2E := $(patsubst %,tests/e2e/test_%.py,registry registries archives shared_layers unpack faults clean_rootfs)
test-pull: $(B)/pull-run all
	@$(MAKE) --no-print-directory unit T=registry
	@$(MAKE) --no-print-directory unit T=extractor
	@$(MAKE) --no-print-directory fuzz-replay
	@PYTEST_ARGS='$(addprefix --ignore=,$(filter-out $(PULL_E2E),$(wildcard tests/e2e/test_*.py)))' tests/run.sh e2e
	@$(MAKE) --no-print-directory pull-compare
	@$(MAKE) --no-print-directory test-faults
# Twenty images against umoci; the first run makes them, which takes minutes. NAMES="git vim" selects.
pull-compare: $(B)/pull-run
	@$(PYTHON) -m tests.pull.compare $(NAMES)
