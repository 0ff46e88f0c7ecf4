headpond_gate("WAL reset" 30 40)
headpond_mutant(unguarded_checkpoint store/sqlite/sqlite_store.cpp "WAL reset" 40
    "Prepared& begin = (*guard_statements_)[Sql::begin];"
    "Prepared begin(*guard_, \"SELECT 1 WHERE false\");")

headpond_gate("dead owner" 40 3)
headpond_mutant(reclaim_without_the_inode core.cpp "dead owner" 1
    "if (owner.lock_inode != static_cast<std::int64_t>(side_->inode())) return Life::unknown;" "")
headpond_mutant(fork_keeps_the_lease platform/side_file.cpp "dead owner" 1
    "                               ::close(file->fd_);" "")

headpond_gate("crash loop" 20 3)
headpond_mutant(attempts_charged_at_nack_only engine/lease.cpp "crash loop" 1
    "batch.attempts += 1;" "")

headpond_gate("wake-up" 20 40)
# It measures times and CPU, which a neighbour would take its part of.
set_tests_properties("reliability.wake-up" PROPERTIES RUN_SERIAL ON)
headpond_mutant(no_wake_up core.cpp "wake-up" 20 "if (effects.wake) side_->wake();" "")

headpond_gate("overload" 90 2)
headpond_mutant(items_bound_off_by_one engine/rules.cpp "overload" 2
    "if (floor_items >= limits.items_max) return" "if (floor_items > limits.items_max) return")
headpond_mutant(log_never_checkpointed core_open.cpp "overload" 2
    "store_->relieve(log_bytes_max_.load());" "")
