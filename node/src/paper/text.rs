//! Texts of others on their way to paper: nothing that commands a printer, nothing that turns a line around, nothing endless.

/// A text with what cannot be printed taken out and white space made single, at most `most` characters long. A text that was cut
/// ends in three dots.
pub fn clean(text: &str, most: usize) -> String {
    let mut kept = String::new();
    let mut count = 0;
    let mut is_gap = false;
    for c in text.chars().take(READ_CHARS_MAX) {
        // A tab or a line break between two words still parts them.
        if c.is_whitespace() {
            is_gap = count > 0;
            continue;
        }
        if is_silent(c) {
            continue;
        }
        if std::mem::take(&mut is_gap) {
            kept.push(' ');
            count += 1;
        }
        kept.push(c);
        count += 1;
        if count > most {
            return cut(&kept, most);
        }
    }
    kept
}

/// Breaks a text into lines of so many columns: between words, or inside one that is longer than a line. `columns` says how many a
/// character takes.
pub fn wrap(text: &str, width: usize, columns: impl Fn(char) -> usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let size: usize = word.chars().map(&columns).sum();
        if used > 0 && used + 1 + size > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used > 0 && used + columns(c) > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += columns(c);
        }
    }
    lines.push(line);
    lines
}

fn cut(kept: &str, most: usize) -> String {
    let head: String = kept.chars().take(most.saturating_sub(CUT.len())).collect();
    format!("{}{CUT}", head.trim_end())
}

/// Control characters, which begin a printer's commands, and what changes a line without being seen: directions, joiners, marks
/// of byte order, private characters, and the tags of language.
fn is_silent(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
            | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xfff0..=0xffff | 0xe0000..=0x10ffff)
}

/// Three plain dots, since not every printer has the one character for them.
const CUT: &str = "...";

/// No text is read further than this, however long it is.
const READ_CHARS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_commands_a_printer_is_left() {
        assert_eq!(clean("\u{1b}@Milk\u{1d}V\u{0}\u{10}\u{4}\u{9b}1\u{7f}", 99), "@MilkV1");
        assert_eq!(clean(" Oat\t\r\n milk  ", 99), "Oat milk");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{feff}d\u{e000}e\u{2028}f", 99), "abcde f");
        assert_eq!(clean("\n\n", 99), "");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(clean(&"x".repeat(10_000), 10), "xxxxxxx...");
        assert_eq!(clean(&"牛奶".repeat(5_000), 6), "牛奶牛...");
        assert_eq!(clean("1234567890", 10), "1234567890");
        assert_eq!(clean(&" ".repeat(10_000), 10), "");
    }

    #[test]
    fn lines_break_between_words_and_a_chinese_character_takes_two_columns() {
        let columns = |c: char| if c.is_ascii() { 1 } else { 2 };
        assert_eq!(wrap("oat milk drink", 8, columns), ["oat milk", "drink"]);
        assert_eq!(wrap("abcdefghij", 4, columns), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("全脂牛奶x", 4, columns), ["全脂", "牛奶", "x"]);
        assert_eq!(wrap("", 4, columns), [""]);
        for line in wrap(&"词 wörd ".repeat(50), 7, columns) {
            assert!(line.chars().map(columns).sum::<usize>() <= 7, "{line}");
        }
    }
}
