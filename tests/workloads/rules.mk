# SPDX-License-Identifier: Apache-2.0
# Real programs from Debian's packages, in the jail and in a chroot. `make test` runs the quick ones; test-workloads runs all: W="node java" selects.

.PHONY: workloads-test test-workloads
workloads-test: all
	@$(PYTHON) -m tests.workloads.run
test-workloads: all
	@$(PYTHON) -m tests.workloads.run $(or $(W),--all)
