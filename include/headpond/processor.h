// Runs a handler on due batches.
#pragma once

#include <headpond/batch.h>
#include <headpond/clock.h>
#include <headpond/error.h>
#include <headpond/export.h>
#include <headpond/queue.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>

namespace headpond {

// Answers what became of the items. A throw is a nack with what(). Rest::keep is taken as a nack.
// The stop token fires when the Processor stops without draining, when the lease is lost, or after
// handling_time_max. Called from several threads at once when workers > 1.
using Handler = std::function<Settlement(std::span<const Item>, std::stop_token)>;

enum class OnError { retry, stop };
enum class Drain {
    none,       // ask running handlers to stop; their batches are nacked or released as they answer
    running,    // let running handlers finish
    everything  // and process what is ready or due, however few, until nothing is left to lease
};

struct ProcessorOptions {
    int workers = 1;                    // 1 to 64 threads
    Ms handling_time_max{15 * 60'000};  // leases are extended up to this; then the lapse counts
    // Decides after an Error of the queue; empty: retry busy and disk_full with backoff, else stop.
    // What it throws ends the thread, as an error to stop at does.
    std::function<OnError(const Error&)> on_error{};
};

struct RunReport {
    bool processed = false;  // a batch was leased and settled
    std::int64_t batch = 0;
    int attempt = 0;
    std::int64_t items = 0;
    Settled settled{};
};

namespace detail {
struct ProcessorState;
}

// Owns its threads; the Queue must outlive it. run_once is safe beside start. Move-only.
class HEADPOND_API Processor {
  public:
    Processor(Queue& queue, Handler handler, ProcessorOptions options = {});
    Processor(Processor&&) noexcept;
    Processor& operator=(Processor&&) noexcept;
    // Stops as stop(Drain::none).
    ~Processor();

    // Cleans up if that is due, leases one due batch, handles and settles it. With When::immediate
    // what is ready counts as due. Waits up to `wait` for a batch, and while the handler works;
    // `stop` ends the first and is passed on to the second.
    RunReport run_once(When when = When::due, Ms wait = Ms{0}, std::stop_token stop = {});

    // All threads or none: std::system_error where one cannot be made. Once.
    void start();
    // Ends the threads; past `limit` running handlers are asked to stop. Not in a handler (Error
    // misuse).
    void stop(Drain drain = Drain::running, Ms limit = Ms{30'000});
    // Blocks until the threads have ended; rethrows the error that ended them.
    void wait();

  private:
    std::unique_ptr<detail::ProcessorState> state_;
};

}  // namespace headpond
