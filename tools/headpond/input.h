// Reading stdin and files by lines, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headpond::cli {

// The input can't be read, or a line of it is wrong; what() is the line for stderr.
class InputError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Owns the descriptor it opened; stdin is left open.
class Input {
  public:
    // A path, or "-" for stdin. Throws InputError.
    explicit Input(const std::string& path);
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    ~Input();

    // Appends what can be had, at most 64 KiB; false at the end. Throws InputError.
    bool read_some(std::string& buffer);
    // Whether read_some would return at once.
    [[nodiscard]] bool ready() const;

  private:
    int fd_;
    std::string name_;  // for messages
};

// Lines without their end; a last line without one counts.
class LineReader {
  public:
    LineReader(Input& input, std::size_t bytes_max) : input_(&input), bytes_max_(bytes_max) {}

    // nullopt at the end. The view holds until the next call. Throws InputError "line N: ..." for a
    // line over the limit.
    std::optional<std::string_view> next();
    // The number of the line that next() answered last, from 1.
    [[nodiscard]] std::int64_t number() const noexcept { return number_; }
    // Whether next() would answer without waiting for the writer.
    [[nodiscard]] bool ready() const;
    void limit(std::size_t bytes_max) noexcept { bytes_max_ = bytes_max; }

  private:
    Input* input_;
    std::size_t bytes_max_;
    std::string buffer_;
    std::size_t at_ = 0;       // where the next line begins
    std::size_t scanned_ = 0;  // no line end before this
    std::int64_t number_ = 0;
    bool ended_ = false;
};

}  // namespace headpond::cli
