// The monitor command: its own words are those of the connection, all others the target's.
#include "gdb/server.hpp"

namespace bmbt::gdb {

// qRcmd,TEXT in hexadecimal. What is printed goes ahead of the reply.
void Server::monitor(Fields f) {
    std::array<u8, packet_size / 2> bytes;
    std::span<u8> text = std::span(bytes).first(f.rest().size() / 2);
    if (!f.hex_bytes(text)) return reply(bad_packet);
    Console console(out_);
    const std::string_view command(reinterpret_cast<const char*>(text.data()), text.size());
    Words words(command);
    const std::string_view first = words.next();
    if (first == "arch") {
        monitor_arch(words, console);
    } else {
        if (first.empty() || first == "help")
            console.text("arch [auto|x86-64|i386|i8086]   what the next connection is told of the processor; then disconnect, and connect again").end_line();
        if (!target_.monitor(first.empty() ? "help" : command, console))
            console.text(first).text(": no such command; monitor help names all").end_line();
    }
    reply("OK");
}

void Server::monitor_arch(Words words, Console& console) {
    const std::string_view name = words.next();
    if (!name.empty()) {
        const auto arch = arch_named(name);
        if ((!arch && name != "auto") || !words.at_end()) {
            console.text("arch wants one of auto, x86-64, i386, i8086").end_line();
            return;
        }
        forced_ = arch;
    }
    const Arch next = forced_.value_or(target_.arch());
    auto named = [](Arch a) { return arch_names[static_cast<usize>(a)]; };
    console.text("told: ").text(named(description_.arch())).text("; next: ").text(named(next)).text(forced_ ? "" : " (auto)").end_line();
}

}  // namespace bmbt::gdb
