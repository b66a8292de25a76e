//! Synchronisation between processes: what each primitive does, and what becomes of it when its users are killed.

mod mutex;

/// A process that waits for its end.
fn forever() -> ! {
    loop {
        std::thread::park();
    }
}
