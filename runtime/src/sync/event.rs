//! A flag to wait for.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::future::Proxy;
use super::monitor::{Monitor, Step};
use super::page::{Layout, Page, handle};
use crate::sys::poller;
use crate::sys::shareable::shared_words;

shared_words! {
    /// The state of an event.
    #[derive(Clone, Copy)]
    pub(crate) struct Setting {
        /// Zero if it is not set.
        set: u32,
        /// How many times it has been set: who waits sees that it was, although it is cleared again.
        times: u32,
    }
}

/// What lies in its page.
type Flag = Monitor<Setting>;

impl Layout for Flag {
    fn is_held_by(&self, _: u64) -> bool {
        false // its lock is held by no guard
    }
}

/// A flag that threads of all processes set, clear and wait for.
///
/// A handle can be cloned, and travels in fields of process classes, arguments, outputs and messages. A process that is killed while it
/// sets the event has either set it, and then those who wait go on, or not.
///
/// ```
/// use offspring::sync::Event;
/// use std::time::Duration;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let ready = Event::new()?;
///     assert!(!ready.wait_timeout(Duration::from_millis(1))?);
///     offspring::spawn(|ready: Event| ready.set().unwrap(), (ready.clone(),))?;
///     ready.wait()?;
///     assert!(ready.is_set()?);
///     Ok(())
/// }
/// ```
pub struct Event {
    page: Arc<Page<Flag>>,
}

handle!(Event, "Event");

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    /// When the system has no descriptor or no memory left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { page: Page::create("Event", |page: &Flag| page.begin(Setting { set: 0, times: 0 }))? })
    }

    /// Sets it: all who wait go on, and nobody waits from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set(&self) -> io::Result<()> {
        self.page.update(|flag| *flag = Setting { set: 1, times: flag.times.wrapping_add(1) })
    }

    /// Takes it back: who comes from now on waits again. All who waited when it was set go on, however soon it is cleared.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn clear(&self) -> io::Result<()> {
        self.page.update_quietly(|flag| flag.set = 0)
    }

    /// Whether it is set.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn is_set(&self) -> io::Result<bool> {
        Ok(self.page.state()?.set != 0)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn wait(&self) -> io::Result<()> {
        self.wait_deadline(None).map(drop)
    }

    /// Waits until it is set, at most this long: whether it is.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        self.wait_deadline(poller::deadline(Some(timeout)))
    }

    /// Waits until it is set, from asynchronous code on any executor. Until then a thread waits for it in place of the task.
    ///
    /// # Errors
    /// When the system refuses to wait, or no thread can be started.
    pub async fn wait_async(&self) -> io::Result<()> {
        let mut proxy = Proxy::default();
        let before = self.page.state()?.times;
        let set = std::future::poll_fn(|context| {
            let wait = || {
                let event = self.clone();
                move |until| !matches!(event.wait_since(Some(before), Some(until)), Ok(false))
            };
            let look = || Ok(self.wait_since(Some(before), Some(Instant::now()))?.then_some(()));
            proxy.poll(context, look, wait)
        });
        set.await
    }

    fn wait_deadline(&self, deadline: Option<Instant>) -> io::Result<bool> {
        self.wait_since(None, deadline)
    }

    /// Waits until it is set, or has been set more often than this.
    fn wait_since(&self, mut before: Option<u32>, deadline: Option<Instant>) -> io::Result<bool> {
        let set = self.page.wait_until(deadline, |flag, _| {
            if flag.set != 0 || *before.get_or_insert(flag.times) != flag.times {
                Step::Done(())
            } else {
                Step::Wait { look: false }
            }
        });
        Ok(set?.is_some())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Event");
        if let Ok(set) = self.is_set() {
            debug.field("set", &set);
        }
        debug.finish_non_exhaustive()
    }
}
