//! What the system does for a channel, as loom sees through it.

pub(crate) mod atomic {
    //! Atomics whose sequentially consistent accesses are in one order with all others, which loom's are not without fences.

    pub(crate) use loom::sync::atomic::{Ordering, fence};

    macro_rules! atomics {
        ($($name:ident $number:ty;)*) => {$(
            #[derive(Debug, Default)]
            pub(crate) struct $name(loom::sync::atomic::$name);

            impl $name {
                pub(crate) fn load(&self, order: Ordering) -> $number {
                    ordered(order, || self.0.load(weaker(order, Ordering::Acquire)))
                }

                pub(crate) fn store(&self, value: $number, order: Ordering) {
                    ordered(order, || self.0.store(value, weaker(order, Ordering::Release)));
                }

                pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                    ordered(order, || self.0.fetch_add(value, order))
                }

                pub(crate) fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                    ordered(order, || self.0.fetch_max(value, order))
                }

                pub(crate) fn compare_exchange(
                    &self,
                    current: $number,
                    new: $number,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$number, $number> {
                    ordered(success, || self.0.compare_exchange(current, new, success, failure))
                }

                pub(crate) fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    update: impl FnMut($number) -> Option<$number>,
                ) -> Result<$number, $number> {
                    ordered(success, || self.0.fetch_update(success, failure, update))
                }
            }
        )*};
    }

    atomics! {
        AtomicU32 u32;
        AtomicU64 u64;
    }

    fn weaker(order: Ordering, instead: Ordering) -> Ordering {
        if order == Ordering::SeqCst { instead } else { order }
    }

    fn ordered<R>(order: Ordering, access: impl FnOnce() -> R) -> R {
        let fence = || {
            if order == Ordering::SeqCst {
                fence(Ordering::SeqCst);
            }
        };
        fence();
        let result = access();
        fence();
        result
    }
}

pub(crate) mod shareable {
    macro_rules! shared_layout {
        ($($(#[$meta:meta])* $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
        })*) => {$(
            $(#[$meta])*
            #[derive(Debug, Default)]
            $vis struct $name {
                $($(#[$field_meta])* $field_vis $field: $type,)*
            }
        )*};
    }
    pub(crate) use shared_layout;
}

pub(crate) mod futex {
    use std::collections::VecDeque;
    use std::io;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    use super::atomic::{AtomicU32, Ordering};

    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum Woken {
        LookAgain,
        TimedOut,
    }

    /// Those who sleep, and the number of the next. There is one word to sleep on in a model.
    #[derive(Default)]
    struct Sleepers {
        asleep: Mutex<(VecDeque<u32>, u32)>,
        woken: Condvar,
    }

    loom::lazy_static! {
        static ref SLEEPERS: Sleepers = Sleepers::default();
    }

    pub(crate) fn wait_for(word: &AtomicU32, value: u32, time: Option<Duration>) -> io::Result<Woken> {
        if time.is_some() {
            loom::thread::yield_now();
            return Ok(Woken::TimedOut);
        }
        let mut sleepers = SLEEPERS.asleep.lock().unwrap();
        if word.load(Ordering::SeqCst) != value {
            return Ok(Woken::LookAgain);
        }
        let me = sleepers.1;
        sleepers.1 += 1;
        sleepers.0.push_back(me);
        while sleepers.0.contains(&me) {
            sleepers = SLEEPERS.woken.wait(sleepers).unwrap();
        }
        Ok(Woken::LookAgain)
    }

    pub(crate) fn wake(_word: &AtomicU32, count: u32) -> usize {
        let mut sleepers = SLEEPERS.asleep.lock().unwrap();
        let woken = sleepers.0.len().min(count as usize);
        sleepers.0.drain(..woken);
        SLEEPERS.woken.notify_all();
        woken
    }
}

pub(crate) mod channel {
    use std::collections::VecDeque;
    use std::io;

    use loom::sync::{Condvar, Mutex};

    #[derive(Debug)]
    pub(crate) enum Peeked {
        Message(u64),
        Empty,
        Closed,
    }

    /// Both ends of a socket: one side writes, and the other reads.
    #[derive(Debug, Default)]
    pub(crate) struct Channel {
        messages: Mutex<VecDeque<u64>>,
        arrived: Condvar,
    }

    impl Channel {
        pub(crate) fn peek(&self) -> io::Result<Peeked> {
            Ok(self.messages.lock().unwrap().front().map_or(Peeked::Empty, |front| Peeked::Message(*front)))
        }

        pub(crate) fn try_receive(&self) -> io::Result<Option<u64>> {
            Ok(self.messages.lock().unwrap().pop_front())
        }

        pub(crate) fn try_send(&self, parts: &[&[u8]], _objects: &[()]) -> io::Result<bool> {
            let message = u64::from_ne_bytes(parts[0].try_into().unwrap());
            self.messages.lock().unwrap().push_back(message);
            self.arrived.notify_all();
            Ok(true)
        }

        pub(crate) fn is_closed(&self) -> io::Result<bool> {
            Ok(false)
        }

        pub(crate) fn sentinel(&self) -> &Self {
            self
        }

        /// Sleeps in `poll`. Who is woken looks again whether there is something to read, as the kernel does.
        pub(crate) fn poll(&self) {
            let mut messages = self.messages.lock().unwrap();
            while messages.is_empty() {
                messages = self.arrived.wait(messages).unwrap();
            }
        }
    }
}

pub(crate) mod poller {
    use std::io;
    use std::time::Instant;

    pub(crate) fn wait(sentinels: &[&super::channel::Channel], _deadline: Option<Instant>) -> io::Result<()> {
        sentinels[0].poll();
        Ok(())
    }
}

pub(crate) mod spin {
    #[derive(Debug, Default)]
    pub(crate) struct Spin;

    impl Spin {
        pub(crate) fn until_from<T>(&self, _origin: u32, mut look: impl FnMut() -> Option<T>) -> Option<T> {
            look()
        }
    }
}
