# The image workflow: build/pvboot-ec2, the tools for images, and build/pvbootd, the service.
# Each folder of cloud/ says what lives there in its first header: cloud/bundle/pack.h,
# cloud/aws/sign.h, cloud/tools/tools.h, cloud/service/request.h.

CLOUD_BUNDLE  := keys.c manifest_read.c manifest_fields.c manifest_write.c gzip.c pack.c unpack.c \
                 unpack_folder.c unpack_stream.c work.c program.c stage.c filter.c volume.c
CLOUD_AWS     := uri.c sign.c sign_v4.c sign_v2.c sign_chain.c chunked.c checksum.c
CLOUD_AWS     += http.c xml_tree.c client.c digest.c store.c
CLOUD_TOOLS   := main.c common.c check.c inherit.c bundle_options.c bundle_image.c bundle_vol.c unbundle.c
CLOUD_TOOLS   += remote.c pool.c upload.c download.c delete.c api.c register.c run_instances.c
CLOUD_SERVICE := main.c config.c identity.c db.c db_migrate.c files.c blob.c keeper.c metrics.c log.c reply.c auth.c replay.c http.c \
                 ec2.c ec2_common.c ec2_tags.c ec2_places.c ec2_images.c bucket_source.c bucket_remote.c \
                 s3.c s3_body.c s3_meta.c s3_xml.c s3_bucket.c s3_object.c s3_condition.c s3_list.c \
                 s3_multipart.c
CLOUD_SERVICE += config_check.c state.c http_frame.c http_slow.c db_cache.c
CLOUD_SERVICE += ec2_image_attr.c image.c image_store.c image_helper.c ec2_mapping.c ec2_register.c ec2_register_bundle.c ec2_create_image.c
CLOUD_SERVICE += blob_make.c volume.c volume_find.c snapshot.c ec2_volumes.c ec2_volume_list.c \
                 ec2_snapshots.c ec2_snapshot_list.c
CLOUD_SERVICE += types.c ec2_cache.c quota.c
CLOUD_SERVICE += instance.c instance_xml.c instance_guest.c instance_seed.c instance_keeper.c \
                 ec2_types.c ec2_instances.c ec2_instance_state.c ec2_instance_attr.c ec2_console.c \
                 ec2_run.c ec2_run_take.c ec2_run_disks.c

CLOUD_ENGINE  := engine.c common.c disk.c \
                 embedded.c silence.c launch.c control.c guest.c runner.c requests.c \
                 xl.c xl_tool.c xl_config.c xl_console.c \
                 libvirt.c libvirt_conn.c libvirt_xml.c libvirt_disk.c libvirt_console.c

# Both look into images and start hosts with the code of the host command.
CLOUD_COMMON := $(CORE) $(filter-out host/main.c,$(HOST)) \
                $(addprefix cloud/bundle/,$(CLOUD_BUNDLE)) $(addprefix cloud/aws/,$(CLOUD_AWS))
CLOUD_EC2    := $(CLOUD_COMMON) $(addprefix cloud/tools/,$(CLOUD_TOOLS))
CLOUD_D      := $(CLOUD_COMMON) $(addprefix cloud/service/,$(CLOUD_SERVICE)) \
                $(addprefix cloud/engine/,$(CLOUD_ENGINE))
CLOUD_LIBS   := -larchive -lcrypto -lexpat -lcurl -lmicrohttpd -lsqlite3 -lvirt -lpthread

.PHONY: cloud
## make cloud        the tools for images and the service, build/pvboot-ec2 and build/pvbootd
cloud: $(BUILD)/pvboot-ec2 $(BUILD)/pvbootd

$(BUILD)/pvboot-ec2: $(patsubst %.c,$(BUILD)/host/%.o,$(CLOUD_EC2))
$(BUILD)/pvbootd: $(patsubst %.c,$(BUILD)/host/%.o,$(CLOUD_D))

$(BUILD)/pvboot-ec2 $(BUILD)/pvbootd:
	$(say) LINK $@
	$(CC) $(HOST_CFLAGS) -o $@ $^ -Wl,--as-needed $(UNPACK_LIBS) $(CLOUD_LIBS) $(LDFLAGS)

-include $(patsubst %.c,$(BUILD)/host/%.d,$(filter cloud/%,$(CLOUD_EC2) $(CLOUD_D)))

# ---- tests: 64 bit alone, as the programs are ---------------------------------------------------

UNIT_CLOUD     := $(addprefix tests/unit/,test_cloud_manifest.c test_cloud_gzip.c test_cloud_sign.c test_cloud_chunked.c \
                                         test_cloud_replay.c)
UNIT_CLOUD_BIN := $(patsubst %.c,$(BUILD)/unit64/%,$(UNIT_CLOUD))
UNIT_CLOUD_OBJ := $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(CLOUD_COMMON) cloud/service/replay.c tests/unit/support.c)

$(BUILD)/unit64/obj/host/%.o $(BUILD)/unit64/obj/cloud/%.o: TEST_CFLAGS += -DPVBOOT_VERSION='"$(VERSION)"'

$(UNIT_CLOUD_BIN): $(BUILD)/unit64/%: $(BUILD)/unit64/obj/%.o $(UNIT_CLOUD_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS) $(CLOUD_LIBS)

# The disks of the service and their rows.
UNIT_BLOB := $(BUILD)/unit64/tests/unit/test_cloud_blob
$(UNIT_BLOB): $(patsubst %.c,$(BUILD)/unit64/obj/%.o,tests/unit/test_cloud_blob.c $(addprefix cloud/service/,blob.c \
              blob_make.c db.c db_migrate.c db_cache.c reply.c)) $(UNIT_CLOUD_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS) $(CLOUD_LIBS)
UNIT_CLOUD_BIN += $(UNIT_BLOB)

# Connections that are slow, with a clock and connections of the test's own.
UNIT_SLOW := $(BUILD)/unit64/tests/unit/test_cloud_slow
$(UNIT_SLOW): $(patsubst %.c,$(BUILD)/unit64/obj/%.o,tests/unit/test_cloud_slow.c cloud/service/http_slow.c) \
              $(UNIT_CLOUD_OBJ)
	$(say) CC $@
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(UNPACK_LIBS) $(CLOUD_LIBS)
UNIT_CLOUD_BIN += $(UNIT_SLOW)

.PHONY: unit-cloud
## make unit-cloud   unit tests of the image workflow
unit-cloud: $(UNIT_CLOUD_BIN)
	for t in $(UNIT_CLOUD_BIN); do echo "$$t:"; $$t || exit 1; done

# The service under the sanitizers, for the tests.
$(BUILD)/pvbootd-asan: $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(CLOUD_D))
	$(say) LINK $@
	$(CC) $(TEST_CFLAGS) -o $@ $^ -Wl,--as-needed $(UNPACK_LIBS) $(CLOUD_LIBS)

# The tools under them.
$(BUILD)/pvboot-ec2-asan: $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(CLOUD_EC2))
	$(say) LINK $@
	$(CC) $(TEST_CFLAGS) -o $@ $^ -Wl,--as-needed $(UNPACK_LIBS) $(CLOUD_LIBS)

-include $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(filter cloud/tools/%,$(CLOUD_EC2)))

.PHONY: check-transfer
## make check-transfer [CASES="resumes"] the tools that talk to services
check-transfer: cloud $(BUILD)/pvboot-ec2-asan
	tests/cloud/transfer.py $(BUILD)/pvboot-ec2-asan $(BUILD)/pvbootd $(CASES)

# What reads objects as the service does, for its tests.
$(BUILD)/read-bucket: $(patsubst %.c,$(BUILD)/unit64/obj/%.o,$(filter-out %/main.c,$(CLOUD_D)) \
                                                             tests/cloud/read_bucket.c)
	$(say) LINK $@
	$(CC) $(TEST_CFLAGS) -o $@ $^ -Wl,--as-needed $(UNPACK_LIBS) $(CLOUD_LIBS)

-include $(patsubst %.c,$(BUILD)/unit64/obj/%.d,$(CLOUD_D) $(UNIT_CLOUD) tests/cloud/read_bucket.c)

.PHONY: check-seed
## make check-seed   a Debian system bundled, registered and run with the commands of Amazon's paper (as root)
check-seed: host images cloud
	tests/cloud/seed.py $(BUILD) $(BUILD)/seed-test

.PHONY: check-cloud
## make check-cloud [CASES="s3_lists"] the service, driven by boto3 and aws
check-cloud: $(BUILD)/pvbootd-asan $(BUILD)/read-bucket $(BUILD)/pvboot-ec2
	tests/cloud/run.py $(BUILD)/pvbootd-asan $(BUILD)/cloud-test $(CASES)

# Drives an engine alone.
$(BUILD)/engine_driver: tests/cloud/engine_driver.c $(patsubst %.c,$(BUILD)/host/%.o,$(CLOUD_COMMON) \
                        $(addprefix cloud/engine/,$(CLOUD_ENGINE)))
	$(say) LINK $@
	$(CC) $(HOST_CFLAGS) -o $@ $^ -Wl,--as-needed $(UNPACK_LIBS) $(CLOUD_LIBS) $(LDFLAGS)

.PHONY: check-engines
## make check-engines [CASES="many_guests"] the engines that run the service's instances
check-engines: host images $(BUILD)/pvbootd $(BUILD)/engine_driver
	tests/cloud/engines.py $(BUILD)/engine_driver $(BUILD)/engines-test $(CASES)

FUZZ_CLOUD := $(addprefix $(BUILD)/fuzz/tests/fuzz/,fuzz_manifest fuzz_bundle_stream fuzz_cloud_request \
                                                     fuzz_answer fuzz_cloud_chunked)

$(FUZZ_CLOUD): $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,host/xenhost/buf.c host/memory.c host/hex.c host/fence.c \
                            host/fence_enter.c \
                            $(filter cloud/%,$(CLOUD_COMMON)))
$(FUZZ_CLOUD): UNPACK_LIBS += $(CLOUD_LIBS)
$(BUILD)/fuzz/obj/cloud/%.o: TEST_CFLAGS += -DPVBOOT_VERSION='"$(VERSION)"'

-include $(patsubst %.c,$(BUILD)/fuzz/obj/%.d,$(filter cloud/%,$(CLOUD_COMMON)))

.PHONY: install-cloud
## make install-cloud   the tools and the service, under their names, into $(DESTDIR)$(PREFIX)/bin
install-cloud: cloud
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/pvboot
	install -m 755 $(BUILD)/pvboot-ec2 $(DESTDIR)$(PREFIX)/bin/
	for tool in ec2-bundle-vol ec2-bundle-image ec2-unbundle ec2-upload-bundle ec2-download-bundle \
	    ec2-delete-bundle ec2-register ec2-run-instances; do \
	    ln -sf pvboot-ec2 $(DESTDIR)$(PREFIX)/bin/$$tool || exit 1; done
	install -m 755 $(BUILD)/pvbootd $(DESTDIR)$(PREFIX)/sbin/
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,share/man/man8 lib/systemd/system lib/sysusers.d)
	install -m 644 man/pvbootd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	sed 's|/usr/sbin|$(PREFIX)/sbin|' share/systemd/pvbootd.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/pvbootd.service
	install -m 644 share/systemd/pvbootd-sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/pvbootd.conf
	install -m 644 share/pvboot/akis.tsv share/pvboot/types.tsv share/pvboot/pvbootd.conf share/pvboot/ec2.conf \
	    $(DESTDIR)$(PREFIX)/share/pvboot/
