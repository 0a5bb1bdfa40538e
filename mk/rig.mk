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

# CASES="NAME..." runs only these of the rig's cases
check-guest: host images
	@status=0; \
	$(PYTHON) -B tests/guest/run.py $(CASES) || status=1; \
	[ -n "$(CASES)" ] || $(PYTHON) -B tests/guest/cli.py || status=1; \
	exit $$status

## make bench        times against GRUB's Xen image and direct boot, as a table
bench: deps
	$(MAKE) --no-print-directory host images
	$(PYTHON) -B tests/bench/bench.py
	$(PYTHON) -B tests/bench/reading.py
