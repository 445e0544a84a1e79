//! What somebody may do to a note. Checked against the subject's shape and against bounds before anything is written.

use super::Subject;
use crate::ids::{TextError, check_text};
use crate::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX, NOTE_MESSAGE_BYTES_MAX, NOTE_TEXT_BYTES_MAX};

/// One thing that somebody does to a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// A text reads so from now on. Only what differs is written, so that others can edit other parts of it.
    Text {
        /// Which.
        field: String,
        /// What it reads.
        text: String,
    },
    /// A value is this. It replaces those that were seen, and settles a conflict between them.
    Set {
        /// Its name.
        key: String,
        /// What it is.
        value: String,
    },
    /// A value is none any more.
    Unset {
        /// Its name.
        key: String,
    },
    /// Somebody says something in the conversation.
    Say {
        /// What.
        text: String,
    },
}

/// Why an edit cannot be. The texts stand in a sentence that begins with the field's name, and hold nothing of what was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A note of this subject has no such part.
    #[error("is no part of a note about this")]
    Shape,
    /// A text is empty, too long, or has a character that is not allowed.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Edit {
    /// Checks the edit against the shape of the subject's note.
    pub fn check(&self, subject: &Subject) -> Result<(), EditError> {
        let has = |is: bool| if is { Ok(()) } else { Err(EditError::Shape) };
        match self {
            Self::Text { field, text } => {
                has(subject.texts().contains(&field.as_str()))?;
                if text.is_empty() { Ok(()) } else { Ok(check_text(text, NOTE_TEXT_BYTES_MAX, may_stand)?) }
            }
            Self::Set { key, value } => {
                has(subject.has_values())?;
                check_text(key, CODE_BYTES_MAX, |c| !c.is_control())?;
                Ok(check_text(value, NAME_BYTES_MAX, may_stand)?)
            }
            Self::Unset { key } => {
                has(subject.has_values())?;
                Ok(check_text(key, CODE_BYTES_MAX, |c| !c.is_control())?)
            }
            Self::Say { text } => {
                has(subject.has_chat())?;
                Ok(check_text(text, NOTE_MESSAGE_BYTES_MAX, may_stand)?)
            }
        }
    }
}

/// Characters of a text with lines.
fn may_stand(c: char) -> bool {
    c == '\n' || c == '\t' || !c.is_control()
}

/// What of `old` is replaced by what, so that it reads `new`: where (in characters), how many, and by which text.
pub fn difference(old: &str, new: &str) -> (usize, usize, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    (before, old.len() - before - after, new[before..new.len() - after].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{MemberId, StoreId};

    #[test]
    fn a_difference_makes_the_old_text_the_new_one() {
        for (old, new) in
            [("", ""), ("", "a"), ("a", ""), ("aa", "aaa"), ("abcabc", "abc"), ("grün ist", "grau ist"), ("xyz", "zyx")]
        {
            let (at, gone, come) = difference(old, new);
            let kept: Vec<char> = old.chars().collect();
            let made: String =
                kept[..at].iter().chain(&come.chars().collect::<Vec<_>>()).chain(&kept[at + gone..]).collect();
            assert_eq!(made, new, "from {old:?}");
        }
        assert_eq!(difference("one two three", "one 2 three"), (4, 3, "2".into()));
    }

    #[test]
    fn edits_fit_the_subject() {
        let (member, store) = (Subject::Member(MemberId(1)), Subject::Store(StoreId(1)));
        let text = Edit::Text { field: "remark".into(), text: "likes\nplums".into() };
        assert_eq!(text.check(&member), Ok(()));
        assert_eq!(text.check(&store), Err(EditError::Shape));
        assert_eq!(Edit::Say { text: "hello".into() }.check(&member), Err(EditError::Shape));
        assert_eq!(Edit::Set { key: String::new(), value: "x".into() }.check(&store), Err(TextError::Empty.into()));
        assert_eq!(
            Edit::Set { key: "k".into(), value: "\u{7}".into() }.check(&store),
            Err(TextError::Character.into())
        );
        let long = Edit::Text { field: "notice".into(), text: "x".repeat(NOTE_TEXT_BYTES_MAX + 1) };
        assert_eq!(long.check(&store), Err(TextError::TooLong(NOTE_TEXT_BYTES_MAX).into()));
    }
}
