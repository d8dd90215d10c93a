// A session with a debugger: answers its packets while the target is stopped, and hears its call while it runs. Source:
// "Debugging with GDB", appendix "GDB Remote Serial Protocol", "Packets" and the sections after it.
#pragma once
#include <optional>

#include "gdb/packet.hpp"
#include "gdb/target.hpp"

namespace bmbt::gdb {

class Server {
 public:
    // `forced`: what debuggers are told of the processor, whatever it does when they connect.
    Server(Target& target, ByteStream& stream, std::optional<Arch> forced = {})
        : target_(target), stream_(stream), out_(stream), forced_(forced), description_(forced.value_or(Arch::X86_64)) {}

    // While the target runs: true when the debugger wants it to stop, until stopped() is called.
    bool wants_stop();
    bool is_wanted() const { return wanted_; }  // as wants_stop() has heard it last
    bool is_awaited() const { return awaited_; }  // a debugger waits for the target to stop
    // The target has stopped: tells so if the debugger waits for that, and answers packets until it is to go on.
    Resume stopped(const Stop&);
    // The target is no more.
    void ended(u8 exit_code);

 private:
    std::optional<Resume> serve();
    void accept(bool good);

    // commands.cpp
    std::optional<Resume> command(std::string_view);
    void query(std::string_view);
    void supported(std::string_view features);
    void transfer(Fields);
    void read_all();
    void write_all(Fields);
    void read_one(Fields);
    void write_one(Fields);
    void read_memory(Fields);
    void write_memory(Fields, bool binary);
    void point(Fields, bool add);
    std::optional<Resume> resume(std::string_view);
    Resume action(Fields&) const;
    std::optional<Resume> resume_threads(Fields actions);
    std::span<const u8> register_value(unsigned number, std::span<u8, largest_register> room);
    const char* set_register(unsigned number, std::span<const u8> low_bytes);

    // monitor.cpp
    void monitor(Fields);
    void monitor_arch(Words, Console&);

    // Errors of replies, by the numbers that debuggers show as they are.
    static constexpr std::string_view bad_packet = "E16", no_memory = "E0e", cannot = "E01";
    void reply(std::string_view text);
    void reply_written(const char* refused);
    void report();
    bool knows_breakpoint();

    Target& target_;
    ByteStream& stream_;
    PacketReader in_;
    PacketWriter out_;
    std::optional<Arch> forced_;
    Description description_;
    Stop stop_;
    bool wanted_ = false;     // a byte asked the target to stop
    bool awaited_ = false;    // the debugger waits to hear of a stop
    bool acknowledge_ = true;
    bool tells_breakpoints_ = false;  // the debugger understands swbreak and hwbreak; see knows_breakpoint()
};

}  // namespace bmbt::gdb
