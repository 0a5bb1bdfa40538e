# Unit tests (64 and 32 bit, sanitizers) and fuzz harnesses.

TEST_CFLAGS := -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) $(INCLUDE) -fsanitize=address,undefined \
               -fno-sanitize-recover=all -fno-omit-frame-pointer
# Of each harness.
FUZZ_SECONDS ?= 30

UNIT_BIN64 := $(patsubst %.c,$(BUILD)/unit64/%,$(UNIT))
UNIT_BIN32 := $(patsubst %.c,$(BUILD)/unit32/%,$(UNIT))
FUZZ_BIN   := $(patsubst %.c,$(BUILD)/fuzz/%,$(FUZZ))

UNIT_COMMON := $(CORE) $(addprefix tests/unit/,$(UNIT_SUPPORT))
UNIT_OBJ64  := $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(UNIT_COMMON))
UNIT_OBJ32  := $(patsubst %.c,$(BUILD)/unit32/obj/%.o,$(UNIT_COMMON))
FUZZ_OBJ    := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(UNIT_COMMON) $(FUZZ_SUPPORT))

$(BUILD)/unit64/obj/%.o: %.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit32/obj/%.o: %.c $(I386_LIBS)/.done
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) -m32 -D_FILE_OFFSET_BITS=64 -I$(I386_LIBS)/include $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/obj/%.o: %.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(CLANG) $(TEST_CFLAGS) -O2 -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/unit64/tests/unit/%: $(BUILD)/unit64/obj/tests/unit/%.o $(UNIT_OBJ64)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS)

$(BUILD)/unit32/tests/unit/%: $(BUILD)/unit32/obj/tests/unit/%.o $(UNIT_OBJ32)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) -m32 $(TEST_CFLAGS) -o $@ $^ -L$(I386_LIBS)/lib $(UNPACK_LIBS)

# What tests of the host command need besides core/.
HOST_TESTED := $(addprefix host/,fence.c fence_enter.c compat.c aki_table.c)

$(foreach b,unit64 unit32,$(eval $(BUILD)/$b/tests/unit/test_fence $(BUILD)/$b/tests/unit/test_compat $(BUILD)/$b/tests/unit/test_aki: \
    $(patsubst %.c,$(BUILD)/$b/obj/%.o,$(HOST_TESTED))))

$(BUILD)/fuzz/tests/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CLANG) $(TEST_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(UNPACK_LIBS)

# What harnesses of the host command's readers need besides core/.
FUZZ_INITRD := inspect_initrd.c inspect_look.c inspect_kernel.c inspect_doubts.c inspect_compat.c compat.c
FUZZ_MENU   := $(FUZZ_INITRD) inspect_menu.c inspect_text.c inspect_json.c json.c builtin.c
FUZZ_HOST_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/host/%.o,qcow2.c $(FUZZ_MENU))

$(BUILD)/fuzz/tests/fuzz/fuzz_qcow2: $(BUILD)/fuzz/obj/host/qcow2.o
$(BUILD)/fuzz/tests/fuzz/fuzz_initrd: $(patsubst %.c,$(BUILD)/fuzz/obj/host/%.o,$(FUZZ_INITRD))
$(BUILD)/fuzz/obj/host/inspect_text.o: TEST_CFLAGS += -DPVBOOT_VERSION='"$(VERSION)"'
$(BUILD)/fuzz/tests/fuzz/fuzz_menu: $(patsubst %.c,$(BUILD)/fuzz/obj/host/%.o,$(FUZZ_MENU))

.PRECIOUS: $(BUILD)/unit64/obj/%.o $(BUILD)/unit32/obj/%.o $(BUILD)/fuzz/obj/%.o

# The 32-bit archives of the decompression libraries, unpacked from their packages: nothing of
# them is installed.
$(I386_LIBS)/.done: tools/fetch-i386-libs.sh
	tools/fetch-i386-libs.sh $(I386_LIBS)

.PHONY: unit64 unit32 fuzz-build
unit64: $(UNIT_BIN64)
unit32: $(UNIT_BIN32)
fuzz-build: $(FUZZ_BIN)

-include $(UNIT_OBJ64:.o=.d) $(UNIT_OBJ32:.o=.d) $(FUZZ_OBJ:.o=.d) \
         $(FUZZ_HOST_OBJ:.o=.d) \
         $(foreach b,unit64 unit32,$(patsubst %.c,$(BUILD)/$b/obj/%.d,$(HOST_TESTED))) \
         $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(UNIT)) \
         $(patsubst %.c,$(BUILD)/unit32/obj/%.d,$(UNIT)) $(patsubst %.c,$(BUILD)/fuzz/obj/%.d,$(FUZZ))

# Writes into images where the guest would.
OVERWRITE := $(BUILD)/unit64/tests/images/overwrite

$(OVERWRITE): $(BUILD)/unit64/obj/tests/images/overwrite.o $(UNIT_OBJ64)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS)

.PHONY: check-images
## make check-images [NAMES="xfs-*"] file systems as pvboot reads them, compared with Linux (in QEMU)
check-images: $(BUILD)/pvboot $(OVERWRITE)
	status=0; tests/images/run.py --overwrite $(OVERWRITE) $(BUILD)/pvboot $(BUILD)/images-test $(NAMES) || status=1; \
	tests/images/commands.sh $(BUILD)/pvboot $(BUILD)/images-test/commands || status=1; \
	tests/images/partitions.py $(BUILD)/pvboot $(BUILD)/images-test/partitions || status=1; \
	[ -n "$(NAMES)" ] || tests/images/volumes.py $(BUILD)/pvboot $(BUILD)/images-test/volumes || status=1; \
	exit $$status

CRASH_ROUNDS ?= 10

.PHONY: crash
## make crash [CRASH_ROUNDS=200] disks of a guest killed in the middle of kernel upgrades, pvboot against Linux
crash: $(BUILD)/pvboot
	tests/crash/crash.py $(BUILD)/pvboot $(BUILD)/crash $(CRASH_ROUNDS)

# Damaged file systems, read under the sanitizers.
HOSTILE := $(BUILD)/unit64/tests/hostile/hostile

$(HOSTILE): $(BUILD)/unit64/obj/tests/hostile/hostile.o $(UNIT_OBJ64)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS)

.PHONY: check-hostile
## make check-hostile   e2fsprogs' damaged images and trashed XFS ones through every reader
check-hostile: $(HOSTILE)
	tests/hostile/run.sh $(HOSTILE) $(BUILD)/hostile
