headpond_gate("model" 160 500)
headpond_mutant(bound_off_by_one engine/rules.cpp "model" 200
    "if (floor_items >= limits.items_max)" "if (floor_items > limits.items_max)")
headpond_mutant(evicts_one_too_few engine/rules.cpp "model" 200
    "fill.items - limits.items_max)" "fill.items - limits.items_max - 1)")
headpond_mutant(ack_without_the_token engine/settle.cpp "model" 200
    "|| batch->lease_token != token)" ")")
# A holder that ends without a word is not charged: as if a nack were what charges.
headpond_mutant(attempts_not_charged_at_the_lease engine/recover.cpp "model" 200
    "batch.last_error = error;" "batch.last_error = error; batch.attempts -= 1;")
headpond_mutant(key_map_without_undo store/sqlite/resident_keys.cpp "model" 3000
    "    last_ = id;" "    last_ = seen_ = id;")
headpond_mutant(destructor_releases core.cpp "model" 200
    "settlement.rest = Rest::nack;" "settlement.rest = Rest::release;")
