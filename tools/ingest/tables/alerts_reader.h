// The table `alerts` as it is at one moment, for what is put out.
#pragma once

#include "tables/alerts_table.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

struct sqlite3;

namespace headpond::ingest {

// Thrown where the reader's stop was asked for; no error.
struct ReadingStopped {};

// A read transaction on a connection of its own: writers go on beside it, however slowly the rows
// are taken. One thread. A Queue must hold the file open, and its table be made, for as long.
class AlertsReader {
  public:
    // Throws Error.
    explicit AlertsReader(const std::string& path, std::stop_token stop = {});
    AlertsReader(const AlertsReader&) = delete;
    AlertsReader& operator=(const AlertsReader&) = delete;
    ~AlertsReader();

    // Rows by published time, one at a time; with `since` those alone that were added then or
    // later. Where no time of adding is known, the published time counts; where neither is, the row
    // is left out. Throws ReadingStopped.
    void each(const std::optional<WallTime>& since, const std::function<void(const AlertRow&)>& fn);

  private:
    sqlite3* handle_ = nullptr;
    std::stop_token stop_;
};

}  // namespace headpond::ingest
