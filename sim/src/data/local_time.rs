//! Local times as the recordings write them, such as `2017-01-01T06:53:26`: proleptic Gregorian, no zone, no leap second.

/// Seconds of a day.
pub const DAY_S: u32 = 86_400;

/// A local time, taken apart as the readers need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// 1970 to 9999.
    pub year: u32,
    /// Day of the year, from 0.
    pub day: u32,
    /// Second of the day, from 0.
    pub second: u32,
}

impl LocalTime {
    /// Reads `YYYY-MM-DDTHH:MM:SS`; `None` when it is written otherwise or there is no such time.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let [year, month, day] = fields(date, '-', [4, 2, 2])?;
        let known = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        if !known || day < 1 || day > month_days(year, month) {
            return None;
        }
        let before: u32 = (1..month).map(|month| month_days(year, month)).sum();
        Some(Self { year, day: before + day - 1, second: second_of_day(time)? })
    }

    /// Day of the week; 0 is Monday.
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday, and a year moves the weekday by one, a leap year by two.
        let leaps = |year: u32| year / 4 - year / 100 + year / 400;
        (3 + (self.year - 1970) + leaps(self.year - 1) - leaps(1969) + self.day) % 7
    }
}

/// Reads `HH:MM:SS` as a second of the day.
pub fn second_of_day(text: &str) -> Option<u32> {
    let [hour, minute, second] = fields(text, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

fn fields(text: &str, between: char, lengths: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(between);
    let mut values = [0; 3];
    for (value, length) in values.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn month_days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::LocalTime;

    fn at(text: &str) -> LocalTime {
        LocalTime::parse(text).expect("a time")
    }

    #[test]
    fn days_of_the_year_and_of_the_week_are_those_of_the_calendar() {
        assert_eq!(at("2017-01-01T06:53:26"), LocalTime { year: 2017, day: 0, second: 24_806 });
        assert_eq!(at("2017-12-31T23:59:59").day, 364);
        assert_eq!(at("2020-12-31T00:00:00").day, 365);
        let weekdays = ["1970-01-01", "2000-02-29", "2000-03-01", "2017-01-01", "2018-02-02", "2100-03-01"]
            .map(|date| at(&format!("{date}T12:00:00")).weekday());
        assert_eq!(weekdays, [3, 1, 2, 6, 4, 0]);
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "2017-02-29T00:00:00",
            "2017-13-01T00:00:00",
            "2017-00-01T00:00:00",
            "2017-01-00T00:00:00",
            "2017-01-01T24:00:00",
            "2017-01-01T00:60:00",
            "2017-01-01 00:00:00",
            "2017-1-1T00:00:00",
            "2017-01-01T00:00",
            "2017-01-01T00:00:00Z",
            "1969-12-31T00:00:00",
            "",
        ] {
            assert_eq!(LocalTime::parse(text), None, "{text}");
        }
    }
}
