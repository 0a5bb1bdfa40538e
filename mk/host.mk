# The host command: build/pvboot.

HOST_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARN) $(INCLUDE) -DPVBOOT_VERSION='"$(VERSION)"' $(CFLAGS)
HOST_OBJ    := $(patsubst %.c,$(BUILD)/host/%.o,$(CORE) $(HOST))

.PHONY: host
## make host         the pvboot command, build/pvboot
host: $(BUILD)/pvboot

$(BUILD)/pvboot: $(HOST_OBJ)
	$(CC) $(HOST_CFLAGS) -o $@ $^ $(UNPACK_LIBS) -lcrypto $(LDFLAGS)

$(BUILD)/host/%.o: %.c Makefile mk/host.mk VERSION
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

-include $(HOST_OBJ:.o=.d)
