# Tables that are made from the distribution's data when something is built.

$(FOLD_TABLES): tools/fold-tables.py
	$(say) GEN $@
	@mkdir -p $(@D)
	$(PYTHON) $< $@

# In each build: the dependency that a first build cannot know yet.
$(foreach b,host guest-x86_64 guest-i386 core-check unit64/obj unit32/obj fuzz/obj, \
    $(BUILD)/$b/core/fs/fold.o): $(FOLD_TABLES)
