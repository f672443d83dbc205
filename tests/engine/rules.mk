# SPDX-License-Identifier: Apache-2.0
# Conformance of the engines: build/engine-run starts a program through an engine, build/engine-jail starts one as Lambda would.

ENGINE_ARCHIVES := $(foreach d,invoke/engine invoke/engine/guest invoke/engine/rewrite invoke/engine/ptrace runtime/base,$(call archive,rel,$d))

$(B)/engine-run: $(call objects,rel,tests/engine/engine_run.c) $(ENGINE_ARCHIVES) $(call libdir,rel)/libzydis.a $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $@ $< -Wl,--start-group $(ENGINE_ARCHIVES) \
	    $(call libdir,rel)/libzydis.a -Wl,--end-group $(LIBS.rel)
$(B)/engine-jail: $(call objects,rel,tests/engine/jail.c) $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $@ $< $(LIBS.rel)

.PHONY: engine-test test-engine
# S="rewrite+jail" selects settings; SEEDS=1000 runs so many random sequences of calls instead of the cases.
engine-test: $(B)/engine-run $(B)/engine-jail
	@$(PYTHON) tests/engine/conformance.py $(S) $(if $(SEEDS),--seeds 1 $(SEEDS))
test-engine: engine-test

.PHONY: bench-engine
# ROUNDS=10: how often each engine does each work.
bench-engine: $(B)/engine-run $(B)/engine-jail
	@layer-build/setup.sh build run test bench
	@$(PYTHON) -m tests.bench.engine --rounds $(or $(ROUNDS),10)
