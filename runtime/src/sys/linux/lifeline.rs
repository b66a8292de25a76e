//! A process dies when its parent does, however that died.
//!
//! The child's end of the channel to its parent is made asynchronous (`O_ASYNC`, `F_SETOWN`, `F_SETSIG` in
//! `fcntl(2)`): when the other end closes, and the kernel closes it whatever the parent died of, the kernel sends
//! SIGKILL to the owner. No thread watches. `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that made
//! the child ends, and is lost when a forkserver stands in between.
//!
//! Any message that arrives would fire as well, so a lifeline is armed only after the parent said all it has to say.
//! Room that becomes free in a full buffer would fire too; what a child answers always fits, so its buffer is never full.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::channel::Channel;

/// `F_SETSIG` of `linux/fcntl.h` on every architecture that Linux runs Rust on; libc lacks it.
const F_SETSIG: i32 = 10;

fn control(channel: &Channel, command: i32, argument: i32) -> io::Result<i32> {
    // SAFETY: the commands used here take an integer and touch no memory.
    let result = unsafe { libc::fcntl(channel.as_fd().as_raw_fd(), command, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// From now on this process is killed when the peer of the channel is gone; if it is gone already, now. With it goes the
/// group that it leads, if `group` says that it leads one: what it has started by other means than this library.
pub(crate) fn arm(channel: &Channel, group: bool) -> io::Result<()> {
    let me = std::process::id() as i32;
    control(channel, libc::F_SETOWN, if group { -me } else { me })?;
    control(channel, F_SETSIG, libc::SIGKILL)?;
    control(channel, libc::F_SETFL, libc::O_ASYNC)?; // the channel has no other flag that can be set
    let mut fds = [PollFd::new(channel.as_fd(), PollFlags::empty())];
    if poll(&mut fds, PollTimeout::ZERO)? > 0 {
        // The parent died before the lifeline was armed.
        // SAFETY: raise takes an integer.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    Ok(())
}

/// Lets the lifeline live on in the program that this process is about to become.
pub(crate) fn keep_over_exec(channel: &Channel) -> io::Result<()> {
    control(channel, libc::F_SETFD, 0)?;
    Ok(())
}
