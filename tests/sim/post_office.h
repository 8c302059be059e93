#pragma once
/// A whole post office for a while: hundreds of users, clients that contend for a few maildrops,
/// MTAs, IMAP servers, a bad network, a bad disk, power cuts; then peace, and a last look at
/// everything.

#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/office_client.h"

namespace restante::sim {

struct OfficeResult {
    std::optional<Verdicts::Failure> failure;
    std::uint32_t steps = 0;  ///< until the failure, that one among them
    std::string log;          ///< the end of the server's, where it failed
    Deeds deeds{};
    std::uint64_t trace_hash = 0;  ///< of the ring

    bool has_failed() const { return failure.has_value(); }
};

class PostOffice {
public:
    explicit PostOffice(const Scenario& scenario, Seams seams = {});
    ~PostOffice();
    PostOffice(const PostOffice&) = delete;
    PostOffice& operator=(const PostOffice&) = delete;

    /// To be called once.
    OfficeResult run();

private:
    bool has(Trouble trouble) const { return scenario_.trouble.has(trouble); }
    void take_step();
    void let_time_pass();
    void strike();
    void restart();
    void play_other_program();
    void deliver(const std::string& user);
    void found_maildrop(const std::string& user, std::uint64_t messages);
    MailModel::Delivery some_delivery();
    void change_certificates();
    Office office_of(const Scenario& scenario);
    void let_everybody_speak();
    void read_mail(const std::string& user, const std::vector<std::string>& present);
    void read_marked_mail();
    void replace_or_remove(const std::string& user, const std::string& base);
    std::string some_base();
    std::string some_octets();
    const std::string& some_user();
    void look();
    void read(OfficeClient& client);
    void survive_crash();
    void check_one_session(const std::string& user);
    void come_to_an_end();
    void check_nothing_is_left();
    void audit();
    void audit(const std::string& user);
    OfficeResult result();

    const Scenario scenario_;
    SimRandom random_;  // of everything but the clients and the ring
    SimRandom client_random_;
    Verdicts verdicts_;
    Deeds deeds_;
    const std::unique_ptr<OfficeCertificates> certificates_;  // nullptr: there is no TLS
    KeptTlsSession kept_;
    std::unique_ptr<World> world_;
    MailModel mail_;
    const Office office_;
    std::vector<std::string> users_;
    std::list<OfficeClient> clients_;
    std::set<std::string> disturbed_;  // users of whom anything happened in this step
    std::set<std::string> contended_;  // users whose marked mail other programs were at
    std::uint64_t delivered_ = 0;
    std::uint32_t step_ = 0;
    bool was_killed_ = false;
    bool is_power_cut_due_ = false;
};

/// One from its opening to its end; memory that it leaves behind is a failure too.
OfficeResult run_post_office(const Scenario& scenario, const Seams& seams = {});

}  // namespace restante::sim
