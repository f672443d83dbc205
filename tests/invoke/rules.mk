# SPDX-License-Identifier: Apache-2.0
# What an invocation costs: `make bench-invoke` writes build/bench/invoke.json. RUNS=10000 sets the number of warm invocations.

$(B)/bench-%: $(call objects,rel,tests/invoke/%.c) $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) -o $@ $<
$(B)/bench-bare: $(call objects,rel,tests/invoke/bare.c)
$(B)/bench-writer: $(call objects,rel,tests/invoke/writer.c)

.PHONY: bench-invoke
bench-invoke: $(B)/bench-bare $(B)/bench-writer all
	@layer-build/setup.sh build run test
	@$(PYTHON) tests/invoke/bench.py $(if $(RUNS),--runs $(RUNS))
