//! A process dies when its parent does, however that died: to be a Job object of the parent with
//! `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`, whose only handle the parent holds, so that the system closes it with the
//! parent. The child has nothing to arm then, and a program that it starts is in the Job as well.

use std::io;

use super::channel::Channel;

/// From now on this process, with the group that it leads, is killed when the peer of the channel is gone; if it is
/// gone already, now.
pub(crate) fn arm(channel: &Channel, _group: bool) -> io::Result<()> {
    match *channel {}
}

/// Lets the lifeline live on in the program that this process is about to become.
pub(crate) fn keep_over_exec(channel: &Channel) -> io::Result<()> {
    match *channel {}
}
