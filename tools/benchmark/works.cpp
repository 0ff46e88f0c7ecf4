#include "works.h"

#include "peers/peer.h"

#include <array>

namespace headpond::bench {

std::span<const Work> works() {
    static constexpr std::array all{
        Work{"enqueue", "100 items a call, beside a backlog", true, true, run_enqueue},
        Work{"cycle", "enqueue, lease and ack 100; untracked", true, true, run_cycle},
        Work{"tracked", "the same tracked, outcomes read and forgotten", true, true, run_tracked},
        Work{"checked", "the tracked cycle, a row for each way to keep keys unique", true, true,
             run_checked},
        Work{"single", "enqueue 1, lease 1, ack 1", true, true, run_single},
        Work{"health", "Queue::health(), against the same at 1k", true, false, run_health},
        Work{"lease", "100 items behind 100k waiting items and 2000 leased batches", true, false,
             run_lease},
        Work{"threads", "single calls of the threads of one process, at power_loss", true, false,
             run_threads},
        Work{"processes", "4 producers and 4 consumers, single calls", true, false, run_processes},
        Work{"growth", "cost, memory and writes at 5M items beside 100k; slow", false, false,
             run_growth},
        Work{"peers", "Redis, PostgreSQL and other queues, as far as they are here", false, false,
             run_peers, explain_peers},
    };
    return all;
}

std::string_view name_of(Durability durability) {
    return durability == Durability::power_loss ? "power_loss" : "process_crash";
}

}  // namespace headpond::bench
