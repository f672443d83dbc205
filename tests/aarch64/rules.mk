# SPDX-License-Identifier: Apache-2.0
# The programs for aarch64, on a real arm64 kernel in an emulated machine.

.PHONY: aarch64-test test-aarch64
test-aarch64: aarch64-test
aarch64-test:
	@layer-build/setup.sh build aarch64
	@$(MAKE) --no-print-directory ARCH=aarch64 all build/aarch64/engine-run build/aarch64/engine-jail
	@$(PYTHON) -m tests.aarch64.machine
