//! A child's life, from its order to its exit.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::guard::BOOT_FAILURE;
use super::identity::Identity;
use super::method::StartMethod;
use super::order::{Adopt, Failure, Life, Order, Report, Role, Target};
use super::registry::{self, Runner};
use super::{identity, leave, link, method, panic};
use crate::sys::ambient::{self, Ambient};
use crate::sys::channel::{Channel, Received};
use crate::sys::{Object, borrow, image, lifeline, process, runtime};
use crate::wire::envelope;
use crate::wire::parcel::{self, Beside, Parcel};

/// The exit code after a panic: Rust's own.
const PANICKED: i32 = 101;

/// What the forkserver was like when it began, for the children that are cloned from it.
static SERVER: std::sync::OnceLock<Ambient> = std::sync::OnceLock::new();

/// In the forkserver: remembers what clones of it start from.
pub(crate) fn remember_server() -> &'static Ambient {
    SERVER.get_or_init(|| ambient::capture().ambient)
}

/// In the forkserver: does once what each clone of it would have to do, and pay for with copies of memory.
pub(crate) fn prepare_clones() {
    panic::watch();
    drop(io::stdout()); // makes its buffer
    // What a thread has for this has a destructor, which is registered once.
    let _nothing_beside_it =
        parcel::pack(&()).and_then(|_| parcel::unpack::<()>(&[], &mut Beside::default()));
}

/// Goes through the motions of a life, so that a process that was just cloned takes its page faults, which cost it more than
/// all its system calls, before anybody waits for it.
pub(crate) fn rehearse() {
    let identity =
        Identity { name: "rehearsal".into(), path: vec![1], daemon: false, depth: 1, parent: None };
    let adopt = Adopt { ambient: SERVER.get().cloned(), environment: None };
    let life = Life {
        target: Target::Class(String::new()),
        identity,
        start_method: StartMethod::ForkServer,
        detached: false,
        own_group: true,
        standard: Some([true; 3]),
        directory: true,
        adopt: Some(adopt),
    };
    let order = Order { build: image::build_id().to_vec(), role: Role::Process(Box::new(life)) };
    let played = Channel::pair().and_then(|(ours, theirs)| {
        envelope::send(&ours, &order, &Parcel::default(), &[borrow(&theirs)])?;
        let Received::Message(message) = Channel::from_object(theirs)?.receive()? else { return Ok(()) };
        let opened = envelope::open::<Order>(message)?;
        if let Role::Process(life) = opened.header.role {
            let _no_such_class = find(&life.target);
        }
        envelope::send(&ours, &Report::Done, &Parcel::default(), &[])
    });
    let _nobody_watches = played.is_err();
    process::set_title("offspring-spare");
}

/// Lives the life of a child: never returns.
pub(crate) fn live(channel: Channel, life: Life, payload: &[u8], mut beside: Beside) -> ! {
    let channel = link::connect(channel);
    let target = life.target.clone();
    let settled = settle(life, std::mem::take(&mut beside.objects));
    let runner = match settled.and_then(|objects| Ok((find(&target)?, objects))) {
        Ok((runner, objects)) => {
            beside.objects = objects;
            runner
        }
        Err(failure) => refuse(&channel, failure),
    };
    panic::watch();
    let me = std::process::id();
    let outcome = catch_unwind(AssertUnwindSafe(|| runner(payload, beside)));
    if std::process::id() != me {
        // A copy that `run` made by a fork of its own, and let return: it is not the one that was asked.
        runtime::exit_now(BOOT_FAILURE);
    }
    match outcome {
        Ok(Ok(output)) => {
            answer(&channel, &Report::Done, &output);
            leave::now(0)
        }
        Ok(Err(failure)) => refuse(&channel, failure),
        Err(cause) => {
            let panic = panic::last(cause.as_ref());
            panic::drop_quietly(cause);
            answer(&channel, &Report::Failed(Failure::Panicked(panic)), &Parcel::default());
            leave::now(PANICKED)
        }
    }
}

/// Makes this process what its starter wants it to be: the objects that belong to the value.
fn settle(life: Life, objects: Vec<Object>) -> Result<Vec<Object>, Failure> {
    // One that was cloned or forked has not passed an exec that separated it; for others this is no change.
    if life.own_group || life.detached {
        ambient::separate(life.detached);
    }
    let attached = take_on(&life, objects).map_err(|error| Failure::Setup(error.to_string()))?;
    if life.own_group && ambient::standard(0).is_some_and(ambient::is_terminal) {
        ambient::refuse_terminal_stops();
    }
    process::set_title(&life.identity.name);
    method::inherit(life.start_method);
    identity::assume(life.identity);
    Ok(attached)
}

/// Takes on the starter's surroundings as far as this process has not inherited them: the objects that are no part of them.
fn take_on(life: &Life, objects: Vec<Object>) -> io::Result<Vec<Object>> {
    let mut objects = objects.into_iter();
    if let Some(open) = life.standard {
        ambient::install_standard(open.map(|open| open.then(|| objects.next()).flatten()))?;
    }
    if life.directory {
        let directory = objects.next().ok_or(io::ErrorKind::InvalidData)?;
        ambient::enter(&directory)?;
    }
    if let Some(adopt) = &life.adopt {
        if let Some(environment) = &adopt.environment {
            runtime::replace_environment(environment);
        }
        if let (Some(ambient), Some(server)) = (&adopt.ambient, SERVER.get()) {
            ambient.adopt(server);
        }
    }
    if !life.detached {
        let end = objects.next().ok_or(io::ErrorKind::InvalidData)?;
        lifeline::arm(&end, life.own_group)?;
    }
    Ok(objects.collect())
}

fn find(target: &Target) -> Result<Runner, Failure> {
    match target {
        Target::Class(key) => {
            registry::find(key).map(|class| class.run).ok_or_else(|| Failure::UnknownClass(key.clone()))
        }
        Target::Function(offset) => image::function_at(*offset)
            .ok_or_else(|| Failure::Setup(format!("no function lies at offset {offset:#x}"))),
    }
}

/// Says something to the parent. One that is gone, or has dropped the handle, has no use for it.
fn answer(channel: &Channel, report: &Report, parcel: &Parcel) {
    if let Err(error) = envelope::send(channel, report, parcel, &[]) {
        if !envelope::is_gone(&error) {
            // Out of memory or descriptors for a large output: what can be said in few bytes is said.
            let failure = Failure::Output(format!("cannot hand over {} bytes: {error}", parcel.length()));
            let _nothing_more_can_be_done =
                envelope::send(channel, &Report::Failed(failure), &Parcel::default(), &[]);
            leave::now(BOOT_FAILURE)
        }
    }
}

/// Says why there is no output, and exits.
pub(crate) fn refuse(channel: &Channel, failure: Failure) -> ! {
    answer(channel, &Report::Failed(failure), &Parcel::default());
    leave::now(BOOT_FAILURE)
}
