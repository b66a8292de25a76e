//! Panics in a child: caught whole, and reported even when they end the process on the spot.
//!
//! The hook notes message, location and backtrace, then calls the hook that was there before, so that what a panic
//! prints is what it always prints. A panic that unwinds is reported by [`live`](super::child::live). One that cannot (`panic =
//! "abort"`, a panic in a destructor while another unwinds, a panic in an `extern "C"` function) ends in `abort()`:
//! for these the hook leaves the report with the handler of SIGABRT.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Arc;

use super::error::{Location, Panic};
use super::order::{Failure, Report};
use crate::sys::channel::{Channel, MAX_MESSAGE};
use crate::sys::runtime;
use crate::wire::envelope;

/// What a panic's backtrace may take of a message.
const MAX_BACKTRACE: usize = MAX_MESSAGE / 2;
/// What its text may take.
const MAX_TEXT: usize = MAX_MESSAGE / 4;

thread_local! {
    /// The panic of this thread that was noted last.
    static LAST: RefCell<Option<(Panic, Option<Backtrace>)>> = const { RefCell::new(None) };
}

/// Notes every panic of this process from now on.
pub(crate) fn watch(channel: &Arc<Channel>) {
    let before = std::panic::take_hook();
    let channel = Arc::clone(channel);
    std::panic::set_hook(Box::new(move |info| {
        note(info, &channel);
        before(info);
    }));
}

fn note(info: &PanicHookInfo<'_>, channel: &Channel) {
    let panic = Panic {
        message: message(info.payload()),
        location: info.location().map(|location| Location {
            file: location.file().into(),
            line: location.line(),
            column: location.column(),
        }),
        thread: std::thread::current().name().map(str::to_owned),
        backtrace: None,
    };
    let backtrace = wants_backtrace().then(Backtrace::force_capture);
    let unwinding = LAST.with_borrow_mut(|last| last.replace((panic, backtrace))).map(|(panic, _)| panic);
    // Whether an earlier panic still unwinds or was caught long ago cannot be told here; being ready costs little.
    if cfg!(panic = "abort") || unwinding.is_some() {
        let mut panic =
            LAST.with_borrow(|last| last.as_ref().map(whole)).unwrap_or_else(|| unknown("unnamed"));
        if let Some(first) = unwinding {
            panic.message = format!("{} (the panic before it: {first})", panic.message);
        }
        if let Ok(bytes) = envelope::inline(&Report::Failed(Failure::Panicked(panic))) {
            runtime::say_when_aborting(channel, bytes);
        }
    }
}

fn wants_backtrace() -> bool {
    let forbidden = |name| std::env::var_os(name).is_some_and(|value| value == "0");
    match std::env::var_os("RUST_LIB_BACKTRACE") {
        Some(value) => value != "0",
        None => !forbidden("RUST_BACKTRACE"),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    shortened(text.unwrap_or_else(|| "a panic whose payload is no text".into()), MAX_TEXT)
}

fn whole((panic, backtrace): &(Panic, Option<Backtrace>)) -> Panic {
    let backtrace = backtrace.as_ref().map(|backtrace| shortened(backtrace.to_string(), MAX_BACKTRACE));
    Panic { backtrace, ..panic.clone() }
}

fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn unknown(message: &str) -> Panic {
    Panic { message: message.into(), location: None, thread: None, backtrace: None }
}

/// The panic that the thread has just been unwound by.
pub(crate) fn last(cause: &(dyn Any + Send)) -> Panic {
    let noted = LAST.with_borrow_mut(Option::take);
    // `resume_unwind` panics without the hook: then what is noted, if anything, is another panic.
    let told = message(cause);
    match noted {
        Some(noted) if noted.0.message == told => whole(&noted),
        _ => unknown(&told),
    }
}

/// Drops a panic's payload, whose destructor may panic itself.
pub(crate) fn drop_quietly(cause: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(cause))) {
        std::mem::forget(again);
    }
}
