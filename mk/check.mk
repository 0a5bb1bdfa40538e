# What CI runs: `make check` (all tests) and `make lint`, counted together by `make ci`.

UNIT_RUN64 = for t in $(UNIT_BIN64); do echo "$$t:"; $$t || exit 1; done
UNIT_RUN32 = for t in $(UNIT_BIN32); do echo "$$t:"; $$t || exit 1; done

# The guest tests take longest and keep one core busy, so the rest runs beside them, and the last ones
# beside the file systems; the fuzzers, which take all that they get, step back for the others.
SUITES = '+guest=$(MAKE) --no-print-directory check-guest' \
         '+unit64=$(UNIT_RUN64)' \
         'unit32=$(UNIT_RUN32)' \
         'cloud=$(MAKE) --no-print-directory unit-cloud' \
         'bundle=$(PYTHON) tests/cloud/bundle.py $(BUILD)/pvboot-ec2' \
         'bundle-hostile=$(PYTHON) tests/cloud/bundle_hostile.py $(BUILD)/pvboot-ec2' \
         'volume=$(PYTHON) tests/cloud/volume.py $(BUILD)/pvboot-ec2 $(BUILD)/pvboot' \
         'transfer=$(MAKE) --no-print-directory check-transfer' \
         'service=$(MAKE) --no-print-directory check-cloud' \
         'seed=tests/cloud/seed.py $(BUILD) $(BUILD)/seed-test' \
         'engines=$(MAKE) --no-print-directory check-engines' \
         'inspect=$(PYTHON) tests/host/inspect.py $(BUILD)/pvboot' \
         'compat=$(PYTHON) tests/host/compat.py $(BUILD)/pvboot' \
         'extract=$(PYTHON) tests/host/extract.py $(BUILD)/pvboot' \
         'aki=$(PYTHON) tests/host/aki.py $(BUILD)/pvboot' \
         'manuals=$(PYTHON) tests/host/manuals.py $(BUILD)/pvboot $(BUILD)/pvboot-ec2 $(BUILD)/pvbootd' \
         'menus=$(PYTHON) -B tests/menus/run.py $(BUILD)/pvboot' \
         'size=tests/size.sh 460800 $(GUEST_IMAGES:=.gz)' \
         'core=$(MAKE) --no-print-directory check-core-symbols' \
         '+images=$(MAKE) --no-print-directory check-images' \
         'hostile=$(MAKE) --no-print-directory check-hostile' \
         'crash=$(MAKE) --no-print-directory crash CRASH_ROUNDS=10' \
         'fuzz=nice tests/fuzz/run.sh $(FUZZ_SECONDS) $(BUILD)/fuzz/corpus $(FUZZ_BIN)'

.PHONY: check lint ci check-build
## make check        all tests; installs what they need
check: deps
	$(MAKE) --no-print-directory -j2 check-build
	tests/check.sh $(BUILD)/check $(SUITES)

check-build: all cloud unit64 unit32 fuzz-build $(HOSTILE) $(OVERWRITE)
	@tools/fetch-xen32.sh >/dev/null || echo "no Xen for 32-bit guests: tests that need it are skipped"
	@tools/fetch-kernels.sh >/dev/null || echo "no distribution kernels: tests that need them are skipped"
	@tools/fetch-s3-server.sh >/dev/null || echo "no S3 server of other people: the test that needs it is skipped"

## make lint         format, static analysis, sizes
lint: deps $(FOLD_TABLES)
	tests/lint.sh

# For .ci/run: everything, one closing line of counts.
ci:
	$(MAKE) --no-print-directory -j2 check-build
	tests/check.sh $(BUILD)/check 'lint=tests/lint.sh' $(SUITES)
