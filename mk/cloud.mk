# The image workflow: build/pvboot-ec2, the tools that bundle images. See cloud/bundle/pack.h.

CLOUD_BUNDLE := hex.c keys.c manifest_read.c manifest_fields.c manifest_write.c gzip.c pack.c unpack.c \
                program.c stage.c volume.c
CLOUD_TOOLS  := main.c common.c check.c bundle_image.c bundle_vol.c unbundle.c

CLOUD_EC2 := $(addprefix cloud/bundle/,$(CLOUD_BUNDLE)) $(addprefix cloud/tools/,$(CLOUD_TOOLS))
EC2_LIBS  := $(shell pkg-config --libs libarchive zlib libcrypto expat 2>/dev/null) -lpthread
EC2_OBJ   := $(patsubst %.c,$(BUILD)/host/%.o,$(CLOUD_EC2))
# It looks into images with the code of the host command.
EC2_HOST_OBJ := $(filter-out $(BUILD)/host/host/main.o,$(HOST_OBJ))

$(BUILD)/pvboot-ec2: $(EC2_OBJ) $(EC2_HOST_OBJ)
	$(CC) $(HOST_CFLAGS) -o $@ $^ $(UNPACK_LIBS) -lcrypto $(EC2_LIBS) $(LDFLAGS)

.PHONY: cloud unit-cloud
## make cloud        the tools that bundle images for a cloud, build/pvboot-ec2
cloud: $(BUILD)/pvboot-ec2

-include $(EC2_OBJ:.o=.d)

# Unit tests of cloud/: 64-bit only, as the programs are.
UNIT_CLOUD     := $(addprefix tests/unit/,test_cloud_manifest.c test_cloud_gzip.c)
UNIT_CLOUD_BIN := $(patsubst %.c,$(BUILD)/unit64/%,$(UNIT_CLOUD))
UNIT_CLOUD_OBJ := $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(addprefix cloud/bundle/,$(CLOUD_BUNDLE)) \
    $(addprefix core/base/,err.c text.c arena.c) tests/unit/support.c)

$(UNIT_CLOUD_BIN): $(BUILD)/unit64/%: $(BUILD)/unit64/obj/%.o $(UNIT_CLOUD_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(EC2_LIBS)

unit-cloud: $(UNIT_CLOUD_BIN)
	for t in $(UNIT_CLOUD_BIN); do echo "$$t:"; $$t || exit 1; done

-include $(UNIT_CLOUD_OBJ:.o=.d) $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(UNIT_CLOUD))

FUZZ_MANIFEST_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/cloud/bundle/%.o,hex.c keys.c manifest_read.c \
    manifest_fields.c manifest_write.c)

$(BUILD)/fuzz/tests/fuzz/fuzz_manifest: $(FUZZ_MANIFEST_OBJ)
$(BUILD)/fuzz/tests/fuzz/fuzz_manifest: UNPACK_LIBS += $(EC2_LIBS)

-include $(FUZZ_MANIFEST_OBJ:.o=.d)

.PHONY: install-cloud
## make install-cloud   the tools that bundle images, under their names, into $(DESTDIR)$(PREFIX)/bin
install-cloud: cloud
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/pvboot
	install -m 755 $(BUILD)/pvboot-ec2 $(DESTDIR)$(PREFIX)/bin/
	for tool in ec2-bundle-vol ec2-bundle-image ec2-unbundle; do \
	    ln -sf pvboot-ec2 $(DESTDIR)$(PREFIX)/bin/$$tool || exit 1; done
	install -m 644 share/pvboot/akis.tsv $(DESTDIR)$(PREFIX)/share/pvboot/
