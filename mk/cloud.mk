# The image workflow: build/pvboot-ec2, the tools that bundle images. See cloud/bundle/manifest.h.

CLOUD_BUNDLE := hex.c keys.c manifest_read.c manifest_fields.c manifest_write.c
CLOUD_TOOLS  := 

CLOUD_EC2    := $(addprefix cloud/bundle/,$(CLOUD_BUNDLE)) $(addprefix cloud/tools/,$(CLOUD_TOOLS))
CLOUD_LIBS   := $(shell pkg-config --libs libarchive zlib libcrypto expat)

# Unit tests of cloud/: 64-bit only, as the programs are.
UNIT_CLOUD   := tests/unit/test_cloud_manifest.c
UNIT_CLOUD_BIN := $(patsubst %.c,$(BUILD)/unit64/%,$(UNIT_CLOUD))
UNIT_CLOUD_OBJ := $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(addprefix cloud/bundle/,$(CLOUD_BUNDLE)) \
    $(addprefix core/base/,err.c text.c arena.c) tests/unit/support.c)

$(UNIT_CLOUD_BIN): $(BUILD)/unit64/%: $(BUILD)/unit64/obj/%.o $(UNIT_CLOUD_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(CLOUD_LIBS)

.PHONY: unit-cloud
unit-cloud: $(UNIT_CLOUD_BIN)
	for t in $(UNIT_CLOUD_BIN); do echo "$$t:"; $$t || exit 1; done

-include $(UNIT_CLOUD_OBJ:.o=.d) $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(UNIT_CLOUD))
