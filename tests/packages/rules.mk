# SPDX-License-Identifier: Apache-2.0
# What is released: the layers, `make install`, the Debian package, the source tarball. `make test` runs the quick part in tests/e2e.

$(B)/managed-runtime: $(call objects,rel,tests/packages/managed_runtime.c)
	$(call say,LINK,$@)
	$(Q)$(CC.rel) $(LDFLAGS.rel) -o $@ $<

.PHONY: test-packages
# Builds the tarball in another place and compares the layers byte for byte; installs the package in a Debian of nothing else; asks lintian.
test-packages: all layer man $(B)/managed-runtime
	@layer-build/setup.sh build run test package lint aarch64
	@$(MAKE) --no-print-directory ARCH=aarch64 layer
	@/usr/bin/python3 -m pytest -p no:cacheprovider -q -ra tests/packages
