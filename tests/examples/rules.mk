# SPDX-License-Identifier: Apache-2.0
# The examples, as their pages tell to run them. `make test` has the quick ones; this makes images of Debian's packages first, which takes minutes once.

.PHONY: test-examples
test-examples: all
	@layer-build/setup.sh build run test
	@SCAR_EXAMPLES=all PYTEST_ARGS='-k test_examples $(PYTEST_ARGS)' tests/run.sh e2e
