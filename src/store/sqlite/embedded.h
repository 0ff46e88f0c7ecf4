// The SQL of migrations/, embedded at build time (src/embed.cmake writes the definitions).
#pragma once

#include <span>
#include <string_view>

namespace headpond::store::sqlite {

struct EmbeddedSql {
    int version;  // 0: the views
    std::string_view name;
    std::string_view sql;
    std::string_view digest;  // SHA-256 of the file, in hex

    // The oldest release that may still write after this migration: the file's first line.
    [[nodiscard]] std::string_view oldest_release() const;
};

[[nodiscard]] std::span<const EmbeddedSql> embedded_migrations();
[[nodiscard]] const EmbeddedSql& embedded_views();

}  // namespace headpond::store::sqlite
