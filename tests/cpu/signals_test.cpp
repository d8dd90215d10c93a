#include "cpu/signals.hpp"

#include <gtest/gtest.h>

#include "cpu/flags.hpp"
#include "cpu/system_machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using namespace test;

TEST(Signals, InitStartsTheBootstrapProcessorAgain) {
    SystemMachine m(true);
    m.v.xmm[3].lo = 5;
    m.v.lstar = 7;
    m.v.paging.cr0 |= cr0::cd;
    m.v.halted = true;
    note_signals(m.v, {.nmi = true, .init = true});
    ASSERT_TRUE(signalled(m.v));
    take_signal(m.v, true);
    EXPECT_FALSE(signalled(m.v)) << "INIT forgets the NMI";
    EXPECT_FALSE(m.v.halted);
    EXPECT_EQ(m.v.seg[Cs].base + m.v.rip, 0xffff'fff0u);
    EXPECT_EQ(m.v.paging.cr0, cr0::cd | cr0::et);
    EXPECT_FALSE(m.v.long_mode());
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_EQ(rflags(m.v), flag::reserved1);
    EXPECT_EQ(m.v.xmm[3].lo, 5u);
    EXPECT_EQ(m.v.lstar, 7u);
}

TEST(Signals, OthersWaitForTheirStartup) {
    SystemMachine m(true);
    note_signals(m.v, {.startup = true, .startup_page = 1});
    EXPECT_FALSE(signalled(m.v)) << "a SIPI that nobody waits for";
    note_signals(m.v, {.init = true});
    take_signal(m.v, false);
    EXPECT_TRUE(m.v.halted);
    EXPECT_FALSE(signalled(m.v)) << "the early SIPI is lost";
    note_signals(m.v, {.nmi = true, .init = true});
    EXPECT_FALSE(signalled(m.v)) << "neither NMI nor INIT ends the wait";
    note_signals(m.v, {.startup = true, .startup_page = 0x9a});
    ASSERT_TRUE(signalled(m.v));
    take_signal(m.v, false);
    EXPECT_FALSE(m.v.halted);
    EXPECT_EQ(m.v.seg[Cs].selector, 0x9a00);
    EXPECT_EQ(m.v.seg[Cs].base, 0x9'a000u);
    EXPECT_EQ(m.v.rip, 0u);
    EXPECT_TRUE(signalled(m.v)) << "the NMI that came meanwhile";
}

TEST(Signals, InitAndStartupAtOnce) {
    SystemMachine m(false);
    note_signals(m.v, {.init = true, .startup = true, .startup_page = 2});
    take_signal(m.v, false);
    ASSERT_TRUE(signalled(m.v));
    take_signal(m.v, false);
    EXPECT_EQ(m.v.seg[Cs].base, 0x2000u);
}

TEST(Signals, NmisWaitForTheEndOfOne) {
    SystemMachine m(true);
    m.v.nmi_blocked = true;
    note_signals(m.v, {.nmi = true});
    EXPECT_FALSE(signalled(m.v));
    m.v.nmi_blocked = false;
    EXPECT_TRUE(signalled(m.v));
}

}  // namespace
}  // namespace bmbt
