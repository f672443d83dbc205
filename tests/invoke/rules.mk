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

# Staging: 1 GB in and out, against curl; build/bench/storage.json.
STORAGE_ARCHIVES := $(foreach d,invoke/storage runtime/base,$(call archive,rel,$d))
$(B)/storage-run: $(call objects,rel,tests/invoke/storage_run.c) $(STORAGE_ARCHIVES) $(TP)/.all.stamp
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $@ $< -Wl,--start-group $(STORAGE_ARCHIVES) -Wl,--end-group $(LIBS.rel)
.PHONY: bench-storage
bench-storage: $(B)/storage-run
	@layer-build/setup.sh build run test
	@$(PYTHON) tests/invoke/storage_bench.py $(if $(ROUNDS),--rounds $(ROUNDS))
