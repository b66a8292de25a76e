//! What travels: events, spans and what becomes of them, as bytes.
//!
//! Numbers have eight bytes; texts their length and the text. What does not read as a line is nobody's.

use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use tracing_core::field::{self, DisplayValue, Field, Value, Visit};
use tracing_core::{Level, LevelFilter, Metadata};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event = 1,
    NewSpan = 2,
    Record = 3,
    Follows = 4,
    Close = 5,
    /// Nothing but what every head says: how many lines were lost.
    Lost = 6,
    /// Somebody wants to know that all before it has been emitted.
    Settle = 7,
}

/// In the place of a span's number: what is current, and none on purpose.
pub(super) const CONTEXT: u64 = 0;
pub(super) const ROOT: u64 = u64::MAX;

/// What every line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) kind: Kind,
    /// Whose it is, as the hub knows it.
    pub(super) source: u64,
    /// The span that its task stands in, as the hub knows it.
    pub(super) context: u64,
    /// How many lines before it were lost.
    pub(super) lost: u64,
    pub(super) pid: u64,
    /// The name of the process.
    pub(super) name: &'a str,
}

/// A level as a number: 0 for none.
pub(super) fn number_of(level: LevelFilter) -> u64 {
    level.into_level().map_or(0, |level| match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        _ => 5,
    })
}

pub(super) fn level_of(number: u64) -> LevelFilter {
    match number {
        0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Writes a line down.
#[derive(Debug)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn head(&mut self, head: &Head<'_>) {
        for number in [head.kind as u64, head.source, head.context, head.lost, head.pid] {
            self.number(number);
        }
        self.text(head.name);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// What is written by a function, with its length before it.
    fn measured(&mut self, write: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.number(0);
        write(self);
        let length = (self.0.len() - at - 8) as u64;
        self.0[at..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    /// What the callsite says of itself.
    pub(super) fn callsite(&mut self, metadata: &Metadata<'_>) {
        self.measured(|writer| {
            writer.number(number_of(LevelFilter::from_level(*metadata.level())));
            writer.number(metadata.is_span().into());
            writer.number(metadata.line().unwrap_or(0).into());
            writer.text(metadata.name());
            writer.text(metadata.target());
            writer.text(metadata.file().unwrap_or_default());
            writer.text(metadata.module_path().unwrap_or_default());
            for field in metadata.fields() {
                writer.text(field.name());
            }
        });
    }

    /// What the callsite says of an event of the library's own.
    pub(super) fn own_callsite(&mut self, level: LevelFilter, name: &str, target: &str, fields: &[&str]) {
        self.measured(|writer| {
            for number in [number_of(level), 0, 0] {
                writer.number(number);
            }
            for text in [name, target, "", ""].iter().chain(fields) {
                writer.text(text);
            }
        });
    }

    fn tag(&mut self, field: usize, tag: Tag) {
        self.0.extend_from_slice(&[u8::try_from(field).unwrap_or(u8::MAX), tag as u8]);
    }

    /// The value of a field, as it is displayed.
    pub(super) fn display(&mut self, field: usize, value: impl fmt::Display) {
        self.tag(field, Tag::Debug);
        self.measured(|writer| writer.formatted(format_args!("{value}")));
    }

    pub(super) fn text_of(&mut self, field: usize, value: &str) {
        self.tag(field, Tag::Text);
        self.text(value);
    }

    pub(super) fn unsigned(&mut self, field: usize, value: u64) {
        self.tag(field, Tag::Unsigned);
        self.number(value);
    }

    fn formatted(&mut self, text: fmt::Arguments<'_>) {
        let _as_far_as_it_can_be_formatted = self.write_fmt(text);
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Signed = 1,
    Unsigned = 2,
    Signed128 = 3,
    Unsigned128 = 4,
    Float = 5,
    Bool = 6,
    Text = 7,
    Debug = 8,
    Bytes = 9,
    Error = 10,
}

impl Visit for Writer {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.tag(field.index(), Tag::Signed);
        self.number(value as u64);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.unsigned(field.index(), value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.tag(field.index(), Tag::Signed128);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.tag(field.index(), Tag::Unsigned128);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.tag(field.index(), Tag::Float);
        self.number(value.to_bits());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.tag(field.index(), Tag::Bool);
        self.number(value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text_of(field.index(), value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.tag(field.index(), Tag::Bytes);
        self.bytes(value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.tag(field.index(), Tag::Error);
        self.measured(|writer| {
            for error in
                std::iter::successors(Some(value), |error: &&(dyn Error + 'static)| (*error).source())
            {
                writer.measured(|writer| writer.formatted(format_args!("{error}")));
            }
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.tag(field.index(), Tag::Debug);
        self.measured(|writer| writer.formatted(format_args!("{value:?}")));
    }
}

/// Reads a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn head(&mut self) -> Option<Head<'a>> {
        let kind = self.number()?;
        let kinds =
            [Kind::Event, Kind::NewSpan, Kind::Record, Kind::Follows, Kind::Close, Kind::Lost, Kind::Settle];
        Some(Head {
            kind: kinds.into_iter().find(|known| *known as u64 == kind)?,
            source: self.number()?,
            context: self.number()?,
            lost: self.number()?,
            pid: self.number()?,
            name: self.text()?,
        })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The next value, and which field has it.
    pub(super) fn value(&mut self) -> Option<(usize, Told<'a>)> {
        let [field, tag] = self.array()?;
        let is = |known: Tag| known as u8 == tag;
        let told = if is(Tag::Signed) {
            Told::Signed(self.number()? as i64)
        } else if is(Tag::Unsigned) {
            Told::Unsigned(self.number()?)
        } else if is(Tag::Signed128) {
            Told::Signed128(self.array().map(i128::from_le_bytes)?)
        } else if is(Tag::Unsigned128) {
            Told::Unsigned128(self.array().map(u128::from_le_bytes)?)
        } else if is(Tag::Float) {
            Told::Float(f64::from_bits(self.number()?))
        } else if is(Tag::Bool) {
            Told::Bool(self.number()? != 0)
        } else if is(Tag::Text) {
            Told::Text(self.text()?)
        } else if is(Tag::Debug) {
            Told::Debug(field::display(self.text()?))
        } else if is(Tag::Bytes) {
            Told::Bytes(self.bytes()?)
        } else if is(Tag::Error) {
            let mut chain = Reader(self.bytes()?);
            let texts: Vec<&str> = std::iter::from_fn(|| chain.text()).collect();
            let fault = texts
                .into_iter()
                .rev()
                .fold(None, |source, text| Some(Box::new(Fault { text: text.into(), source })));
            Told::Error(fault?)
        } else {
            return None;
        };
        Some((field.into(), told))
    }
}

/// A value that came.
#[derive(Debug)]
pub(super) enum Told<'a> {
    Signed(i64),
    Unsigned(u64),
    Signed128(i128),
    Unsigned128(u128),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Debug(DisplayValue<&'a str>),
    Bytes(&'a [u8]),
    Error(Box<dyn Error + 'static>),
}

impl Told<'_> {
    pub(super) fn value(&self) -> &dyn Value {
        match self {
            Self::Signed(value) => value,
            Self::Unsigned(value) => value,
            Self::Signed128(value) => value,
            Self::Unsigned128(value) => value,
            Self::Float(value) => value,
            Self::Bool(value) => value,
            Self::Text(value) => value,
            Self::Debug(value) => value,
            Self::Bytes(value) => value,
            Self::Error(value) => value,
        }
    }
}

/// An error of another process, with what it came of.
#[derive(Debug)]
struct Fault {
    text: String,
    source: Option<Box<Self>>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
