// Days since 1970 and dates of the proleptic Gregorian calendar, both ways.
#pragma once
#include "base/types.hpp"

namespace bmbt {

struct Date {
    i64 year;
    unsigned month, day;  // from 1
};

// Years begin in March here, so that a leap day is a year's last day, and 400 years have 146097 days.
constexpr Date date_of_day(i64 day) {
    day += 719468;
    const i64 era = (day >= 0 ? day : day - 146096) / 146097;
    const unsigned in_era = static_cast<unsigned>(day - era * 146097);
    const unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    const unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    const unsigned m = (5 * in_year + 2) / 153;
    const unsigned month = m < 10 ? m + 3 : m - 9;
    return {era * 400 + year + (month <= 2), month, in_year - (153 * m + 2) / 5 + 1};
}

constexpr i64 day_of_date(Date d) {
    const i64 y = d.year - (d.month <= 2);
    const i64 era = (y >= 0 ? y : y - 399) / 400;
    const unsigned in_era_year = static_cast<unsigned>(y - era * 400);
    const unsigned in_year = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
    return era * 146097 + in_era_year * 365 + in_era_year / 4 - in_era_year / 100 + in_year - 719468;
}

constexpr unsigned days_in_month(i64 year, unsigned month) {
    const Date next = month < 12 ? Date{year, month + 1, 1} : Date{year + 1, 1, 1};
    return static_cast<unsigned>(day_of_date(next) - day_of_date({year, month, 1}));
}

static_assert(date_of_day(0).year == 1970 && date_of_day(0).month == 1 && date_of_day(0).day == 1);
static_assert(day_of_date({2000, 2, 29}) == 11016 && date_of_day(11016).day == 29);

}  // namespace bmbt
