# SPDX-License-Identifier: Apache-2.0
# What a stranger installs: make install [PREFIX=/usr/local] [DESTDIR=], make deb, make dist. Included by the Makefile.
#
# PREFIX/bin/scar                        the command
# PREFIX/lib/scar/bootstrap              what `scar local` runs and what goes into the layer; scar finds it relative to itself
# PREFIX/lib/scar/faas-supervisor-*.zip  the layers, of each architecture that was built
# PREFIX/share/...                       man pages, completions, licences

PREFIX  ?= /usr/local
DESTDIR ?=
PLACE   := $(DESTDIR)$(PREFIX)
MAN     := $(B)/man/scar.1 $(B)/man/scar.yaml.5 $(B)/man/bootstrap.7
# The layers that are there: make ARCH=aarch64 layer makes the other one.
LAYERS   = $(sort $(LAYER) $(wildcard build/faas-supervisor-*.zip build/*/faas-supervisor-*.zip))
SHELLS  := bash zsh fish
COMPLETION.bash := share/bash-completion/completions/scar
COMPLETION.zsh  := share/zsh/vendor-completions/_scar
COMPLETION.fish := share/fish/vendor_completions.d/scar.fish
# Of the last commit, so that a package made twice is the same; in a tarball, of the changelog's file.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)

.PHONY: man install uninstall deb dist
man: $(MAN)
$(B)/man/%.1: docs/man/%.1.scd
	@layer-build/setup.sh package
	@mkdir -p $(@D)
	$(Q)SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) scdoc < $< > $@
# Pages that docs/ has already.
define man_rule
$(B)/man/$1: $2 layer-build/man_page.py
	@layer-build/setup.sh package
	@mkdir -p $$(@D)
	$$(Q)$$(PYTHON) layer-build/man_page.py $2 '$3' '$4' > $$@.scd && SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) scdoc < $$@.scd > $$@
endef
$(eval $(call man_rule,scar.yaml.5,docs/definitions.md,scar.yaml(5),definitions of functions that run container images))
$(eval $(call man_rule,bootstrap.7,docs/environment.md,bootstrap(7),Lambda runtime that runs container images))

install: all layer $(MAN)
	@install -d $(PLACE)/bin $(PLACE)/lib/scar $(PLACE)/share/doc/scar $(foreach m,$(MAN),$(PLACE)/share/man/man$(patsubst .%,%,$(suffix $m)))
	@install -m 755 $(B)/scar $(PLACE)/bin/scar
	@install -m 755 $(B)/bootstrap $(PLACE)/lib/scar/bootstrap
	@install -m 644 $(LAYERS) $(PLACE)/lib/scar/
	@$(foreach m,$(MAN),gzip -9n < $m > $(PLACE)/share/man/man$(patsubst .%,%,$(suffix $m))/$(notdir $m).gz &&) :
	@$(foreach s,$(SHELLS),install -d $(dir $(PLACE)/$(COMPLETION.$s)) && $(B)/scar completion $s > $(PLACE)/$(COMPLETION.$s) &&) :
	@install -m 644 README.md CHANGELOG.md $(PLACE)/share/doc/scar/
	@$(PYTHON) layer-build/layer.py --papers --name scar --program $(B)/scar --map $(B)/scar.map $(LAYER_ARGS) $(PLACE)
	@echo 'installed into $(PLACE): bin/scar, lib/scar, man pages, completions'
uninstall:
	rm -f $(PLACE)/bin/scar $(foreach m,$(MAN),$(PLACE)/share/man/man$(patsubst .%,%,$(suffix $m))/$(notdir $m).gz) \
	    $(foreach s,$(SHELLS),$(PLACE)/$(COMPLETION.$s))
	rm -rf $(PLACE)/lib/scar $(PLACE)/share/doc/scar $(PLACE)/share/licenses/scar

# The command line as a package of Debian's kind; it needs no other package, being static.
DEB_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(ARCH)))
DEB      := $(B)/scar_$(VERSION)_$(DEB_ARCH).deb
deb: $(DEB)
$(DEB): $(PROGRAMS) $(LAYER) $(MAN) layer-build/deb.sh LICENSE README.md CHANGELOG.md
	@layer-build/setup.sh package
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) layer-build/deb.sh $(DEB_ARCH) $(VERSION) $@

# Everything in git, and nothing else: the same commit gives the same bytes.
DIST := $(B)/scar-$(VERSION).tar.gz
dist:
	@git diff --quiet HEAD || { echo 'scar: uncommitted changes would not be in the tarball: commit them' >&2; exit 1; }
	@mkdir -p $(B) && git archive --format=tar --prefix=scar-$(VERSION)/ HEAD | gzip -9n > $(DIST).tmp && mv $(DIST).tmp $(DIST)
	@ls -l $(DIST)
