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

#[test]
fn handles_may_be_used_by_all_threads_at_once() {
    use offspring::sync::{Barrier, Condvar, Event, Mutex, Once, Permit, ReentrantMutex, RwLock, Semaphore};
    fn sent<T: Send + Sync + 'static>() {}
    fn shared<T: Clone + Send + Sync + std::panic::UnwindSafe + 'static>() {}
    shared::<Mutex<[u8; 3]>>();
    shared::<RwLock<u64>>();
    shared::<ReentrantMutex<std::sync::atomic::AtomicU8>>();
    shared::<(Semaphore, Condvar, Event)>();
    shared::<(Barrier, Once)>();
    sent::<Permit>();
}
