//! iceoryx2: publish-subscribe with loaned memory, nothing lost, one publisher and one subscriber for each direction.
//! Its subscribers cannot wait; they poll, or listen for an event that the sender adds to each message.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use iceoryx2::node::Node;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use super::Contender;
use super::end::{self, End, attend};
use crate::channels::contestant::HUGE;
use crate::forked::Forked;

/// Services whose subscribers poll, or do not.
#[derive(Debug)]
pub(crate) struct Iceoryx {
    pub(crate) polls: bool,
    /// Whether they copy what they receive.
    pub(crate) copies: bool,
    /// Whether each process has a CPU to itself.
    pub(crate) alone: bool,
}

/// The ports of one process.
#[derive(Debug)]
pub(crate) struct Ports {
    publisher: Publisher<ipc::Service, [u8], ()>,
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    /// For the events; none where subscribers poll.
    bell: Option<(Notifier<ipc::Service>, Listener<ipc::Service>)>,
    /// Whether the other process can run while this one polls.
    alone: bool,
    outbox: Vec<u8>,
    /// What is received goes there, where it is copied.
    inbox: Option<Vec<u8>>,
    _node: Node<ipc::Service>,
}

/// How long the ports of the two processes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(10);

impl Ports {
    /// Makes the ports and waits for those of the other process.
    fn open(to: &str, from: &str, size: usize, services: &Iceoryx) -> Result<Self> {
        set_log_level(LogLevel::Error);
        let node =
            NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled).create::<ipc::Service>()?;
        let buffer = match size {
            HUGE.. => 2,
            0x10_0000.. => 4,
            0x1_0000.. => 16,
            _ => 256,
        };
        let messages = |name: &str| -> Result<_> {
            let service = node.service_builder(&name.try_into()?).publish_subscribe::<[u8]>();
            let service = service.enable_safe_overflow(false).subscriber_max_buffer_size(buffer);
            Ok(service.max_publishers(1).max_subscribers(1).open_or_create()?)
        };
        let (outgoing, incoming) = (messages(to)?, messages(from)?);
        let events = |name: &str| -> Result<_> {
            Ok(node.service_builder(&name.try_into()?).event().open_or_create()?)
        };
        let bells = if services.polls { None } else { Some((events(to)?, events(from)?)) };
        let publisher = outgoing.publisher_builder().initial_max_slice_len(size);
        let publisher =
            publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?;
        let subscriber = incoming.subscriber_builder().buffer_size(buffer).create()?;
        let bell = bells.as_ref().map(|(out, back)| -> Result<_> {
            Ok((out.notifier_builder().create()?, back.listener_builder().create()?))
        });
        let bell = bell.transpose()?;
        let deadline = Instant::now() + PATIENCE;
        let met = || {
            outgoing.dynamic_config().number_of_subscribers() == 1
                && incoming.dynamic_config().number_of_publishers() == 1
                && bells.as_ref().is_none_or(|(out, _)| out.dynamic_config().number_of_listeners() == 1)
        };
        while !met() {
            ensure!(Instant::now() < deadline, "the ports of the other process do not appear");
            thread::sleep(Duration::from_micros(200));
        }
        Ok(Self {
            publisher,
            subscriber,
            bell,
            alone: services.alone,
            outbox: end::message(0, size),
            inbox: services.copies.then(|| vec![0; size]),
            _node: node,
        })
    }
}

impl End for Ports {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        let sample = self.publisher.loan_slice_uninit(length)?;
        sample.write_from_slice(&self.outbox[..length]).send()?;
        if let Some((notifier, _)) = &self.bell {
            notifier.notify()?;
        }
        Ok(())
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        loop {
            if let Some(sample) = self.subscriber.receive()? {
                let Some(inbox) = &mut self.inbox else { return end::look(sample.payload()) };
                let inbox = &mut inbox[..sample.payload().len()];
                inbox.copy_from_slice(sample.payload());
                return end::look(inbox);
            }
            match &mut self.bell {
                Some((_, listener)) => {
                    listener.blocking_wait(|_| {})?;
                }
                None if self.alone => std::hint::spin_loop(),
                None => thread::yield_now(),
            }
        }
    }
}

impl Contender for Iceoryx {
    type End = Ports;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Ports, Forked)> {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = |way: &str| format!("offspring-bench/{}/{number}/{way}", std::process::id());
        let (there, back) = (name("there"), name("back"));
        let peer = Forked::start(|| attend(Ports::open(&back, &there, size, self)?, size))?;
        let ports = Ports::open(&there, &back, size, self).context("open the ports")?;
        Ok((ports, peer))
    }
}
