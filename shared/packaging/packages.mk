# SPDX-License-Identifier: GPL-2.0-or-later
# Packages of each system, and what a release consists of. Included by the Makefile. Which packages
# there are, and what each holds: shared/packaging/packages.ts.

VERSION := $(shell sed -n 's/.*VERSION = "\(.*\)".*/\1/p' shared/io/version.ts)
RELEASE ?= 1

# What a package holds, below DESTDIR, for rpm, debhelper and makepkg.
install-package-%: $(PACKAGING)
	@RUNTIME=none FORM=packaged $(FILES) install $(BUILD)/packaging/packages/$*.list

# ---- An archive for dom0, without packages ----

# What goes into the archive for dom0: files, and of the folders the project's own. An entry of
# another one, were it only "./", would give that folder this one's mode and owner.
DOM0_FOLDERS := $(LIBDIR) $(SHAREDIR) $(POLICYDIR) $(ETCDIR)/remote.d $(ETCDIR)/remote-policy.d

.PHONY: dom0-archive
dom0-archive: $(BUILD)/dom0.tgz ## build/dom0.tgz, to unpack in dom0 as the README says

$(BUILD)/dom0.tgz: $(DOM0_PROGRAMS) shared/packaging/files $(wildcard dom0/packaging/* dom0/systemd/* dom0/qubes-rpc/* policies/*)
	rm -rf $(BUILD)/dom0-tree
	@$(MAKE) --no-print-directory install-dom0 DESTDIR=$(CURDIR)/$(BUILD)/dom0-tree >/dev/null
	cd $(BUILD)/dom0-tree && { find . ! -type d; for folder in $(DOM0_FOLDERS); do [ ! -d .$$folder ] || echo .$$folder; done; } | \
	  sed 's,^\./,,' | LC_ALL=C sort | tar --no-recursion --owner=root:0 --group=root:0 --mtime=@$(SOURCE_DATE_EPOCH) -czf $(CURDIR)/$@ -T -
	rm -r $(BUILD)/dom0-tree
	@tar -tzf $@

# ---- Sources, as packagers take them ----

DIST := $(BUILD)/dist
PACK := tar --sort=name --owner=root:0 --group=root:0 --mtime=@$(SOURCE_DATE_EPOCH) --format=gnu -cf -
SOURCE := $(DIST)/qubes-claw-$(VERSION).tar.gz
VENDOR := $(DIST)/qubes-claw-vendor-$(VERSION).tar.gz
SOURCE_FILES = $(shell { git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f ! -path './vendor/*' ! -path './$(BUILD)/*' ! -path './.deno/*' ! -path './.cache/*' ! -path './.git/*' -printf '%P\n'; } | LC_ALL=C sort)

.PHONY: sources
sources: $(SOURCE) $(VENDOR) $(VENDOR).sha256 $(DIST)/builder ## build/dist: the source, and what a build without network takes beside it

# Always: what there is to pack, git says.
$(SOURCE): FORCE
FORCE:

$(SOURCE):
	@mkdir -p $(DIST)
	@$(PACK) --transform 's,^,qubes-claw-$(VERSION)/,' $(SOURCE_FILES) | gzip -n >$@

# Without a date: it is the same for every commit that takes the same.
$(VENDOR): deno.json deno.lock shared/packaging/write-vendor
	@sh shared/packaging/write-vendor $(BUILD)/vendor $(DENO) $(COMPILE_DENO)
	@mkdir -p $(DIST)
	@$(PACK) --mtime=@0 -C $(BUILD) vendor | gzip -n >$@

# As builder v2 reads it, and the spec: the hash alone.
$(VENDOR).sha256: $(VENDOR)
	@sha256sum $< | cut -d ' ' -f 1 >$@

# What builder v2 reads beside .qubesbuilder.
$(DIST)/builder: $(VENDOR).sha256 FORCE
	@mkdir -p $@ && cp $< $@/ && echo $(VERSION) >$@/version && echo $(RELEASE) >$@/rel

# ---- Packages ----

# A package's build takes what is in the source archives, and nothing of this one.
WITHOUT_OURS := env -u MAKEFLAGS -u MAKEOVERRIDES -u DENO -u COMPILE_DENO -u DENORT_BIN -u DENO_DIR
# The release's own text in each system's form; a packager's tool would do the same.
FILL = sed -e 's/@VERSION@/$(VERSION)/' -e 's/@REL@/$(RELEASE)/'
RPM_DATE = $$(LC_ALL=C date -u --date=@$(SOURCE_DATE_EPOCH) '+%a %b %d %Y')
# Where rpm knows no units, it is no Fedora: then its macros come from here, and its dependencies
# cannot be asked of it.
RPMBUILD = rpmbuild --quiet -bb --define '_topdir $(CURDIR)/$(BUILD)/rpm' --define '_sourcedir $(CURDIR)/$(DIST)' --define '_rpmdir $(CURDIR)/$(DIST)' \
  --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
  $$(rpm -E '%{_unitdir}' | grep -q '^/' || echo --nodeps --load=$(CURDIR)/shared/packaging/rpm/macros.elsewhere) \
  $$(tar -tf $(VENDOR) vendor/compile/denort >/dev/null 2>&1 || echo --without=compiled)

# $(call needs,PROGRAM): before anything is built.
needs = @command -v $(1) >/dev/null || { echo "make $(@:needs-%=%): error: there is no $(1)" >&2; echo "make $(@:needs-%=%): hint: a Debian has it in the package $(2)" >&2; exit 1; }
needs-rpm:
	$(call needs,rpmbuild,rpm)
needs-deb:
	$(call needs,dh,debhelper)
needs-arch:
	$(call needs,makepkg,makepkg)

.PHONY: rpm
rpm: needs-rpm sources ## the packages for dom0, and for a template that is a Fedora, into build/dist
	@rm -rf $(BUILD)/rpm && mkdir -p $(BUILD)/rpm
	@for spec in qubes-claw-dom0 qubes-claw-vm; do \
	  $(FILL) -e "s/@CHANGELOG@/* $(RPM_DATE) qubes-claw developers - $(VERSION)-$(RELEASE)\n- See shared\/packaging\/CHANGELOG.md of the source./" shared/packaging/rpm/$$spec.spec.in >$(BUILD)/rpm/$$spec.spec && \
	  $(WITHOUT_OURS) $(RPMBUILD) $(BUILD)/rpm/$$spec.spec || exit 1; \
	done

DEB := $(BUILD)/deb/qubes-claw-$(VERSION)
.PHONY: deb
deb: needs-deb sources ## the packages for a template that is a Debian, into build/dist
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb
	@tar -C $(BUILD)/deb -xf $(SOURCE) && tar -C $(DEB) -xf $(VENDOR) && cp -r shared/packaging/debian $(DEB)/
	@sed -i '1s/(.*)/($(VERSION)-$(RELEASE))/' $(DEB)/debian/changelog
	@cd $(DEB) && $(WITHOUT_OURS) dpkg-buildpackage -b -us -uc -d >../log 2>&1 || { tail -n 30 ../log >&2; exit 1; }
	@mv $(BUILD)/deb/*.deb $(DIST)/

# Its name is in the packages: so it is the same wherever they are built.
ARCH := /tmp/qubes-claw-arch
# makepkg refuses to run as root.
MAKEPKG = $(if $(filter 0,$(shell id -u)),setpriv --reuid=65534 --regid=65534 --clear-groups) $(WITHOUT_OURS) HOME=$(ARCH) makepkg
.PHONY: arch
arch: needs-arch sources ## the packages for a template that is an Arch, into build/dist
	@rm -rf $(BUILD)/arch && mkdir -p $(BUILD)/arch
	@$(FILL) $$(for name in SOURCE:$(SOURCE) VENDOR:$(VENDOR); do sha256sum $${name#*:} | sed "s/\([^ ]*\).*/-e s,@SHA256_$${name%%:*}@,\1,/"; done) \
	  shared/packaging/arch/PKGBUILD.in >$(BUILD)/arch/PKGBUILD
	@cp shared/packaging/arch/*.install $(SOURCE) $(VENDOR) $(BUILD)/arch/
	@mkdir -m 700 $(ARCH) || { echo "make arch: hint: if no other build is under way, remove it" >&2; exit 1; }
	@trap 'rm -rf $(ARCH)' EXIT; cp $(BUILD)/arch/* $(ARCH)/; \
	  [ "$$(id -u)" != 0 ] || chown -R 65534:65534 $(ARCH); \
	  cd $(ARCH) && $(MAKEPKG) --nodeps --noconfirm >log 2>&1 || { tail -n 30 log >&2; exit 1; }; \
	  mv $(ARCH)/*.pkg.tar.* $(CURDIR)/$(DIST)/

# ---- A release ----

# Packages of the systems whose tools are here.
HERE = $(foreach pair,rpmbuild:rpm dh:deb makepkg:arch,$(if $(shell command -v $(firstword $(subst :, ,$(pair)))),$(lastword $(subst :, ,$(pair)))))
SBOM := $(DIST)/qubes-claw-$(VERSION).spdx.json

check-sign-key:
	@sh shared/packaging/sign-release check "$(SIGN_KEY)"

.PHONY: dist
dist: check-sign-key dom0 vm dom0-archive sources $(HERE) ## a release in build/dist, with its hashes and an SPDX list; SIGN_KEY=KEY signs them
	@$(DENO) run --quiet --no-check --config $(TOOL_CONFIG) --allow-read --allow-env=SOURCE_DATE_EPOCH shared/packaging/write-sbom.ts $(VERSION) $(DENO_VERSION) $(SOURCE) $(BUILD)/vendor >$(SBOM)
	@cp $(BUILD)/dom0.tgz $(DIST)/qubes-claw-dom0-$(VERSION).tgz
	@rm -rf $(DIST)/programs && mkdir $(DIST)/programs && cp -pr $(BUILD)/dom0 $(BUILD)/vm $(DIST)/programs/
	@cd $(DIST) && { ls *$(VERSION).t* *$(VERSION).spdx.json *$(VERSION)-$(RELEASE)[._-]*; find programs -type f; } | LC_ALL=C sort | xargs sha256sum | tee SHA256SUMS
	@rm -rf $(DIST)/programs
	@sh shared/packaging/sign-release $(DIST) "$(SIGN_KEY)"
