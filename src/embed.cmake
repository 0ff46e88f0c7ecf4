# Writes OUTPUT, a C++ source that holds migrations/*.sql: cmake -DSOURCE=... -DOUTPUT=... -P embed.cmake
file(GLOB migrations "${SOURCE}/[0-9][0-9][0-9][0-9]_*.sql")
list(SORT migrations)
set(rows "")

function(headpond_row file version name)
    file(READ "${file}" text)
    file(SHA256 "${file}" digest)
    # String literals are bounded (64 KiB in the standard): raw pieces that the compiler joins.
    set(pieces "")
    string(LENGTH "${text}" length)
    set(at 0)
    while(at LESS length)
        string(SUBSTRING "${text}" ${at} 8000 piece)
        string(APPEND pieces "R\"embedded(${piece})embedded\"\n")
        math(EXPR at "${at} + 8000")
    endwhile()
    set(row "{${version}, \"${name}\", std::string_view(${pieces}), \"${digest}\"}" PARENT_SCOPE)
endfunction()

foreach(file IN LISTS migrations)
    get_filename_component(name "${file}" NAME_WE)
    string(SUBSTRING "${name}" 0 4 version)
    string(REGEX REPLACE "^0+" "" version "${version}")
    headpond_row("${file}" "${version}" "${name}")
    string(APPEND rows "    ${row},\n")
endforeach()
headpond_row("${SOURCE}/views.sql" 0 "views")
set(views "${row}")

file(WRITE "${OUTPUT}.new" "// Generated from migrations/ by src/embed.cmake.
#include \"store/sqlite/embedded.h\"

#include <array>

namespace headpond::store::sqlite {

namespace {
constexpr std::array migrations{std::to_array<EmbeddedSql>({
${rows}})};
constexpr EmbeddedSql views = ${views};
}  // namespace

std::span<const EmbeddedSql> embedded_migrations() { return migrations; }
const EmbeddedSql& embedded_views() { return views; }

}  // namespace headpond::store::sqlite
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
