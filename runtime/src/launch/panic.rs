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
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{Location, Panic};
use super::link;
use super::order::{Failure, Report};
use crate::sys::channel::MAX_MESSAGE;
use crate::sys::runtime;
use crate::wire::envelope;

/// What a panic's backtrace may take of a message.
const MAX_BACKTRACE: usize = MAX_MESSAGE / 2;
/// What its text may take.
const MAX_TEXT: usize = MAX_MESSAGE / 4;

/// A panic as the hook saw it; its backtrace becomes text only when somebody wants it, which may take a second.
#[derive(Debug)]
struct Noted {
    panic: Panic,
    backtrace: Option<Backtrace>,
}

thread_local! {
    /// The panic of this thread that was noted last, and the one before it.
    static NOTED: RefCell<(Option<Noted>, Option<Noted>)> = const { RefCell::new((None, None)) };
}

/// Notes every panic of this process, and of its copies, from now on.
pub(crate) fn watch() {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    if WATCHES.swap(true, Ordering::Relaxed) {
        return; // a copy has the hook of the original
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // The thread may be at its end, and its memory of panics gone.
        if NOTED.try_with(|_| ()).is_ok() {
            note(info);
        }
        before(info);
    }));
}

fn note(info: &PanicHookInfo<'_>) {
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
    if let Some(end) = End::of(&panic.message) {
        let report = NOTED.with_borrow_mut(|(last, before)| end.describe(last.take(), before.take()));
        leave_last_words(report.unwrap_or(panic));
        return;
    }
    let noted = Noted { panic, backtrace: wants_backtrace().then(Backtrace::force_capture) };
    if cfg!(panic = "abort") {
        leave_last_words(noted.whole());
        return;
    }
    NOTED.with_borrow_mut(|(last, before)| *before = last.replace(noted));
}

/// What the runtime says when it gives up on unwinding, in a panic of its own that is the last.
#[derive(Clone, Copy, Debug)]
enum End {
    Cleanup,
    NoUnwind,
}

impl End {
    fn of(message: &str) -> Option<Self> {
        match message {
            "panic in a destructor during cleanup" => Some(Self::Cleanup),
            "panic in a function that cannot unwind" => Some(Self::NoUnwind),
            _ => None,
        }
    }

    /// What is to blame: the panic before the end, and in a clean-up the one before that, which was unwinding.
    fn describe(self, last: Option<Noted>, before: Option<Noted>) -> Option<Panic> {
        let mut panic = last?.whole();
        match (self, before) {
            (Self::Cleanup, Some(first)) => {
                panic.message =
                    format!("{} (in a destructor, while this panic unwound: {})", panic.message, first.panic);
            }
            (Self::Cleanup, None) => panic.message += " (in a destructor, while another panic unwound)",
            (Self::NoUnwind, _) => panic.message += " (in a function that cannot unwind)",
        }
        Some(panic)
    }
}

/// Has a panic reported by the handler of SIGABRT.
fn leave_last_words(panic: Panic) {
    let Some(channel) = link::current() else { return };
    if let Ok(bytes) = envelope::inline(&Report::Failed(Failure::Panicked(panic))) {
        runtime::say_when_aborting(&channel, bytes);
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

impl Noted {
    fn whole(self) -> Panic {
        let backtrace = self.backtrace.map(|backtrace| shortened(backtrace.to_string(), MAX_BACKTRACE));
        Panic { backtrace, ..self.panic }
    }
}

fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The panic that the thread has just been unwound by.
pub(crate) fn last(cause: &(dyn Any + Send)) -> Panic {
    let message = message(cause);
    match NOTED.with_borrow_mut(|(last, _)| last.take()) {
        Some(noted) if noted.panic.message == message => noted.whole(),
        // `resume_unwind` panics without the hook: then what is noted, if anything, is another panic.
        _ => Panic { message, location: None, thread: None, backtrace: None },
    }
}

/// Drops a panic's payload, whose destructor may panic itself.
pub(crate) fn drop_quietly(cause: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(cause))) {
        std::mem::forget(again);
    }
}
