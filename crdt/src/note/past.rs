//! What a snapshot remembers of the generations before it, beside what the note says: who wrote which value, the values that nobody has
//! chosen between, who said what.

use std::collections::BTreeMap;

use super::Stamp;
use super::document::State;
use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use crate::limits::{
    CODE_BYTES_MAX, NAME_BYTES_MAX, NOTE_CANDIDATES_MAX, NOTE_CHAT_KEPT_MAX, NOTE_VALUES_KEPT_MAX, NOTE_VALUES_MAX,
};

/// A value, and who wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What.
    pub value: String,
    /// By whom.
    pub by: Stamp,
}

/// A message of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What.
    pub text: String,
    /// By whom.
    pub by: Stamp,
}

/// What came before a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Past {
    /// By name, the newest first.
    pub(super) values: BTreeMap<String, Vec<Said>>,
    /// Who said the messages that the snapshot holds, in their order.
    pub(super) chat: Vec<Stamp>,
    /// Messages that it does not hold.
    pub(super) earlier: u32,
    /// Edits so far.
    pub(super) edits: u64,
}

impl Past {
    pub(super) fn of(state: &State, edits: u64) -> Self {
        let is_crowded = state.values.len() > NOTE_VALUES_MAX;
        let count = if is_crowded { NOTE_CANDIDATES_MAX / 2 } else { NOTE_CANDIDATES_MAX };
        let newest = |said: &Vec<Said>| said.iter().take(count).cloned().collect();
        Self {
            values: state.values.iter().map(|(key, said)| (key.clone(), newest(said))).collect(),
            chat: state.chat.iter().map(|message| message.by.clone()).collect(),
            earlier: state.earlier,
            edits,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::A, u64::from(self.earlier));
            sink.uint(col::B, self.edits);
            sink.uint(col::COUNT, self.values.len() as u64);
            for (key, said) in &self.values {
                sink.blob(col::NAME, key.as_bytes());
                sink.uint(col::COUNT, said.len() as u64);
                for said in said {
                    sink.blob(col::RAW, said.value.as_bytes());
                    said.by.encode(sink);
                }
            }
            sink.uint(col::COUNT, self.chat.len() as u64);
            for by in &self.chat {
                by.encode(sink);
            }
        })
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut source = RowReader::new(bytes);
        let mut past = Self { earlier: source.u32(col::A)?, edits: source.uint(col::B)?, ..Self::default() };
        for _ in 0..source.count(col::COUNT, NOTE_VALUES_KEPT_MAX, "values")? {
            let key = source.text(col::NAME, CODE_BYTES_MAX)?;
            let mut said = Vec::new();
            for _ in 0..source.count(col::COUNT, NOTE_CANDIDATES_MAX, "values of one name")? {
                let value = source.blob(col::RAW, NAME_BYTES_MAX)?;
                let value = String::from_utf8(value).map_err(|_| DecodeError::Value("text"))?;
                said.push(Said { value, by: Stamp::decode(&mut source)? });
            }
            past.values.insert(key, said);
        }
        // A message has at least one byte.
        for _ in 0..source.count(col::COUNT, NOTE_CHAT_KEPT_MAX, "messages")? {
            past.chat.push(Stamp::decode(&mut source)?);
        }
        source.finish()?;
        Ok(past)
    }
}
