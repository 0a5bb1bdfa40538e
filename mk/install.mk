# `make install`: the command, the images, the embedded host's scripts, the man pages.

PREFIX  ?= /usr/local
DESTDIR ?=

MAN1 := $(wildcard man/*.1)
MAN5 := $(wildcard man/*.5)

IMAGE_DIR := $(DESTDIR)$(PREFIX)/lib/pvboot

# The names of Amazon's images, that configurations and scripts know: those of its first release,
# and the pattern of the later ones.
AMAZON_NAMES = pv-grub-$l-V1.01-$w.gz pv-grub-$l_1.05-$w.gz

.PHONY: install install-chain
## make install      into $(DESTDIR)$(PREFIX): bin, lib/pvboot, share/pvboot, share/man
install: host images
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pvboot share/pvboot/xenhost share/man/man1 \
	    share/man/man5)
	install -m 755 $(BUILD)/pvboot $(DESTDIR)$(PREFIX)/bin/
	ln -sf pvboot $(DESTDIR)$(PREFIX)/bin/pvboot-extract
	install -m 644 $(GUEST_IMAGES) $(GUEST_IMAGES:=.gz) $(IMAGE_DIR)/
	$(foreach w,$(WIDTHS),$(foreach l,$(LAYOUTS),$(foreach n,$(AMAZON_NAMES), \
	    ln -sf pvboot-$l-$w.gz $(IMAGE_DIR)/$n &&))) true
	install -m 755 host/xenhost/*.sh $(DESTDIR)$(PREFIX)/share/pvboot/xenhost/
	install -m 644 share/pvboot/akis.tsv $(DESTDIR)$(PREFIX)/share/pvboot/
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/

## make install-chain   in a guest: into $(DESTDIR)/boot/xen, where a loader of the host starts it from
install-chain: images
	install -d $(DESTDIR)/boot/xen
	$(foreach w,$(WIDTHS),install -m 644 $(BUILD)/images/pvboot-hd0-$w $(DESTDIR)/boot/xen/pvboot-$w.elf &&) true
