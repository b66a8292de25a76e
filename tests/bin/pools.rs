//! Programs that use a pool, for tests that look at the whole of them from outside. The first argument says which.

use std::io::Write;

use offspring::Pool;
use offspring::pool::PoolError;
use offspring::sync::Event;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone is no reason to stop.
    let _unread = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A pool, or why there is none, with every cause.
fn pool() -> Result<Pool, String> {
    Pool::new(2).map_err(|error: PoolError| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    })
}

fn forever(_n: u32) {
    loop {
        std::thread::park();
    }
}

/// Waits in the middle of a map.
fn midway() {
    let pool = pool().expect("a pool starts");
    let pids: Vec<String> = pool.stats().workers.iter().map(|worker| worker.pid.to_string()).collect();
    let begun = Event::new().expect("an event can be made");
    let work = |n: u32, begun: Event| {
        begun.set().expect("it can be set");
        forever(n);
    };
    let inputs = (0..10_000).map(|n| (n, begun.clone()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            begun.wait().expect("it can be waited for");
            say(format_args!("midway {}", pids.join(" ")));
        });
        let unexpected = pool.starmap(work, inputs);
        say(format_args!("unexpected: {} results", unexpected.len()));
    });
}

fn end() -> ! {
    match std::env::args().nth(2).as_deref() {
        Some("crashes") => std::process::abort(),
        _ => std::process::exit(3),
    }
}

/// A value that ends the process that encodes it.
struct EndsEncoding;

impl Serialize for EndsEncoding {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        end()
    }
}

impl<'de> Deserialize<'de> for EndsEncoding {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("it is never encoded"))
    }
}

/// A value that ends the process that decodes it.
struct EndsDecoding;

impl Serialize for EndsDecoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for EndsDecoding {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        end()
    }
}

/// Ends in the middle of encoding an argument or of decoding a result, with a task under way.
fn ends(encoding: bool) {
    let pool = pool().expect("a pool starts");
    let _busy = pool.submit(forever, (1,));
    let pids: Vec<String> = pool.stats().workers.iter().map(|worker| worker.pid.to_string()).collect();
    say(format_args!("workers {}", pids.join(" ")));
    if encoding {
        let _ends = pool.submit(|_: EndsEncoding| (), (EndsEncoding,));
    } else {
        let _ends = pool.map(|_: u32| EndsDecoding, [1]);
    }
    say(format_args!("unexpected"));
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let how = std::env::args().nth(2).unwrap_or_default();
    let is_child = std::env::var_os("OFFSPRING_BOOT").is_some();
    match mode.as_str() {
        "early" if is_child && how == "exits" => std::process::exit(9),
        "early" if is_child => std::process::abort(),
        "unguarded" => {}
        _ => offspring::init(),
    }
    match mode.as_str() {
        "midway" => midway(),
        "encoding" | "decoding" => ends(mode == "encoding"),
        _ => match pool() {
            // With `spawn` the start is over before the guard.
            Ok(pool) => match pool.submit(|| (), ()).map(|task| task.get()) {
                Ok(Ok(())) => say(format_args!("unexpected: it works")),
                Ok(Err(error)) => say(format_args!("{error}")),
                Err(error) => say(format_args!("{error}")),
            },
            Err(why) => say(format_args!("{why}")),
        },
    }
}
