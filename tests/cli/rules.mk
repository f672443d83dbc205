# SPDX-License-Identifier: Apache-2.0
# What `scar` itself costs: `make bench-cli` writes build/bench/cli.json. ROUNDS=100 sets the rounds.

.PHONY: bench-cli
bench-cli: all
	@$(PYTHON) tests/cli/bench.py $(if $(ROUNDS),--rounds $(ROUNDS))
