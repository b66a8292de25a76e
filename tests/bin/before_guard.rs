//! Programs whose children do not come by the guard, and one whose children are started too deep.

use std::sync::Mutex;

use offspring::shm::SharedSlice;
use offspring::{JoinError, StartError};

/// Shared memory that is made before the guard: all children have it.
static EARLY: Mutex<Option<SharedSlice<u64>>> = Mutex::new(None);

fn has_it_alone() -> bool {
    EARLY.lock().unwrap().as_mut().is_some_and(|slice| slice.get_mut().is_some())
}

fn nothing() {}

/// Starts a child that does the same, and says how deep it came.
fn descend() -> Result<u32, String> {
    let child = offspring::spawn(descend, ()).map_err(|error| error.to_string())?;
    child.join().map_err(|error| error.to_string())?.map(|depth| depth + 1)
}

fn report(started: Result<offspring::Child<()>, StartError>) {
    match started.map(|child| child.join()) {
        Err(error @ StartError::Boot(_)) => println!("start: {error}"),
        Ok(Err(error @ JoinError::Boot { .. })) => println!("join: {error}"),
        other => println!("unexpected: {other:?}"),
    }
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let is_child = std::env::var_os("OFFSPRING_BOOT").is_some();
    match (mode.as_str(), is_child) {
        ("exits", true) => std::process::exit(9),
        ("killed", true) => std::process::abort(),
        // The user's `main` goes on where the guard should be.
        ("never", true) => loop {
            std::thread::park();
        },
        ("never-starts", true) => {
            if let Err(error) = offspring::spawn(nothing, ()) {
                eprintln!("in the child: {error}");
            }
            std::process::exit(3)
        }
        ("early", _) => {
            *EARLY.lock().unwrap() = Some(SharedSlice::zeroed(8).unwrap());
            offspring::init();
        }
        _ => offspring::init(),
    }
    if mode == "early" {
        let alone = [(); 2].map(|()| offspring::spawn(has_it_alone, ()).unwrap());
        println!("{:?}", alone.map(|child| child.join().unwrap()));
    } else if mode == "deep" {
        println!("{:?}", descend());
    } else {
        report(offspring::spawn(nothing, ()));
    }
}
