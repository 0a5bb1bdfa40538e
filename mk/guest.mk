# The guest images: build/images/pvboot-LAYOUT-WIDTH and their .gz, for two layouts and two widths.
#
# Freestanding: no libc, no start files; the static archives of the decompression libraries, of
# which the linker takes only what is reached. The layout, hd0 or hd00, is where the search for a
# menu begins: it differs in guest/main.c only, so all else is compiled once a width.

WIDTHS  := x86_64 i386
LAYOUTS := hd0 hd00
GUEST_IMAGES := $(foreach w,$(WIDTHS),$(foreach l,$(LAYOUTS),$(BUILD)/images/pvboot-$l-$w))
GUEST_IMAGE  := $(BUILD)/images/pvboot-hd0-x86_64

GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) $(INCLUDE) -DPVBOOT_VERSION='"$(VERSION)"' \
                -ffreestanding -fno-builtin-malloc -fno-stack-protector -fno-pic -fno-pie \
                -fno-asynchronous-unwind-tables -fcf-protection=none \
                -ffunction-sections -fdata-sections
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none \
                 -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

CFLAGS_x86_64 := -mno-red-zone -mcmodel=small
CFLAGS_i386   := -m32 -march=i686 -I$(I386_LIBS)/include
LIBS_x86_64   := $(UNPACK_LIBS)
LIBS_i386     := -L$(I386_LIBS)/lib $(UNPACK_LIBS)
CFLAGS_hd0    := -DPVBOOT_HD00=false
CFLAGS_hd00   := -DPVBOOT_HD00=true

# What a width's objects and images wait for.
NEEDS_i386 := $(I386_LIBS)/.done

.PHONY: images $(addprefix images-,$(WIDTHS))
## make images       the guest images, build/images/ (images-x86_64, images-i386: of one width)
images: $(addprefix images-,$(WIDTHS))

# $1: width
define width_rules
GUEST_OBJ_$1 := $$(patsubst %,$$(BUILD)/guest-$1/%.o,$$(basename $$(CORE) $$(GUEST) $$(GUEST_$1)))
MAIN_OBJ_$1  := $$(foreach l,$$(LAYOUTS),$$(BUILD)/guest-$1/guest/main-$$l.o)

images-$1: $$(foreach l,$$(LAYOUTS),$$(BUILD)/images/pvboot-$$l-$1 $$(BUILD)/images/pvboot-$$l-$1.gz)

$$(BUILD)/guest-$1/%.o: %.c Makefile mk/guest.mk VERSION $$(NEEDS_$1)
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$$(BUILD)/guest-$1/%.o: %.S Makefile mk/guest.mk
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<

$$(MAIN_OBJ_$1): $$(BUILD)/guest-$1/guest/main-%.o: guest/main.c Makefile mk/guest.mk VERSION $$(NEEDS_$1)
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) $$(CFLAGS_$1) $$(CFLAGS_$$*) -MMD -MP -c -o $$@ $$<

# The image with symbols stays beside the objects, for addresses in a trap's report.
$$(BUILD)/images/pvboot-%-$1: $$(BUILD)/guest-$1/guest/main-%.o $$(GUEST_OBJ_$1) guest/pv/image-$1.lds
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_LDFLAGS) $$(CFLAGS_$1) -T guest/pv/image-$1.lds \
	    -Wl,-Map=$$(BUILD)/guest-$1/pvboot-$$*.map -o $$(BUILD)/guest-$1/pvboot-$$*.debug \
	    $$(filter %.o,$$^) $$(LIBS_$1)
	objcopy --strip-all $$(BUILD)/guest-$1/pvboot-$$*.debug $$@

-include $$(GUEST_OBJ_$1:.o=.d) $$(MAIN_OBJ_$1:.o=.d)
endef
$(foreach w,$(WIDTHS),$(eval $(call width_rules,$w)))

$(BUILD)/images/%.gz: $(BUILD)/images/%
	gzip -9nc $< >$@.tmp && mv $@.tmp $@
