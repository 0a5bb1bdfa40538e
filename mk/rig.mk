# The embedded Xen host at work: the demo, the guest tests, the bench.

.PHONY: run demo check-guest bench
## make run          a demo disk with the distribution's own kernel, booted by pvboot
run: deps
	$(MAKE) --no-print-directory all demo
	@if [ -t 0 ] && [ -t 1 ]; then \
	    $(BUILD)/pvboot run $(BUILD)/demo/demo.img || [ $$? = 5 ]; \
	else \
	    exec $(BUILD)/pvboot run --append '(hd0,0)/boot/grub/poweroff.lst' --timeout 300 \
	        $(BUILD)/demo/demo.img </dev/null; \
	fi

demo:
	host/demo/mkdemo.sh $(BUILD)/demo

# The kernel that judges how it was started (tests/guest/kernel/README.md), in two kinds and two
# widths: build/test-kernel/KIND-WIDTH.
TEST_KERNEL     := main.c report.c info.c tables.c pages.c left.c
TEST_KERNEL_SRC := $(addprefix tests/guest/kernel/,$(TEST_KERNEL)) \
                   core/base/text.c core/base/crc32.c guest/libc/mem.c guest/libc/str.c
TEST_KERNEL_SRC_i386 := guest/libc/div64.c
TEST_KERNELS    := $(foreach w,$(WIDTHS),$(foreach k,linux plain,$(BUILD)/test-kernel/$k-$w))

# Where each is mapped and begins, where it wants the P2M list (0: in the initial mapping), and
# whether it takes the initrd by pfn.
KERNEL_AT_linux-x86_64 := -Wl,--defsym=virt_base=0xffffffff80000000,--defsym=load_off=0x1000000
KERNEL_AT_linux-i386   := -Wl,--defsym=virt_base=0xc0000000,--defsym=load_off=0x1000000
KERNEL_AT_plain-x86_64 := -Wl,--defsym=virt_base=0,--defsym=load_off=0
KERNEL_AT_plain-i386   := -Wl,--defsym=virt_base=0,--defsym=load_off=0
KERNEL_IS_linux-x86_64 := -DKERNEL_LINUX=1 -DKERNEL_P2M=0x8000000000 -DKERNEL_BY_PFN=1 -mcmodel=kernel
KERNEL_IS_linux-i386   := -DKERNEL_LINUX=1 -DKERNEL_P2M=0 -DKERNEL_BY_PFN=0 '-DKERNEL_PAE_MODE="yes"'
KERNEL_IS_plain-x86_64 := -DKERNEL_LINUX=0 -DKERNEL_P2M=0 -DKERNEL_BY_PFN=0
KERNEL_IS_plain-i386   := -DKERNEL_LINUX=0 -DKERNEL_P2M=0 -DKERNEL_BY_PFN=0 '-DKERNEL_PAE_MODE="bimodal"'

# $1: kind-width, $2: width
define test_kernel_rules
$$(BUILD)/test-kernel/$1.d/%.o: %.c mk/rig.mk mk/guest.mk $$(NEEDS_$2)
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) $$(CFLAGS_$2) $$(KERNEL_IS_$1) -MMD -MP -c -o $$@ $$<

$$(BUILD)/test-kernel/$1.d/%.o: %.S mk/rig.mk mk/guest.mk
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(CC) $$(GUEST_CFLAGS) $$(CFLAGS_$2) $$(KERNEL_IS_$1) -MMD -MP -c -o $$@ $$<

$$(BUILD)/test-kernel/$1: tests/guest/kernel/kernel.lds $$(patsubst %,$$(BUILD)/test-kernel/$1.d/%.o, \
    tests/guest/kernel/start-$2 $$(basename $$(TEST_KERNEL_SRC) $$(TEST_KERNEL_SRC_$2)))
	$$(say) LINK $$@
	$$(CC) $$(GUEST_LDFLAGS) $$(CFLAGS_$2) -T $$< $$(KERNEL_AT_$1) -o $$@ $$(filter %.o,$$^)
endef
$(foreach w,$(WIDTHS),$(foreach k,linux plain,$(eval $(call test_kernel_rules,$k-$w,$w))))

-include $(foreach k,$(TEST_KERNELS),$(patsubst %,$k.d/%.d,$(basename $(TEST_KERNEL_SRC))))

.PHONY: test-kernels
test-kernels: $(TEST_KERNELS)

# CASES="NAME..." runs only these of the rig's cases
check-guest: host images test-kernels
	@status=0; \
	$(PYTHON) -B tests/guest/run.py $(CASES) || status=1; \
	[ -n "$(CASES)" ] || $(PYTHON) -B tests/guest/cli.py || status=1; \
	exit $$status

## make bench        times against GRUB's Xen image and direct boot, as a table
bench: deps
	$(MAKE) --no-print-directory host images
	$(PYTHON) -B tests/bench/bench.py
	$(PYTHON) -B tests/bench/reading.py
