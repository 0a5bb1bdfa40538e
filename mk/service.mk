# The image workflow: build/pvbootd, the service.

CLOUD_AWS     := uri.c sign.c sign_v4.c sign_v2.c
CLOUD_SERVICE := main.c config.c catalogue.c db.c db_migrate.c files.c metrics.c log.c reply.c auth.c http.c \
                 ec2.c ec2_places.c ec2_images.c \
                 s3.c s3_xml.c s3_bucket.c s3_object.c s3_list.c s3_multipart.c

CLOUD_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARN) $(INCLUDE) -DPVBOOT_VERSION='"$(VERSION)"' $(CFLAGS)

PVBOOTD_OBJ  := $(patsubst %.c,$(BUILD)/cloud/%.o,$(addprefix cloud/aws/,$(CLOUD_AWS)) \
                  $(addprefix cloud/service/,$(CLOUD_SERVICE)) \
                  host/xenhost/buf.c core/base/text.c core/base/cols.c)
PVBOOTD_LIBS := -lmicrohttpd -lsqlite3 -lexpat -lcrypto

.PHONY: pvbootd
## make pvbootd      the service, build/pvbootd
pvbootd: $(BUILD)/pvbootd

$(BUILD)/pvbootd: $(PVBOOTD_OBJ)
	$(CC) $(CLOUD_CFLAGS) -pthread -o $@ $^ $(PVBOOTD_LIBS) $(LDFLAGS)

$(BUILD)/cloud/%.o: %.c Makefile mk/service.mk VERSION
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(CLOUD_CFLAGS) -pthread -MMD -MP -c -o $@ $<

-include $(PVBOOTD_OBJ:.o=.d)

# The same under the sanitizers, for the tests.
PVBOOTD_TEST_OBJ := $(PVBOOTD_OBJ:$(BUILD)/cloud/%=$(BUILD)/cloud-asan/%)

$(BUILD)/pvbootd-asan: $(PVBOOTD_TEST_OBJ)
	$(CC) $(TEST_CFLAGS) -pthread -o $@ $^ $(PVBOOTD_LIBS)

$(BUILD)/cloud-asan/%.o: %.c Makefile mk/service.mk VERSION
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -DPVBOOT_VERSION='"$(VERSION)"' -pthread -MMD -MP -c -o $@ $<

-include $(PVBOOTD_TEST_OBJ:.o=.d)

.PHONY: check-cloud
## make check-cloud [CASES="s3_lists"] the service, driven by boto3 and aws
check-cloud: $(BUILD)/pvbootd-asan
	tests/cloud/run.py $(BUILD)/pvbootd-asan $(BUILD)/cloud-test $(CASES)

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

# Fuzz harnesses of the image workflow.
$(BUILD)/fuzz/tests/fuzz/fuzz_cloud_request: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_cloud_request.o \
    $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(CLOUD_TESTED))
	$(say) CC $@
	@mkdir -p $(@D)
	$(CLANG) $(TEST_CFLAGS) -fsanitize=fuzzer -o $@ $^ -lcrypto
