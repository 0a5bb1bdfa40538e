# pvboot: a boot loader for Xen paravirtual guests. `make help` lists the targets.
#
# One source list, three builds: core/ is compiled into the guest images (freestanding), into the
# host command, and into the tests and fuzzers.

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PYTHON ?= python3

WARN  := -Wall -Wextra -Werror -Wconversion -Wshadow
VERSION := $(shell cat VERSION)

# V=1 shows whole commands.
ifeq ($(V),1)
say =
else
.SILENT:
say = @printf '  %-6s %s\n'
endif

# ---- sources, folder by folder -------------------------------------------------------------------

CORE_BASE   := err.c text.c cols.c arena.c crc32.c
CORE_DISK   := disk.c cache.c mapped.c overlay.c md.c md_array.c \
               lvm.c lvm_label.c lvm_text.c lvm_vg.c lvm_map.c \
               part.c part_type.c mbr.c mbr_logical.c gpt.c
CORE_FS     := fs.c foreign.c walk.c file.c stream.c vols.c vols_find.c vols_name.c blocklist.c inplace.c \
               crc.c fold.c
CORE_EXT    := ext.c ext_inode.c ext_map.c ext_dir.c ext_hash.c ext_htree.c ext_inline.c \
               ext_journal.c ext_journal_log.c ext_journal_scan.c ext_journal_fast.c ext_edits.c \
               ext_write.c
CORE_XFS    := xfs.c xfs_super.c xfs_crc.c xfs_inode.c xfs_bmap.c xfs_dir.c xfs_dir_hash.c
CORE_REISER := reiserfs.c reiserfs_tree.c reiserfs_item.c reiserfs_dir.c reiserfs_hash.c reiserfs_journal.c
CORE_XFS    += xfs_log.c xfs_log_read.c xfs_log_head.c xfs_log_trans.c xfs_log_items.c \
               xfs_log_inode.c xfs_log_seal.c xfs_log_intents.c xfs_log_fork.c
CORE_UNPACK := unpack.c gzip.c bzip2.c xz.c lzop.c lzo1x.c lz4.c lz4_block.c xxh32.c zstd.c
CORE_IMAGE  := image.c load.c stream.c bzimage.c elf.c notes.c describe.c
CORE_IMAGE  += source.c sections.c guest_section.c symtab.c
CORE_MENU   := lex.c menu.c commands.c table.c cmd_menu.c cmd_boot.c cmd_disk.c cmd_find.c cmd_file.c \
               cmd_misc.c ask.c chain.c places.c locate.c keys.c columns.c screen.c list.c choose.c attempt.c session.c
CORE_MENU   += password.c crypt.c digest.c
CORE_MENU   += edit.c edit_text.c edit_show.c
CORE_MENU   += saved.c cmd_saved.c
CORE_MENU   += pager.c match.c complete.c cmdline.c entry_edit.c
CORE_PLAN   := layout.c tables.c exchange.c start_info.c

CORE := $(addprefix core/base/,$(CORE_BASE)) $(addprefix core/disk/,$(CORE_DISK)) \
        $(addprefix core/fs/,$(CORE_FS) $(CORE_EXT) $(CORE_XFS) $(CORE_REISER)) $(addprefix core/unpack/,$(CORE_UNPACK)) \
        $(addprefix core/image/,$(CORE_IMAGE)) $(addprefix core/menu/,$(CORE_MENU)) \
        $(addprefix core/plan/,$(CORE_PLAN))

GUEST_MAIN := print.c panic.c
GUEST_XEN  := ledger.c events.c clock.c console.c grants.c xenstore.c xenstore_ring.c vdev.c \
              blkfront.c blkfront_store.c blkfront_ring.c blkfront_part.c blkfront_io.c
GUEST_PV   := pv.c mm.c pool.c traps.c platform.c boot.c handover.c
GUEST_LIBC := mem.c str.c unreachable.c leftout.c constructors.c

# main.c is compiled once for each layout, see mk/guest.mk.
GUEST := $(addprefix guest/,$(GUEST_MAIN)) $(addprefix guest/xen/,$(GUEST_XEN)) \
         $(addprefix guest/pv/,$(GUEST_PV)) $(addprefix guest/libc/,$(GUEST_LIBC))

GUEST_x86_64 := $(addprefix guest/pv/,entry-x86_64.S passage-x86_64.S arch_x86_64.c)
GUEST_i386   := $(addprefix guest/pv/,entry-i386.S passage-i386.S arch_i386.c) guest/libc/div64.c

HOST_XENHOST := buf.c guest.c image.c loop.c monitor.c qemu.c start.c
HOST_CMD     := main.c memory.c hex.c fence.c fence_enter.c machine.c filedisk.c qcow2.c json.c builtin.c files.c listing.c \
                run.c run_options.c run_tty.c hostcmd.c \
                extract.c extract_pygrub.c extract_files.c extract_work.c extract_take.c \
                inspect.c inspect_look.c inspect_menu.c inspect_kernel.c inspect_initrd.c inspect_doubts.c compat.c inspect_compat.c \
                inspect_text.c inspect_json.c
HOST_CMD     += cmd.c aki.c aki_table.c aki_image.c kernel_look.c

HOST := $(addprefix host/xenhost/,$(HOST_XENHOST)) $(addprefix host/,$(HOST_CMD))

# Unit tests: each file is a program, linked with core/ and tests/unit/support.
UNIT := $(addprefix tests/unit/,test_base.c \
          test_disk.c test_overlay.c test_part.c test_gpt.c test_blocklist.c test_vols.c \
          test_md.c test_lvm.c test_lvm_text.c test_volumes.c \
          test_ext_journal.c test_ext_journal_fast.c test_ext_journal_memory.c \
          test_ext.c test_ext_htree.c test_ext_casefold.c test_ext_features.c test_ext_reads.c test_walk.c \
          test_xfs.c test_xfs_damage.c \
          test_lzo.c test_unpack.c test_image.c test_image_refuse.c \
          test_menu.c test_docs.c test_errors.c test_commands.c test_commands_file.c \
          test_menu_locate.c test_keys.c test_session.c test_edit.c test_complete.c test_cmdline.c test_entry_edit.c \
          test_plan.c test_guest_libc.c test_vdev.c)
UNIT_SUPPORT := support.c volgen.c mkfs.c jbd2gen.c mkxfs.c extdir.c packed.c memfile.c elfgen.c tree.c term.c menurun.c

UNIT         += $(addprefix tests/unit/,test_image_old.c test_image_packed.c test_plan_p2m.c test_plan_memory.c)
UNIT_SUPPORT += loaded.c
UNIT         += tests/unit/test_screen.c
UNIT_SUPPORT += grid.c
UNIT         += $(addprefix tests/unit/,test_xfs_log.c test_xfs_log_items.c)
UNIT_SUPPORT += xfsloggen.c xfslogbed.c xfs_build.c
UNIT         += $(addprefix tests/unit/,test_reiserfs.c test_reiserfs_tree.c)
UNIT         += $(addprefix tests/unit/,test_fence.c test_compat.c)
UNIT         += tests/unit/test_password.c
UNIT         += tests/unit/test_aki.c
UNIT         += $(addprefix tests/unit/,test_inplace.c test_inplace_fs.c test_saved.c test_savedefault.c test_lvm_place.c)
UNIT_SUPPORT += writedisk.c
UNIT_SUPPORT += reisergen.c

# Fuzz harnesses: each file is a libFuzzer program.
FUZZ := $(addprefix tests/fuzz/,fuzz_part.c fuzz_lvm.c fuzz_md.c \
          fuzz_ext.c fuzz_ext_journal.c \
          fuzz_unpack.c fuzz_lzo.c fuzz_image.c fuzz_menu.c fuzz_qcow2.c fuzz_initrd.c)
FUZZ += tests/fuzz/fuzz_session.c
FUZZ += tests/fuzz/fuzz_xfs.c tests/fuzz/fuzz_xfs_log.c
FUZZ += tests/fuzz/fuzz_reiserfs.c
FUZZ += tests/fuzz/fuzz_edit.c
FUZZ += tests/fuzz/fuzz_password.c
FUZZ += tests/fuzz/fuzz_manifest.c tests/fuzz/fuzz_bundle_stream.c tests/fuzz/fuzz_cloud_request.c tests/fuzz/fuzz_answer.c
FUZZ += tests/fuzz/fuzz_cloud_chunked.c
FUZZ_SUPPORT := $(addprefix tests/fuzz/,visit.c)

# Headers that are made, not written: mk/tables.mk has the rules.
GEN := $(BUILD)/gen
INCLUDE := -I. -I$(GEN)
FOLD_TABLES := $(GEN)/core/fs/fold_tables.h

UNPACK_LIBS := -lz -lbz2 -llzma -llz4 -lzstd
UNPACK_LIBS += -lmbedcrypto # the digests of passwords
I386_LIBS   := $(BUILD)/i386-libs

include mk/host.mk mk/guest.mk mk/tests.mk mk/cloud.mk mk/core-check.mk mk/check.mk mk/rig.mk mk/install.mk mk/tables.mk

.PHONY: all help clean deps
all: host images

## make deps         install the Debian packages that are missing
deps:
	tools/install-deps.sh

help:
	@sed -n 's/^## //p' Makefile mk/*.mk

## make clean        remove everything that was built
clean:
	rm -rf $(BUILD)
