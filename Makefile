# SPDX-License-Identifier: Apache-2.0
#
# make                 build/bootstrap and build/scar, static
# make unit [T=path]   unit tests with glibc (T: registry, registry/ref, ...)
# make asan [T=path]   the same tests with clang's address and undefined-behaviour sanitizers
# make layer           build/faas-supervisor-<arch>.zip
# make test            everything CI runs
# make help            all targets
#
# Sources are found by wildcard, one archive a folder. A sub-folder named after an architecture is compiled for that ARCH only.

ARCH      ?= x86_64
HOST_ARCH := $(shell uname -m)
B         := build$(if $(filter-out $(HOST_ARCH),$(ARCH)),/$(ARCH))
PYTHON    ?= /usr/bin/python3
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.SECONDARY:
.DEFAULT_GOAL := all

FOLDERS := runtime/base runtime/api runtime/emulator registry extractor invoke invoke/events invoke/storage invoke/engine invoke/engine/guest \
           invoke/engine/rewrite invoke/engine/ptrace deployer deployer/aws
LOADER  := invoke/engine/rewrite/loader
MAINS   := invoke/main.c deployer/main.c
# V=1 shows whole commands.
Q       := $(if $(filter 1,$(V)),,@)
say      = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' '$1' '$2')

# ---- compilers and flags ---------------------------------------------------------------------------------------------------------------

CROSS   := $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(ARCH)-linux-gnu-)
MUSL_CC ?= $(if $(CROSS),$(CROSS)gcc -specs /usr/lib/$(ARCH)-linux-musl/musl-gcc.specs,musl-gcc)
GCC     ?= $(CROSS)gcc
CLANG   ?= clang-14
WERROR  ?= -Werror

WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wswitch-enum $(WERROR)
WARN_CODE := $(WARN) -Wconversion
# _GNU_SOURCE is empty, so that a source may define it again without a warning.
COMMON    := -std=gnu17 -I. -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -MMD -MP
HARDEN    := -fstack-protector-strong -fstack-clash-protection
# gcc's out-of-line atomics ask __getauxval(), which musl does not export.
ARCH_CFLAGS.aarch64 := -mno-outline-atomics

TP        := $(B)/third-party
TP_LIBS   := zlib zstd isal openssl curl libarchive cjson libseccomp libyaml expat
ZYDIS     := $(TP)/zydis
ZYDIS_DEF := -DZYAN_NO_LIBC -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -DZYDIS_MINIMAL_MODE -DZYDIS_DISABLE_FORMATTER \
             -DZYDIS_DISABLE_ENCODER -isystem $(ZYDIS)/include
ZYDIS_SRC := Decoder DecoderData SharedData

# rel: the product. dbg: unit tests. asan: unit tests and fuzz targets under the sanitizers.
CC.rel      = $(MUSL_CC)
CFLAGS.rel  = $(COMMON) $(ARCH_CFLAGS.$(ARCH)) -O2 -g1 -ffile-prefix-map=$(CURDIR)=. -ffunction-sections -fdata-sections $(HARDEN) \
              $(TP_LIBS:%=-isystem $(TP)/%/include) -isystem $(TP)/kernel-headers/include
LDFLAGS.rel = -static -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=none
WARN.rel    = $(WARN_CODE)

CC.dbg      = $(GCC)
CFLAGS.dbg  = $(COMMON) -O1 -g -D_FORTIFY_SOURCE=2 $(HARDEN)
LDFLAGS.dbg =
WARN.dbg    = $(WARN_CODE)

# The coverage hooks of libFuzzer are idle in a unit test; one set of objects serves both.
SANITIZE     := -fsanitize=address,undefined -fno-sanitize-recover=all
CC.asan      = $(CLANG)
CFLAGS.asan  = $(COMMON) -O1 -g -fno-omit-frame-pointer $(SANITIZE) -fsanitize=fuzzer-no-link
LDFLAGS.asan = $(SANITIZE)
WARN.asan    = $(WARN)

# Inside each list the order is that of a static link: users first.
LIBS.rel  = -lcurl -lssl -lcrypto -larchive -lzstd -lisal -lz -lcjson -lseccomp -lyaml -lexpat -lpthread -lm
LIBS.dbg  = -Wl,--as-needed -lcmocka -lcurl -lssl -lcrypto -larchive -lzstd -lisal -lz -lcjson -lseccomp -lyaml -lexpat -lpthread -lm
LIBS.asan = $(LIBS.dbg)

# ---- sources ---------------------------------------------------------------------------------------------------------------------------

# $(call sources,FOLDER,SUFFIXES)
sources    = $(sort $(filter-out $(MAINS),$(foreach s,$2,$(wildcard $1/*.$s $1/$(ARCH)/*.$s))))
# The loader runs freestanding in the product; the sanitizers and unit tests see its C files as ordinary code.
ARCHIVED   = $(FOLDERS) $(if $(filter-out rel,$1),$(LOADER) tests/support)
dashed     = $(subst /,-,$1)
libdir     = $(B)/lib$(if $(filter-out rel,$1),/$1)
# $(call archive,FLAVOUR,FOLDER)
archive    = $(call libdir,$1)/lib$(call dashed,$2).a
objects    = $(patsubst %,$(B)/obj/$1/%.o,$(basename $2))
FLAVOURS  := rel dbg asan
# Objects hang from this file, which changes when the command that makes them does.
flags_file = $(B)/obj/$1/.flags
zydis_user = $(filter invoke/engine/rewrite%,$1 $(call included,$1.c))

# Who may use whom, from the table that deps-check enforces: USES.<folder>, headers reduced to their folder.
$(foreach w,$(shell awk -F'|' '!/^\#/ && NF > 1 { gsub(/ /, "", $$1); n = split($$2, a, " "); s = "USES." $$1 ":="; \
    for (i = 1; i <= n; i++) { sub(/\/[^\/]*\.h$$/, "", a[i]); s = s "@" a[i] } print s }' tests/support/deps.table), \
    $(eval $(subst @, ,$w)))
uses_once = $(sort $1 $(foreach d,$1,$(USES.$d)))
uses      = $(filter $(FOLDERS) $(LOADER),$(call uses_once,$(call uses_once,$(call uses_once,$(call uses_once,$1)))))

# ---- compile and archive ---------------------------------------------------------------------------------------------------------------

.PHONY: all FORCE
PROGRAMS := $(if $(wildcard invoke/main.c),$(B)/bootstrap) $(if $(wildcard deployer/main.c),$(B)/scar)
all: $(PROGRAMS)
	@layer-build/report.sh $(PROGRAMS)

# Third-party libraries live in a cache outside the tree; $(TP)/<name> links there. The script is quick when all is there.
$(TP)/.all.stamp: FORCE
	@ARCH=$(ARCH) MAKEFLAGS= MFLAGS= layer-build/third-party.sh --into $(TP) --stamp $@ kernel-headers zydis $(TP_LIBS)
$(TP)/.zydis.stamp: FORCE
	@ARCH=$(ARCH) MAKEFLAGS= MFLAGS= layer-build/third-party.sh --into $(TP) --stamp $@ zydis

# Compared without space at the ends: make 4.3 takes the file's newline away at times only.
define note_flags
ifneq "$$(strip $$(file <$(call flags_file,$1)))" "$(strip $2)"
$$(shell mkdir -p $(B)/obj/$1)
$$(file >$(call flags_file,$1),$2)
endif
endef
$(foreach f,$(FLAVOURS),$(eval $(call note_flags,$f,$(strip $(CC.$f) $(CFLAGS.$f) $(WARN.$f)))))

define flavour_rules
$(B)/obj/$1/%.o: %.c $(call flags_file,$1) $(if $(filter rel,$1),$(TP)/.all.stamp) $$$$(if $$$$(call zydis_user,$$$$*),$(TP)/.zydis.stamp)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(CC.$1) $$(CFLAGS.$1) $$(if $$(filter tests/%,$$*),$(WARN),$$(WARN.$1)) $$(if $$(call zydis_user,$$*),$(ZYDIS_DEF)) -c -o $$@ $$<
$(B)/obj/$1/%.o: %.S $(if $(filter rel,$1),$(TP)/.all.stamp)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(CC.$1) $(COMMON) -Wa,--noexecstack -DSCAR_LOADER_PATH='"$(B)/loader"' -c -o $$@ $$<
$(B)/obj/$1/zydis/%.o: $(TP)/.zydis.stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(CC.$1) $$(filter-out -fsanitize=% -MMD -MP,$$(CFLAGS.$1)) -w $(ZYDIS_DEF) -I$(ZYDIS)/src -c -o $$@ $(ZYDIS)/src/$$*.c
$(call libdir,$1)/libzydis.a: $(ZYDIS_SRC:%=$(B)/obj/$1/zydis/%.o)
	@mkdir -p $$(@D) && rm -f $$@
	@ar rcsD $$@ $$^
$(foreach d,$(call ARCHIVED,$1),$(call archive_rule,$1,$d,$(call objects,$1,$(call sources,$d,c $(if $(filter-out $(LOADER),$d),S)))))
endef
define archive_rule

$(call archive,$1,$2): $3
	@mkdir -p $$(@D) && rm -f $$@
	@ar rcsD $$@ $$^

endef
$(foreach f,$(FLAVOURS),$(eval $(call flavour_rules,$f)))

$(foreach f,$(FLAVOURS),$(eval $(B)/obj/$f/invoke/engine/rewrite/loader_blob.o: $(B)/loader))

define program_rule
$1: $(call objects,rel,$2) $(foreach d,$(FOLDERS),$(call archive,rel,$d)) $(call libdir,rel)/libzydis.a $(TP)/.all.stamp
	$$(call say,LINK,$1)
	$$(Q)$$(CC.rel) $$(LDFLAGS.rel) $(TP_LIBS:%=-L$(TP)/%/lib) -o $$@.debug -Wl,-Map=$$@.map $(call objects,rel,$2) \
	    -Wl,--start-group $(foreach d,$(FOLDERS),$(call archive,rel,$d)) $(call libdir,rel)/libzydis.a -Wl,--end-group $$(LIBS.rel)
	$$(Q)$(CROSS)strip -s -R .comment -o $$@ $$@.debug
endef
$(eval $(call program_rule,$(B)/bootstrap,invoke/main.c))
$(eval $(call program_rule,$(B)/scar,deployer/main.c))

# ---- the layer: what Lambda unpacks into /opt -----------------------------------------------------------------------------------------------

VERSION := $(shell sed -n 's/^.define SCAR_VERSION "\(.*\)"/\1/p' runtime/base/version.h)
LAYER   := $(B)/faas-supervisor-$(if $(filter aarch64,$(ARCH)),arm64,$(ARCH)).zip

LAYER_ARGS := --third-party $(TP) --version $(VERSION) --architecture $(ARCH)

.PHONY: layer
layer: $(LAYER)
$(LAYER): $(B)/bootstrap layer-build/layer.py LICENSE
	@$(PYTHON) layer-build/layer.py --program $(B)/bootstrap --map $(B)/bootstrap.map $(LAYER_ARGS) $@

include layer-build/package.mk

# ---- the loader: what execve really starts; no C library, no thread-local storage, away from where programs live ------------------------------

LOADER_BASE    ?= 0x60000000
# The loader compiles shared modules into itself: their paths, one a line, ARCH for the architecture; not every one has each.
LOADER_SHARED  := $(wildcard $(shell sed 's,/ARCH/,/$(ARCH)/,' $(LOADER)/sources.txt))
LOADER_SOURCES := $(call sources,$(LOADER),c S) $(LOADER_SHARED)
LOADER_OBJECTS := $(call objects,loader,$(LOADER_SOURCES)) $(if $(filter x86_64,$(ARCH)),$(ZYDIS_SRC:%=$(B)/obj/loader/zydis/%.o))
LOADER_CFLAGS  := $(COMMON) $(ARCH_CFLAGS.$(ARCH)) -DSCAR_LOADER=1 -O2 -g1 -ffile-prefix-map=$(CURDIR)=. -ffreestanding -fno-stack-protector -fno-pic -fno-pie \
                  -mgeneral-regs-only -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
                  -U_FORTIFY_SOURCE $(ZYDIS_DEF)
$(eval $(call note_flags,loader,$(GCC) $(LOADER_CFLAGS)))

$(B)/obj/loader/%.o: %.c $(TP)/.zydis.stamp $(B)/obj/loader/.flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(GCC) $(LOADER_CFLAGS) $(WARN_CODE) -c -o $@ $<
$(B)/obj/loader/%.o: %.S
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(GCC) $(LOADER_CFLAGS) -Wa,--noexecstack -c -o $@ $<
$(B)/obj/loader/zydis/%.o: $(TP)/.zydis.stamp
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(GCC) $(filter-out -MMD -MP,$(LOADER_CFLAGS)) -w -I$(ZYDIS)/src -c -o $@ $(ZYDIS)/src/$*.c
$(B)/loader: $(LOADER_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(GCC) -nostdlib -static -no-pie -Wl,-Ttext-segment=$(LOADER_BASE) -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,norelro \
	    -Wl,-z,max-page-size=4096 -Wl,--build-id=none -o $@.debug $^ -lgcc
	$(Q)$(CROSS)strip -s -o $@ $@.debug

# ---- unit tests ------------------------------------------------------------------------------------------------------------------------

# T selects: a folder or one test, named as below tests/unit without the test_ prefix.
UNIT_ALL  := $(shell find tests/unit -name 'test_*.c' 2>/dev/null | LC_ALL=C sort)
T         ?=
selected  = $(strip $(foreach t,$1,$(if $(or $(if $T,,all),$(filter $T $T/%,$(call unit_id,$t))),$t)))
unit_id   = $(subst /test_,/,$(patsubst tests/unit/%.c,%,$1))
UNIT      := $(call selected,$(UNIT_ALL))
unit_exe  = $(patsubst tests/unit/%.c,$(B)/unit/$1/%,$2)
# The folder that a test stands for: its own, or the nearest one above it.
no_slash  = $(patsubst %/,%,$(dir $1))
home      = $(if $(filter . tests,$1),,$(or $(filter $(FOLDERS) $(LOADER),$1),$(call home,$(call no_slash,$1))))
below     = $(foreach d,$1,$(filter $d/%,$(FOLDERS)))
# What each test includes, so that one which drives a neighbour is linked with it; likewise what the test support it uses includes.
TEST_DIRS := $(wildcard tests/unit tests/fuzz tests/support)
INCLUDES  := $(if $(TEST_DIRS),$(shell grep -rHoE --include='*.c' '^\#include "[^"]+' $(TEST_DIRS) | sed 's/:\#include "/@/'))
headers   = $(patsubst $1@%,%,$(filter $1@%,$(INCLUDES)))
supported = $(filter tests/support/%.c,$(patsubst %.h,%.c,$(call headers,$1)))
included  = $(patsubst %/,%,$(dir $(call headers,$1) $(foreach s,$(call supported,$1),$(call headers,$s))))
# $(call links,SOURCE,FOLDER): the folders whose archives the test is linked with.
links     = $(call uses,$2 $(call below,$2) $(foreach d,$(call included,$1),$(call home,$d)))
link_libs = $(foreach d,$2,$(call archive,$1,$d)) $(call archive,$1,tests/support) \
            $(if $(filter invoke/engine/rewrite%,$2),$(call libdir,$1)/libzydis.a)

# $(call test_rule,FLAVOUR,SOURCE,EXECUTABLE,FOLDER,EXTRA-LINK-FLAGS)
define test_rule
$3: $(call objects,$1,$2) $(call link_libs,$1,$(call links,$2,$4))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC.$1) $$(LDFLAGS.$1) $5 -o $$@ $$< -Wl,--start-group $(call link_libs,$1,$(call links,$2,$4)) -Wl,--end-group $$(LIBS.$1)

endef
$(foreach f,dbg asan,$(foreach t,$(UNIT),$(eval \
    $(call test_rule,$f,$t,$(call unit_exe,$f,$t),$(call home,$(call no_slash,$(t:tests/unit/%=%)))))))

.PHONY: unit unit-build asan asan-build
unit-build: $(call unit_exe,dbg,$(UNIT))
asan-build: $(call unit_exe,asan,$(UNIT))
# Built with -k: what does not compile is counted as a failure of that test and hides no other; nor does an older program hide it.
unit:
	@$(MAKE) -k --no-print-directory unit-build; built=$$?; $(PYTHON) tests/support/run_units.py $(call unit_exe,dbg,$(UNIT)) && exit $$built
asan:
	@$(MAKE) -k --no-print-directory asan-build; built=$$?; $(PYTHON) tests/support/run_units.py --sanitized $(call unit_exe,asan,$(UNIT)) && exit $$built

# ---- fuzz targets: clang's libFuzzer; the corpora replay in every test run ----------------------------------------------------------------------

FUZZ      := $(wildcard tests/fuzz/fuzz_*.c)
fuzz_exe  = $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$1)
SECONDS   ?= 60
$(foreach t,$(FUZZ),$(eval $(call test_rule,asan,$t,$(call fuzz_exe,$t),,-fsanitize=fuzzer)))

.PHONY: fuzz fuzz-build fuzz-replay
fuzz-build: $(call fuzz_exe,$(FUZZ))
fuzz-replay:
	@$(MAKE) -k --no-print-directory fuzz-build; built=$$?; $(PYTHON) tests/support/run_units.py --fuzz tests/fuzz/corpus $(call fuzz_exe,$(FUZZ)) && exit $$built
# make fuzz F=name SECONDS=60: new inputs go to build/, a crash is left there too; move what is worth keeping into the corpus.
fuzz: $(B)/fuzz/$(F)
	@mkdir -p $(B)/fuzz-new/$(F) tests/fuzz/corpus/$(F)
	$(B)/fuzz/$(F) -max_total_time=$(SECONDS) -artifact_prefix=$(B)/fuzz-new/$(F)- $(B)/fuzz-new/$(F) tests/fuzz/corpus/$(F)

# ---- checks of the source --------------------------------------------------------------------------------------------------------------

.PHONY: format format-check deps-check style-check tidy
OURS     = $(shell find $(wildcard $(or $T,runtime registry extractor invoke deployer tests)) -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
CODE     = $(foreach d,$(FOLDERS) $(LOADER),$(call sources,$d,c)) $(wildcard $(MAINS))
format:
	@$(if $(OURS),clang-format-14 -i $(OURS))
format-check:
	@$(if $(OURS),clang-format-14 --dry-run --Werror $(OURS))
deps-check:
	@$(PYTHON) tests/support/deps_check.py
style-check:
	@$(PYTHON) tests/support/style_check.py

# One stamp a source; it hangs from the object, hence from every header that the source includes.
TIDY     = $(patsubst %.c,$(B)/tidy/%.ok,$(if $T,$(filter $T/% $T.c $T,$(CODE)),$(CODE)))
$(B)/tidy/%.ok: $(B)/obj/dbg/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy-14 --quiet $*.c -- $(filter-out -MMD -MP,$(COMMON)) $(if $(call zydis_user,$*),$(ZYDIS_DEF)) 2>$@.log || { cat $@.log; exit 1; }
	@cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 --suppress=missingIncludeSystem --suppress=memleak \
	    -I. -D_GNU_SOURCE= -D__x86_64__ $*.c
	@touch $@
tidy: $$(TIDY)

# ---- other suites: tests/NAME/rules.mk may define NAME-test, which ends with `N passed, N failed, N skipped`; `make test` runs it --------------

include $(wildcard tests/*/rules.mk)

# ---- whole runs ------------------------------------------------------------------------------------------------------------------------

.PHONY: setup test e2e run clean third-party help
setup:
	@layer-build/setup.sh build run test
third-party: $(TP)/.all.stamp
test:
	@tests/run.sh
e2e: all
	@tests/run.sh e2e
# make run [IMAGE=busybox|debian|reference] [ARGS='program arguments']
run: export IMAGE := $(IMAGE)
run: export ARGS := $(ARGS)
run:
	@layer-build/setup.sh build run
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@tests/run-image.sh
clean:
	rm -rf build
help:
	@echo 'all layer setup third-party | unit asan [T=path] | fuzz-replay, fuzz F=name SECONDS=60 | format format-check deps-check style-check tidy | e2e test | run clean'
	@echo 'install uninstall [PREFIX=/usr/local DESTDIR=] | man deb dist'
	@echo 'long tests: test-pull test-faults test-workloads test-examples test-aarch64 test-packages test-fresh'
	@echo 'figures: bench-engine bench-pull bench-invoke bench-storage bench-cli'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
