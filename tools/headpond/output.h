// Results: stdout as it is, tables for people, JSON for programs.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace headpond::cli {

// Keeps the order in which fields are written.
using Json = nlohmann::ordered_json;

// stdout took not everything; what() says why.
class OutputError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Collects what a command prints and writes it at flush(): an error is met there and nowhere else.
class Output {
  public:
    // Throws OutputError where stdout is closed, before a command changes anything.
    static void require_open();

    void line(std::string_view text);
    // One line; bytes that are not UTF-8 become U+FFFD.
    void json(const Json& value);
    // Throws OutputError.
    void flush();

  private:
    std::string text_;
};

// Text, or base64 under NAME_base64 where the bytes are not UTF-8.
void put_bytes(Json& object, const std::string& name, std::string_view bytes);
// null where empty; a number where the whole text is one, as `sqlite3 -json` has it.
[[nodiscard]] Json value_of(const std::string& text);
[[nodiscard]] Json text_or_null(const std::string& text);

struct Column {
    std::string title;
    bool right = false;           // numbers
    std::size_t columns_min = 8;  // never cut below this
};

// Aligned, at most 80 columns: the widest columns are cut first, down to their minimum.
class TextTable {
  public:
    explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> row);
    void print(Output& out) const;
    [[nodiscard]] bool empty() const { return rows_.empty(); }

  private:
    [[nodiscard]] std::vector<std::size_t> widths() const;
    void print_row(Output& out, const std::vector<std::string>& row,
                   const std::vector<std::size_t>& widths) const;
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace headpond::cli
