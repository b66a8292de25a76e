//! Which processes have a share in an object: who holds units of a semaphore, who has come to a barrier.
//!
//! A place in the roster is taken by a process while its share, which is part of the object's state, is not zero. So nothing is to be
//! undone for one that is killed between taking a place and declaring its share. Places are taken and looked at with the object's
//! [monitor](super::monitor) held.

use crate::sys::owner::{Owner, OwnerCell};

/// How many processes can have a share at a time and be missed when they die. More can have one.
pub(crate) const PLACES: usize = 32;

/// Who they are.
pub(crate) type Roster = [OwnerCell; PLACES];

/// What they have.
pub(crate) type Shares = [u32; PLACES];

/// The place of a process, a new one if it has none and there is one.
pub(crate) fn place(roster: &Roster, shares: &Shares, process: Owner) -> Option<usize> {
    let taken = (0..PLACES).find(|place| shares[*place] != 0 && roster[*place].get() == process);
    taken.or_else(|| {
        let free = shares.iter().position(|share| *share == 0)?;
        roster[free].set(process);
        Some(free)
    })
}

/// The places of processes that have ended.
pub(crate) fn dead<'a>(
    roster: &'a Roster,
    shares: &'a Shares,
    me: Owner,
) -> impl Iterator<Item = usize> + 'a {
    (0..PLACES).filter(move |place| {
        let owner = roster[*place].get();
        shares[*place] != 0 && owner != me && owner.is_dead()
    })
}
