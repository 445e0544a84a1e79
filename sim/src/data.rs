//! Recorded data that the simulator replays: links, baskets, hours.
//!
//! Readers take any `BufRead`; opening files is the caller's business. A text compressed with zstd is recognised by its first
//! bytes. Every fault of a file is a [`DataError`] with the line that caused it, counted in the decompressed text from 1. No
//! input makes a reader panic or hold more than [`ROWS_MAX`] rows; the lists of a [`links`] matrix have a bound of their own.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rows`] | decompression, bounded lines, columns by name, numbers |
//! | [`local_time`] | local times as the recordings write them |
//! | [`links`] | what a recorded link is, and which format a file has |
//! | [`cellular`] | delivery opportunities and what an app saw, on cellular links |
//! | [`maine`] | rates and pings of Starlink and two cellular operators on one drive |
//! | [`matrix`] | round trips between all pairs of a set of devices |
//! | [`baskets`] | what customers bought together, and days laid over each other |
//! | [`hours`] | how a shop's load is spread over a week |
//! | [`places`] | where shops are, and when and to where people of a city ordered |

pub mod baskets;
pub mod cellular;
pub mod hours;
pub mod links;
pub mod local_time;
pub mod maine;
pub mod matrix;
pub mod places;
pub mod rows;

/// Most data rows of one file. The largest recording at hand has 1,046,910.
pub const ROWS_MAX: u32 = 2_000_000;

/// Longest line, its end included. The longest at hand, of a matrix of 99 devices, has under 500 bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with a file of recorded data, and where. Nothing of the file is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// The name that the caller gave.
    pub file: String,
    /// Line in the decompressed text; the header is line 1. 1 also for a text that has no line at all.
    pub line: u64,
    /// What is wrong, as part of a sentence.
    pub message: String,
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for DataError {}

/// A file's name without folders and without `.csv` or `.csv.zst`.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = name.strip_suffix(".zst").unwrap_or(name);
    name.strip_suffix(".csv").unwrap_or(name)
}

/// A count with a comma at each thousand.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{stem, thousands};

    #[test]
    fn counts_are_written_with_commas() {
        let written = [0, 999, 1_000, 1_046_910].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,046,910"]);
    }

    #[test]
    fn a_file_is_called_by_its_stem() {
        assert_eq!(stem("../data/cj_baskets.csv.zst"), "cj_baskets");
        assert_eq!(stem("hours.csv"), "hours");
        assert_eq!(stem(""), "");
    }
}
