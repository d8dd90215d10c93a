// Errors as values. Result<T> is a failure of the host or of the user's input: it ends in one clear line.
#pragma once
#include <expected>

namespace bmbt {

// A failure in the user's words: what is wrong and the way out, a static or arena string without a full stop.
struct Error {
    const char* what;
};

template <class T = void>
using Result = std::expected<T, Error>;

// The value of an expected, or return its error from the enclosing function.
#define TRY(expr)                                                                 \
    __extension__({                                                               \
        auto&& try_ = (expr);                                                     \
        if (!try_) [[unlikely]] return std::unexpected(std::move(try_).error());  \
        *std::move(try_);                                                         \
    })
// The same for an expected<void, E>.
#define CHECK(expr)                                                               \
    do {                                                                          \
        auto&& check_ = (expr);                                                   \
        if (!check_) [[unlikely]] return std::unexpected(std::move(check_).error()); \
    } while (0)

}  // namespace bmbt
