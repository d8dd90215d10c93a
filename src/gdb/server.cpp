#include "gdb/server.hpp"

namespace bmbt::gdb {

bool Server::wants_stop() {
    while (!wanted_) {
        int c = stream_.get();
        if (c < 0) break;
        wanted_ = in_.feed(static_cast<u8>(c)) == PacketReader::Event::Interrupt;
        // A packet comes from a debugger that has just connected: it expects a stopped target. The one that waited to hear of
        // a stop has gone.
        if (c == '$') wanted_ = true, awaited_ = false;
    }
    return wanted_;
}

Resume Server::stopped(const Stop& why) {
    stop_ = why;
    wanted_ = false;
    if (awaited_ && why.kind == Stop::Kind::Shutdown)
        Console(out_).text("The guest has shut down by a triple fault; to continue is to reset it.").end_line();
    if (awaited_) report();
    awaited_ = false;
    for (;;)
        if (auto resume = serve()) {
            awaited_ = resume->kind == Resume::Kind::Continue || resume->kind == Resume::Kind::Step;
            return *resume;
        }
}

std::optional<Resume> Server::serve() {
    int c = stream_.get();
    if (c < 0) {
        stream_.wait();
        return {};
    }
    switch (in_.feed(static_cast<u8>(c))) {
        case PacketReader::Event::None:
        case PacketReader::Event::Ack:
        case PacketReader::Event::Interrupt: return {};  // an interrupt: it has stopped already
        case PacketReader::Event::Nack: out_.send_again(); return {};
        case PacketReader::Event::Bad: accept(false); return {};
        case PacketReader::Event::Packet: break;
    }
    accept(true);
    return command(in_.data());
}

// Each debugger begins with this packet, and wants to see it acknowledged whatever the one before had agreed on.
void Server::accept(bool good) {
    if (in_.data().starts_with("qSupported")) acknowledge_ = true;
    if (acknowledge_) stream_.put(good ? '+' : '-');
}

void Server::ended(u8 code) {
    if (!awaited_) return;
    awaited_ = false;
    const u8 bytes[] = {code};
    out_.begin();
    out_.text("W").hex_bytes(bytes).send();
}

}  // namespace bmbt::gdb
