#include <headpond/error.h>
#include <headpond/item.h>

namespace headpond {

namespace {

std::string line(std::string_view operation, std::string_view path, std::string_view message) {
    std::string text(operation);
    if (!path.empty()) text += (text.empty() ? "" : " ") + std::string(path);
    if (!text.empty()) text += ": ";
    text += message;
    // One line, and nothing that a terminal would obey.
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n' || c == '\r' || c == '\t') {
            c = ' ';
        } else if (byte < 0x20 || byte == 0x7f) {
            c = '?';
        }
    }
    return text;
}

}  // namespace

Error::Error(ErrorCode code, std::string_view operation, std::string_view path,
             std::string_view message, int sqlite_code)
    : std::runtime_error(line(operation, path, message)),
      code_(code),
      operation_(operation),
      path_(path),
      message_(message),
      sqlite_code_(sqlite_code) {}

std::string_view to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::busy:
            return "busy";
        case ErrorCode::disk_full:
            return "disk_full";
        case ErrorCode::io:
            return "io";
        case ErrorCode::outcome_unknown:
            return "outcome_unknown";
        case ErrorCode::corrupt:
            return "corrupt";
        case ErrorCode::not_a_queue:
            return "not_a_queue";
        case ErrorCode::schema_newer:
            return "schema_newer";
        case ErrorCode::schema_older:
            return "schema_older";
        case ErrorCode::misuse:
            return "misuse";
        case ErrorCode::closed:
            return "closed";
        case ErrorCode::unsupported:
            return "unsupported";
    }
    return "?";
}

std::string_view to_string(Enqueued answer) noexcept {
    switch (answer) {
        case Enqueued::stored:
            return "stored";
        case Enqueued::duplicate:
            return "duplicate";
        case Enqueued::too_large:
            return "too_large";
        case Enqueued::refused:
            return "refused";
        case Enqueued::no_room:
            return "no_room";
    }
    return "?";
}

std::string_view to_string(OutcomeState state) noexcept {
    return state == OutcomeState::resolved ? "resolved" : "fallback";
}

}  // namespace headpond
