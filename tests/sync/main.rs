//! Synchronisation between processes: what each primitive does, and what becomes of it when its users are killed.

mod awaiting;
mod barrier;
mod condvar;
mod event;
mod mutex;
mod once;
mod reentrant;
mod rwlock;
mod semaphore;

/// A process that waits for its end.
fn forever() {
    loop {
        std::thread::park();
    }
}

/// Kills a child and waits for its end.
fn kill<T: serde::Serialize + serde::de::DeserializeOwned + 'static>(child: &offspring::Child<T>) {
    child.kill().unwrap();
    child.wait().unwrap();
}
