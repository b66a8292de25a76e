//! Listens to producers: see [their side](crate::tasks::client).

use std::sync::Arc;

use super::{Post, Shared};
use crate::net::remote::{LinkReceiver, LinkSender};
use crate::tasks::TaskError;
use crate::tasks::ledger::{Arrival, Desk};
use crate::tasks::message::{Producer, Refusal, ToProducer, ToServer, Types, decode, frame};

/// One that has been welcomed.
struct Visitor {
    post: Post,
    name: Arc<str>,
    desk: Desk,
}

/// Whether a visit goes on.
#[derive(PartialEq, Eq)]
enum Visit {
    GoesOn,
    IsOver,
}

impl Shared {
    /// Listens to a producer until its link ends.
    pub(super) fn serve_producer(
        &self,
        sender: &LinkSender,
        mut receiver: LinkReceiver,
        types: &Types,
        comes: Producer,
    ) {
        if comes.name.is_empty() {
            return; // the ledger's name for nobody, and none of ours
        }
        let refused = if *types == self.types {
            let got = comes.got.clone();
            match self.enter_producer(sender, comes) {
                Ok(visitor) => return self.listen(&visitor, receiver, &got),
                Err(None) => return,
                Err(Some(refused)) => refused,
            }
        } else {
            ToProducer::OtherTypes(self.types.clone())
        };
        let _is_gone_anyway = sender.send(&frame(&refused));
        let _its_end = receiver.recv_timeout(self.lease);
    }

    fn enter_producer(&self, sender: &LinkSender, comes: Producer) -> Result<Visitor, Option<ToProducer>> {
        let post = Post::new(sender.clone()).map_err(|_| None)?;
        let mut ledger = self.ledger();
        if self.is_closing() {
            return Err(None);
        }
        ledger.expire(self.retention);
        // One that a journal cannot note is cut off, and comes again.
        let arrival = ledger.enter_producer(post.clone(), comes).map_err(|_| None)?;
        let Arrival::Welcome { desk, name, known, next } = arrival else {
            return Err(Some(ToProducer::Replaced));
        };
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        // Before anything that it could be sent now. The first message of a stream finds room; when the link is over already, that is heard.
        let _is_heard = post.send(&frame(&ToProducer::Welcome { lease, known, next }));
        drop(ledger);
        self.changed.notify_all();
        Ok(Visitor { post, name, desk })
    }

    /// Until it ends, or is silent.
    fn listen(&self, visitor: &Visitor, mut receiver: LinkReceiver, got: &[u64]) {
        let forgotten = got.iter().try_for_each(|index| self.forget_for(visitor, *index));
        let mut message = Vec::new();
        while forgotten.is_ok() && receiver.recv_timeout_into(&mut message, self.lease).is_ok() {
            let Ok(heard) = decode::<ToServer>(&message) else { break };
            if !matches!(self.hear_producer(visitor, heard), Ok(Visit::GoesOn)) {
                break;
            }
        }
        self.change(None, |ledger| ledger.leave_producer(&visitor.name, visitor.desk));
    }

    fn hear_producer(&self, visitor: &Visitor, heard: ToServer) -> Result<Visit, TaskError> {
        let Visitor { post, name, desk } = visitor;
        // What one says that has been replaced meanwhile is not heard: it says it again where it is known.
        if !self.ledger().is_at(name, *desk) {
            return Ok(Visit::IsOver);
        }
        match heard {
            ToServer::Put { first, tasks } => {
                let tasks = tasks.into_iter().map(|task| task.0).collect();
                let put = self.change(Some(post), |ledger| {
                    if self.is_closing() || !ledger.is_at(name, *desk) {
                        return Err(TaskError::Closed);
                    }
                    ledger.put_of(name, first, tasks, self.capacity)
                });
                let answer = match put {
                    Ok(next) => ToProducer::Have { next },
                    Err(TaskError::Full) => ToProducer::Refused { first, why: Refusal::Full },
                    Err(TaskError::Journal(why)) => ToProducer::Refused { first, why: Refusal::Journal(why) },
                    Err(error) => return Err(error),
                };
                post.send(&frame(&answer)).map_err(TaskError::NoLink)?;
            }
            ToServer::WantResult => self.change(Some(post), |ledger| {
                if ledger.is_at(name, *desk) {
                    ledger.want_result(name);
                }
            }),
            ToServer::Got { index } => self.forget_for(visitor, index)?,
            ToServer::Beat => {}
            ToServer::Bye => {
                self.change(Some(post), |ledger| {
                    if ledger.is_at(name, *desk) { ledger.abandon(name) } else { Ok(()) }
                })?;
                return Ok(Visit::IsOver);
            }
            ToServer::Hello { .. }
            | ToServer::Produce { .. }
            | ToServer::Want
            | ToServer::GiveBack { .. }
            | ToServer::Done { .. } => return Err(TaskError::Decode("no producer says that here".into())),
        }
        Ok(Visit::GoesOn)
    }

    fn forget_for(&self, visitor: &Visitor, index: u64) -> Result<(), TaskError> {
        let Visitor { post, name, desk } = visitor;
        let mut ledger = self.ledger();
        if ledger.is_at(name, *desk) {
            ledger.forget_of(name, index)?;
        }
        drop(ledger);
        post.send(&frame(&ToProducer::Forgot { index })).map_err(TaskError::NoLink)
    }
}
