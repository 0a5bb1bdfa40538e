# `make install`: the command, the images, the embedded host's scripts, the man pages.

PREFIX  ?= /usr/local
DESTDIR ?=

MAN1 := $(wildcard man/*.1)
MAN5 := $(wildcard man/*.5)

.PHONY: install
## make install      into $(DESTDIR)$(PREFIX): bin, lib/pvboot, share/pvboot, share/man
install: host images
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pvboot share/pvboot/xenhost share/man/man1 \
	    share/man/man5)
	install -m 755 $(BUILD)/pvboot $(DESTDIR)$(PREFIX)/bin/
	ln -sf pvboot $(DESTDIR)$(PREFIX)/bin/pvboot-extract
	install -m 644 $(GUEST_IMAGE) $(GUEST_IMAGE).gz $(DESTDIR)$(PREFIX)/lib/pvboot/
	install -m 755 host/xenhost/*.sh $(DESTDIR)$(PREFIX)/share/pvboot/xenhost/
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/
