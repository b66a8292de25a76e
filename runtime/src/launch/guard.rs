//! The guard: the line in `main` at which a child leaves the path of its parent.
//!
//! A child made by `spawn` is this same program, executed again. It must not do what `main` does, so `main` begins
//! with the guard, which looks for the boot variable: without it, the process is an ordinary one and the guard returns;
//! with it, the process is a child (or the forkserver), and the guard never returns. A program without the guard
//! cannot start processes at all, which is what keeps one that forgot it from starting itself without end.

use std::ffi::OsString;
use std::sync::OnceLock;

use super::order::{Order, Report, Role};
use super::{StartError, child, forkserver};
use crate::sys::channel::{self, Channel, Received};
use crate::sys::{image, runtime};
use crate::wire::envelope;
use crate::wire::parcel::Parcel;

/// The environment variable by which a child finds its boot descriptor. It is removed at once.
pub(crate) const BOOT_VARIABLE: &str = "OFFSPRING_BOOT";

/// The exit code of a process that could not become what it was started for.
pub(crate) const BOOT_FAILURE: i32 = 70; // EX_SOFTWARE in sysexits(3)

/// How this program is executed again so that it comes by the guard.
#[derive(Debug)]
pub(crate) struct Reentry {
    pub(crate) arguments: Vec<OsString>,
    /// A test harness comes first. It writes to standard output, so the child gets its own at the guard; and its main thread
    /// waits for the thread of the test, holding no lock, so a server of two threads may be cloned.
    pub(crate) harness: bool,
}

static REENTRY: OnceLock<Reentry> = OnceLock::new();

/// The guard: call it first thing in `main`, or put [`#[offspring::main]`](macro@crate::main) there, which does it.
///
/// In an ordinary process it notes that the guard exists and returns; it makes no thread and no process. In a child
/// it runs the process class and never returns. A second call does nothing.
///
/// What stands before it in `main` is run by every child as well.
///
/// ```
/// fn main() {
///     offspring::init();
///     println!("only the parent comes this far");
/// }
/// ```
#[doc(alias = "freeze_support")]
pub fn init() {
    enter(|| Reentry { arguments: std::env::args_os().collect(), harness: false });
}

/// The guard of a test: `path` names the test, with the crate in front. Called by `#[offspring::test]`.
pub fn test_guard(path: &'static str) {
    enter(|| {
        let program = std::env::args_os().next().unwrap_or_default();
        let test = path.split_once("::").map_or(path, |(_crate, test)| test);
        let options = ["--exact", test, "--include-ignored", "--nocapture", "--quiet", "--test-threads=1"];
        let arguments = [program].into_iter().chain(options.map(OsString::from)).collect();
        Reentry { arguments, harness: true }
    });
}

fn enter(reentry: impl FnOnce() -> Reentry) {
    REENTRY.get_or_init(reentry);
    if let Some(ticket) = std::env::var_os(BOOT_VARIABLE) {
        runtime::remove_variable(BOOT_VARIABLE);
        let ticket = ticket.to_string_lossy();
        match channel::redeem(&ticket) {
            Ok(channel) => {
                // An executed child says that it came this far; a clone of the forkserver is known to have.
                let _starter_gone_is_seen_next =
                    envelope::send(&channel, &Report::Ready, &Parcel::default(), &[]);
                follow_order(channel)
            }
            Err(error) => give_up(&format!(
                "{error}: {BOOT_VARIABLE} was inherited from a child process by another program; remove it there"
            )),
        }
    }
}

/// Whether processes can be started here: the guard has run.
pub(crate) fn check() -> Result<(), StartError> {
    reentry().map(|_| ())
}

/// How to execute this program again.
pub(crate) fn reentry() -> Result<&'static Reentry, StartError> {
    REENTRY.get().ok_or(StartError::NoGuard)
}

/// Reads the order and does what it says.
pub(crate) fn follow_order(channel: Channel) -> ! {
    let message = match channel.receive() {
        Ok(Received::Message(message)) => message,
        // The starter died, or gave this process up, before it said what it wanted.
        Ok(Received::Closed | Received::Empty) => runtime::exit_now(BOOT_FAILURE),
        Err(error) => refuse(&channel, &error),
    };
    let opened = match envelope::open::<Order>(message) {
        Ok(opened) => opened,
        Err(error) => refuse(&channel, &error),
    };
    if opened.header.build != image::build_id() {
        child::refuse(&channel, super::Failure::OtherBuild);
    }
    let (order, payload, beside) = opened.into_parcel();
    match order.role {
        Role::ForkServer => forkserver::serve(channel, beside.objects),
        Role::Process(life) => child::live(channel, *life, &payload, beside),
    }
}

/// Ends a child that cannot read its order: what came along may be more than it can open.
fn refuse(channel: &Channel, error: &std::io::Error) -> ! {
    child::refuse(channel, super::Failure::Setup(format!("cannot read the order: {error}")))
}

/// Ends a child that has nobody to answer to.
fn give_up(why: &str) -> ! {
    eprintln!("offspring: {why}");
    runtime::exit_now(BOOT_FAILURE)
}
