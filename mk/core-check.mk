# That core/ stands alone: its undefined symbols, its variables, its includes.

CORE_CHECK_CFLAGS := -std=c11 -O2 $(WARN) $(INCLUDE) -ffreestanding -fno-stack-protector -fno-pic -fno-pie \
                     -U_FORTIFY_SOURCE
CORE_CHECK_OBJ := $(patsubst %.c,$(BUILD)/core-check/%.o,$(CORE))

$(BUILD)/core-check/%.o: %.c Makefile mk/core-check.mk
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(CORE_CHECK_CFLAGS) -MMD -MP -c -o $@ $<

.PHONY: check-core-symbols
## make check-core-symbols   that core/ needs nothing but what tests/core-symbols/allowed.txt lists
check-core-symbols: $(CORE_CHECK_OBJ)
	tests/core-symbols/check.sh $(CORE_CHECK_OBJ)

-include $(CORE_CHECK_OBJ:.o=.d)
