// PostgreSQL with FOR UPDATE SKIP LOCKED: leases in a column, and a transaction held open.
#include "peer.h"
#include "program.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <arpa/inet.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#ifdef HEADPOND_LIBPQ
#include <libpq-fe.h>
#endif

namespace headpond::bench {

namespace fs = std::filesystem;

#ifdef HEADPOND_LIBPQ

namespace {

constexpr std::uint32_t bytea_oid = 17, text_oid = 25, bigint_oid = 20;

// An array parameter in the binary format.
class BinaryArray {
  public:
    BinaryArray(std::uint32_t type, std::size_t count) {
        constexpr std::uint32_t dimensions = 1, nulls = 0, lower_bound = 1;
        for (const std::uint32_t word :
             {dimensions, nulls, type, static_cast<std::uint32_t>(count), lower_bound}) {
            add(word);
        }
    }
    void add(std::string_view element) {
        add(static_cast<std::uint32_t>(element.size()));
        bytes_.append(element);
    }
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

  private:
    void add(std::uint32_t word) {
        const std::uint32_t order = htonl(word);
        bytes_.append(reinterpret_cast<const char*>(&order), sizeof order);
    }
    std::string bytes_;
};

class PostgresLink {
  public:
    struct Clear {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    using Result = std::unique_ptr<PGresult, Clear>;

    explicit PostgresLink(const fs::path& folder)
        : connection_(PQconnectdb(
              ("host=" + folder.string() + " dbname=postgres user=bench application_name=bench")
                  .c_str())) {}
    PostgresLink(const PostgresLink&) = delete;
    PostgresLink& operator=(const PostgresLink&) = delete;
    ~PostgresLink() { PQfinish(connection_); }

    [[nodiscard]] bool connected() const { return PQstatus(connection_) == CONNECTION_OK; }
    void execute(const std::string& sql) const { (void)checked(PQexec(connection_, sql.c_str())); }
    void prepare(const char* name, const char* sql) const {
        (void)checked(PQprepare(connection_, name, sql, 0, nullptr));
    }
    // Parameters and answer in the binary format.
    Result run(const char* name, const std::vector<std::string_view>& parameters = {}) {
        bind(parameters);
        return checked(PQexecPrepared(connection_, name, static_cast<int>(parameters.size()),
                                      values_.data(), lengths_.data(), formats_.data(), 1));
    }
    // Two statements in one round trip: the answer of the second.
    Result run_two(const char* first, const char* second,
                   const std::vector<std::string_view>& parameters) {
        PQenterPipelineMode(connection_);
        PQsendQueryPrepared(connection_, first, 0, nullptr, nullptr, nullptr, 1);
        bind(parameters);
        PQsendQueryPrepared(connection_, second, static_cast<int>(parameters.size()),
                            values_.data(), lengths_.data(), formats_.data(), 1);
        PQpipelineSync(connection_);
        Result answer;
        for (int i = 0; i < 2; ++i) {
            answer = checked(PQgetResult(connection_));
            (void)PQgetResult(connection_);  // the end of its results
        }
        (void)Result(PQgetResult(connection_));  // the sync
        PQexitPipelineMode(connection_);
        return answer;
    }

  private:
    void bind(const std::vector<std::string_view>& parameters) {
        values_.clear();
        lengths_.clear();
        for (const std::string_view one : parameters) {
            values_.push_back(one.data());
            lengths_.push_back(static_cast<int>(one.size()));
        }
        formats_.assign(parameters.size(), 1);
    }
    [[nodiscard]] Result checked(PGresult* result) const {
        Result owned(result);
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            fail_peer("postgresql: " + std::string(PQerrorMessage(connection_)));
        }
        return owned;
    }

    PGconn* connection_;
    std::vector<const char*> values_;
    std::vector<int> lengths_, formats_;
};

std::string_view field(const PGresult* result, int row, int column) {
    return {PQgetvalue(result, row, column),
            static_cast<std::size_t>(PQgetlength(result, row, column))};
}

class PostgresSide : public Side {
  public:
    explicit PostgresSide(const fs::path& folder) : link_(folder) {
        if (!link_.connected()) fail_peer("postgresql does not answer");
        link_.prepare("insert", "INSERT INTO items (key, payload) VALUES ($1::text, $2::bytea)");
        link_.prepare("insert_many",
                      "INSERT INTO items (key, payload) "
                      "SELECT * FROM unnest($1::text[], $2::bytea[])");
    }

    void enqueue(std::span<const NewItem> items) override {
        if (items.size() == 1) {
            (void)link_.run("insert", {items.front().key, items.front().payload});
            return;
        }
        BinaryArray keys(text_oid, items.size()), payloads(bytea_oid, items.size());
        for (const NewItem& item : items) {
            keys.add(item.key);
            payloads.add(item.payload);
        }
        (void)link_.run("insert_many", {keys.bytes(), payloads.bytes()});
    }

  protected:
    static std::string limit(std::size_t count) {
        const std::uint32_t order = htonl(static_cast<std::uint32_t>(count));
        return {reinterpret_cast<const char*>(&order), sizeof order};
    }

    PostgresLink link_;
    PostgresLink::Result leased_;
};

// A lease outlives its connection: until when, a token and the attempts are columns.
class PostgresLeaseSide : public PostgresSide {
  public:
    explicit PostgresLeaseSide(const fs::path& folder) : PostgresSide(folder) {
        link_.prepare("lease",
                      "UPDATE items SET leased_until = now() + interval '60 s', "
                      "token = (SELECT nextval('tokens')), attempts = attempts + 1 "
                      "WHERE id = ANY(ARRAY(SELECT id FROM items "
                      "WHERE leased_until IS NULL OR leased_until < now() "
                      "ORDER BY id LIMIT $1::int FOR UPDATE SKIP LOCKED)) "
                      "RETURNING id, token, key, payload");
        link_.prepare("ack", "DELETE FROM items WHERE id = ANY($1::bigint[]) AND token = $2");
    }

    std::size_t lease(std::size_t count) override {
        leased_ = link_.run("lease", {limit(count)});
        return static_cast<std::size_t>(PQntuples(leased_.get()));
    }
    void ack() override {
        const int count = PQntuples(leased_.get());
        BinaryArray ids(bigint_oid, static_cast<std::size_t>(count));
        for (int row = 0; row < count; ++row) ids.add(field(leased_.get(), row, 0));
        const auto answer = link_.run("ack", {ids.bytes(), field(leased_.get(), 0, 1)});
        if (PQcmdTuples(answer.get()) != std::to_string(count)) {
            throw std::runtime_error("postgresql acked fewer items than it had leased");
        }
    }
};

// The lease is the transaction that deletes; to ack is to commit it.
class PostgresDeleteSide : public PostgresSide {
  public:
    explicit PostgresDeleteSide(const fs::path& folder) : PostgresSide(folder) {
        link_.prepare("begin", "BEGIN");
        link_.prepare("take",
                      "DELETE FROM items WHERE id = ANY(ARRAY(SELECT id FROM items "
                      "ORDER BY id LIMIT $1::int FOR UPDATE SKIP LOCKED)) "
                      "RETURNING id, key, payload");
        link_.prepare("commit", "COMMIT");
    }

    std::size_t lease(std::size_t count) override {
        leased_ = link_.run_two("begin", "take", {limit(count)});
        const auto found = static_cast<std::size_t>(PQntuples(leased_.get()));
        if (found == 0) ack();
        return found;
    }
    void ack() override { (void)link_.run("commit"); }
};

const std::vector<fs::path>& program_folders() {
    static const std::vector<fs::path> folders = [] {
        std::vector<fs::path> all;
        std::error_code none;
        for (const auto& one : fs::directory_iterator("/usr/lib/postgresql", none)) {
            all.push_back(one.path() / "bin");
        }
        return all;
    }();
    return folders;
}

// It refuses to run as root: a user of its own then, who owns the folder and may reach it.
std::string user_for(const fs::path& folder) {
    if (::geteuid() != 0) return {};
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr) user = ::getpwnam("nobody");
    if (user == nullptr) fail_peer("it does not run as root, and no user postgres is there");
    if (::chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0) {
        fail_peer("its folder cannot be given to user " + std::string(user->pw_name));
    }
    fs::permissions(folder.parent_path(), fs::perms::others_exec | fs::perms::group_exec,
                    fs::perm_options::add);
    return user->pw_name;
}

std::shared_ptr<Child> start_server(const PeerTask& task) {
    const fs::path data = task.folder / "data", log = task.folder / "log";
    (void)socket_in(task.folder, ".s.PGSQL.5432.lock");
    const std::string user = user_for(task.folder);
    Child setup = run_program(
        {.command = {find_program("initdb", program_folders()), "-D", data.string(), "-U", "bench",
                     "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"},
         .user = user,
         .log = log});
    if (!setup.succeeded()) {
        throw std::runtime_error("initdb failed" + (user.empty() ? "" : " as user " + user) +
                                 "; allowed: a --folder that it may enter, as below /tmp");
    }
    // Until the log writer has written an asynchronous commit, the rows that it deleted cannot be
    // marked as dead, and each lease reads past them: the default of 200 ms costs
    // single calls a third more.
    const bool synced = task.durability == Durability::power_loss;
    auto server = std::make_shared<Child>(run_program(
        {.command = {find_program("postgres", program_folders()), "-D", data.string(), "-k",
                     task.folder.string(), "-c", "listen_addresses=", "-c",
                     synced ? "synchronous_commit=on" : "synchronous_commit=off", "-c",
                     "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "wal_writer_delay=10ms"},
         .user = user,
         .log = log,
         .stop_signal = SIGQUIT}));
    wait_for_server([&] { return PostgresLink(task.folder).connected(); }, log);
    const PostgresLink link(task.folder);
    link.execute(
        "CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT "
        "NULL, payload bytea NOT NULL, enqueued_at timestamptz NOT NULL DEFAULT now(), "
        "leased_until timestamptz, token bigint, attempts int NOT NULL DEFAULT 0)");
    link.execute("ALTER TABLE items ALTER payload SET STORAGE EXTERNAL");  // random: nothing to win
    link.execute("CREATE SEQUENCE tokens");
    return server;
}

}  // namespace

std::string postgres_missing() {
    const bool there = !find_program("postgres", program_folders()).empty() &&
                       !find_program("initdb", program_folders()).empty();
    return there ? "" : "postgres is not installed; apt-get install postgresql";
}

std::unique_ptr<Contestant> start_postgres_lease(const PeerTask& task) {
    auto server = start_server(task);
    return contestant_of(connect_postgres_lease(task.folder, 0), task.seed, std::move(server));
}

std::unique_ptr<Contestant> start_postgres_delete(const PeerTask& task) {
    auto server = start_server(task);
    return contestant_of(connect_postgres_delete(task.folder, 0), task.seed, std::move(server));
}

std::unique_ptr<Side> connect_postgres_lease(const fs::path& folder, int /*number*/) {
    return std::make_unique<PostgresLeaseSide>(folder);
}

std::unique_ptr<Side> connect_postgres_delete(const fs::path& folder, int /*number*/) {
    return std::make_unique<PostgresDeleteSide>(folder);
}

#else

namespace {
constexpr const char* absent = "built without libpq; apt-get install libpq-dev postgresql";
}

std::string postgres_missing() {
    return absent;
}
std::unique_ptr<Contestant> start_postgres_lease(const PeerTask& /*task*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Contestant> start_postgres_delete(const PeerTask& /*task*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Side> connect_postgres_lease(const fs::path& /*folder*/, int /*number*/) {
    throw std::runtime_error(absent);
}
std::unique_ptr<Side> connect_postgres_delete(const fs::path& /*folder*/, int /*number*/) {
    throw std::runtime_error(absent);
}

#endif

}  // namespace headpond::bench
