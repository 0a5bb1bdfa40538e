# The image workflow: build/pvbootd, the service.

CLOUD_AWS     := uri.c sign.c sign_v4.c sign_v2.c
CLOUD_SERVICE :=

CLOUD_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARN) $(INCLUDE) -DPVBOOT_VERSION='"$(VERSION)"' $(CFLAGS)

# Unit tests: 64 bit alone, because the libraries are those of the machine.
CLOUD_UNIT   := $(addprefix tests/unit/,test_cloud_sign.c)
CLOUD_TESTED := $(addprefix cloud/aws/,$(CLOUD_AWS)) host/xenhost/buf.c
CLOUD_UNIT64 := $(patsubst %.c,$(BUILD)/unit64/%,$(CLOUD_UNIT))

.PHONY: unit-cloud
## make unit-cloud   unit tests of the image workflow
unit-cloud: $(CLOUD_UNIT64)
	for t in $(CLOUD_UNIT64); do $$t || exit 1; done

$(CLOUD_UNIT64): $(BUILD)/unit64/tests/unit/%: $(BUILD)/unit64/obj/tests/unit/%.o \
                 $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(CLOUD_TESTED) core/base/err.c core/base/text.c core/base/cols.c)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ -lcrypto

-include $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(CLOUD_UNIT) $(CLOUD_TESTED))
