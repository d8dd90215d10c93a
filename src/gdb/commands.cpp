#include <algorithm>

#include "gdb/server.hpp"

namespace bmbt::gdb {

namespace {

constexpr std::string_view only_thread = "1";
constexpr std::string_view stand_alone = "?gk";  // packets that are a letter and no more

// A thread's number: of the only one, or 0, any, or -1, all.
bool names_thread(Fields& f) {
    const bool all = f.take('-');
    const u64 n = f.hex();
    return f.good() && (all ? n == 1 : n <= 1);
}

// ;PID to the end, of the only process; debuggers make its number up.
bool names_process(Fields& f) {
    f.expect(';');
    f.hex();
    return f.good() && f.at_end();
}

}  // namespace

void Server::reply(std::string_view text) {
    out_.begin();
    out_.text(text).send();
}

// The debugger looks for the breakpoint at its program counter, which may be an offset. One that is told of a breakpoint and
// finds none there goes on without a word; one that is told of none stops.
bool Server::knows_breakpoint() {
    if (!tells_breakpoints_) return false;
    std::array<u8, largest_register> room;
    const std::span<const u8> value = register_value(description_.number_of(description_.pc()), room);
    u64 pc = 0;
    for (usize n = 0; n < value.size(); n++) pc |= u64{value[n]} << 8 * n;
    return pc == stop_.address;
}

// "Stop Reply Packets": with the registers that the debugger asks for next anyhow.
void Server::report() {
    constexpr std::string_view sigint = "T02", sigtrap = "T05", sigsegv = "T0b";
    const bool interrupted = stop_.kind == Stop::Kind::Interrupt, shut_down = stop_.kind == Stop::Kind::Shutdown;
    out_.begin();
    out_.text(interrupted ? sigint : shut_down ? sigsegv : sigtrap).text("thread:").text(only_thread).text(";");
    switch (stop_.kind) {
        case Stop::Kind::Start:
        case Stop::Kind::Step:
        case Stop::Kind::Shutdown:
        case Stop::Kind::Interrupt: break;
        case Stop::Kind::Breakpoint:
            if (knows_breakpoint()) out_.text("swbreak:;");
            break;
        case Stop::Kind::HardBreakpoint:
            if (knows_breakpoint()) out_.text("hwbreak:;");
            break;
        case Stop::Kind::WriteWatch: out_.text("watch:").hex(stop_.address).text(";"); break;
        case Stop::Kind::ReadWatch: out_.text("rwatch:").hex(stop_.address).text(";"); break;
        case Stop::Kind::AccessWatch: out_.text("awatch:").hex(stop_.address).text(";"); break;
    }
    for (u8 target : {reg::rbp, reg::rsp, description_.pc()}) {
        std::array<u8, largest_register> room;
        const unsigned n = description_.number_of(target);
        const u8 number[] = {static_cast<u8>(n)};
        out_.hex_bytes(number).text(":").hex_bytes(register_value(n, room)).text(";");
    }
    out_.send();
}

std::optional<Resume> Server::command(std::string_view text) {
    if (text.empty()) return reply(""), std::nullopt;
    Fields rest(text.substr(1));
    if (stand_alone.contains(text.front()) && !rest.at_end()) return reply(bad_packet), std::nullopt;
    switch (text.front()) {
        case '?': report(); return {};
        case 'g': read_all(); return {};
        case 'G': write_all(rest); return {};
        case 'p': read_one(rest); return {};
        case 'P': write_one(rest); return {};
        case 'm': read_memory(rest); return {};
        case 'M': write_memory(rest, false); return {};
        case 'X': write_memory(rest, true); return {};
        case 'Z': point(rest, true); return {};
        case 'z': point(rest, false); return {};
        case 'H':
            if (!rest.take('c')) rest.expect('g');
            [[fallthrough]];
        case 'T': reply(names_thread(rest) && rest.at_end() ? "OK" : bad_packet); return {};
        case 'q':
        case 'Q': query(text); return {};
        case 'c':
        case 's':
        case 'C':
        case 'S': return resume(text);
        case 'D':
            if (!rest.at_end() && !names_process(rest)) return reply(bad_packet), std::nullopt;
            target_.remove_all_points();
            reply("OK");
            return Resume{.kind = Resume::Kind::Detach};
        case 'k': return Resume{.kind = Resume::Kind::Kill};
        case 'v':
            if (text == "vCont?") return reply("vCont;c;C;s;S;r"), std::nullopt;
            if (text.starts_with("vCont;")) return resume_threads(Fields(text.substr(6)));
            if (text.starts_with("vKill")) {
                Fields process(text.substr(5));
                if (!names_process(process)) return reply(bad_packet), std::nullopt;
                return reply("OK"), Resume{.kind = Resume::Kind::Kill};
            }
            break;
        default: break;
    }
    reply("");  // "not supported"
    return {};
}

void Server::query(std::string_view text) {
    constexpr std::string_view begin = "qSupported";
    if (text == begin || text.starts_with("qSupported:")) return supported(text.substr(begin.size()));
    if (text == "QStartNoAckMode") return acknowledge_ = false, reply("OK");
    if (text == "qC") return reply("QC1");
    if (text == "qfThreadInfo") return reply("m1");
    if (text == "qsThreadInfo") return reply("l");
    if (text.starts_with("qAttached")) return reply("1");
    if (text.starts_with("qSymbol")) return reply("OK");
    if (text.starts_with("qRcmd,")) return monitor(Fields(text.substr(6)));
    constexpr std::string_view description = "qXfer:features:read:target.xml:";
    if (text.starts_with(description)) return transfer(Fields(text.substr(description.size())));
    if (text.starts_with("qXfer:features:read:")) return reply("E00");
    reply("");
}

void Server::supported(std::string_view features) {
    // A new debugger knows of no points; one that ended without a word may have left some.
    target_.remove_all_points();
    description_ = Description(forced_.value_or(target_.arch()));
    tells_breakpoints_ = features.contains("swbreak+");
    out_.begin();
    out_.text("PacketSize=").hex(packet_size);
    out_.text(";QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+").send();
}

void Server::transfer(Fields f) {
    u64 offset = f.hex();
    f.expect(',');
    u64 length = f.hex();
    const std::string_view xml = description_.xml();
    if (!f.good() || !f.at_end() || offset > xml.size()) return reply("E00");
    length = std::min<u64>({length, xml.size() - offset, packet_size / 2 - 1});
    out_.begin().text(offset + length == xml.size() ? "l" : "m");
    out_.binary(xml.substr(offset, length)).send();
}

// As many low bytes of the target's register as the debugger knows of.
std::span<const u8> Server::register_value(unsigned number, std::span<u8, largest_register> room) {
    auto [target, bytes] = description_[number];
    std::ranges::fill(room, u8{0});
    target_.read_register(target, room.first(register_bytes(target)));
    return room.first(bytes);
}

// The bytes that the debugger does not know of stay.
const char* Server::set_register(unsigned number, std::span<const u8> low_bytes) {
    const u8 target = description_[number].target;
    std::array<u8, largest_register> whole{};
    const std::span<u8> value = std::span(whole).first(register_bytes(target));
    target_.read_register(target, value);
    std::ranges::copy(low_bytes, value.begin());
    return target_.write_register(target, value);
}

void Server::read_all() {
    out_.begin();
    std::array<u8, largest_register> room;
    for (unsigned n = 0; n < description_.count(); n++) out_.hex_bytes(register_value(n, room));
    out_.send();
}

// Registers that cannot be changed come with all others. Some are views of others (linear_pc, bases of selectors), and would take
// back what these were given: only what differs from before the packet is written. The first that is refused is told.
void Server::write_all(Fields f) {
    std::array<u8, all_register_bytes> values, before;
    unsigned size = 0;
    std::array<u8, largest_register> room;
    for (unsigned n = 0; n < description_.count(); size += description_[n++].bytes)
        std::ranges::copy(register_value(n, room), before.begin() + size);
    if (!f.hex_bytes(std::span(values).first(size))) return reply(bad_packet);
    const char* refused = nullptr;
    for (unsigned n = 0, at = 0; n < description_.count(); at += description_[n++].bytes) {
        const auto value = std::span(values).subspan(at, description_[n].bytes);
        if (std::ranges::equal(value, std::span(before).subspan(at, value.size()))) continue;
        const char* why = set_register(n, value);
        if (!refused) refused = why;
    }
    reply_written(refused);
}

// What a register's write has answered.
void Server::reply_written(const char* refused) {
    if (!refused) return reply("OK");
    out_.begin().text("E.").text(refused).send();
}

void Server::read_one(Fields f) {
    u64 n = f.hex();
    if (!f.good() || !f.at_end() || n >= description_.count()) return reply(bad_packet);
    std::array<u8, largest_register> room;
    out_.begin().hex_bytes(register_value(static_cast<unsigned>(n), room)).send();
}

void Server::write_one(Fields f) {
    u64 n = f.hex();
    f.expect('=');
    if (!f.good() || n >= description_.count()) return reply(bad_packet);
    std::array<u8, largest_register> bytes;
    const std::span<u8> value = std::span(bytes).first(description_[static_cast<unsigned>(n)].bytes);
    if (!f.hex_bytes(value)) return reply(bad_packet);
    reply_written(set_register(static_cast<unsigned>(n), value));
}

void Server::read_memory(Fields f) {
    u64 address = f.hex();
    f.expect(',');
    u64 length = f.hex();
    if (!f.good() || !f.at_end()) return reply(bad_packet);
    std::array<u8, packet_size / 2> bytes;
    length = std::min<u64>(length, bytes.size());
    usize got = length ? target_.read_memory(address, std::span(bytes).first(length)) : 0;
    if (length && !got) return reply(no_memory);
    out_.begin();
    out_.hex_bytes(std::span(bytes).first(got)).send();
}

void Server::write_memory(Fields f, bool binary) {
    u64 address = f.hex();
    f.expect(',');
    u64 length = f.hex();
    f.expect(':');
    std::array<u8, packet_size> bytes;
    if (!f.good() || length > bytes.size()) return reply(bad_packet);
    std::span<u8> data = std::span(bytes).first(length);
    if (binary) {
        if (f.rest().size() != length) return reply(bad_packet);
        std::ranges::copy(f.rest(), data.begin());
    } else if (!f.hex_bytes(data)) {
        return reply(bad_packet);
    }
    reply(!length || target_.write_memory(address, data) ? "OK" : no_memory);
}

void Server::point(Fields f, bool add) {
    u64 kind = f.hex();
    f.expect(',');
    u64 address = f.hex();
    f.expect(',');
    u64 size = f.hex();
    if (!f.good() || !f.at_end()) return reply(bad_packet);
    if (kind > static_cast<u64>(Point::AccessWatch)) return reply("");
    Point p = static_cast<Point>(kind);
    if (add) return reply(target_.add_point(p, address, size) ? "OK" : cannot);
    target_.remove_point(p, address, size);
    reply("OK");
}

// c [address], s [address], C signal[;address], S signal[;address]. Signals mean nothing here.
std::optional<Resume> Server::resume(std::string_view text) {
    Fields f(text.substr(1));
    bool has_signal = text.front() == 'C' || text.front() == 'S';
    bool has_address = !f.at_end();
    if (has_signal) {
        f.hex();
        has_address = f.take(';');
    }
    if (has_address) {
        u64 address = f.hex();
        std::array<u8, 8> value;
        for (unsigned n = 0; n < 8; n++) value[n] = static_cast<u8>(address >> 8 * n);
        if (f.good() && f.at_end() && target_.write_register(description_.pc(), value)) return reply(cannot), std::nullopt;
    }
    if (!f.good() || !f.at_end()) return reply(bad_packet), std::nullopt;
    bool step = text.front() == 's' || text.front() == 'S';
    return Resume{.kind = step ? Resume::Kind::Step : Resume::Kind::Continue};
}

// c, C signal, s, S signal, r begin,end; good() of the fields says whether it is one.
Resume Server::action(Fields& f) const {
    Resume r{.kind = Resume::Kind::Step};
    if (f.take('r')) {
        r.begin = f.hex();
        f.expect(',');
        r.end = f.hex();
        r.linear = description_.pc() == reg::linear_pc;
    } else if (f.take('S')) {
        f.hex();
    } else if (!f.take('s')) {
        r.kind = Resume::Kind::Continue;
        if (f.take('C')) f.hex();
        else f.expect('c');
    }
    return r;
}

// action[:thread][;action[:thread]]...: the first is for the only thread there is, whether it names it or not.
std::optional<Resume> Server::resume_threads(Fields f) {
    std::optional<Resume> first;
    bool good;
    do {
        const Resume r = action(f);
        if (!first) first = r;
        good = !f.take(':') || names_thread(f);
    } while (good && f.take(';'));
    if (good && f.good() && f.at_end()) return first;
    reply(bad_packet);
    return {};
}

}  // namespace bmbt::gdb
