// The line to the debugger: bytes both ways.
#pragma once
#include "base/types.hpp"

namespace bmbt::gdb {

class ByteStream {
 public:
    virtual int get() = 0;  // the next byte, or -1: none has come
    virtual void put(u8 c) = 0;
    virtual void wait() = 0;  // until a byte may have come; may return early

 protected:
    ~ByteStream() = default;
};

}  // namespace bmbt::gdb
