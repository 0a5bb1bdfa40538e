# The guest images: build/images/pvboot-hd0-x86_64 and its .gz.
#
# Freestanding: no libc, no start files; the static archives of the decompression libraries, of
# which the linker takes only what is reached.

GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) $(INCLUDE) -DPVBOOT_VERSION='"$(VERSION)"' \
                -ffreestanding -fno-builtin-malloc -fno-stack-protector -fno-pic -fno-pie \
                -fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone -mcmodel=small \
                -ffunction-sections -fdata-sections
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none \
                 -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

GUEST_OBJ := $(patsubst %,$(BUILD)/guest-x86_64/%.o,$(basename $(CORE) $(GUEST)))
GUEST_LDS := guest/pv/image-x86_64.lds
GUEST_IMAGE := $(BUILD)/images/pvboot-hd0-x86_64

.PHONY: images
## make images       the guest images, build/images/
images: $(GUEST_IMAGE) $(GUEST_IMAGE).gz

# The image with symbols stays beside the stripped one, for addresses in a trap's report.
$(GUEST_IMAGE): $(GUEST_OBJ) $(GUEST_LDS)
	@mkdir -p $(@D) $(BUILD)/guest-x86_64
	$(CC) $(GUEST_LDFLAGS) -T $(GUEST_LDS) -Wl,-Map=$(BUILD)/guest-x86_64/image.map \
	    -o $(BUILD)/guest-x86_64/pvboot.debug $(GUEST_OBJ) $(UNPACK_LIBS)
	objcopy --strip-all $(BUILD)/guest-x86_64/pvboot.debug $@

$(GUEST_IMAGE).gz: $(GUEST_IMAGE)
	gzip -9nc $< >$@.tmp && mv $@.tmp $@

$(BUILD)/guest-x86_64/%.o: %.c Makefile mk/guest.mk VERSION
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/guest-x86_64/%.o: %.S Makefile mk/guest.mk
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

-include $(GUEST_OBJ:.o=.d)
