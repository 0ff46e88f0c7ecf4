#include "output.h"

#include "base64.h"
#include "utf8.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace headpond::cli {

void Output::require_open() {
    const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        throw OutputError("stdout is closed; allowed: an open stdout");
    }
}

void Output::line(std::string_view text) {
    text_ += text;
    text_ += '\n';
}

void Output::json(const Json& value) {
    line(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Output::flush() {
    std::string_view left = text_;
    while (!left.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            text_.clear();
            throw OutputError("stdout: " + std::generic_category().message(errno));
        }
        left.remove_prefix(static_cast<std::size_t>(written));
    }
    text_.clear();
}

void put_bytes(Json& object, const std::string& name, std::string_view bytes) {
    if (is_utf8(bytes)) {
        object[name] = bytes;
    } else {
        object[name + "_base64"] = to_base64(bytes);
    }
}

Json value_of(const std::string& text) {
    if (text.empty()) return nullptr;
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    if (const auto [stop, error] = std::from_chars(text.data(), end, whole);
        error == std::errc{} && stop == end) {
        return whole;
    }
    double real = 0;
    const bool digit = text.find_first_of("0123456789") <= 1;  // not inf, not nan
    if (const auto [stop, error] = std::from_chars(text.data(), end, real);
        digit && error == std::errc{} && stop == end) {
        return real;
    }
    return text;
}

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

void TextTable::add(std::vector<std::string> row) {
    row.resize(columns_.size());
    for (auto& cell : row) cell = one_line(cell);
    rows_.push_back(std::move(row));
}

std::vector<std::size_t> TextTable::widths() const {
    constexpr std::size_t most = 80, gap = 2;
    std::vector<std::size_t> widths;
    std::size_t total = gap * (columns_.size() - 1);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = width_of(columns_[i].title);
        for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
        widths.push_back(width);
        total += width;
    }
    while (total > most) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::size_t least =
                std::max(columns_[i].columns_min, width_of(columns_[i].title));
            const bool may = !columns_[i].right && widths[i] > least;
            if (may && (widest == columns_.size() || widths[i] >= widths[widest])) widest = i;
        }
        if (widest == columns_.size()) break;  // numbers are never cut
        --widths[widest];
        --total;
    }
    return widths;
}

void TextTable::print_row(Output& out, const std::vector<std::string>& row,
                          const std::vector<std::size_t>& widths) const {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string cell = cut_to(row[i], widths[i]);
        const std::string pad(widths[i] - width_of(cell), ' ');
        if (i > 0) line += "  ";
        line += columns_[i].right ? pad + cell : cell + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.line(line);
}

void TextTable::print(Output& out) const {
    const auto all = widths();
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    print_row(out, titles, all);
    for (const auto& row : rows_) print_row(out, row, all);
}

}  // namespace headpond::cli
