#include "tables/alerts_row.h"

namespace headpond::ingest {

std::string all_columns() {
    return std::string(first_columns) + ", " + later_columns;
}

AlertRow read_row(Statement& row) {
    AlertRow read;
    read.alert.uuid = row.text(0);
    read.alert.title = row.text(1);
    read.alert.summary = row.text(2);
    read.alert.link = row.text(3);
    read.alert.source_tag = row.text(4);
    read.alert.published_at = row.time(5);
    read.alert.latitude = row.number(6);
    read.alert.longitude = row.number(7);
    read.method = row.text(8);
    read.confidence = row.text(9);
    read.name = row.text(10);
    read.country = row.text(11);
    read.reason = row.text(12);
    read.feed_latitude = row.number(13);
    read.feed_longitude = row.number(14);
    read.added_at = row.time(15);
    read.located_at = row.time(16);
    return read;
}

}  // namespace headpond::ingest
