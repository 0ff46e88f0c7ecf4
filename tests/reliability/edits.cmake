headpond_gate("ENOSPC" 20 3)
headpond_mutant(log_not_grown store/sqlite/sqlite_store.cpp "ENOSPC" 3
    "if (file_size(order_.path + \"-wal\") >= reserve) return;" "if (reserve >= 0) return;")
headpond_mutant(log_trimmed store/sqlite/sqlite_store.cpp "ENOSPC" 6
    "std::to_string(std::max(reserve, bytes_max))" "std::to_string(0 * bytes_max)")
headpond_mutant(newcomers_ignore_the_disk engine/enqueue.cpp "ENOSPC" 2
    "if (!over.any() && cost > disk_left_)" "if (!over.any() && cost < 0)")
