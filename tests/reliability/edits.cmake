headpond_gate("ENOSPC" 20 3)
headpond_mutant(log_not_grown store/sqlite/sqlite_store.cpp "ENOSPC" 10
    "if (file_size(path_ + \"-wal\") >= reserve) return;" "if (reserve >= 0) return;")
headpond_mutant(log_trimmed store/sqlite/sqlite_store.cpp "ENOSPC" 10
    "std::to_string(std::max(reserve, bytes_max))" "std::to_string(0 * bytes_max)")
headpond_mutant(newcomers_ignore_the_disk engine/enqueue.cpp "ENOSPC" 2
    "if (!over.any() && cost > disk_left_)" "if (!over.any() && cost < 0)")

headpond_gate("upgrade" 100 10)
# A creation that is killed between its first two changes leaves nobody's file.
headpond_mutant(founded_in_two_steps store/sqlite/schema.cpp "upgrade" 100
    "\"PRAGMA page_size=4096; BEGIN; PRAGMA auto_vacuum=INCREMENTAL; \""
    "\"PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; \""
    "std::to_string(application_id) + \"; COMMIT\");" "std::to_string(application_id));")
headpond_mutant(newer_schema_accepted store/sqlite/schema.cpp "upgrade" 4
    "if (parse_release(oldest) > this_release) fail(oldest);" "")

headpond_gate("restore" 15 20)
headpond_mutant(restored_token_lives engine/settle.cpp "restore" 10
    "|| batch->lease_token != token)" ")")

headpond_gate("hand edits" 40 40)
headpond_mutant(orphans_not_adopted engine/recount.cpp "hand edits" 1
    "if (found.empty()) return;" "return;")
headpond_mutant(edits_not_counted engine/recount.cpp "hand edits" 1
    "const RangeSum all = context_.tx.sum(0, store::no_limit, base_);"
    "const RangeSum all = context_.tx.sum(0, 0, base_);")
if(TARGET headpond_cli)
    target_compile_definitions(reliability_objects PRIVATE
        HEADPOND_CLI="$<TARGET_FILE:headpond_cli>")
    add_dependencies(headpond_reliability headpond_cli)
endif()
