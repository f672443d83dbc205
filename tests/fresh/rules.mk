# SPDX-License-Identifier: Apache-2.0
# README.md's commands on a Debian of nothing but its base system: half an hour, nothing from this machine's caches. COMMANDS="'make run'" selects.

.PHONY: test-fresh
test-fresh:
	@layer-build/setup.sh test
	@SCAR_MUST_WORK=1 tests/fresh/run.sh $(COMMANDS)
