//! Notes about members, orders, stores and products: what they say, where several people wrote different things, and who wrote what.
//!
//! A note about a member is personal: it is shown to who is signed in, and each reading is written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::notes::{NOBODY, Note};
use stockroom_core::input::Command;
use stockroom_core::input::notes::NoteRequest;
use stockroom_core::view::members::AccessReport;
use stockroom_core::view::notes::{NoteView, OpenNote};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Actor, Code, MemberId, Sku, StoreId};
use stockroom_crdt::member::value::Field;
use stockroom_crdt::note::edit::Edit;
use stockroom_crdt::note::story::{Chapter, Deed};
use stockroom_crdt::note::{Stamp, Subject};
use stockroom_crdt::order::OrderId;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, done};
use super::members::audit::How;
use super::members::{Sight, Told};
use super::problem::{Answered, Problem};
use super::request::{Params, Segments};
use super::values::{Moment, Text, Word};
use super::who::{SessionHeader, Who};
use super::{Api, Books};

/// Somebody edits a note: all of it is done, or nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteBody {
    /// Who, if nobody is signed in.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// At a hub: whose note about a member or an order it is. Her own store's, and the order's at its home, if absent.
    store: Option<u32>,
    /// What.
    edits: Vec<EditBody>,
}

/// One edit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditBody {
    /// `text` (a text reads so from now on; only what differs is written), `set` or `unset` (a value), or `say` (in the conversation of an
    /// order).
    #[serde(rename = "do")]
    #[schema(value_type = String, example = "set")]
    what: Text<EditWord>,
    /// Name of the text or value.
    #[serde(default)]
    name: String,
    /// What it says.
    #[schema(value_type = Option<String>)]
    text: Option<Told>,
}

/// What an edit does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EditWord {
    /// A text.
    Text,
    /// A value.
    Set,
    /// No value.
    Unset,
    /// A message.
    Say,
}

/// What a note is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// A member.
    Members,
    /// An order.
    Orders,
    /// A store.
    Stores,
    /// A product.
    Products,
}

/// Which note, and when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoteParams {
    /// At a hub: whose note about a member or an order. Her own store's, and the order's at its home, if absent.
    store: Option<u32>,
    /// As it was at the end of this earlier generation, with the edits of that.
    generation: Option<u32>,
}

/// A note.
#[derive(Serialize, ToSchema)]
#[schema(as = Note)]
pub struct NoteAnswer {
    /// `members`, `orders`, `stores` or `products`.
    about: &'static str,
    /// Which of them.
    id: String,
    /// The store in whose records it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<u32>,
    /// `readable`; `sealed` if the member's key is not here or was destroyed; `waits` if a part that it builds on has not arrived.
    standing: &'static str,
    /// Its texts by name. What several people changed at once is merged.
    texts: BTreeMap<String, String>,
    /// Its values by name. Several where people wrote different ones apart from each other, the newest first, until somebody sets one.
    values: BTreeMap<String, Vec<SaidHere>>,
    /// Names with several values.
    conflicts: Vec<String>,
    /// The conversation, the earliest first.
    chat: Vec<SaidHere>,
    /// Messages before it that are not shown any more.
    earlier: u32,
    /// Which generation it is in; older ones can be asked for.
    generation: u32,
    /// Edits before those in `history`.
    folded: u64,
    /// Edits that have arrived and are not merged yet.
    waiting: usize,
    /// Edits that cannot be read.
    malformed: usize,
    /// Who wrote what in this generation, the earliest first.
    history: Vec<ChapterAnswer>,
}

/// Something that somebody wrote.
#[derive(Serialize, ToSchema)]
pub struct SaidHere {
    /// What.
    text: String,
    /// By whom.
    by: ByAnswer,
}

/// Who wrote something.
#[derive(Serialize, ToSchema)]
pub struct ByAnswer {
    /// Who.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// At which node.
    #[schema(value_type = String)]
    node: Text<Actor>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
}

/// One edit of a note.
#[derive(Serialize, ToSchema)]
pub struct ChapterAnswer {
    /// Who wrote it.
    by: ByAnswer,
    /// What it did.
    deeds: Vec<DeedAnswer>,
}

/// What an edit did.
#[derive(Serialize, ToSchema)]
pub struct DeedAnswer {
    /// `text`, `set`, `unset` or `say`.
    #[serde(rename = "do")]
    what: &'static str,
    /// Name of the text or value.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What was written.
    text: String,
    /// Characters of a text that went.
    gone: u32,
}

/// What a note says, what is in conflict, and who wrote it.
#[utoipa::path(get, path = "/v1/notes/{about}/{id}", tag = "notes",
    params(("about" = String, Path), ("id" = String, Path), NoteParams, SessionHeader),
    responses((status = 200, body = NoteAnswer)))]
pub async fn show_note(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(about, id): Segments<About, String>,
    Params(params): Params<NoteParams>,
) -> Answered<Json<NoteAnswer>> {
    let subject = about.subject(&id)?;
    who.may_read(&api, &subject)?;
    let note = api.read(|books| note_of(&api, books, subject, params.store))?;
    let answer = api.note_answer(&who, note, params.generation).await?;
    Ok(Json(answer))
}

/// Edits a note. What others write at the same time elsewhere is merged with it.
#[utoipa::path(post, path = "/v1/notes/{about}/{id}", tag = "notes",
    params(("about" = String, Path), ("id" = String, Path), KeyHeader, SessionHeader), request_body = NoteBody,
    responses((status = 200, body = NoteAnswer)))]
pub async fn edit_note(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(about, id): Segments<About, String>,
    Keyed { value, retry }: Keyed<NoteBody>,
) -> Answered {
    let subject = about.subject(&id)?;
    who.may_read(&api, &subject)?;
    match about {
        About::Members | About::Orders => {}
        About::Stores | About::Products => who.may(&api, Role::Manager)?,
    }
    let staff = who.name("staff", &value.staff.0)?;
    let note = api.read(|books| note_of(&api, books, subject.clone(), value.store))?;
    let edits = value.edits.into_iter().enumerate().map(|(index, edit)| edit.taken(index));
    let edits = edits.collect::<Answered<Vec<_>>>()?;
    let store = (note.store != NOBODY && about != About::Stores).then_some(note.store);
    let written = api.write(Command::Note(retry, NoteRequest { subject, store, staff, edits })).await;
    let written = written.map_err(|problem| problem.renamed("subject", "id"))?;
    Ok(done(written.replayed, api.note_answer(&who, note, None).await?))
}

/// The notes about a person's accounts that can be read here.
pub fn of_accounts(books: &Books<'_>, report: &AccessReport) -> Answered<Vec<NoteAnswer>> {
    let mut notes = Vec::new();
    for (member, stores) in &report.stores {
        for store in stores {
            let note = Note { store: *store, subject: Subject::Member(*member) };
            if let NoteView::Open(open) = books.note(&note)?
                && *open != (OpenNote { state: open.state.clone(), ..OpenNote::default() })
            {
                notes.push(NoteAnswer::of(&note, Some(*open), "readable"));
            }
        }
    }
    Ok(notes)
}

impl Api {
    async fn note_answer(&self, who: &Who, note: Note, generation: Option<u32>) -> Answered<NoteAnswer> {
        let view = self.read(|books| match generation {
            None => Ok(books.note(&note)?),
            Some(generation) => {
                let gone = || Problem::not_found("the note had no such generation");
                books.note_before(&note, generation)?.ok_or_else(gone)
            }
        })?;
        let answer = match view {
            NoteView::Open(open) => NoteAnswer::of(&note, Some(*open), "readable"),
            NoteView::Sealed => NoteAnswer::of(&note, None, "sealed"),
            NoteView::Unreadable => NoteAnswer::of(&note, None, "waits"),
        };
        if let (Some(member), "readable") = (note.subject.member(), answer.standing) {
            self.note_reading(who, How::Note, &[(member, Field::Remark)], Sight::Full).await?;
        }
        Ok(answer)
    }
}

impl Who {
    fn may_read(&self, api: &Api, subject: &Subject) -> Answered<()> {
        match subject {
            Subject::Member(_) | Subject::Order(_) => self.may(api, Role::Cashier),
            Subject::Store(_) | Subject::Product(_) => Ok(()),
        }
    }
}

/// The note that is meant, seen from this node.
fn note_of(api: &Api, books: &Books<'_>, subject: Subject, store: Option<u32>) -> Answered<Note> {
    let own = (api.info.store != 0).then_some(StoreId(api.info.store));
    let named = store.map(StoreId).or(own);
    let store = match &subject {
        Subject::Product(_) => NOBODY,
        Subject::Store(store) => *store,
        Subject::Order(_) => named.unwrap_or(NOBODY),
        Subject::Member(member) => match named {
            Some(store) => store,
            None => {
                let home = books.member(*member)?.and_then(|member| member.home);
                home.ok_or_else(|| Problem::not_found("no such member is known at this node"))?
            }
        },
    };
    Ok(Note { store, subject })
}

impl About {
    fn subject(self, id: &str) -> Answered<Subject> {
        let invalid = |message| Problem::invalid("id", message);
        Ok(match self {
            Self::Members => Subject::Member(<MemberId as Word>::read(id).map_err(invalid)?),
            Self::Orders => {
                let order =
                    OrderId::parse(id).ok_or_else(|| Problem::invalid("id", "is not the number of an order"))?;
                Subject::Order(order)
            }
            Self::Stores => Subject::Store(StoreId(<u32 as Word>::read(id).map_err(invalid)?)),
            Self::Products => Subject::Product(<Sku as Word>::read(id).map_err(invalid)?),
        })
    }
}

impl EditBody {
    fn taken(self, index: usize) -> Answered<Edit> {
        let missing = || Problem::invalid(format!("edits[{index}].text"), "is needed");
        let text = |text: Option<Told>| text.map(|told| told.0).ok_or_else(missing);
        Ok(match self.what.0 {
            EditWord::Text => Edit::Text { field: self.name, text: text(self.text)? },
            EditWord::Set => Edit::Set { key: self.name, value: text(self.text)? },
            EditWord::Unset => Edit::Unset { key: self.name },
            EditWord::Say => Edit::Say { text: text(self.text)? },
        })
    }
}

impl NoteAnswer {
    /// The account that the note is about; 0 if it is about something else.
    pub fn member(&self) -> MemberId {
        MemberId::parse(&self.id).unwrap_or(MemberId(0))
    }

    fn of(note: &Note, open: Option<OpenNote>, standing: &'static str) -> Self {
        let (about, id) = match &note.subject {
            Subject::Member(member) => ("members", member.to_string()),
            Subject::Order(order) => ("orders", order.to_string()),
            Subject::Store(store) => ("stores", store.0.to_string()),
            Subject::Product(sku) => ("products", sku.to_string()),
        };
        let OpenNote { state, generation, folded, story, waiting, malformed } = open.unwrap_or_default();
        let here = |text, by| SaidHere { text, by: ByAnswer::of(by) };
        let conflicts = state.values.iter().filter(|(_, said)| said.len() > 1).map(|(key, _)| key.clone()).collect();
        let values = state.values.into_iter();
        let values = values.map(|(key, said)| (key, said.into_iter().map(|said| here(said.value, said.by)).collect()));
        Self {
            about,
            id,
            store: (note.store != NOBODY).then_some(note.store.0),
            standing,
            texts: state.texts,
            values: values.collect(),
            conflicts,
            chat: state.chat.into_iter().map(|message| here(message.text, message.by)).collect(),
            earlier: state.earlier,
            generation,
            folded,
            waiting,
            malformed,
            history: story.into_iter().map(ChapterAnswer::of).collect(),
        }
    }
}

impl ByAnswer {
    fn of(by: Stamp) -> Self {
        Self { staff: Text(by.staff), node: Text(by.actor), at: Text(Moment(by.hlc.ms())) }
    }
}

impl ChapterAnswer {
    fn of(chapter: Chapter) -> Self {
        let deed = |deed| match deed {
            Deed::Edit(Edit::Text { field, text }) => ("text", Some(field), text, 0),
            Deed::Edit(Edit::Set { key, value }) => ("set", Some(key), value, 0),
            Deed::Edit(Edit::Unset { key }) => ("unset", Some(key), String::new(), 0),
            Deed::Edit(Edit::Say { text }) => ("say", None, text, 0),
            Deed::Text { field, came, gone } => ("text", Some(field), came, gone),
        };
        let deeds = chapter.deeds.into_iter().map(deed);
        let deeds = deeds.map(|(what, name, text, gone)| DeedAnswer { what, name, text, gone }).collect();
        Self { by: ByAnswer::of(chapter.by), deeds }
    }
}

impl Word for About {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "members" => Ok(Self::Members),
            "orders" => Ok(Self::Orders),
            "stores" => Ok(Self::Stores),
            "products" => Ok(Self::Products),
            _ => Err("is not one of members, orders, stores, products".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Members => "members".into(),
            Self::Orders => "orders".into(),
            Self::Stores => "stores".into(),
            Self::Products => "products".into(),
        }
    }
}

impl Word for EditWord {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "set" => Ok(Self::Set),
            "unset" => Ok(Self::Unset),
            "say" => Ok(Self::Say),
            _ => Err("is not one of text, set, unset, say".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Set => "set".into(),
            Self::Unset => "unset".into(),
            Self::Say => "say".into(),
        }
    }
}
