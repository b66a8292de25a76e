//! The callsites of other processes, in this one.
//!
//! `tracing` knows events and spans by static callsites. A child is the same program, but where its callsites lie, and which of them have been registered,
//! is its own affair; so each is made here, once, out of what it says of itself, and stays for ever. There are no more of them
//! than the program has.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{Field, FieldSet, Value, ValueSet};
use tracing_core::{Dispatch, Interest, Kind, Metadata};

use super::line::{Reader, level_of};

/// How many there are at most: nothing that is sent makes this process grow for ever.
const MOST: usize = 1 << 16;
/// What is added to the fields of events: which process it was.
const NAME: &str = "process.name";
const PID: &str = "process.pid";

/// A callsite of another process.
pub(super) struct Remote {
    metadata: OnceLock<Metadata<'static>>,
    fields: OnceLock<Vec<Field>>,
    /// Whether the process is added to its fields.
    names_process: bool,
}

impl Callsite for Remote {
    fn set_interest(&self, _interest: Interest) {
        // It is not registered with all subscribers there are: that it is emitted to is asked each time.
    }

    fn metadata(&self) -> &Metadata<'static> {
        self.metadata.get().expect("it is registered when it has them")
    }
}

/// The callsite that says this of itself; `None` if that cannot be, or there are too many.
pub(super) fn intern(said: &[u8]) -> Option<&'static Remote> {
    static KNOWN: Mutex<Option<HashMap<&'static [u8], &'static Remote>>> = Mutex::new(None);
    let find = || {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(HashMap::new);
        (known.get(said).copied(), known.len())
    };
    match find() {
        (Some(remote), _) => return Some(remote),
        (None, MOST..) => return None,
        (None, _) => {}
    }
    parse(said)?; // before anything is leaked
    let said: &'static [u8] = Box::leak(said.into());
    let (remote, metadata) = parse(said)?;
    let remote: &'static Remote = Box::leak(Box::new(remote));
    let fields = FieldSet::new(Box::leak(metadata.names.into_boxed_slice()), Identifier(remote));
    let none = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let kind = if metadata.is_span { Kind::SPAN } else { Kind::EVENT };
    let level = level_of(metadata.level).into_level()?;
    let (name, target) = (metadata.name, metadata.target);
    let (file, module) = (none(metadata.file), none(metadata.module));
    let metadata = Metadata::new(name, target, level, file, metadata.line, module, fields, kind);
    let metadata = remote.metadata.get_or_init(|| metadata);
    remote.fields.get_or_init(|| metadata.fields().iter().collect());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_with(HashMap::new).insert(said, remote);
    Some(remote)
}

/// What a callsite says of itself.
struct Said<'a> {
    level: u64,
    is_span: bool,
    line: Option<u32>,
    name: &'a str,
    target: &'a str,
    file: &'a str,
    module: &'a str,
    names: Vec<&'a str>,
}

fn parse(said: &[u8]) -> Option<(Remote, Said<'_>)> {
    let mut reader = Reader(said);
    let (level, is_span, line) = (reader.number()?, reader.number()? != 0, reader.number()?);
    let (name, target, file, module) = (reader.text()?, reader.text()?, reader.text()?, reader.text()?);
    let mut names = Vec::new();
    while !reader.0.is_empty() {
        names.push(reader.text()?);
    }
    // An event that a child has of a child of its own names that one.
    let names_process = !is_span && !names.contains(&PID) && !names.contains(&NAME);
    if names_process {
        names.extend([NAME, PID]);
    }
    let line = u32::try_from(line).ok().filter(|line| *line > 0);
    let remote = Remote { metadata: OnceLock::new(), fields: OnceLock::new(), names_process };
    let said = Said { level, is_span, line, name, target, file, module, names };
    ((1..=5).contains(&level)).then_some((remote, said))
}

impl Remote {
    /// Whether a subscriber wants it: what the macros of `tracing` ask, once, when they come by a callsite first, and then each time.
    pub(super) fn is_wanted(&'static self, dispatch: &Dispatch) -> bool {
        let interest = dispatch.register_callsite(self.it());
        interest.is_always() || (interest.is_sometimes() && dispatch.enabled(self.it()))
    }

    pub(super) fn it(&'static self) -> &'static Metadata<'static> {
        self.metadata()
    }

    /// Does something with values for its fields.
    pub(super) fn with_values<R>(
        &'static self,
        told: &[(usize, &dyn Value)],
        action: impl FnOnce(&ValueSet<'_>) -> R,
    ) -> R {
        let fields = self.fields.get().map_or(&[][..], |fields| fields);
        // What a subscriber is given is an array.
        match told.len() {
            0..=8 => self.fill::<8, R>(fields, told, action),
            9..=40 => self.fill::<40, R>(fields, told, action),
            _ => self.fill::<260, R>(fields, told, action),
        }
    }

    fn fill<const N: usize, R>(
        &'static self,
        fields: &'static [Field],
        told: &[(usize, &dyn Value)],
        action: impl FnOnce(&ValueSet<'_>) -> R,
    ) -> R {
        let set = self.it().fields();
        let Some(first) = fields.first() else { return action(&set.value_set(&[])) };
        let mut all: [(&Field, Option<&dyn Value>); N] = [(first, None); N];
        for (place, (field, value)) in all.iter_mut().zip(told) {
            if let Some(field) = fields.get(*field) {
                *place = (field, Some(*value));
            }
        }
        action(&set.value_set(&all))
    }

    /// Where the two fields are that name the process.
    pub(super) fn process_fields(&self) -> Option<(usize, usize)> {
        let count = self.fields.get().map_or(0, Vec::len);
        self.names_process.then(|| (count.saturating_sub(2), count.saturating_sub(1)))
    }
}
