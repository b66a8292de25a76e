use loom::sync::Arc;
use loom::thread;

use super::ring::{Ring, Which};
use super::waiting::{View, send_token};
use crate::process::wait::BeforeSleep;
use crate::sys::channel::Channel;
use crate::sys::spin::Spin;

#[derive(Debug, Default)]
struct Model {
    ring: Ring,
    socket: Channel,
    spin: Spin,
}

/// Where a sender dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dies {
    BeforeToken,
    BeforeChange,
    BeforeUnlock,
    BeforeRing,
    Never,
}

impl Model {
    /// Sends a record, as `End::send_record` does.
    fn send(&self, dies: Dies) {
        let side = self.ring.side(Which::Senders);
        let held = self.ring.lock(Which::Senders);
        if dies == Dies::BeforeToken {
            return;
        }
        send_token(side, &self.socket, false).unwrap();
        if dies == Dies::BeforeChange {
            return;
        }
        self.ring.push();
        if dies == Dies::BeforeUnlock {
            return;
        }
        drop(held);
        if dies == Dies::BeforeRing {
            return;
        }
        side.bell.ring_at_once();
    }

    /// Receives a record if there is one, as `End::take` does.
    fn take(&self) -> bool {
        let _held = self.ring.lock(Which::Receivers);
        self.ring.pop()
    }

    /// Receives a record. Naps until then, without end.
    fn receive_with_naps(&self) {
        while !self.take() {
            let bell = &self.ring.side(Which::Senders).bell;
            bell.nap(|| self.ring.has_data(), None).unwrap();
        }
    }

    /// Receives a record. Sleeps until then as `View::wait` does in the end.
    fn receive_in_deep_sleep(&self) {
        let (ring, socket, spin) = (&self.ring, &self.socket, &self.spin);
        let view = View { ring, socket, ours: Which::Receivers, spin };
        while !self.take() {
            let _lying = ring.side(Which::Senders).bell.lie_down();
            while !ring.has_data() {
                match view.before_sleep(&|| ring.has_data()).unwrap() {
                    BeforeSleep::Ready => break,
                    BeforeSleep::Sleep => socket.poll(),
                    // Naps end until nobody holds the lock any more.
                    BeforeSleep::Busy => {
                        drop(ring.lock(Which::Senders));
                        drop(ring.lock(Which::Receivers));
                    }
                }
            }
        }
    }
}

/// Tries the orders of some threads.
fn check(
    preemptions: usize,
    threads: impl Fn(Arc<Model>) -> Vec<Box<dyn FnOnce() + 'static>> + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let model = Arc::new(Model::default());
        let mut threads = threads(model);
        let mine = threads.pop().expect("there is a thread");
        let others: Vec<_> = threads.into_iter().map(thread::spawn).collect();
        mine();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

fn boxed(model: &Arc<Model>, action: impl FnOnce(&Model) + 'static) -> Box<dyn FnOnce() + 'static> {
    let model = Arc::clone(model);
    Box::new(move || action(&model))
}

#[test]
fn one_that_naps_is_woken() {
    check(4, |model| {
        vec![
            boxed(&model, |model| (0..2).for_each(|_| model.receive_with_naps())),
            boxed(&model, |model| (0..2).for_each(|_| model.send(Dies::Never))),
        ]
    });
}

#[test]
fn two_that_nap_are_woken_once_for_each_record() {
    check(3, |model| {
        vec![
            boxed(&model, |model| model.receive_with_naps()),
            boxed(&model, |model| model.receive_with_naps()),
            boxed(&model, |model| (0..2).for_each(|_| model.send(Dies::Never))),
        ]
    });
}

#[test]
fn one_that_naps_is_woken_by_either_of_two_senders() {
    check(3, |model| {
        vec![
            boxed(&model, |model| (0..2).for_each(|_| model.receive_with_naps())),
            boxed(&model, |model| model.send(Dies::Never)),
            boxed(&model, |model| model.send(Dies::Never)),
        ]
    });
}

#[test]
fn one_in_deep_sleep_is_woken_wherever_a_sender_dies() {
    for dies in [Dies::BeforeToken, Dies::BeforeChange, Dies::BeforeUnlock, Dies::BeforeRing, Dies::Never] {
        check(3, move |model| {
            vec![
                boxed(&model, |model| model.receive_in_deep_sleep()),
                boxed(&model, move |model| model.send(dies)),
                boxed(&model, |model| model.send(Dies::Never)),
            ]
        });
    }
}

#[test]
fn two_in_deep_sleep_are_woken_wherever_a_sender_dies() {
    for dies in [Dies::BeforeToken, Dies::BeforeChange, Dies::BeforeUnlock] {
        check(2, move |model| {
            vec![
                boxed(&model, |model| model.receive_in_deep_sleep()),
                boxed(&model, |model| model.receive_in_deep_sleep()),
                boxed(&model, move |model| {
                    model.send(dies);
                    (0..2).for_each(|_| model.send(Dies::Never));
                }),
            ]
        });
    }
}
