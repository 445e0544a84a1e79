//! Figures in words: counts, bytes, lengths of time, moments of a run.

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A count with commas: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut words = digits[..head].to_owned();
    for at in (head..digits.len()).step_by(3) {
        if !words.is_empty() {
            words.push(',');
        }
        words.push_str(&digits[at..at + 3]);
    }
    words
}

/// A count with its noun: `1 sale`, `2 sales`.
pub fn many(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

/// A size in decimal units: `12.3 MB`.
pub fn bytes(number: u64) -> String {
    scaled(number, &[" B", " kB", " MB", " GB", " TB", " PB", " EB"])
}

/// A count with few digits, for an axis: `12k`.
pub fn short(number: u64) -> String {
    scaled(number, &["", "k", "M", "G", "T", "P", "E"])
}

fn scaled(number: u64, units: &[&str; 7]) -> String {
    let (mut value, mut unit) = (number as f64, 0);
    // From 999.5 on, rounding would write a thousand of this unit.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 { 0 } else { 1 };
    let value = format!("{value:.digits$}");
    format!("{}{}", value.strip_suffix(".0").unwrap_or(&value), units[unit])
}

/// A length of time in its two largest units: `3 h 12 min`.
pub fn lasting(ms: u64) -> String {
    let pair = |large: u64, name: &str, small: u64, other: &str| {
        let rest = ms % large / small;
        let whole = format!("{} {name}", count(ms / large));
        if rest == 0 { whole } else { format!("{whole} {rest} {other}") }
    };
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => {
            let tenths = format!("{:.1}", (ms / 100) as f64 / 10.0);
            format!("{} s", tenths.strip_suffix(".0").unwrap_or(&tenths))
        }
        MINUTE..HOUR => pair(MINUTE, "min", SECOND, "s"),
        HOUR..DAY => pair(HOUR, "h", MINUTE, "min"),
        DAY.. => pair(DAY, "d", HOUR, "h"),
    }
}

/// Seconds in words, or nothing if they are no length of time.
pub fn lasting_s(seconds: f64) -> Option<String> {
    (seconds.is_finite() && seconds >= 0.0).then(|| lasting((seconds * 1000.0) as u64))
}

/// A moment of the run: `day 2, 14:05:09`. The first day is day 1.
pub fn moment(ms: u64) -> String {
    format!("day {}, {}", count(ms / DAY + 1), hour(ms))
}

/// The hour of the run's day: `14:05:09`.
pub fn hour(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}", ms % DAY / HOUR, ms % HOUR / MINUTE, ms % MINUTE / SECOND)
}

/// A share in whole per cent; nothing of nothing is nothing.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0%".to_owned();
    }
    match part as f64 * 100.0 / whole as f64 {
        little if part > 0 && little < 1.0 => "under 1%".to_owned(),
        per_cent => format!("{per_cent:.0}%"),
    }
}

/// The first letter as a sentence begins with.
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A name cut to fit its place, on one line.
pub fn fitted(name: &str, letters_max: usize) -> String {
    let clean = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut letters: Vec<char> = clean.take(letters_max + 1).collect();
    if letters.len() > letters_max {
        letters.truncate(letters_max.saturating_sub(1));
        letters.push('…');
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!([many(1, "sale"), many(2_000, "sale")], ["1 sale", "2,000 sales"]);
    }

    #[test]
    fn sizes_never_show_a_thousand_of_a_unit() {
        assert_eq!([0, 999, 1_000, 12_345, 999_999].map(bytes), ["0 B", "999 B", "1 kB", "12.3 kB", "1 MB"]);
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!([500, 20_000, 1_500_000].map(short), ["500", "20k", "1.5M"]);
    }

    #[test]
    fn lengths_show_two_units() {
        assert_eq!([0, 999, 1_500, 60_000].map(lasting), ["0 ms", "999 ms", "1.5 s", "1 min"]);
        assert_eq!([3_600_000, 11_520_000, 5_184_000_000].map(lasting), ["1 h", "3 h 12 min", "60 d"]);
        assert_eq!(lasting_s(2.5).as_deref(), Some("2.5 s"));
        assert_eq!([f64::NAN, f64::INFINITY, -1.0].map(lasting_s), [None, None, None]);
    }

    #[test]
    fn moments_are_days_and_hours_of_the_run() {
        assert_eq!(moment(0), "day 1, 00:00:00");
        assert_eq!(moment(DAY + 14 * HOUR + 5 * MINUTE + 9 * SECOND), "day 2, 14:05:09");
    }

    #[test]
    fn shares_of_nothing_are_nothing() {
        assert_eq!([share(0, 0), share(1, 3), share(1, 1_000), share(0, 9)], ["0%", "33%", "under 1%", "0%"]);
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(["hub 1 fell", "", "ßtore"].map(sentence), ["Hub 1 fell", "", "SStore"]);
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        assert_eq!(fitted("北京路一号店", 4), "北京路…");
        assert_eq!(fitted("a\nb", 9), "a b");
        assert_eq!(fitted("four", 4), "four");
    }
}
