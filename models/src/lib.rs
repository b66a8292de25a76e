//! A model of how those who wait for a channel are woken, checked by `loom`: it tries the orders in which the steps of a few threads
//! can follow each other, with what memory may show them, up to a bound on how often one interrupts another.
//!
//! What is checked are the files of the library themselves: `channel/bell.rs` and `channel/waiting.rs`. Around them stand a futex, a socket
//! and locks that loom sees through. A thread that would sleep for ever is an error of loom's: a deadlock. A nap that ends by itself could
//! hide a lost wake-up, so it is taken away where none may be lost, and ends at once where somebody dies.
//!
//! The records of the ring lie in bytes of a mapping, which loom cannot see into: `channel/records.rs` has their accesses in miniature.
#![cfg(loom)]
#![allow(dead_code)]

mod sys;

mod process {
    pub(crate) mod wait {
        /// As in the library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum BeforeSleep {
            Ready,
            Sleep,
            Busy,
        }
    }
}

mod channel {
    #[path = "../../../runtime/src/channel/bell.rs"]
    mod bell;
    #[path = "../../../runtime/src/channel/waiting.rs"]
    mod waiting;

    mod ring;

    #[cfg(test)]
    mod records;
    #[cfg(test)]
    mod tests;
}
