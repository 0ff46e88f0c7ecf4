#include "feed/uuid.h"

#include <array>

#include <uuid/uuid.h>

namespace headpond::ingest {
namespace {

// The namespace of headpond's alerts: itself the version 5 uuid of "headpond.alerts" in RFC 4122's
// DNS namespace. It may never change: every stored key would change with it.
constexpr uuid_t alerts_namespace = {0xf8, 0x0f, 0xe1, 0x40, 0x99, 0xa9, 0x5b, 0xf9,
                                     0xa1, 0x3d, 0x36, 0x05, 0x19, 0x98, 0x72, 0xad};

}  // namespace

std::string alert_uuid(std::string_view source, std::string_view title, std::string_view link) {
    std::string name;
    name.reserve(source.size() + title.size() + link.size() + 2);
    name.append(source).append(1, '\n').append(title).append(1, '\n').append(link);

    uuid_t uuid;
    uuid_generate_sha1(uuid, alerts_namespace, name.data(), name.size());
    std::array<char, UUID_STR_LEN> text{};
    uuid_unparse_lower(uuid, text.data());
    return text.data();
}

}  // namespace headpond::ingest
