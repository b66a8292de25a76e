//! A process dies when its parent does, however that died: to be a thread, with all signals blocked and a small
//! stack, that sleeps until the channel to the parent is at its end, and then ends the process by SIGKILL. macOS has
//! neither a parent-death signal nor `F_SETSIG`. Over an exec the thread is lost: there a small process of the same
//! group keeps watch.

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
